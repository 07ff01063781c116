"""What a crash may leave of a store after each call of each command that writes: a replay that drops and reorders."""

import pytest
from fault_commands import COMMANDS
from syscalls import needs_strace
from trials import some

# What is damaged on purpose is warned of; what fsck says of it is what is judged.
pytestmark = [needs_strace, pytest.mark.filterwarnings("ignore::gemexp.errors.DamageWarning")]
_REPLAYED = [command for command in COMMANDS if command.replayed]


def _try(tried, number):
    """Try states that a crash may leave, of those after which something was printed up to half; return how many."""
    found = list(tried.states())
    told = some([state for state in found if state.told], number // 2, tried.judge.command.name)
    silent = some([state for state in found if not state.told], number - len(told), tried.judge.command.name)
    for state in [*told, *silent]:
        project = tried.build(state)
        assert not tried.judge.faults(project, state.told.decode()), state.why
        assert not tried.judge.after_repeating(project), state.why
    return len(told) + len(silent)


@pytest.mark.parametrize("command", _REPLAYED, ids=repr)
def test_whatever_a_crash_leaves_nothing_acknowledged_is_lost_and_the_command_can_be_repeated(command, trial, count):
    count("crash states", _try(trial(command.name), 150))


@pytest.mark.sweep
@pytest.mark.parametrize("command", _REPLAYED, ids=repr)
def test_so_it_is_with_many_more_states(command, trial, count):
    count("crash states", _try(trial(command.name), 220))


BROKEN = [
    ("no-file-sync", "add"),
    ("no-file-sync", "add --jsonl"),
    ("no-file-sync", "pack"),
    ("no-file-sync", "merge"),
    ("no-folder-sync", "add"),
    ("no-folder-sync", "add --jsonl"),
    ("no-folder-sync", "tag"),
    ("no-folder-sync", "restore from the trash"),
    ("no-parent-sync", "add to a fresh store"),
    ("name-before-sync", "add"),
    ("acknowledge-first", "add"),
]


@pytest.mark.parametrize(("variant", "name"), BROKEN)
def test_the_replay_bites_where_gemexp_is_broken_on_purpose(variant, name, trial, count):
    tried = trial(name, ("small-bulk", variant))
    found = list(tried.states())
    bad = sum(bool(tried.judge.faults(tried.build(state), state.told.decode())) for state in some(found, 200, name))
    assert bad
    count("crash states that betray a variant broken on purpose", bad)
