"""Names against a plain stack, and on two sides: united in any order they say the same, and no move is lost."""

import shutil
import warnings

from hypothesis import given, settings
from hypothesis import strategies as st
from surroundings import contents, merge

from gemexp import ExperimentConfig, ExperimentRegistry, NotFound, RivalWarning

CONFIGS = [ExperimentConfig([], {}, {"n": number}) for number in range(3)]
NAMES = st.sampled_from(["production", "Production", "a/b"])
MOVE = st.tuples(st.just("move"), NAMES, st.sampled_from([config.config_hash for config in CONFIGS]))
BACK = st.tuples(st.sampled_from(["rollback", "drop", "settle"]), NAMES, st.none())
HISTORY = st.lists(st.one_of(MOVE, MOVE, BACK), max_size=8)


def act(registry, action, name, config):
    """Do it if it can be done; return whether it could."""
    try:
        if action == "move":
            registry.move_name(name, config)
        else:
            getattr(registry, f"{action}_name")(name)
    except NotFound:
        return False
    return True


def expect(stack, action, config):
    """Do to a stack of where a name pointed what the action does to the name; return whether it could be done."""
    if action == "move":
        if stack[-1:] != [config]:
            stack.append(config)
        return True
    if action == "settle":
        return bool(stack)
    if action == "drop":
        if stack and stack[-1] is not None:
            stack.append(None)
            return True
        return False
    if len(stack) > 1:
        stack.pop()
        return True
    return False


@settings(max_examples=40)
@given(history=HISTORY)
def test_one_side_alone_is_a_stack(tmp_path_factory, history):
    base = tmp_path_factory.mktemp("names")
    registry = ExperimentRegistry(base / "store")
    registry.add_many(CONFIGS)
    stacks = {}
    for action, name, config in history:
        stack = stacks.setdefault(name, [])
        assert act(registry, action, name, config) == expect(stack, action, config)
        assert registry.pointer(name).config == (stack[-1] if stack else None)
        assert registry.pointer(name).rivals == ()
    assert registry.names() == {name: stack[-1] for name, stack in sorted(stacks.items()) if stack and stack[-1]}
    assert registry.check().problems == registry.check().notes == []
    shutil.rmtree(base)


@settings(max_examples=30)
@given(common=HISTORY, sides=st.tuples(HISTORY, HISTORY, HISTORY), after=HISTORY)
def test_sides_united_in_any_order_agree_and_lose_nothing(tmp_path_factory, common, sides, after):
    base = tmp_path_factory.mktemp("names")
    origin = ExperimentRegistry(base / "origin")
    origin.add_many(CONFIGS)
    for step in common:
        act(origin, *step)
    moves = set()
    copies = []
    for number, history in enumerate(sides):
        copy = ExperimentRegistry(shutil.copytree(origin.root, base / str(number)))
        for step in history:
            act(copy, *step)
        moves |= all_moves(copy)
        copies.append(copy)

    one = united(base / "one", *copies)
    for name, order in {"two": copies[::-1], "three": [*copies[1:], copies[0], *copies]}.items():
        other = united(base / name, *order)
        assert contents(other.root) == contents(one.root)
        assert other.pointers() == one.pointers()
    assert all_moves(one) == moves
    assert one.check().problems == []
    for pointer in one.pointers().values():
        check_pointer(pointer)

    for step in after:
        act(one, *step)
    for name, pointer in one.pointers().items():
        check_pointer(pointer)
        with warnings.catch_warnings():
            warnings.simplefilter("error" if not pointer.rivals else "ignore", RivalWarning)
            assert (name in one) == (pointer.config is not None)
        settled = act(one, "settle", name, None)
        assert settled
        assert one.pointer(name).rivals == ()
        assert one.pointer(name).config == pointer.config
    assert moves <= all_moves(one)
    shutil.rmtree(base)


def united(root, *registries):
    """Return the union of stores, made in this order."""
    shutil.copytree(registries[0].root, root)
    for registry in registries[1:]:
        merge(registry.root, root)
    return ExperimentRegistry(root)


def all_moves(registry):
    """Return all moves there ever were, with where they led."""
    return {move for pointer in registry.pointers().values() for move in pointer.history}


def check_pointer(pointer):
    """No move stands before one that it follows, and what no other follows is a head, newest first."""
    place = {move.record: number for number, move in enumerate(pointer.history)}
    followed = {old for move in pointer.history for old in move.supersedes}
    assert all(place[old] > place[move.record] for move in pointer.history for old in move.supersedes)
    assert [move for move in pointer.history if move.record not in followed] == list(pointer.heads)
    times = [move.created_at for move in pointer.heads]
    assert times == sorted(times, reverse=True)
