"""Finding the `AuthX` that `module:attribute` names, as servers find an application."""

import importlib
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from fastapi import FastAPI

from authx import AuthManager, AuthX
from authx.cli.mistakes import REFUSALS, mistakes_in
from authx.cli.output import Failure

__all__ = ["Target", "capture_log", "is_handled", "load", "one"]

_EXAMPLE = "for example: main:auth"


@dataclass(frozen=True, slots=True)
class Target:
    """What a name led to: instances by label, the application if it was one, or applications in the same module."""

    name: str
    instances: dict[str, AuthX[Any]]
    app: FastAPI | None
    neighbours: list[FastAPI]


def load(name: str) -> Target:
    """Import the `AuthX`, `AuthManager` or application that `module:attribute` names; search the current folder first.

    Settings of theirs that are refused raise what `REFUSALS` names.
    """
    module_name, colon, path = name.partition(":")
    if not colon or not module_name or not path:
        raise Failure(f"{name!r} names no instance: write module:attribute, {_EXAMPLE}")
    if "/" in module_name or module_name.endswith(".py"):
        dotted = module_name.removesuffix(".py").strip("./").replace("/", ".")
        raise Failure(f"{module_name!r} is a file; name the module: {dotted}:{path}")
    module = _import(module_name)
    value: Any = module
    for part in path.split("."):
        try:
            value = getattr(value, part)
        except AttributeError:
            raise Failure(f"{module_name} has no attribute {path!r}{_what_there_is(module)}") from None
    return _target(name, path, value, module)


def one(name: str) -> AuthX[Any]:
    """Import the only instance that a name leads to."""
    try:
        with capture_log():
            target = load(name)
    except REFUSALS as error:
        raise Failure(f"the settings of {name} cannot work: {'; '.join(mistakes_in(error))}") from None
    if len(target.instances) > 1:
        raise Failure(f"{name} has several instances of AuthX ({', '.join(target.instances)}); name one of them")
    return next(iter(target.instances.values()))


@contextmanager
def capture_log() -> Iterator[list[str]]:
    """Collect what the library logs meanwhile instead of printing it."""
    messages: list[str] = []

    class _Holding(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    logger = logging.getLogger("authx")
    handlers, propagate = logger.handlers[:], logger.propagate
    logger.handlers[:], logger.propagate = [_Holding(logging.WARNING)], False
    try:
        yield messages
    finally:
        logger.handlers[:], logger.propagate = handlers, propagate


def _import(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        # What a module prints must not get between our JSON.
        with redirect_stdout(sys.stderr):
            return importlib.import_module(name)
    except REFUSALS:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise Failure(f"there is no module {error.name!r}, neither in {here} nor among what is installed") from None
        raise _failed(name, error) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever an application raises
        raise _failed(name, error) from None


def _failed(name: str, error: BaseException) -> Failure:
    """Return the failure that says what an application raised on import, and where."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    place = f" ({own[-1].filename}, line {own[-1].lineno})" if len(own) > 1 else ""
    if isinstance(error, SyntaxError):
        place = f" ({error.filename}, line {error.lineno})"
    text = f": {error.msg if isinstance(error, SyntaxError) else error}".removesuffix(": ")
    return Failure(f"importing {name} failed with {type(error).__name__}{text}{place}")


def _target(name: str, path: str, value: Any, module: ModuleType) -> Target:
    if isinstance(value, AuthX):
        neighbours = [other for other in vars(module).values() if isinstance(other, FastAPI)]
        return Target(name, {name: value}, None, neighbours)
    if isinstance(value, AuthManager):
        instances = {f"{name}, {kind}": value.get(kind) for kind in value.login_types}
        if not instances:
            raise Failure(f"{name} is an AuthManager, and nothing is registered with it")
        return Target(name, instances, None, [])
    if isinstance(value, FastAPI):
        found = _instances_of(value, module)
        if not found:
            raise Failure(f"no route of {name} asks an AuthX; name the instance itself, {_EXAMPLE}")
        return Target(name, found, value, [])
    if isinstance(value, type):
        raise Failure(f"{name} is a class; name an instance of AuthX{_what_there_is(module)}")
    if callable(value):
        raise Failure(
            f"{name} is a function, and is not called here: name what it returns, with a line such as "
            f"auth = {path}() in {module.__name__}{_what_there_is(module)}"
        )
    raise Failure(f"{name} is no AuthX but {_a(type(value).__name__)}{_what_there_is(module)}")


def _instances_of(app: FastAPI, module: ModuleType) -> dict[str, AuthX[Any]]:
    """Return the instances that an application's routes use, and those in its module whose errors it handles."""
    names = {id(value): f"{module.__name__}:{name}" for name, value in vars(module).items() if isinstance(value, AuthX)}
    beside = [value for value in vars(module).values() if isinstance(value, AuthX) and is_handled(value, app)]
    asked = [
        instance
        for route in app.routes
        if (dependant := getattr(route, "dependant", None)) is not None
        for call in _calls(dependant)
        if (instance := _instance_behind(call)) is not None
    ]
    found = {id(instance): instance for instance in (*beside, *asked)}
    unnamed = [key for key in found if key not in names]
    labels = {key: f"AuthX {number}" for number, key in enumerate(unnamed, 1)}
    return {names.get(key) or labels[key]: instance for key, instance in found.items()}


def _calls(dependant: Any) -> Iterator[Any]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)


def _instance_behind(call: Any) -> AuthX[Any] | None:
    """Return the instance whose method a dependency is, or that made it."""
    for holder in (call, getattr(call, "_guard", None)):
        source = getattr(getattr(holder, "holder", None), "source", None)
        if isinstance(source, AuthX):
            return source
    owner = getattr(call, "__self__", None)
    return owner if isinstance(owner, AuthX) else None


def is_handled(auth: AuthX[Any], app: FastAPI) -> bool:
    """Return whether `handle_errors` was called with an application."""
    return any(known() is app for known in auth._runtime.applications)


def _what_there_is(module: ModuleType) -> str:
    known = [
        f"{module.__name__}:{name}"
        for name, value in vars(module).items()
        if isinstance(value, AuthX | AuthManager | FastAPI)
    ]
    return f"; there is {', '.join(known)}" if known else ""


def _a(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
