"""``gemexp list`` and ``gemexp search``."""

import pytest


@pytest.fixture
def filled(add):
    return [
        add({"lr": lr}, "-d", f"lr {lr}", "-t", "sweep", *(["-t", "best"] if lr == 0.2 else []))
        for lr in (0.3, 0.1, 0.2)
    ]


def test_a_line_gives_hash_day_description_and_tags_newest_first(gemexp, filled):
    lines = gemexp("list").out.splitlines()
    assert [line.split()[0] for line in lines] == [config_hash[:12] for config_hash in reversed(filled)]
    assert "lr 0.2" in lines[0]
    assert "best, sweep" in lines[0]


def test_json_is_one_array_of_all_eight_fields(gemexp, filled):
    for found in (gemexp("list", "--json").json, gemexp("search", "sweep", "--json").json):
        assert [config["config_hash"] for config in found] == list(reversed(filled))
        assert all(len(config) == 8 for config in found)


def test_an_empty_store_lists_nothing(gemexp, store):  # noqa: ARG001
    assert gemexp("list").out == ""
    assert gemexp("list", "--json").json == []
    assert gemexp("search", "x", "--json").json == []


def test_limits_tags_and_order_are_followed(gemexp, filled):
    def listed(*arguments):
        return [config["config_hash"] for config in gemexp("list", *arguments, "--json").json]

    assert listed("--limit", 2) == [filled[2], filled[1]]
    assert listed("-n", 1) == [filled[2]]
    assert listed("--tag", "best") == [filled[2]]
    assert listed("--tag", "none") == []
    assert listed("--sort", "hyperparameters.lr") == [filled[1], filled[2], filled[0]]
    assert listed("--sort", "created_at") == filled
    assert listed("--sort", "description", "--limit", 1) == [filled[1]]
    assert listed("--sort", "config_hash") == sorted(filled)


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5", ""])
def test_a_limit_that_is_no_number_is_a_usage_error(gemexp, filled, limit):  # noqa: ARG001
    gemexp("list", "--limit", limit, code=2)


def test_a_key_that_is_no_path_is_bad_input(gemexp, filled):  # noqa: ARG001
    gemexp("list", "--sort", "a..b", code=1)


def test_search_finds_by_exact_tag_only(gemexp, filled):
    assert len(gemexp("search", "sweep").out.splitlines()) == 3
    assert [line.split()[0] for line in gemexp("search", "best").out.splitlines()] == [filled[2][:12]]
    for tag in ("swee", "SWEEP", "", "../tags/sweep", "*", "sweep/"):
        assert gemexp("search", tag).out == ""


def test_a_hundred_are_listed_unless_asked(gemexp, store):  # noqa: ARG001
    gemexp("add", "-", "--jsonl", stdin="".join(f'{{"n": {number}}}\n' for number in range(120)))
    assert len(gemexp("list").out.splitlines()) == 100
    assert len(gemexp("list", "--limit", 110).out.splitlines()) == 110
    assert len(gemexp("list", "--all").out.splitlines()) == 120
