"""What the package's own source may not contain: what would make a program of data."""

import ast
from pathlib import Path

import pytest

import gemexp

ROOT = Path(gemexp.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
FORBIDDEN_MODULES = {
    *("pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "jsonpickle", "shelve", "marshal", "yaml"),
    *("code", "ctypes", "ftplib", "imp", "pty", "telnetlib", "xmlrpc"),
}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "execfile", "breakpoint", "input"}
FORBIDDEN_ATTRIBUTES = {
    ("os", "system"),
    ("os", "popen"),
    ("tempfile", "mktemp"),
    ("yaml", "load"),
    ("os", "tempnam"),
    *(("ET", name) for name in ("fromstring", "parse", "XML", "iterparse", "XMLParser")),  # XML is written, not read
}


def _parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def _name(call):
    return ast.unparse(call.func)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_module_makes_a_program_of_data(path):
    for node in ast.walk(_parsed(path)):
        if isinstance(node, ast.Import):
            imported = {alias.name.partition(".")[0] for alias in node.names}
            assert not imported & FORBIDDEN_MODULES, ast.unparse(node)
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] not in FORBIDDEN_MODULES, ast.unparse(node)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in FORBIDDEN_ATTRIBUTES, ast.unparse(node)
        elif isinstance(node, ast.Call):
            assert _name(node) not in FORBIDDEN_CALLS, ast.unparse(node)
            arguments = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert arguments.get("shell", "False") == "False", ast.unparse(node)
            assert arguments.get("allow_pickle", "False") == "False", ast.unparse(node)
            assert "pickle" not in _name(node), ast.unparse(node)


def test_arrays_are_loaded_without_pickle_and_yaml_safely():
    loads = [
        (path, node)
        for path in MODULES
        for node in ast.walk(_parsed(path))
        if isinstance(node, ast.Call) and _name(node) in ("np.load", "numpy.load", "YAML")
    ]
    assert len(loads) >= 2
    for path, node in loads:
        arguments = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        safe = arguments.get("allow_pickle") == "False" or arguments.get("typ") == "'safe'"
        assert safe, f"{path}: {ast.unparse(node)}"


def test_processes_are_started_in_few_places():
    starting = {
        path.relative_to(ROOT).as_posix()
        for path in MODULES
        for node in ast.walk(_parsed(path))
        if isinstance(node, ast.Call)
        and _name(node) in ("subprocess.run", "subprocess.Popen", "subprocess.call", "subprocess.check_output")
    }
    assert "git.py" in starting
    # git; commands that a user has run and recorded; and ssh-keygen.
    allowed = {"git.py", "executing.py", "rerunning.py", "cli/running.py", "signing.py"}
    assert {path for path in starting if not path.startswith("testing/")} <= allowed


def test_no_file_of_a_predictable_name_is_opened_for_writing_in_a_store():
    for path in sorted((ROOT / "store").rglob("*.py")):
        for node in ast.walk(_parsed(path)):
            if isinstance(node, ast.Call) and _name(node) == "open" and len(node.args) > 1:
                assert ast.unparse(node.args[1]) in ("'rb'", "'xb'"), f"{path}: {ast.unparse(node)}"
