"""What was checked: verdicts on properties of a pipeline, as records beside the runs of a configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gemexp import canonical, environment
from gemexp.config import instant, now
from gemexp.environment import Surroundings
from gemexp.errors import InvalidValue, NotFound
from gemexp.store import layout, objects, records, sets
from gemexp.store.files import Folder
from gemexp.store.records import Check
from gemexp.store.tree import Tree

HOLDS, FAILED, ERROR = "holds", "failed", "error"
VERDICTS = (HOLDS, FAILED, ERROR)


def record(
    folder: Folder,
    config: str,
    pipeline: str,
    verdicts: Mapping[str, Mapping[str, Any]],
    *,
    settings: Mapping[str, Any],
    started: str | None = None,
    surroundings: Surroundings | None = None,
) -> str:
    """Record what checking properties of a pipeline on a configuration came to; return the record's hash.

    Args:
        folder: The store.
        config: Hash of the configuration.
        pipeline: ``module:function``.
        verdicts: Of each property by name: ``verdict`` (``holds``, ``failed``, ``error``), and what else to say.
        settings: How it was checked, such as tolerances.
        started: When it began, ISO 8601; now if not given.
        surroundings: What it ran in; what is so now if not given.

    Raises:
        InvalidValue: A verdict is none, or something cannot be stored.
        NotFound: The configuration is not there.
    """
    for name, one in verdicts.items():
        if not isinstance(one, Mapping) or one.get("verdict") not in VERDICTS:
            raise InvalidValue(f"has no verdict, which is one of {', '.join(VERDICTS)}", path=("verdicts", name))
    if not objects.exists(folder, config):
        raise NotFound(f"there is no config '{config}'", subject=config)
    around = surroundings or environment.surroundings()
    check = Check(
        config=config,
        created_at=started or now(),
        pipeline=pipeline,
        settings=canonical.normalise(settings),
        verdicts=canonical.normalise(verdicts),
        environment=around.environment,
        code=around.code,
        by=around.by,
    )
    with folder.batch() as batch:
        if around.installed is not None:
            check = check._replace(installed=objects.put(batch, around.installed))
        return records.check(batch, check)


def checks(tree: Tree, config_hashes: Iterable[str] | None = None) -> list[Check]:
    """Return what was checked with some configurations, or with all that are not deleted, newest first."""
    if config_hashes is None:
        deleted = sets.members(tree, layout.DELETED)
        told = (metadata for name, metadata in records.all_metadata(tree) if name not in deleted)
    else:
        told = (records.metadata(tree, name) for name in config_hashes)
    found = [check for metadata in told for check in metadata.checks]
    return sorted(found, key=lambda check: (instant(check.created_at), check.record), reverse=True)
