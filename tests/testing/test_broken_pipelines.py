"""Each broken pipeline is caught by the property that is to catch it, with a small config that shows it again."""

import shlex

import pytest
from catalogue_of_faults import FAULTS, rich_config

from gemexp.cli import main
from gemexp.testing import keep, pipeline_of, shrunk
from gemexp.testing.properties import check
from gemexp.testing.worlds import FACTORS

each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)


@pytest.fixture(autouse=True)
def _surroundings(request, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    fault = request.node.callspec.params.get("fault")
    for name, text in fault.environment.items() if fault else ():
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


@pytest.mark.parametrize("name", ["accumulation_order", "seed_ignored", "look_ahead", "biased_ranking"])
def test_the_command_that_is_printed_finds_it_again(name, experiment_store, capsys):
    fault = next(fault for fault in FAULTS if fault.name == name)
    verdict = check(fault.caught_by, fault.broken, rich_config(), **fault.options)
    keep(verdict, experiment_store)
    assert main(["--store", experiment_store.root, *shlex.split(verdict.command)[1:]]) == 1
    assert f"{verdict.name} does not hold for '{verdict.pipeline}'" in capsys.readouterr().out
