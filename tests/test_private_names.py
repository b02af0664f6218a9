"""What is private to `AuthX` stays with the code that makes it up; everything else goes through its runtime."""

import ast
from pathlib import Path

import pytest
from tests.support.tokens import SECRET

import authx
from authx import AuthX, AuthXConfig

SOURCES = Path(authx.__file__).parent
# `AuthX` is made of these.
INSIDE = {"api", "http", "main.py"}


def private_names():
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET))
    names = {*dir(auth), *vars(auth)}
    return {name for name in names if name.startswith("_") and not name.startswith("__")} - {"_runtime"}


def is_own(node):
    """Whether an object reads a name of its own."""
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def reads_of(text, names):
    tree = ast.parse(text)
    return [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in names and not is_own(node)
    ]


def outside():
    for path in sorted(SOURCES.rglob("*.py")):
        if path.relative_to(SOURCES).parts[0] not in INSIDE:
            yield pytest.param(path, id=str(path.relative_to(SOURCES)))


@pytest.mark.parametrize("path", list(outside()))
def test_only_what_an_instance_is_made_of_reads_its_private_names(path):
    assert reads_of(path.read_text("utf-8"), private_names()) == []


def test_a_read_from_outside_would_be_found():
    assert {"_holder", "_guards", "_finders"} <= private_names()
    assert reads_of("auth._holder.get()\nself._guards\nauth._runtime", private_names()) == ["_holder"]
