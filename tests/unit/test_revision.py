"""What people write for a configuration, to its hash."""

import pytest
from collisions import colliding_configs

from gemexp import AmbiguousPrefix, ExperimentConfig, InvalidPath, NotFound


@pytest.fixture
def one(registry):
    return registry.register(ExperimentConfig(["a"], {"a": 1}, {"lr": 0.1, "a:b": {"c": [5]}}, tags=["best"]))


def make(number, **fields):
    return ExperimentConfig([], {}, {"n": number}, **fields)


def test_a_hash_and_every_beginning_of_four_digits_or_more_is_found(registry, one):
    for length in range(4, 65):
        assert registry.resolve(one[:length]) == one
        assert registry.resolve(one[:length].upper()) == one
        assert registry.resolve(f"hash:{one[:length]}") == one


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_a_shorter_beginning_is_never_found_even_in_a_store_of_one(registry, one, length):
    for rev in (one[:length], f"hash:{one[:length]}"):
        with pytest.raises(NotFound) as caught:
            registry.resolve(rev)
        assert "4" in caught.value.hint
        assert registry.get(rev) is None
        assert not registry.delete(rev)
    assert registry.get(one) is not None


@pytest.mark.parametrize(
    "rev",
    [
        "",
        " ",
        ".",
        "..",
        "*",
        "?",
        "/",
        "../../best",
        "./best",
        "best/",
        "refs/tags/best",
        "tag:",
        "hash:",
        "tag:none",
        "hash:best",
        "TAG:best",
        "BEST",
        "0",
        "1",
        "-1",
        "HEAD",
        "\x00",
        "\udc80",
        "a" * 300,
        "f" * 65,
        "tag:tag:best",
        "best\n",
    ],
)
def test_nothing_is_found_by_accident(registry, one, rev):
    with pytest.raises(NotFound):
        registry.resolve(rev)
    assert registry.get(rev) is None
    assert rev not in registry
    assert one in registry


def test_digits_that_are_no_hash_of_the_store_are_not_found(registry, one):
    wrong = one[:-1] + ("0" if one[-1] != "0" else "1")
    for rev in (wrong, wrong[:63] + "f" * 1, "0" * 64):
        if rev != one:
            with pytest.raises(NotFound):
                registry.resolve(rev)


def test_an_ambiguous_beginning_lists_all_candidates_and_a_longer_one_is_found(registry):
    configs = colliding_configs(3)
    hashes = registry.add_many(configs)
    with pytest.raises(AmbiguousPrefix) as caught:
        registry.get(hashes[0][:4])
    assert caught.value.candidates == sorted(hashes)
    assert caught.value.subject == hashes[0][:4]
    assert caught.value.hint
    for operation in (registry.resolve, registry.delete, registry.restore):
        if operation != registry.restore:
            with pytest.raises(AmbiguousPrefix):
                operation(hashes[0][:4])
    for one in hashes:
        assert registry.resolve(one[:20]) == one


def test_deleted_candidates_do_not_make_a_beginning_ambiguous(registry):
    first, second, third = registry.add_many(colliding_configs(3))
    registry.delete(first)
    registry.delete(second)
    assert registry.resolve(first[:4]) == third
    with pytest.raises(AmbiguousPrefix) as caught:
        registry.restore(first[:4])
    assert caught.value.candidates == sorted([first, second])


class TestTags:
    def test_a_tag_of_exactly_one_is_a_revision(self, registry, one):
        assert registry.resolve("best") == one
        assert registry.resolve("tag:best") == one

    def test_a_tag_of_several_is_ambiguous(self, registry, one):
        other = registry.register(make(1, tags=["best"]))
        for rev in ("best", "tag:best"):
            with pytest.raises(AmbiguousPrefix) as caught:
                registry.resolve(rev)
            assert caught.value.candidates == sorted([one, other])

    def test_a_tag_that_nobody_carries_any_more_is_not_found(self, registry, one):
        registry.untag(one, ["best"])
        with pytest.raises(NotFound):
            registry.resolve("best")
        registry.tag(one, ["best"])
        registry.delete(one)
        with pytest.raises(NotFound):
            registry.resolve("best")

    def test_a_tag_that_reads_as_digits_needs_its_kind(self, registry):
        dated = registry.register(make(2, tags=["2024", "abc", "deadbeef"]))
        for tag in ("2024", "deadbeef"):
            with pytest.raises(NotFound) as caught:
                registry.resolve(tag)
            assert f"tag:{tag}" in caught.value.hint
            assert registry.resolve(f"tag:{tag}") == dated
        assert registry.resolve("abc") == dated  # three digits are no hash

    def test_digits_always_mean_a_hash_even_if_a_tag_has_that_name(self, registry, one):
        other = registry.register(make(3, tags=[one[:6]]))
        assert registry.resolve(one[:6]) == one
        assert registry.resolve(f"tag:{one[:6]}") == other

    @pytest.mark.parametrize(
        "tag", ["a/b", "../up", "Best", "a b", "ü", "con", "x:y", ".", "%41", "tag:x", "a\nb", "best:"]
    )
    def test_unusual_tags_are_found_by_their_exact_name(self, registry, one, tag):
        odd = registry.register(make(4, tags=[tag]))
        assert registry.resolve(f"tag:{tag}") == odd
        assert registry.resolve("best") == one
        assert [config.config_hash for config in registry.search_by_tag(tag)] == [odd]


class TestPaths:
    def test_a_path_selects_inside(self, registry, one):
        for rev in (one[:8], "best", "tag:best", f"hash:{one[:8]}"):
            assert registry.resolve_with_path(f"{rev}:hyperparameters.lr") == (one, ("hyperparameters", "lr"))
            assert registry.resolve_with_path(rev) == (one, ())

    def test_a_path_may_hold_colons_in_quotes(self, registry, one):
        path = 'hyperparameters."a:b".c[0]'
        assert registry.resolve_with_path(f"{one}:{path}") == (one, ("hyperparameters", "a:b", "c", 0))
        assert registry.resolve_with_path(f"best:{path}") == (one, ("hyperparameters", "a:b", "c", 0))

    def test_a_tag_may_hold_colons(self, registry):
        timed = registry.register(make(5, tags=["t:12:30"]))
        assert registry.resolve_with_path("t:12:30") == (timed, ())
        assert registry.resolve_with_path("t:12:30:hyperparameters.n") == (timed, ("hyperparameters", "n"))
        assert registry.resolve_with_path("tag:t:12:30:hyperparameters") == (timed, ("hyperparameters",))

    @pytest.mark.parametrize("path", ["", ".", "a..b", "a[", " "])
    def test_what_is_no_path_is_refused(self, registry, one, path):
        with pytest.raises(InvalidPath):
            registry.resolve_with_path(f"{one}:{path}")

    @pytest.mark.parametrize("rev", [":", ":lr", "::", "none:lr", "abc:lr", "tag::lr", "hash::lr", "hash:ab:lr"])
    def test_a_path_behind_nothing_is_not_found(self, registry, one, rev):
        with pytest.raises(NotFound):
            registry.resolve_with_path(rev)
        assert registry.get(one)
