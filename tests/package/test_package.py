"""What is installed: every file, light imports, names that are there."""

import subprocess
import sys
from importlib.metadata import entry_points, metadata
from pathlib import Path

import pytest

import gemexp

CHECKOUT = Path(__file__).parents[2]
PACKAGE_FILES = sorted(
    path.relative_to(CHECKOUT / "gemexp")
    for path in (CHECKOUT / "gemexp").rglob("*")
    if path.is_file() and path.suffix != ".pyc"
)


def modules_after(code):
    """Return the modules that an interpreter has loaded after running ``code``, beyond a bare one's."""
    program = (
        f"import sys; before = set(sys.modules); exec({code!r}); print(*(set(sys.modules) - before), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(result.stderr.split())


def test_package_has_its_files():
    assert Path("py.typed") in PACKAGE_FILES
    assert len(PACKAGE_FILES) > 30


@pytest.mark.parametrize("path", PACKAGE_FILES, ids=str)
def test_every_file_of_the_package_is_installed_as_it_is(path):
    installed = Path(gemexp.__file__).parent / path
    assert installed.read_bytes() == (CHECKOUT / "gemexp" / path).read_bytes()


@pytest.mark.parametrize(
    ("name", "value"), [("gemexp", "gemexp.cli:main"), ("gemexp-textconv", "gemexp.textconv:main")]
)
def test_console_scripts_are_installed(name, value):
    (script,) = entry_points(group="console_scripts", name=name)
    assert script.value == value


def test_version_is_that_of_the_distribution():
    assert metadata("gemexp")["Version"] == gemexp.__version__


def test_runtime_dependencies_are_few():
    required = [line for line in metadata("gemexp").get_all("Requires-Dist") if "extra ==" not in line]
    assert sorted(line.split(">")[0] for line in required) == ["click", "lark", "msgpack", "msgspec", "ruamel.yaml"]


def test_importing_the_package_loads_nothing_else():
    others = {name for name in modules_after("import gemexp") if not name.startswith("gemexp")}
    assert others <= modules_after("import typing") | {"__future__"}


def test_every_public_name_is_there():
    for name in gemexp.__all__:
        assert getattr(gemexp, name).__name__ == name
    assert set(gemexp.__all__) <= set(dir(gemexp))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        gemexp.nonsense  # noqa: B018


def test_showing_loads_little_beyond_click_and_msgpack(tmp_path):
    """The cold start is a feature; a list of modules can be tested, a time cannot."""
    registry = gemexp.ExperimentRegistry(tmp_path / "store")
    config_hash = registry.register(gemexp.ExperimentConfig(["a"], {"a": 1.0}, {"k": 10}, tags=["t"]))
    show = f"from gemexp.cli import main; main(['--store', {str(tmp_path / 'store')!r}, 'show', {config_hash[:10]!r}])"
    loaded = modules_after(show) - modules_after("import click, msgpack")
    others = {name for name in loaded if not name.startswith("gemexp")}
    assert others <= {"_sha256", "_sha2", "heapq", "_heapq", "_locale", "locale"}
    heavy = {"gemexp.compare", "gemexp.formats", "gemexp.legacy", "gemexp.html", "gemexp.store.check", "gemexp.sources"}
    assert not loaded & heavy
