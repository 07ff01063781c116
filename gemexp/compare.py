"""What differs between two values, and why two hashes differ or agree. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, overload

from gemexp.config import SECTIONS, ExperimentConfig
from gemexp.digest import short
from gemexp.notation import format_path, inline, type_name
from gemexp.paths import Path


class Difference(NamedTuple):
    """One path at which two values differ.

    Args:
        path: Where.
        change: "added", "removed" or "changed", going from the first value to the second.
        old: What is there in the first; None if added.
        new: What is there in the second; None if removed.
    """

    path: Path
    change: str
    old: Any
    new: Any

    @property
    def delta(self) -> str | None:
        """``new - old`` in exact decimal arithmetic with its sign, for two finite numbers."""
        if self.change != "changed" or not _is_finite_number(self.old) or not _is_finite_number(self.new):
            return None
        from decimal import Decimal

        delta = Decimal(repr(self.new)) - Decimal(repr(self.old))
        text = f"{delta:+f}" if -7 < delta.adjusted() < 16 or not delta else f"{delta:+}"
        return text.rstrip("0").rstrip(".") if "." in text and "E" not in text else text

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; old and new only where they exist."""
        result: dict[str, Any] = {"path": format_path(self.path), "change": self.change}
        if self.change != "added":
            result |= {"old": self.old, "old_type": type_name(self.old)}
        if self.change != "removed":
            result |= {"new": self.new, "new_type": type_name(self.new)}
        if self.delta is not None:
            result["delta"] = float(self.delta)
        return result

    def __str__(self) -> str:
        path = format_path(self.path)
        if self.change == "added":
            return f"+ {path} = {inline(self.new)}"
        if self.change == "removed":
            return f"- {path} = {inline(self.old)}"
        old, new = inline(self.old), inline(self.new)
        if type(self.old) is not type(self.new):
            old, new = f"{old} ({type_name(self.old)})", f"{new} ({type_name(self.new)})"
        return f"~ {path}: {old} -> {new}" + (f" ({self.delta})" if self.delta not in (None, "+0") else "")


class Diff(Sequence[Difference]):
    """What differs between two configurations, in order of path; empty if nothing does.

    It covers what makes the hash, and nothing else; feature names are compared as sets.
    """

    def __init__(self, old: ExperimentConfig, new: ExperimentConfig) -> None:
        self.old_hash = old.config_hash
        self.new_hash = new.config_hash
        names, other_names = set(old.feature_names), set(new.feature_names)
        path: Path = ("feature_names",)
        self._found = [Difference(path, "removed", name, None) for name in sorted(names - other_names)]
        self._found += [Difference(path, "added", None, name) for name in sorted(other_names - names)]
        for section in SECTIONS[1:]:
            self._found += differences(getattr(old, section), getattr(new, section), (section,))

    @overload
    def __getitem__(self, index: int) -> Difference: ...

    @overload
    def __getitem__(self, index: slice) -> list[Difference]: ...

    def __getitem__(self, index: int | slice) -> Difference | list[Difference]:
        return self._found[index]

    def __len__(self) -> int:
        return len(self._found)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "config1_hash": self.old_hash,
            "config2_hash": self.new_hash,
            "differences": [difference.to_dict() for difference in self],
        }

    def __str__(self) -> str:
        return "\n".join(map(str, self))

    def _repr_html_(self) -> str:
        from gemexp import html

        return html.diff_table(self)


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[Difference]:
    """Yield where two plain values differ, map keys sorted; a type is part of a value."""
    if type(old) is dict and type(new) is dict:
        for key in sorted(old.keys() | new.keys()):
            yield from _item_differences(old, new, key, (*path, key))
    elif type(old) is list and type(new) is list:
        if _is_flat(old) and _is_flat(new) and (len(old) != len(new) or _is_reordered(old, new)):
            yield Difference(path, "changed", old, new)
            return
        items, other_items = dict(enumerate(old)), dict(enumerate(new))
        for position in range(max(len(old), len(new))):
            yield from _item_differences(items, other_items, position, (*path, position))
    elif not same(old, new):
        yield Difference(path, "changed", old, new)


def same(old: Any, new: Any) -> bool:
    """Tell whether two plain values have the same canonical bytes."""
    if type(old) is not type(new):
        return False
    if type(old) is dict:
        return old.keys() == new.keys() and all(same(old[key], new[key]) for key in old)
    if type(old) is list:
        return len(old) == len(new) and all(map(same, old, new))
    return bool(old == new or (old != old and new != new))


def compare(first: ExperimentConfig, second: ExperimentConfig) -> dict[str, Any]:
    """Compare two configurations section by section, as one nested mapping."""
    names1, names2 = set(first.feature_names), set(second.feature_names)
    weights1, weights2 = first.feature_weights, second.feature_weights
    weight_differences = {}
    for name in sorted(weights1.keys() | weights2.keys()):
        weight1, weight2 = weights1.get(name, 0.0), weights2.get(name, 0.0)
        if not same(weight1, weight2):
            weight_differences[name] = {"config1": weight1, "config2": weight2, "diff": weight2 - weight1}
    return {
        "config1_hash": first.config_hash,
        "config2_hash": second.config_hash,
        "features": {
            "only_in_config1": sorted(names1 - names2),
            "only_in_config2": sorted(names2 - names1),
            "common": sorted(names1 & names2),
        },
        "weight_differences": weight_differences,
        "feature_transformations": _differing(first.feature_transformations, second.feature_transformations),
        "hyperparameters": {
            "config1": first.to_dict()["hyperparameters"],
            "config2": second.to_dict()["hyperparameters"],
        },
        "hyperparameter_differences": {
            format_path(found.path): {"config1": found.old, "config2": found.new}
            for found in differences(first.hyperparameters, second.hyperparameters)
        },
    }


def explain(first: ExperimentConfig, second: ExperimentConfig) -> list[str]:
    """Say in sentences why two configurations have different hashes, or the same one."""
    diff = Diff(first, second)
    outside = [name for name in ("description", "tags", "created_at") if getattr(first, name) != getattr(second, name)]
    aside = [f"{_list(outside)} differ{'s' if len(outside) == 1 else ''}, but no hash covers that"] if outside else []
    if not diff:
        same_bytes = "names, weights, transformations and hyperparameters have the same canonical bytes"
        return [f"the hashes are equal, {short(diff.old_hash)}: {same_bytes}", *aside]
    count = "1 place" if len(diff) == 1 else f"{len(diff)} places"
    hashes = f"{short(diff.old_hash)} and {short(diff.new_hash)}"
    return [
        f"the hashes {hashes} differ because the configurations do, in {count}",
        *(_reason(found) for found in diff),
        *aside,
    ]


def _item_differences(old: Mapping[Any, Any], new: Mapping[Any, Any], step: Any, path: Path) -> Iterator[Difference]:
    if step not in new:
        yield Difference(path, "removed", old[step], None)
    elif step not in old:
        yield Difference(path, "added", None, new[step])
    else:
        yield from differences(old[step], new[step], path)


def _differing(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"config1": first.get(name), "config2": second.get(name)}
        for name in sorted(first.keys() | second.keys())
        if (name in first) != (name in second) or not same(first.get(name), second.get(name))
    }


def _reason(found: Difference) -> str:
    path = format_path(found.path)
    if found.change != "changed":
        which, value = ("second", found.new) if found.change == "added" else ("first", found.old)
        return f"{path}: only the {which} has {inline(value)}"
    old, new = found.old, found.new
    shown = f"{path}: {inline(old)} ({type_name(old)}) is not {inline(new)} ({type_name(new)})"
    if type(old) is not type(new):
        if _is_number(old) and _is_number(new) and old == new:
            return f"{shown}: equal as numbers, but a type is part of a configuration"
        return f"{shown}: the types differ"
    if isinstance(old, str):
        return f"{path}: {inline(old)} is not {inline(new)}{_text_reason(old, new)}"
    if isinstance(old, list) and _is_reordered(old, new):
        return f"{path}: {inline(old)} is not {inline(new)}: the same items, but the order of an array is kept"
    return f"{path}: {inline(old)} is not {inline(new)}" + (f" ({found.delta})" if found.delta else "")


def _text_reason(old: str, new: str) -> str:
    import unicodedata

    if unicodedata.normalize("NFC", old) == unicodedata.normalize("NFC", new):
        return f": they look alike, but their characters differ ({_code_points(old)} and {_code_points(new)})"
    if old.split() == new.split() or old.strip() == new.strip():
        return ": only white space differs"
    if old.casefold() == new.casefold():
        return ": only upper and lower case differ"
    return ""


def _code_points(text: str) -> str:
    unusual = [f"U+{ord(char):04X}" for char in text if not char.isascii()]
    return " ".join(unusual[:8]) + (" …" if len(unusual) > 8 else "") if unusual else "ASCII"


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _is_flat(items: list[Any]) -> bool:
    return not any(isinstance(item, (dict, list)) for item in items)


def _is_reordered(items: list[Any], others: list[Any]) -> bool:
    return items != others and sorted(map(repr, items)) == sorted(map(repr, others))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _is_finite_number(value: Any) -> bool:
    return type(value) in (int, float) and value == value and abs(value) != float("inf")
