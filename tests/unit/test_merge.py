"""Merging as a law: any order, any number of times, and nothing that is damaged."""

import os
import shutil
import warnings

import pytest
from histories import CONFIGS, HISTORY, NAMES, answers, perform, union
from hypothesis import given, settings
from hypothesis import strategies as st
from surroundings import contents, snapshot

from gemexp import ExperimentConfig, ExperimentRegistry
from gemexp.canonical import encode
from gemexp.digest import hash_bytes
from gemexp.store import layout, merge
from gemexp.store.files import Folder
from gemexp.store.merge import Source


def merged(target, *sources, **options):
    """Merge stores into a folder, and return the last report."""
    for source in sources:
        report = merge.merge(Folder(str(target)), Source(str(source)), **options)
    return report


def branches(base, common, histories):
    """Make a store with a history, and a copy of it for each further one."""
    origin = ExperimentRegistry(base / "origin")
    for action in common:
        perform(origin, *action)
    for number, history in enumerate(histories):
        branch = ExperimentRegistry(shutil.copytree(origin.root, base / str(number)))
        for action in history:
            perform(branch, *action)
        yield branch.root


@settings(max_examples=15)
@given(common=HISTORY, histories=st.tuples(HISTORY, HISTORY, HISTORY))
def test_merging_is_idempotent_commutative_associative_and_the_union_of_files(tmp_path_factory, common, histories):
    base = tmp_path_factory.mktemp("merge")
    a, b, c = branches(base, common, histories)

    def fresh(name, first, *sources):
        target = shutil.copytree(first, base / name)
        assert merged(target, *sources).bad == ()
        return target

    one = union(shutil.copytree(a, base / "union"), b, c)
    expected = answers(one)
    assert expected[-1] == []
    ways = {"abc": (a, b, c), "cba": (c, b, a), "bc": (b, c), "twice": (b, a, c, b, a, c)}
    for name, sources in (ways | {"a(bc)": (a, base / "bc")}).items():
        target = fresh(name, *sources)
        if name != "bc":
            assert contents(target) == contents(one)
            assert answers(target) == expected
            assert merged(target, a, b, c, one).files == 0
    empty = ExperimentRegistry(base / "empty")
    merged(empty.root, c, a, b)
    assert answers(empty.root) == expected
    shutil.rmtree(base)


def flip(data, at):
    return data[: at % len(data)] + bytes([data[at % len(data)] ^ 1]) + data[at % len(data) + 1 :] if data else b"\1"


def mark_conflict(data, at):  # noqa: ARG001 - as the others'
    return b"<<<<<<< HEAD\n" + data + b"\n=======\n" + data + b"\n>>>>>>> theirs\n"


DAMAGES = [
    flip,
    mark_conflict,
    lambda data, at: data[: at % (len(data) + 1)],
    lambda data, _: data.replace(b"\n", b"\r\n"),
    lambda _data, _at: b"",
    lambda data, at: data + bytes(at % 9),
]


def is_member(path):
    return path.startswith((layout.TAGS, layout.DELETED, layout.MIGRATED))


@settings(max_examples=25)
@given(history=HISTORY, damages=st.lists(st.tuples(st.integers(0, 99), st.sampled_from(DAMAGES), st.integers(0, 999))))
def test_of_a_damaged_source_all_that_is_whole_is_taken_and_nothing_else(tmp_path_factory, history, damages):
    base = tmp_path_factory.mktemp("damaged")
    source = ExperimentRegistry(base / "source")
    for action in [("add", 0, "first"), ("tag", 0, "best"), ("name", 0, NAMES[0]), *history]:
        perform(source, *action)
    whole = contents(source.root)
    paths = sorted(path for path in whole if "/" in path)
    for number, damage, at in damages:
        path = paths[number % len(paths)]
        data = damage(whole[path], at)
        place = base / "source" / path
        place.unlink()
        place.write_bytes(data)
    found = contents(source.root)
    good = {path for path in paths if found[path] == whole[path] or is_member(path)}

    target = ExperimentRegistry(base / "target")
    own = contents(target.root)
    report = merged(target.root, source.root)
    assert contents(target.root) == own | {path: whole[path] for path in good}
    assert {one.path for one in report.bad} == set(paths) - good
    assert report.unknown == ()
    assert report.files == len(good)
    problems = [one for one in target.check().problems if not one.missing]
    assert problems == [], "what was taken is whole"
    shutil.rmtree(base)


@pytest.fixture
def source(tmp_path):
    registry = ExperimentRegistry(tmp_path / "source")
    for action in [("add", 0, "one"), ("add", 1, "two"), ("tag", 0, "best"), ("tag", 1, "k=5"), ("delete", 1, None)]:
        perform(registry, *action)
    perform(registry, "name", 0, "production")
    perform(registry, "record", 0, 0.25)
    return registry


def test_what_came_in_is_counted_and_the_source_is_left_as_it_is(source, registry):
    before = snapshot(source.root)
    report = merged(registry.root, source.root)
    assert report[:4] == (4, 3, 3, 1), "two configs, an outcome and an artifact; two tags and a deletion"
    assert (report.files, report.bad, report.unknown) == (11, (), ())
    assert sorted(report.paths) == sorted(path for path in contents(source.root) if "/" in path)
    assert snapshot(source.root) == before
    assert merged(registry.root, source.root)[:5] == (0, 0, 0, 0, ())


def test_a_dry_run_tells_the_same_and_writes_nothing(source, registry):
    before = snapshot(registry.root)
    report = merged(registry.root, source.root, dry_run=True)
    assert snapshot(registry.root) == before
    assert merged(registry.root, source.root) == report


def test_what_is_there_is_not_replaced_even_if_it_is_damaged(source, registry):
    merged(registry.root, source.root)
    place = f"{registry.root}/{layout.object_path(CONFIGS[0].config_hash)}"
    os.unlink(place)
    with open(place, "wb") as file:
        file.write(b"damaged")
    assert merged(registry.root, source.root).files == 0
    assert [problem.path for problem in registry.check().problems] == [layout.object_path(CONFIGS[0].config_hash)]


def test_objects_come_before_records_and_records_before_tags_names_and_deletions(source, registry, monkeypatch):
    monkeypatch.setattr(merge, "_BATCH_FILES", 2)
    batches = []
    folder = Folder(registry.root)
    folder.on_commit = lambda paths: batches.append({path.partition("/")[0] for path in paths})
    merge.merge(folder, Source(source.root))
    assert batches == [{"objects"}] * 2 + [{"index"}] * 2 + [{"refs"}] * 2


def test_large_objects_are_written_before_the_next_is_read(source, registry, monkeypatch):
    monkeypatch.setattr(merge, "_BATCH_BYTES", 1)
    batches = []
    folder = Folder(registry.root)
    folder.on_commit = lambda paths: batches.append(len(paths))
    merge.merge(folder, Source(source.root))
    assert batches[:7] == [1] * 7
    assert contents(registry.root).keys() == contents(source.root).keys()


def test_what_a_collector_takes_away_meanwhile_is_taken_again(source, registry):
    merged(registry.root, source.root)
    registry.delete(CONFIGS[0].config_hash)
    other = ExperimentRegistry(shutil.copytree(registry.root, f"{registry.root}-other"))
    other.restore(CONFIGS[0].config_hash)
    taken = f"{registry.root}/{layout.object_path(CONFIGS[0].config_hash)}"
    folder = Folder(registry.root)
    folder.on_commit = lambda _: os.path.exists(taken) and os.unlink(taken)
    merge.merge(folder, Source(other.root))
    folder.on_commit = None
    assert merge.merge(folder, Source(other.root)).objects <= 1
    assert registry.get(CONFIGS[0].config_hash).description == "one"


STRAYS = [
    "README",
    "objects/readme",
    "objects/zz/x",
    "objects/00/" + "1" * 64,
    f"objects/{CONFIGS[0].config_hash[:2]}/.{CONFIGS[0].config_hash}.Xy12",
    f"objects/{CONFIGS[0].config_hash[:2]}/{CONFIGS[0].config_hash}.orig",
    f"objects/{CONFIGS[0].config_hash[:2]}/{CONFIGS[0].config_hash.upper()}~",
    f"index/{CONFIGS[0].config_hash[:2]}/{CONFIGS[0].config_hash}",
    "refs/heads/main",
    f"refs/tags/%61/{CONFIGS[0].config_hash}",
    f"refs/tags/best/{CONFIGS[0].config_hash}.01",
    f"refs/tags/best/{CONFIGS[0].config_hash}.1000000000",
    "refs/names/production/x",
    f"refs/migrated/{CONFIGS[0].config_hash}",
]


@pytest.mark.parametrize("path", STRAYS)
def test_a_file_that_no_reader_knows_is_left_behind_and_named(source, registry, path):
    place = f"{source.root}/{path}"
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "wb") as file:
        file.write(b"stray")
    report = merged(registry.root, source.root)
    assert report.bad == ()
    (left,) = report.unknown
    assert path == left.path or path.startswith(f"{left.path}/")
    assert len(registry) == 1
    assert path not in contents(registry.root)
    assert registry.check().notes == []


def about(value, name):
    """Return the path of a record, and its bytes."""
    data = encode(value)
    return layout.record_path(name, hash_bytes(data)), data


def test_a_record_of_a_newer_kind_is_left_behind_but_a_wrong_one_is_bad(source, registry):
    config = CONFIGS[0].config_hash
    time = "2024-01-01T00:00:00Z"
    newer = about({"$": "gemexp/review@1", "config": config, "created_at": time}, config)
    lacking = about({"$": "gemexp/put@1", "config": config, "created_at": time, "parents": []}, config)
    another = about({"$": "gemexp/alias@1", "alias": "abcd", "config": config, "created_at": time}, config)
    move = {"by": None, "config": config, "name": config, "restores": None, "supersedes": []}
    misplaced = about({"$": "gemexp/move@1", "created_at": time, **move}, config)
    for path, data in (newer, lacking, another, misplaced):
        with open(f"{source.root}/{path}", "wb") as file:
            file.write(data)
    report = merged(registry.root, source.root)
    assert [one.path for one in report.unknown] == [newer[0]]
    assert {one.path: one.message for one in report.bad} == {
        lacking[0]: "lacks 'description', or has it of another type",
        another[0]: "is about something else than its file name says",
        misplaced[0]: "is a move of a name, which belongs in another folder",
    }


def test_a_move_of_another_name_is_not_taken(source, registry):
    (move,) = source.pointer("production").history
    os.rename(f"{source.root}/refs/names/production", f"{source.root}/refs/names/staging")
    report = merged(registry.root, source.root)
    assert report.moves == 0
    assert [one.path for one in report.bad] == [layout.move_path("staging", move.record)]


@pytest.mark.parametrize("kind", ["link", "link to a copy", "pipe", "folder"])
@pytest.mark.parametrize("what", ["object", "record", "tag"])
def test_what_is_no_regular_file_is_not_taken(source, registry, tmp_path, kind, what):
    config = CONFIGS[0].config_hash
    records = os.listdir(f"{source.root}/index/{config[:2]}")
    path = {
        "object": layout.object_path(config),
        "record": f"index/{config[:2]}/{records[0]}",
        "tag": f"{layout.tag_folder('best')}/{config}",
    }[what]
    place = f"{source.root}/{path}"
    os.rename(place, tmp_path / "copy")
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        os.mkdir(place)
    else:
        os.symlink(tmp_path / "copy" if kind == "link to a copy" else "/dev/zero", place)
    report = merged(registry.root, source.root)
    assert [one.path for one in report.bad] == [path]
    assert path not in contents(registry.root)


@pytest.mark.parametrize("path", ["objects", f"objects/{CONFIGS[0].config_hash[:2]}", "refs", "refs/tags/best"])
@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_stands_in_a_folders_place_is_bad(source, registry, tmp_path, path, kind):
    os.rename(f"{source.root}/{path}", tmp_path / "moved")
    if kind == "link":
        os.symlink(tmp_path / "moved", f"{source.root}/{path}")
    else:
        with open(f"{source.root}/{path}", "wb"):
            pass
    report = merged(registry.root, source.root)
    assert [one.path for one in report.bad] == [path]
    assert not any(taken.startswith(f"{path}/") for taken in report.paths)


def test_a_tag_file_with_conflict_markers_says_what_its_name_says(source, registry):
    path = f"{layout.tag_folder('best')}/{CONFIGS[0].config_hash}"
    place = f"{source.root}/{path}"
    os.unlink(place)
    with open(place, "wb") as file:
        file.write(mark_conflict(b"", 0))
    assert merged(registry.root, source.root).bad == ()
    assert contents(registry.root)[path] == b""
    assert registry.tags_of(CONFIGS[0].config_hash) == ["best"]


def test_more_files_than_a_list_should_hold_are_taken_without_one(source, registry, monkeypatch):
    monkeypatch.setattr(merge, "_MOST_PATHS", 3)
    report = registry.merge(source.root)
    assert report.files.paths is None
    assert report.changes is None
    assert report.files.files == 11
    assert len(registry) == 1


def test_a_packed_source_is_merged_as_a_loose_one(source, registry, tmp_path):
    loose = ExperimentRegistry(tmp_path / "loose")
    merged(loose.root, source.root)
    source.pack()
    before = snapshot(source.root)
    report = merged(registry.root, source.root)
    assert (report.bad, report.unknown) == ((), ())
    assert answers(registry.root) == answers(loose.root)
    assert snapshot(source.root) == before


@pytest.mark.parametrize("at", [1, 40, 400, -1])
def test_of_a_damaged_pack_what_is_whole_is_taken(source, registry, at):
    whole = contents(source.root)
    source.pack()
    (name,) = os.listdir(f"{source.root}/packs")
    place = f"{source.root}/packs/{name}"
    with open(place, "rb") as file:
        data = file.read()
    os.unlink(place)
    with open(place, "wb") as file:
        file.write(flip(data, at))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = merged(registry.root, source.root)
    assert f"packs/{name}" in {one.path for one in report.bad}
    assert {path: data for path, data in contents(registry.root).items() if path in report.paths} == {
        path: whole[path] for path in report.paths
    }
    assert at == 1 or report.files >= 9


@pytest.mark.parametrize("kind", ["link", "file", "junk"])
def test_packs_that_are_none_are_bad_and_loose_files_are_taken(source, registry, tmp_path, kind):
    place = f"{source.root}/packs"
    path = f"packs/{'0' * 64}.gxp" if kind == "junk" else "packs"
    if kind == "junk":
        os.mkdir(place)
        with open(f"{source.root}/{path}", "wb") as file:
            file.write(b"junk")
    elif kind == "link":
        os.symlink(tmp_path, place)
    else:
        with open(place, "wb"):
            pass
    report = merged(registry.root, source.root)
    assert [one.path for one in report.bad] == [path]
    assert report.files == 11


def test_the_registry_says_what_came_in(source, registry):
    registry.register(ExperimentConfig(**CONFIGS[1].to_dict() | {"tags": ["mine"]}))
    changes = registry.merge(source.root).changes
    assert [(one.config, one.description, one.tags) for one in changes.added] == [
        (CONFIGS[0].config_hash, "one", ("best",))
    ]
    assert [one.config for one in changes.deleted] == [CONFIGS[1].config_hash]
    assert [(one.name, one.old, one.new) for one in changes.names] == [("production", None, CONFIGS[0].config_hash)]
    assert [(one.config, one.metrics) for one in changes.runs] == [(CONFIGS[0].config_hash, {"loss": 0.25})]
    assert not registry.merge(source.root).changes
