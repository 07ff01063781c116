"""``gemexp log``."""

import pytest
from surroundings import snapshot

from gemexp import ExperimentConfig


@pytest.fixture
def family(add, gemexp):
    """Return a baseline, two variants of it, and one of both."""
    first = add({"k": 10, "lr": 0.1}, "-d", "three features", "-t", "baseline")
    second = gemexp("add", "-q", "--from", first, "--set", "hyperparameters.k=20", "-d", "second").out.strip()
    third = gemexp("add", "-q", "--from", first, "--set", "hyperparameters.lr=0.2", "-d", "third").out.strip()
    fourth = gemexp(
        "add", "-q", "--from", second, "--set", "hyperparameters.lr=0.2", "-d", "fourth", "-t", "both"
    ).out.strip()
    gemexp("add", "-q", "--from", third, "--set", "hyperparameters.k=20")
    return first, second, third, fourth


def lines(result):
    """Return the lines, hashes in full and days left out."""
    found = []
    for line in result.out.splitlines():
        words = line.split("  ")
        found.append("  ".join(word for word in words if not word.startswith("20") or len(word) != 10))
    return found


def test_each_entry_tells_parents_and_changes(gemexp, family):
    first, second, third, fourth = (one[:12] for one in family)
    assert lines(gemexp("log")) == [
        f"{fourth}  fourth  [both]",
        f"  from {second}",
        "  ~ hyperparameters.lr: 0.1 -> 0.2 (+0.1)",
        f"  from {third}",
        "  ~ hyperparameters.k: 10 -> 20 (+10)",
        f"{third}  third",
        f"  from {first}",
        "  ~ hyperparameters.lr: 0.1 -> 0.2 (+0.1)",
        f"{second}  second",
        f"  from {first}",
        "  ~ hyperparameters.k: 10 -> 20 (+10)",
        f"{first}  three features  [baseline]",
    ]


def test_a_revision_is_shown_with_what_it_was_made_from(gemexp, family):
    first, second, _, _ = (one[:12] for one in family)
    assert lines(gemexp("log", "hash:" + second)) == [
        f"{second}  second",
        f"  from {first}",
        "  ~ hyperparameters.k: 10 -> 20 (+10)",
        f"{first}  three features  [baseline]",
    ]
    gemexp("log", "nosuch", code=3)


def test_the_graph_is_a_tree(gemexp, family):
    first, second, third, fourth = (one[:12] for one in family)
    assert lines(gemexp("log", "--graph")) == [
        f"{first}  three features  [baseline]",
        f"├─ {third}  third",
        "│     ~ hyperparameters.lr: 0.1 -> 0.2 (+0.1)",
        f"└─ {second}  second",
        "   │  ~ hyperparameters.k: 10 -> 20 (+10)",
        f"   └─ {fourth}  fourth  [both]",
        "         ~ hyperparameters.lr: 0.1 -> 0.2 (+0.1)",
        f"         also from {third}",
        "         ~ hyperparameters.k: 10 -> 20 (+10)",
    ]


def test_the_graph_of_a_revision_goes_both_ways(gemexp, family):
    first, second, third, fourth = (one[:12] for one in family)
    found = gemexp("log", second, "--graph").out
    assert all(one in found for one in (first, second, fourth))
    assert f"─ {third}" not in found


def test_without_line_drawing_the_graph_is_ascii(process, family):
    first, second, third, _ = (one[:12] for one in family)
    result = process("log", "--graph", env={"PYTHONIOENCODING": "ascii"})
    drawn = lines(result)
    assert (result.code, result.err) == (0, "")
    assert drawn[:4] == [
        f"{first}  three features  [baseline]",
        f"|- {third}  third",
        "|     ~ hyperparameters.lr: 0.1 -> 0.2 (+0.1)",
        f"`- {second}  second",
    ]
    assert "\\" not in result.out


def test_deleted_and_missing_ones_are_said(gemexp, family, store):
    first, second, _, fourth = family
    gemexp("delete", second, "-f")
    child = store().register(ExperimentConfig([], {}, {"z": 1}), parents=["e" * 64])
    found = gemexp("log").out
    assert f"  from {first[:12]} through {second[:12]} (deleted)\n" in found
    assert f"  from {'e' * 12} (missing)\n" in found
    drawn = lines(gemexp("log", "--graph"))
    assert f"├─ {fourth[:12]}  fourth  [both]" in drawn
    assert f"│     through {second[:12]} (deleted)" in drawn
    assert drawn[0] == child[:12]
    assert drawn[1] == f"   from {'e' * 12} (missing)"


def test_json_says_it_all(gemexp, family):
    first, second, third, fourth = family
    found = gemexp("log", "--json").json
    assert [entry["config_hash"] for entry in found] == [fourth, third, second, first]
    assert [(one["config_hash"], one["state"], one["through"]) for one in found[0]["parents"]] == [
        (second, "listed", []),
        (third, "listed", []),
    ]
    assert found[1]["parents"][0]["differences"] == [
        {
            "path": "hyperparameters.lr",
            "change": "changed",
            "old": 0.1,
            "old_type": "float",
            "new": 0.2,
            "new_type": "float",
            "delta": 0.1,
        }
    ]
    assert (found[3]["tags"], found[3]["description"], found[3]["parents"]) == (["baseline"], "three features", [])
    drawn = gemexp("log", "--graph", "--json").json
    assert [(one["config_hash"], one["depth"], one["under"]) for one in drawn] == [
        (first, 0, None),
        (third, 1, first),
        (second, 1, first),
        (fourth, 2, second),
    ]


def test_it_is_bounded(gemexp, store):
    parents = []
    for number in range(120):
        parents = [store().register(ExperimentConfig([], {}, {"n": number}), parents=parents)]
    assert len(gemexp("log", "--json").json) == 100
    assert len(gemexp("log", "-n", "3", "--json").json) == 3
    assert len(gemexp("log", "--all", "--json").json) == 120
    result = gemexp("log", "--graph")
    assert result.err == "note: only the newest 100 are drawn; --all draws the rest too\n"
    drawn = gemexp("log", "--graph", "--all").out
    assert max(map(len, drawn.splitlines())) < 200
    assert drawn.count("─ ") == 119


def test_many_changes_are_cut_short(gemexp, add):
    first = add({f"k{number}": 0 for number in range(50)})
    gemexp("add", "--from", first, *(f"--set=hyperparameters.k{number}=1" for number in range(50)))
    found = gemexp("log").out.splitlines()
    assert len([line for line in found if line.startswith("  ~ ")]) == 20
    assert found[-2].startswith("  and 30 more: gemexp diff ")
    assert len(gemexp("log", "--json").json[0]["parents"][0]["differences"]) == 50


@pytest.mark.usefixtures("family")
def test_an_empty_store_has_no_log_and_reading_writes_nothing(gemexp, store):
    before = snapshot(store().root)
    gemexp("log", "--graph")
    gemexp("log", "--all")
    assert snapshot(store().root) == before
    gemexp("--store", "other", "init")
    assert gemexp("--store", "other", "log").out == ""
    assert gemexp("--store", "other", "log", "--graph").out == ""
    assert gemexp("--store", "other", "log", "--json").json == []
