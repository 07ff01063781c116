"""The hash is the same under every hash seed, locale, time zone and dict order, from every format."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import random
from gemexp import ExperimentConfig, formats
from gemexp.config import config_from_value

fields = {
    "feature_names": ["Sentiment", "Açai", "zé", "\\U0001f680", "b"],
    "feature_weights": {"b": 1, "Açai": 0.25, "\\U0001f680": -0.0, "\\uffff": 1e-300},
    "feature_transformations": {"b": "log"},
    "hyperparameters": {"lr": 1e-4, "k": 10, "flag": True, "none": None, "day": "2024-01-31",
                        "missing": float("nan"), "deep": {"x.y": [1, 1.0, True, "1"], "": {}}},
}
def shuffled(value):
    if isinstance(value, dict):
        items = list(value.items())
        random.shuffle(items)
        return {key: shuffled(item) for key, item in items}
    return value
found = set()
for _ in range(20):
    value = shuffled(fields)
    found.add(ExperimentConfig(**value).config_hash)
    for format in ("json", "yaml"):
        found.add(config_from_value(formats.loads(formats.dumps(value, format), format)).config_hash)
toml = '''
feature_names = ["zé", "b", "Açai", "Sentiment", "\\U0001f680"]
[feature_weights]
b = 1.0
"Açai" = 0.25
"\\U0001f680" = 0.0
"\\uffff" = 1e-300
[feature_transformations]
b = "log"
'''
without_none = dict(fields, hyperparameters={"day": "2024-01-31", "k": 10, "missing": float("nan")})
from_toml = formats.loads(toml + "[hyperparameters]\\nmissing = nan\\nk = 10\\nday = 2024-01-31\\n", "toml")
assert config_from_value(from_toml).config_hash == ExperimentConfig(**without_none).config_hash
print(*found)
"""
# Also worked out by the second implementation of the format, in tests/spec.
EXPECTED = "4f827f79ae5e3d6f220de7896ad12eda00f46cac65e8441c62f9e4d57f341bd9"

ENVIRONMENTS = [
    {"PYTHONHASHSEED": "0"},
    {"PYTHONHASHSEED": "1", "TZ": "Pacific/Kiritimati"},
    {"PYTHONHASHSEED": "4242", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONHASHSEED": "7", "LC_ALL": "C.UTF-8", "TZ": "America/St_Johns", "MSGPACK_PUREPYTHON": "1"},
    {"PYTHONOPTIMIZE": "2"},
]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda one: ",".join(f"{k}={v}" for k, v in one.items()))
def test_hash_is_the_same_in_every_environment(environment):
    result = subprocess.run(
        [sys.executable, "-"], input=PROGRAM.encode(), env=os.environ | environment, capture_output=True, check=False
    )
    assert result.stderr == b""
    assert result.stdout.decode().split() == [EXPECTED]
