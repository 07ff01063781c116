"""The same configurations on all sides, made when a row needs them first."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import time
from collections.abc import Iterator
from functools import cached_property
from hashlib import sha1
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

from catalogue import HUNDRED_THOUSAND
from peers import GEMEXP, NOT_INSTALLED, Driver, Git, Installed
from seed_registry import SeedRegistry, seed_hash
from timing import CommandFailed, run
from workload import Variant, lines

from gemexp import ExperimentRegistry
from gemexp.config import ExperimentConfig
from gemexp.store.files import Folder

LOOSE_LIMIT = HUNDRED_THOUSAND  # a million are millions of files, which nobody keeps loose
SAMPLE = 2000
_USAGE = 2  # exit code
_MAX_OBJECT = 1 << 22
_BATCH = 10_000


class NotThere(Exception):
    """A side that a row needs is not to be had; the message says why."""


class Turns(NamedTuple):
    """How much is measured.

    Args:
        turns: How often each side takes its turn.
        lookups: How many configurations are looked up in one.
        registrations: How many are registered in one.
        settled: Seconds to leave folders as they are before; listings are remembered only then.
    """

    turns: int = 5
    lookups: int = 400
    registrations: int = 60
    settled: float = 2.5


class Prepared:
    """All sides with so many configurations, in a folder that goes away.

    Args:
        folder: For all files.
        size: How many.
        variant: How they are tagged.
        installed: The peers.
        turns: How much is measured.
    """

    def __init__(self, folder: Path, size: int, variant: Variant, installed: Installed, turns: Turns) -> None:
        self.folder = folder
        self.size = size
        self.variant = variant
        self.installed = installed
        self.turns = turns
        self._written = time.monotonic()
        self._set_aside = count(1)
        self._drivers: dict[str, Driver | None] = {}
        folder.mkdir(parents=True)

    def settle(self) -> None:
        """Wait until folders have been as they are for a while."""
        time.sleep(max(0.0, self._written + self.turns.settled - time.monotonic()))

    def fresh(self, name: str) -> Path:
        """Return where something new can be made.

        What was there is set aside: for minutes after many files were removed ext4 takes ten times as long to create
        one, which would fall on whoever creates most, and which no store that is in use sees.
        """
        path = self.folder / name
        if path.exists():
            path.rename(self.folder / f"{name}.{next(self._set_aside)}")
        self._written = time.monotonic()
        return path

    @property
    def few(self) -> int:
        """How many lookups of a peer that reads everything for each are measured."""
        return max(1, min(self.turns.lookups, 10 if self.size <= HUNDRED_THOUSAND else 2))

    # Ours

    @cached_property
    def lines(self) -> Path:
        return lines(self.size, self.variant)

    def values(self) -> Iterator[dict]:
        with self.lines.open("rb") as file:
            yield from map(json.loads, file)

    @cached_property
    def packed(self) -> Path:
        """A store in one pack, without an index."""
        store = self.fresh("packed")
        run(gemexp(store, "add", "--jsonl", "-q", str(self.lines)))
        ExperimentRegistry(store).pack(everything=True)
        self._written = time.monotonic()
        return store

    @cached_property
    def indexed(self) -> Path:
        """A store in one pack, with an index.

        Raises:
            NotThere: This version has none.
        """
        store = self.copy(self.packed, "indexed")
        build_index(store)
        self._written = time.monotonic()
        return store

    @cached_property
    def loose(self) -> Path:
        """A store of loose files.

        Raises:
            NotThere: There are too many.
        """
        if self.size > LOOSE_LIMIT:
            raise NotThere(f"not beyond {LOOSE_LIMIT:,}")
        store = self.fresh("loose")
        registry = ExperimentRegistry(store)
        values = map(ExperimentConfig.from_dict, self.values())
        while some := list(islice(values, _BATCH)):
            registry.register_all(some)
        self._written = time.monotonic()
        return store

    def copy(self, store: Path, name: str) -> Path:
        """Copy a store; its shared files, which never change, are linked."""
        target = self.fresh(name)

        def duplicate(source: str, goal: str) -> None:
            link = f"{os.sep}local{os.sep}" not in source[len(str(store)) :]
            (os.link if link else shutil.copyfile)(source, goal)

        shutil.copytree(store, target, copy_function=duplicate)
        return target

    @cached_property
    def sample(self) -> list[tuple[str, str]]:
        """The hashes of some configurations, in any order, each with the name that git gives the object."""
        some = random.Random(2).sample(sorted(self._git_names.items()), min(SAMPLE, self.size))
        return [(name.hex(), oid.hex()) for name, oid in some]

    def prefixes(self, count: int, turn: int = 0) -> list[tuple[str, str]]:
        """Return the beginnings of some hashes and of git's names for them, others in each turn."""
        some = [self.sample[(turn * count + number) % len(self.sample)] for number in range(count)]
        return [(name[:10], oid[:10]) for name, oid in some]

    def object_file(self, config_hash: str) -> Path:
        """Return a file that holds one object."""
        path = self.folder / config_hash
        path.write_bytes(ExperimentRegistry(self.packed).data(config_hash))
        return path

    # git

    @cached_property
    def _git_names(self) -> dict[bytes, bytes]:
        return {
            bytes.fromhex(name): sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).digest()
            for name, data in _objects(self.packed)
        }

    @cached_property
    def stream(self) -> Path:
        """The objects as `git fast-import` reads them."""
        path = self.fresh("stream")
        with path.open("wb") as file:
            for _, data in _objects(self.packed):
                file.write(b"blob\ndata %d\n%b\n" % (len(data), data))
            file.write(b"done\n")
        return path

    @cached_property
    def git_packed(self) -> Git:
        """A repository with a pack of the objects, and a packed reference for each tag on each."""
        repository = Git(self.fresh("packed.git"))
        repository.fast_import(self.stream)
        folder = Folder(str(self.packed))
        references = sorted(
            f"refs/tags/{tag}/{name} {self._git_names[bytes.fromhex(name)].hex()}"
            for tag in folder.names("refs/tags")
            for name in folder.names(f"refs/tags/{tag}")
        )
        with (repository.path / "packed-refs").open("w", encoding="ascii") as file:
            file.write("# pack-refs with: peeled fully-peeled sorted \n")
            file.writelines(f"{oid} {name}\n" for name, oid in map(str.split, references))
        return repository

    @cached_property
    def git_loose(self) -> Git:
        """A repository with the objects as loose files."""
        repository = Git(self.fresh("loose.git"))
        paths = self.fresh("paths")
        paths.write_text("".join(f"{path}\n" for path in sorted(self.loose.glob("objects/*/*"))), "utf-8")
        with paths.open("rb") as file:
            repository.run("-c", "core.fsync=none", "hash-object", "-w", "--stdin-paths", stdin=file)
        return repository

    # The other peers

    @cached_property
    def seed(self) -> SeedRegistry:
        registry = SeedRegistry(self.fresh("seed.sqlite"))
        registry.fill(self._seed_fields())
        return registry

    def _seed_fields(self) -> Iterator[dict]:
        for fields in self.values():
            yield {**fields, "config_hash": seed_hash(fields)}

    @cached_property
    def seed_prefixes(self) -> list[str]:
        step = max(1, self.size // 100)
        return [fields["config_hash"][:10] for fields in islice(self._seed_fields(), 0, None, step)]

    @cached_property
    def signac_ids(self) -> list[str]:
        """The ids of some jobs in a signac project that holds all configurations.

        Raises:
            NotThere: signac is not installed, or there are too many.
        """
        if self.size > LOOSE_LIMIT:
            raise NotThere(f"not beyond {LOOSE_LIMIT:,}")
        return self.driver("signac").ask(do="fill", path=str(self.lines), sample=100)["ids"]

    def driver(self, name: str) -> Driver:
        """Return what drives a peer from inside, in a folder of its own.

        Raises:
            NotThere: It is not installed.
        """
        if name not in self._drivers:
            folder = self.folder / name
            folder.mkdir()
            self._drivers[name] = self.installed.driver(name, folder)
        driver = self._drivers[name]
        if driver is None:
            raise NotThere(NOT_INSTALLED)
        return driver

    def program(self, name: str) -> str:
        """Return the path of a peer's program.

        Raises:
            NotThere: It is not installed.
        """
        path = self.installed.program(name)
        if path is None:
            raise NotThere(NOT_INSTALLED)
        return path

    def close(self) -> None:
        for driver in self._drivers.values():
            if driver is not None:
                driver.close()


def gemexp(store: Path, *arguments: str) -> list[str]:
    """Return the command line of a command."""
    return [*GEMEXP, "--store", str(store), *arguments]


def build_index(store: Path) -> None:
    """Build the optional index.

    Raises:
        NotThere: This version has none.
    """
    with expected():
        run(gemexp(store, "index", "build"))


@contextlib.contextmanager
def expected() -> Iterator[None]:
    """Take a command or an option that there is not for something that this version lacks."""
    try:
        yield
    except CommandFailed as error:
        if error.code == _USAGE:
            raise NotThere("not in this version") from None
        raise


def _objects(store: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the hash and the bytes of every object in a store that holds nothing but configurations."""
    folder = Folder(str(store))
    for fan_out in sorted(folder.names("objects")):
        yield from folder.contents(f"objects/{fan_out}", _MAX_OBJECT)
