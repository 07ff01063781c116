"""Pipelines by name: a function of a config, where another process finds it, and calling it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

from gemexp.config import SECTIONS, ExperimentConfig
from gemexp.errors import GemexpError, InvalidInput, NotFound


class PipelineFailed(GemexpError):
    """A pipeline raised an error where its outcome was to be had; ``type`` and ``error`` say which."""

    kind = "pipeline"

    def __init__(self, message: str, *, type: str = "", error: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.type = type
        self.error = error

    def details(self) -> dict[str, Any]:  # noqa: D102 - as the root's
        return {"type": self.type, "error": self.error}


class Pipeline(NamedTuple):
    """A function of a config.

    Args:
        function: The function.
        name: ``module:function``, or ``path/to/file.py:function`` where the module cannot be imported by name.
        module: The module's name.
        file: Its file; None if it has none.
        attribute: The function's name within the module.
        closed: Why no other process can import it; None if one can.
    """

    function: Callable[..., Any]
    name: str
    module: str
    file: str | None
    attribute: str
    closed: str | None

    def check_open(self) -> None:
        """Raise InvalidInput if no other process can import it."""
        if self.closed is not None:
            hint = "write it as a function of a module, or hand in isolate=False to run it in this process alone"
            raise InvalidInput(f"the pipeline '{self.name}' cannot run in a fresh process: {self.closed}", hint=hint)

    def call(self, config: ExperimentConfig, *inputs: Any) -> Any:
        """Return what it returns.

        Raises:
            PipelineFailed: It raised; the error is the cause.
        """
        try:
            return self.function(config, *inputs)
        except Exception as error:
            kind = type(error).__qualname__
            told = f"the pipeline '{self.name}' raised {kind}: {error}"
            raise PipelineFailed(told, type=kind, error=str(error)) from error


def pipeline_of(pipeline: str | Callable[..., Any] | Pipeline) -> Pipeline:
    """Return a pipeline with what other processes need to find it.

    Args:
        pipeline: The function, or where it is: ``module:function`` or ``path/to/file.py:function``.

    Raises:
        NotFound: There is no such module, or no such function in it.
        InvalidInput: The name cannot be read, or what it names cannot be called.
        PipelineFailed: Importing the module raised an error, which is the cause.
    """
    if isinstance(pipeline, Pipeline):
        return pipeline
    if isinstance(pipeline, str):
        return _by_name(pipeline)
    if not callable(pipeline):
        raise InvalidInput(f"a {type(pipeline).__name__} is not a pipeline", hint="hand in a function of a config")
    module = getattr(pipeline, "__module__", None) or type(pipeline).__module__
    attribute = getattr(pipeline, "__qualname__", None) or type(pipeline).__qualname__
    file = getattr(sys.modules.get(module), "__file__", None)
    file = os.path.abspath(file) if file else None
    closed = _why_closed(pipeline, module, attribute)
    return Pipeline(pipeline, f"{_shortest(module, file)}:{attribute}", module, file, attribute, closed)


def find(module: str, file: str | None, attribute: str) -> Any:
    """Return what ``attribute`` of a module is; a module that cannot be imported by name is read from its file.

    Raises:
        NotFound: There is no such module, or nothing of that name in it.
    """
    found: Any = _load(module, file)
    for name in attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            hint = f"it has {', '.join(_functions(found)) or 'no functions'}"
            raise NotFound(f"there is no '{attribute}' in '{module}'", subject=attribute, hint=hint) from None
    return found


def config_of(sections: dict[str, Any]) -> ExperimentConfig:
    """Return a configuration whose maps and names are in the order that they have in ``sections``.

    An `ExperimentConfig` sorts what it is given; one that was changed in place has any order.
    """
    config = ExperimentConfig(**sections, created_at="2000-01-01T00:00:00Z")
    for section in SECTIONS:
        setattr(config, section, sections[section])
    return config


def sections_of(config: ExperimentConfig) -> dict[str, Any]:
    """Return the four sections of a configuration, in the order of its maps."""
    return {section: getattr(config, section) for section in SECTIONS}


def _by_name(name: str) -> Pipeline:
    place, colon, attribute = name.rpartition(":")
    if not colon or not place or not all(part.isidentifier() for part in attribute.split(".")):
        hint = "name a function as MODULE:FUNCTION, such as train:run, or by its file: experiments/train.py:run"
        raise InvalidInput(f"'{name}' does not name a function", hint=hint)
    file = None
    module = place
    if place.endswith(".py"):
        file = os.path.abspath(place)
        module = os.path.splitext(os.path.basename(place))[0]
        _put_first(os.path.dirname(file))
    elif not all(part.isidentifier() for part in place.split(".")):
        raise InvalidInput(f"'{place}' is not the name of a module", hint="such as experiments.train")
    else:
        _put_first(os.getcwd())
    try:
        function = find(module, file, attribute)
    except GemexpError:
        raise
    except Exception as error:
        kind = type(error).__qualname__
        raise PipelineFailed(f"importing '{place}' raised {kind}: {error}", type=kind, error=str(error)) from error
    if not callable(function):
        raise InvalidInput(f"'{name}' is a {type(function).__name__}, not a function", hint="name a function")
    file = file or getattr(sys.modules.get(module), "__file__", None)
    return Pipeline(function, name, module, os.path.abspath(file) if file else None, attribute, None)


def _put_first(folder: str) -> None:
    if folder not in sys.path:
        sys.path.insert(0, folder)


def _load(module: str, file: str | None) -> ModuleType:
    loaded = sys.modules.get(module)
    if loaded is not None and (file is None or _same_file(loaded, file)):
        return loaded
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is not None and (
        file is None or (found.origin and os.path.exists(found.origin) and os.path.samefile(found.origin, file))
    ):
        return importlib.import_module(module)
    if file is None or not os.path.isfile(file):
        told = f"there is no module '{module}'" if file is None else f"there is no file '{file}'"
        raise NotFound(told, subject=module, hint="name it as seen from the current folder")
    spec = importlib.util.spec_from_file_location(module, file)
    if spec is None or spec.loader is None:
        raise NotFound(f"'{file}' is not a module of Python", subject=file)
    made = importlib.util.module_from_spec(spec)
    sys.modules[module] = made
    try:
        spec.loader.exec_module(made)
    except BaseException:
        del sys.modules[module]
        raise
    return made


def _same_file(module: ModuleType, file: str) -> bool:
    return _is_same(getattr(module, "__file__", None), file)


def _is_same(path: str | None, file: str) -> bool:
    return path is not None and os.path.exists(path) and os.path.samefile(path, file)


def _why_closed(function: Any, module: str, attribute: str) -> str | None:
    if module == "__main__":
        return "it belongs to the program that is running, which another process would run again"
    if "<lambda>" in attribute:
        return "it is a lambda, which has no name"
    if "<locals>" in attribute:
        return "it is defined inside another function"
    found: Any = sys.modules.get(module)
    for name in attribute.split("."):
        found = getattr(found, name, None)
    if found is not function and getattr(found, "__wrapped__", None) is not function:
        return f"'{module}:{attribute}' is something else"
    return None


def _shortest(module: str, file: str | None) -> str:
    """Return how a command names a module: its file where it could not import the module by name."""
    if file is None:
        return module
    spread = os.path.join(*module.split("."))
    here = os.getcwd()
    if file in (os.path.join(here, f"{spread}.py"), os.path.join(here, spread, "__init__.py")):
        return module
    relative = os.path.relpath(file, here)
    outside = relative.startswith(os.pardir) or "site-packages" in relative
    return module if outside and "." in module else relative


def _functions(module: Any) -> list[str]:
    return sorted(name for name, value in vars(module).items() if callable(value) and not name.startswith("_"))[:8]
