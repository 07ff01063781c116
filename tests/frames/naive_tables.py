"""What a table must hold, worked out another way than the package does: all values at once, nothing clever."""

import math

from gemexp import formats
from gemexp.notation import format_path

FIXED = ("config_hash", "created_at", "description", "tags", "feature_names")


def leaves(value, path):
    """Yield (path, value) of all that is no map, and of maps that are empty."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    else:
        yield format_path(path), value


def row(config, metrics):
    """Return the values of a config by the names of their columns."""
    found = {}
    for section in ("feature_weights", "feature_transformations", "hyperparameters"):
        if getattr(config, section):
            found.update(leaves(getattr(config, section), (section,)))
    if metrics:
        found.update(leaves(metrics, ("metric",)))
    return found


def type_of(values, empty="text"):
    """Return the type of a column by all of its values."""
    types = {type(value).__name__ for value in values if value is not None}
    if not types:
        return empty
    if types == {"list"}:
        items = [item for value in values if value is not None for item in value]
        inner = type_of(items)
        return "json" if inner == "json" or inner.startswith("list of ") else f"list of {inner}"
    if types == {"int"}:
        numbers = [value for value in values if value is not None]
        if max(numbers) < 2**63:
            return "int"
        return "uint" if min(numbers) >= 0 else "json"
    if types <= {"int", "float"}:
        whole = [value for value in values if type(value) is int]
        return "float" if all(float(number).as_integer_ratio() == (number, 1) for number in whole) else "json"
    return {"str": "text", "bool": "bool"}.get(next(iter(types)), "json") if len(types) == 1 else "json"


def cell(value, type_):
    """Return a value as a column of a type holds it."""
    if value is None:
        return None
    if type_ == "json":
        return value  # compared after it was read
    if type_ == "float":
        return float(value)
    if type_ == "list of float":
        return [cell(item, "float") for item in value]
    return value


def read(value, type_):
    """Return what a cell of a table stands for."""
    return formats.loads(value, "json") if type_ == "json" and value is not None else value


def same(first, second):
    """Equal, and of one type; NaN is NaN."""
    if type(first) is not type(second):
        return False
    if isinstance(first, list):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    return first == second or (isinstance(first, float) and math.isnan(first) and math.isnan(second))
