"""What people write for a configuration, to its hash."""

import os
import warnings

import pytest
from collisions import colliding_configs
from written_moves import write_move

from gemexp import AmbiguousPrefix, ExperimentConfig, InvalidPath, NotFound, RivalWarning
from gemexp.store import layout


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


class TestNames:
    def test_a_name_is_a_revision_with_and_without_its_kind(self, registry, one):
        registry.move_name("production", one)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert registry.resolve("production") == registry.resolve("name:production") == one
        for rev in ("Production", "name:Production", "name:", "name:best", "tag:production", "name:name:production"):
            with pytest.raises(NotFound):
                registry.resolve(rev)

    def test_a_name_goes_before_a_tag_and_the_tag_needs_its_kind_then(self, registry, one):
        other = registry.register(make(1, tags=["production"]))
        assert registry.resolve("production") == other
        registry.move_name("production", one)
        assert registry.resolve("production") == registry.resolve("name:production") == one
        assert registry.resolve("tag:production") == other
        registry.drop_name("production")
        assert registry.resolve("production") == other

    def test_a_name_goes_before_a_tag_of_several(self, registry, one):
        registry.add_many([make(1, tags=["production"]), make(2, tags=["production"])])
        registry.move_name("production", one)
        assert registry.resolve("production") == one
        with pytest.raises(AmbiguousPrefix):
            registry.resolve("tag:production")

    def test_digits_always_mean_a_hash_even_if_a_name_is_written_so(self, registry, one):
        other = registry.register(make(1))
        for name in (one[:6], "deadbeef"):
            write_move(registry.root, name, other, "2024-01-01")
            assert registry.resolve(f"name:{name}") == other
        assert registry.resolve(one[:6]) == one
        with pytest.raises(NotFound):
            registry.resolve("deadbeef")

    def test_a_name_whose_config_is_deleted_is_found_for_restoring_alone(self, registry, one):
        registry.move_name("production", one)
        with pytest.raises(NotFound) as caught:
            registry.restore("production")
        assert "not deleted" in caught.value.message
        registry.delete("production")
        for rev in ("production", "name:production"):
            with pytest.raises(NotFound) as caught:
                registry.resolve(rev)
            assert caught.value.hint == f"gemexp restore {one[:12]} brings it back"
            assert registry.get(rev) is None
        assert registry.restore("production") == one
        assert registry.resolve("production") == one

    def test_a_name_whose_config_is_missing_is_told(self, registry, one):
        registry.move_name("production", one)
        os.unlink(f"{registry.root}/{layout.object_path(one)}")
        with pytest.raises(NotFound) as caught:
            registry.resolve("production")
        assert "missing" in caught.value.message
        assert "fsck" in caught.value.hint

    def test_of_rivals_the_newest_is_taken_with_a_warning(self, registry, one):
        other = registry.register(make(1))
        write_move(registry.root, "production", one, "2024-01-01")
        write_move(registry.root, "production", other, "2024-01-02")
        for rev in ("production", "name:production"):
            with pytest.warns(RivalWarning, match="'production'.*--resolve") as told:
                assert registry.resolve(rev) == other
            assert len(told) == 1
        with pytest.warns(RivalWarning) as told:
            assert registry.resolve_with_path("production:hyperparameters.n") == (other, ("hyperparameters", "n"))
        assert len(told) == 1
        registry.settle_name("production")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert registry.resolve("production") == other

    def test_a_name_that_one_side_took_away_is_not_found_before_it_is_settled(self, registry, one):
        registry.tag(one, ["production"])
        write_move(registry.root, "production", one, "2024-01-01")
        write_move(registry.root, "production", None, "2024-01-02")
        with pytest.raises(NotFound) as caught:
            registry.resolve("production")
        assert "gemexp name production" in caught.value.hint
        assert registry.resolve("tag:production") == one

    def test_a_path_selects_inside(self, registry, one):
        registry.move_name("production", one)
        registry.tag(one, ["production:hyperparameters"])
        other = registry.register(make(1, tags=["production:hyperparameters.lr"]))
        for rev in ("production", "name:production"):
            assert registry.resolve_with_path(rev) == (one, ())
            assert registry.resolve_with_path(f"{rev}:feature_names[0]") == (one, ("feature_names", 0))
            path = f'{rev}:hyperparameters."a:b".c[0]'
            assert registry.resolve_with_path(path) == (one, ("hyperparameters", "a:b", "c", 0))
            with pytest.raises(InvalidPath):
                registry.resolve_with_path(f"{rev}:")
        assert registry.resolve_with_path("name:production:hyperparameters.lr") == (one, ("hyperparameters", "lr"))
        assert registry.resolve_with_path("production:hyperparameters.lr") == (other, ()), "the longest that resolves"
        with pytest.raises(NotFound):
            registry.resolve_with_path("name:none:hyperparameters.lr")


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
