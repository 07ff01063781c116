"""Each broken pipeline is caught by the property that is to catch it, with a small config that shows it again."""

import pytest
from catalogue_of_faults import FAULTS, rich_config

from gemexp.testing import keep, pipeline_of, shrunk
from gemexp.testing.properties import check
from gemexp.testing.worlds import FACTORS

each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)


@pytest.fixture(autouse=True)
def _surroundings(request, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    for name, text in getattr(request.node, "callspec", None).params["fault"].environment.items():
        monkeypatch.setenv(name, text)


@each_fault
def test_the_fault_is_caught_shrunk_kept_and_found_again(fault, experiment_store):
    verdict = check(fault.caught_by, fault.broken, rich_config(), **fault.options)
    assert not verdict.holds
    assert verdict.name == fault.caught_by
    assert verdict.differences
    assert set(verdict.factors) <= set(FACTORS)
    # What happens again and again in one process takes no factor at all.
    assert set(verdict.factors) <= set(fault.factors), verdict
    if fault.factors and fault.factors != ("scheduling",):
        assert verdict.factors, verdict

    smallest = shrunk(verdict, seconds=15, tries=30)
    assert len(smallest.config.to_bytes()) < len(rich_config().to_bytes()) * 0.6
    assert not smallest.holds

    config_hash = keep(smallest, experiment_store)
    [kept] = experiment_store.search_by_tag("counterexample")
    assert kept.config_hash == config_hash == smallest.config.config_hash
    # What the command says is enough to see it again.
    words = smallest.command.split()
    assert words[:2] == ["gemexp", "check"]
    assert experiment_store.get(words[3]).config_hash == config_hash
    options = {**fault.options}
    if "--vary" in words:
        options["vary"] = words[words.index("--vary") + 1].split(",")
    again = check(words[words.index("--property") + 1], pipeline_of(words[2]), kept, **options)
    assert not again.holds
