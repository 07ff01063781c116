"""What a store costs git: time beside as many plain files, size beside the same configs as compact JSON.

    python tests/bench/git_cost.py [--configs 10000] [--tags 8] [--turns 5] [--folder DIR]

The same configs are three stores: added in one go, which writes packs; added a few at a time, which leaves loose
files; and those files packed before the commit. A ratio says what a store takes for each second or byte of the other
side; the requirement is at most 1.2. Time: the plain files have the loose store's sizes file by file, its bytes but for
the first one, and its folders, under short numbers. JSON has fewer files, one for each config, and is timed beside them
for comparison. Turns alternate, each with a new repository, and the figures are medians. Size: pack and its index after
``git gc``. JSON holds the four sections alone, or all eight fields, in files named by hash or by number. Then, where
the bytes are. Needs git only, on its defaults but for one thread when it packs, so that sizes repeat, and no automatic
maintenance, which would fall on either side. Disks vary more than the sides differ: a ``--folder`` in memory gives
times that repeat.
"""

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from workload import configs

from gemexp import ExperimentConfig, ExperimentRegistry

LIMIT = 1.2
SECTIONS = ("feature_names", "feature_transformations", "feature_weights", "hyperparameters")
STORES = ("added in one go", "loose", "loose, packed")
PLAIN, JSON = "plain files", "JSON"
ADDITIONS = 7  # configs that are added one by one
STATUSES = 3  # how often the status of one repository is asked
_SETTINGS = ["gc.auto=0", "maintenance.auto=false", "pack.threads=1"]
_GIT = ["git", *(word for setting in _SETTINGS for word in ("-c", setting))]
_IDENTITY = {
    f"GIT_{role}_{field}": value for role in ("AUTHOR", "COMMITTER") for field, value in (("NAME", "b"), ("EMAIL", "b"))
}
_ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    **_IDENTITY,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


def tagged(count: int, tags: int) -> Iterator[ExperimentConfig]:
    """Yield the workload's configs with two tags each, of so many, and times that repeat."""
    random_ = random.Random(7)
    began = datetime(2024, 1, 1, tzinfo=UTC)
    for config in configs(count):
        began += timedelta(seconds=random_.uniform(0, 60))
        config.created_at = began.isoformat(timespec="microseconds").replace("+00:00", "Z")
        config.tags = sorted(f"tag-{number}" for number in random_.sample(range(tags), 2))
        yield config


def git(repository: Path, *arguments: str) -> bytes:
    return subprocess.run(
        [*_GIT, *arguments], cwd=repository, env=_ENVIRONMENT, stdout=subprocess.PIPE, check=True
    ).stdout


def seconds(repository: Path, *arguments: str) -> tuple[float, float]:
    """Return the CPU and the wall time that a git command takes."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    git(repository, *arguments)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def begin(repository: Path) -> None:
    """Make a new repository of a folder's files, and forget the one that was there."""
    shutil.rmtree(repository / ".git", ignore_errors=True)
    git(repository, "init", "--quiet")


class PlainFiles:
    """As many files of the store's sizes, in as many folders, under short numbers.

    Args:
        folder: Where they go.
    """

    def __init__(self, folder):
        self.folder = folder
        self._files = set()
        self._folders = {}

    def follow(self, store):
        """Add what the store has and this has not."""
        for parent, folders, names in os.walk(store):
            folders[:] = sorted(name for name in folders if (parent, name) != (str(store), "local"))
            for name in sorted(names):
                source = Path(parent, name)
                if source not in self._files:
                    self._add(source, source.relative_to(store).parent.parts)

    def _add(self, source, parts):
        data = source.read_bytes()
        target = self.folder.joinpath(
            *(
                self._folders.setdefault(parts[:depth], f"{len(self._folders):03}")
                for depth in range(1, len(parts) + 1)
            ),
            f"{len(self._files):06}",
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(bytes([data[0] ^ 1]) + data[1:] if data else b"")
        self._files.add(source)


def write_json(folder: Path, number: int, config: ExperimentConfig, *, fields: int, name: str) -> None:
    value = config.to_dict()
    kept = value if fields == 8 else {section: value[section] for section in SECTIONS}
    config_hash = value["config_hash"]
    path = f"{config_hash[:2]}/{config_hash}.json" if name == "hash" else f"{number % 256:02x}/{number:06}.json"
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(json.dumps(kept, separators=(",", ":"), ensure_ascii=False), encoding="utf-8")


def make_stores(folder: Path, some: list[ExperimentConfig]) -> dict[str, Path]:
    """Make the stores, the plain files and JSON, and return the repository that each is in."""
    sides = {name: folder / name.replace(", ", "-").replace(" ", "-") for name in (*STORES, PLAIN, JSON)}
    stores = {name: ExperimentRegistry(sides[name] / ".gemexp") for name in STORES}
    stores[STORES[0]].add_many(some)
    stores[STORES[1]].register_all(some)
    stores[STORES[2]].register_all(some)
    stores[STORES[2]].pack()
    for number, config in enumerate(some):
        write_json(sides[JSON] / "configs", number, config, fields=8, name="number")
    return sides


def measure_time(sides: dict[str, Path], turns: int) -> None:
    print("\nAll at once, in a new repository:")
    taken: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for turn in range(turns):
        for side in list(sides) if turn % 2 else reversed(sides):
            repository = sides[side]
            begin(repository)
            os.sync()  # what was written and removed before is not git's cost now
            taken["git add", side].append(seconds(repository, "add", "."))
            taken["git commit", side].append(seconds(repository, "commit", "--quiet", "-m", "configs"))
            statuses = [seconds(repository, "status") for _ in range(STATUSES)]
            taken["git status", side].append(tuple(map(statistics.median, zip(*statuses, strict=True))))
    report_times("all of it", taken, list(sides))


def measure_additions(sides: dict[str, Path], added: list[ExperimentConfig], plain: PlainFiles) -> None:
    """One more config, in repositories that hold the others."""
    print("\nOne more config, in a repository that holds the others:")
    registries = {name: ExperimentRegistry(sides[name] / ".gemexp") for name in STORES}
    taken: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for number, config in enumerate(added):
        for registry in registries.values():
            registry.register(config)
        plain.follow(sides["loose"] / ".gemexp")
        write_json(sides[JSON] / "configs", 10**6 + number, config, fields=8, name="number")
        os.sync()
        for side, repository in sides.items():
            taken["git status", side].append(seconds(repository, "status"))
            taken["git add", side].append(seconds(repository, "add", "."))
            taken["git commit", side].append(seconds(repository, "commit", "--quiet", "-m", "one more"))
            taken["git status after it", side].append(seconds(repository, "status"))
    report_times("all of it", taken, list(sides))


def report_times(whole: str, taken: dict[tuple[str, str], list[tuple[float, float]]], sides: list[str]) -> None:
    """Print medians, those of JSON and plain files in milliseconds, and what each store takes for these."""
    medians = {key: [statistics.median(kind) for kind in zip(*times, strict=True)] for key, times in taken.items()}
    operations = list(dict.fromkeys(operation for operation, _ in medians))
    for side in sides:
        parts = [medians[operation, side] for operation in operations]
        medians[whole, side] = [sum(kind) for kind in zip(*parts, strict=True)]
    print(f"{'':<26}{PLAIN:>14} {JSON:>11}   ratios to both:{''.join(f'{name:>20}' for name in STORES)}")
    for operation in [*operations, whole]:
        for column, kind in enumerate(("CPU", "wall")):
            plain, json_ = (medians[operation, side][column] for side in (PLAIN, JSON))
            ours = [medians[operation, name][column] for name in STORES]
            cells = "".join(f"{one / plain:>14.2f} {one / json_:>5.2f}" for one in ours)
            print(f"{operation:<20}{kind:<6}{plain * 1e3:>11.1f} ms {json_ * 1e3:>8.1f} ms{'':>18}{cells}", flush=True)


def packed(repository: Path) -> tuple[int, int]:
    """Return the bytes of the pack and of its index after a collection."""
    git(repository, "gc", "--prune=now", "--quiet")
    sizes = Counter()
    for path in (repository / ".git/objects/pack").iterdir():
        sizes[path.suffix] += path.stat().st_size
    return sizes[".pack"], sizes[".idx"]


def report_parts(repository: Path, count: int) -> None:
    """Print what in a pack takes how many bytes, by the folder that it is in."""
    kinds = {}
    for line in git(repository, "ls-tree", "-rtz", "HEAD").decode().split("\0")[:-1]:
        what, path = line.split("\t")
        _, kind, name = what.split()
        parts = [part for part in path.split("/") if not part.startswith(".")]
        kinds.setdefault(name, f"{kind}s, {parts[0] if parts else 'top'}")
    index = next((repository / ".git/objects/pack").glob("*.idx"))
    parts: dict[str, Counter] = defaultdict(Counter)
    for line in git(repository, "verify-pack", "-v", str(index)).decode().splitlines():
        words = line.split()
        if len(words) not in {5, 7} or len(words[0]) != 40:
            continue
        part = kinds.get(words[0], "commits, top tree")
        parts[part].update(files=1, size=int(words[2]), packed=int(words[3]), deltas=len(words) == 7)
    for part, sums in sorted(parts.items(), key=lambda item: -item[1]["packed"]):
        print(
            f"  {part:<20} {sums['files']:>7}  {sums['deltas']:>6} deltas {sums['size']:>11} B"
            f" packed {sums['packed']:>10} B {sums['packed'] / count:>8.1f} B each config"
        )


def measure_size(folder: Path, sides: dict[str, Path], some: list[ExperimentConfig]) -> None:
    ours = {}
    for name in STORES:
        begin(sides[name])
        git(sides[name], "add", ".")
        git(sides[name], "commit", "--quiet", "-m", "configs")
        ours[name] = sum(packed(sides[name]))
        print(f"{name:<28} pack + idx {ours[name]:>10} B {ours[name] / len(some):>8.1f} B each config")
        report_parts(sides[name], len(some))
    for fields in (4, 8):
        for naming in ("hash", "number"):
            repository = folder / f"json-{fields}-{naming}"
            for number, config in enumerate(some):
                write_json(repository / "configs", number, config, fields=fields, name=naming)
            begin(repository)
            git(repository, "add", ".")
            git(repository, "commit", "--quiet", "-m", "configs")
            theirs = sum(packed(repository))
            what = f"JSON, {fields} fields, by {naming}"
            ratios = ", ".join(f"{name} {size / theirs:.2f}" for name, size in ours.items())
            print(
                f"{what:<28} pack + idx {theirs:>10} B {theirs / len(some):>8.1f} B each config   ratios: {ratios}",
                flush=True,
            )
            report_parts(repository, len(some))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configs", type=int, default=10_000)
    parser.add_argument("--tags", type=int, default=8, help="how many there are; each config has two of them")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--folder", help="where to work; on the file system to be measured")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="gemexp-bench-", dir=arguments.folder))
    try:
        drawn = list(tagged(arguments.configs + ADDITIONS, arguments.tags))
        some, added = drawn[: arguments.configs], drawn[arguments.configs :]
        sides = make_stores(folder, some)
        plain = PlainFiles(sides[PLAIN] / "plain")
        plain.follow(sides["loose"] / ".gemexp")
        print(f"{len(some)} configs, {arguments.tags} tags; required is a ratio of at most {LIMIT}")
        measure_size(folder, sides, some)
        measure_time(sides, arguments.turns)
        measure_additions(sides, added, plain)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
