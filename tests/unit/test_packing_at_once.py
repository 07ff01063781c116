"""Packing while others add, tag, delete, collect and read: nothing that was acknowledged is ever missed."""

import multiprocessing
import random
import time

from packed_stores import answers, config, fill, packs

from gemexp import ExperimentRegistry

SECONDS = 3


def write(root, seed, until, acknowledged):
    """Add and tag configs, saying each when it is durable; return nothing."""
    registry = ExperimentRegistry(root)
    number = seed
    while time.monotonic() < until:
        tags = ["all", f"k={number % 7}"]
        config_hash = registry.register(config(number, tags=tags, description=f"number {number}"))
        acknowledged.put((config_hash, number, tags))
        if number % 5 == seed % 5:
            registry.tag(config_hash, ["late"])
        number += 10


def pack(root, until, rounds):
    registry = ExperimentRegistry(root)
    count = 0
    while time.monotonic() < until:
        count += registry.pack().pack is not None
    rounds.put(count)


def read(root, seed, until, told, missed):
    """Look for what was acknowledged, again and again, in a store that stays open and in one opened anew."""
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    registry = ExperimentRegistry(root)
    looked = 0
    while time.monotonic() < until:
        known = list(told)
        if not known:
            time.sleep(0.01)
            continue
        for config_hash, number, tags in draw.sample(known, min(len(known), 10)):
            looked += 1
            found = registry.get(config_hash[:12])
            if found is None or found.hyperparameters != {"k": number} or not set(tags) <= set(found.tags):
                missed.put((config_hash, found and found.to_dict()))
            if found and found.description != f"number {number}":
                missed.put((config_hash, found.description))
        counted = len(known)
        if len(registry.search_by_tag("all")) < counted or len(registry.list_all(None)) < counted:
            missed.put(("list", counted))
        if draw.random() < 0.3:
            registry = ExperimentRegistry(root)
    missed.put(looked)


def test_readers_and_writers_miss_nothing_while_another_packs_all_the_time(registry):
    context = multiprocessing.get_context("fork")
    manager = context.Manager()
    told = manager.list()
    acknowledged, rounds, missed = context.SimpleQueue(), context.SimpleQueue(), context.SimpleQueue()
    until = time.monotonic() + SECONDS
    writers = [context.Process(target=write, args=(registry.root, seed, until, acknowledged)) for seed in range(2)]
    others = [context.Process(target=read, args=(registry.root, seed, until, told, missed)) for seed in range(2)]
    others.append(context.Process(target=pack, args=(registry.root, until, rounds)))
    for process in writers + others:
        process.start()
    expected = []
    while any(process.is_alive() for process in writers) or not acknowledged.empty():
        if acknowledged.empty():
            time.sleep(0.001)
            continue
        expected.append(acknowledged.get())
        told.append(expected[-1])
    for process in writers + others:
        process.join(60)
        assert process.exitcode == 0
    found = []
    while not missed.empty():
        found.append(missed.get())
    assert [one for one in found if not isinstance(one, int)] == []
    assert sum(found) > 10
    assert rounds.get() > 3
    assert len(expected) > 20
    for again in (registry, ExperimentRegistry(registry.root)):
        assert {one.config_hash for one in again.list_all(None)} == {config_hash for config_hash, _, _ in expected}
        assert again.tags()["all"] == len(expected)
        assert again.check().problems == []
    assert packs(registry.root)


def write_and_delete(root, seed, until, acknowledged):
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    registry = ExperimentRegistry(root)
    state = {}
    while time.monotonic() < until:
        one = config(draw.randrange(4) * 10 + seed, tags=["all"])
        config_hash = one.config_hash
        if state.get(config_hash) and draw.random() < 0.5:
            # A collector that had seen an older deletion may have it for a moment: then there is none to delete.
            state[config_hash] = not registry.delete(config_hash)
        else:
            registry.register(one)
            state[config_hash] = True
    acknowledged.put(state)


def collect(root, until):
    registry = ExperimentRegistry(root)
    while time.monotonic() < until:
        registry.collect(grace=0)


def test_collecting_from_packs_while_others_pack_and_write_loses_nothing(registry):
    context = multiprocessing.get_context("fork")
    acknowledged, rounds = context.SimpleQueue(), context.SimpleQueue()
    until = time.monotonic() + SECONDS
    writers = [
        context.Process(target=write_and_delete, args=(registry.root, seed, until, acknowledged)) for seed in range(3)
    ]
    others = [context.Process(target=pack, args=(registry.root, until, rounds))]
    others.append(context.Process(target=collect, args=(registry.root, until)))
    for process in writers + others:
        process.start()
    for process in writers + others:
        process.join(60)
        assert process.exitcode == 0
    assert rounds.get() > 3
    for _ in writers:
        for config_hash, alive in acknowledged.get().items():
            assert (ExperimentRegistry(registry.root).get(config_hash) is not None) == alive, config_hash
            assert (registry.get(config_hash) is not None) == alive, config_hash
    assert registry.check().problems == []


def test_a_packer_that_is_killed_at_any_moment_loses_nothing(registry):
    context = multiprocessing.get_context("fork")
    fill(registry)
    expected, draw = answers(registry), random.Random(1)  # noqa: S311 - not for secrets
    finished = 0
    for number in range(25):
        process = context.Process(target=lambda: ExperimentRegistry(registry.root).pack())
        process.start()
        time.sleep(draw.random() * 0.03)
        process.kill()
        process.join()
        finished += process.exitcode == 0
        again = ExperimentRegistry(registry.root)
        assert answers(again) == expected
        assert again.check().problems == []
        again.register(config(1000 + number))
        expected = answers(again)
    assert finished < 25
    ExperimentRegistry(registry.root).pack()
    assert answers(ExperimentRegistry(registry.root)) == expected
    assert len(packs(registry.root)) == 1
