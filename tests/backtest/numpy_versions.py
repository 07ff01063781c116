"""Check that outcomes are the same under other versions of numpy: the oldest that is allowed, and the newest.

    python tests/backtest/numpy_versions.py [VERSION...]

Each version is installed with pip into a temporary folder, in front of the one that is there. Versions that have no
wheel for this Python are an error. Without arguments: the oldest version that pyproject.toml allows, and the newest.
"""

import os
import subprocess
import sys
import tempfile
import tomllib

HERE = os.path.dirname(os.path.abspath(__file__))
FINGERPRINT = os.path.join(HERE, "fingerprint.py")


def oldest():
    """Return the lower bound of the extra ``backtest``."""
    with open(os.path.join(HERE, "..", "..", "pyproject.toml"), "rb") as file:
        (requirement,) = tomllib.load(file)["project"]["optional-dependencies"]["backtest"]
    return requirement.removeprefix("numpy>=") + ".0"


def fingerprint(version, folder):
    """Return the version that was installed, and the hashes of the outcomes under it."""
    target = os.path.join(folder, version or "newest")
    requirement = f"numpy=={version}" if version else "numpy"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--target",
        target,
        "--only-binary=:all:",
        requirement,
    ]
    subprocess.run(install, check=True)
    environment = {**os.environ, "PYTHONPATH": target}
    found = subprocess.run(
        [sys.executable, "-c", "import numpy; print(numpy.__version__)"],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    ).stdout.strip()
    if version and found != version:
        sys.exit(f"numpy {found} came in front of {version}")
    run = subprocess.run([sys.executable, FINGERPRINT], check=True, capture_output=True, text=True, env=environment)
    return found, run.stdout


def main():
    versions = sys.argv[1:] or [oldest(), ""]
    with tempfile.TemporaryDirectory() as folder:
        found = dict(fingerprint(version, folder) for version in versions)
    for version, hashes in found.items():
        print(f"numpy {version}: {' '.join(line[:12] for line in hashes.split())}")  # noqa: T201 - its purpose
    if len(set(found.values())) != 1:
        sys.exit("the outcomes differ")


if __name__ == "__main__":
    main()
