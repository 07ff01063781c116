"""The commands in the specification, run as a reader would, print what the specification says they print."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path

import make_vectors
import pytest

from gemexp.config import ExperimentConfig
from gemexp.registry import ExperimentRegistry
from gemexp.store import check, packing
from gemexp.store.files import Folder

SPEC = make_vectors.VECTORS.parent
WORKED_CONFIG = "c58910ad1120938c60b02a715fd3700b00f4535178e3942031988cb6c0dc9e08"
EXAMPLE = {"feature_names": ["momentum"], "feature_weights": {"momentum": 0.5}, "hyperparameters": {"window": 20}}

_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def transcript(document: str) -> tuple[str, str]:
    """Return the commands of all console blocks, and what they are said to print."""
    blocks = _CONSOLE.findall((SPEC / document).read_text(encoding="utf-8"))
    lines = "".join(blocks).splitlines(keepends=True)
    commands = "".join(line.removeprefix("$ ") for line in lines if line.startswith("$ "))
    return commands, "".join(line for line in lines if not line.startswith("$ "))


def run(document: str, folder: Path) -> str:
    """Run a document's commands in one bash, as a reader would; return what they print."""
    commands, _ = transcript(document)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


@pytest.mark.parametrize(("document", "hashes"), [("canonical.md", 4), ("store.md", 8), ("pack.md", 2)])
def test_commands_print_what_the_document_says(document, hashes, tmp_path):
    _, expected = transcript(document)
    assert len(re.findall(r"\b[0-9a-f]{64}\b", expected)) == hashes
    assert run(document, tmp_path) == expected


def test_worked_hash_is_that_of_the_config_and_of_its_vector(tmp_path):
    run("canonical.md", tmp_path)
    vectors = json.loads((make_vectors.VECTORS / "configs.json").read_text(encoding="ascii"))
    (vector,) = (vector for vector in vectors if "canonical.md" in vector["name"])
    config = ExperimentConfig(**EXAMPLE)
    assert config.to_bytes() == (tmp_path / "config").read_bytes() == bytes.fromhex(vector["hex"])
    assert config.config_hash == vector["sha256"] == WORKED_CONFIG


def test_store_made_by_hand_is_one(tmp_path):
    run("store.md", tmp_path)
    registry = ExperimentRegistry(tmp_path / ".gemexp", create=False)
    expected = ExperimentConfig(**EXAMPLE, description="first", tags=["v1"], created_at="2024-01-31T09:00:00Z")
    assert list(registry) == [expected]
    report = check.check(Folder(registry.root))
    assert (report.objects, report.records, report.members) == (1, 1, 3)
    assert report.problems == []


def test_store_made_by_hand_has_the_record_that_the_registry_writes(tmp_path):
    run("store.md", tmp_path)
    registry = ExperimentRegistry(tmp_path / "another")
    registry.register(ExperimentConfig(**EXAMPLE, description="first", created_at="2024-01-31T09:00:00Z"))
    for folder in ("objects", "index"):
        by_hand = {path.name: path.read_bytes() for path in (tmp_path / ".gemexp" / folder).rglob("c5*/*")}
        written = {path.name: path.read_bytes() for path in (Path(registry.root) / folder).rglob("c5*/*")}
        assert len(by_hand) == 1
        assert by_hand == written


def test_pack_made_by_hand_is_read_and_is_the_one_that_packing_makes(tmp_path):
    run("pack.md", tmp_path)
    folder = Folder(f"{tmp_path}/.gemexp")
    (pack,) = folder.packs.all()
    held = dict(pack.paths())
    assert sorted(held.values()) == [b"", b"hello"]
    assert folder.names("refs/tags/v1") == [hashlib.sha256(b"hello").hexdigest()]
    with Folder(f"{tmp_path}/another").batch() as batch:
        for path, data in held.items():
            batch.create(path, data)
    assert packing.pack(Folder(f"{tmp_path}/another"), keep=lambda _: False).pack == pack.name
