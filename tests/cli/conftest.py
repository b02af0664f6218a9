"""What tests of the command share.

Fixtures: `authx` runs a command in this process, with its output piped; `settings` are a good configuration's.
Every test has a folder of its own as the current one, and no settings in its environment.
"""

import asyncio
import io
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.stores.postgres_server import a_postgres_url, drop_tables
from tests.stores.servers import a_node

from authx.cli.app import run

from .places import Place

SECRET = "M8i3tq1Zr-4vXh0wNfYb7kLs2PdUaEoJcGzQeRtyuI9xWvBn"


@dataclass
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in os.environ:
        if name.upper().startswith("JWT_") or name in {"WEB_CONCURRENCY", "NO_COLOR", "COLUMNS", "FORCE_COLOR"}:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def authx(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    def command(*arguments: str, given: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        capsys.readouterr()
        code = run(arguments)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Done(code, out, err)

    return command


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with a_postgres_url() as url:
        yield url


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    given = os.environ.get("AUTHX_TEST_REDIS_URL")
    if given:
        yield given
        return
    with a_node("--maxmemory-policy", "noeviction") as node:
        yield node.url


@pytest.fixture(params=["sqlite", "postgresql", "redis"])
def place(request, folder) -> Iterator[Place]:
    prefix = f"t{secrets.token_hex(6)}_"
    if request.param == "sqlite":
        place = Place(f"sqlite:///{folder}/auth.db", prefix)
    elif request.param == "redis":
        place = Place(request.getfixturevalue("valkey_url"), prefix)
    else:
        place = Place(request.getfixturevalue("postgres_url"), prefix)
    place.add()
    yield place
    if request.param == "postgresql":
        asyncio.run(drop_tables(place.url, prefix))


@pytest.fixture
def sqlite(folder) -> Place:
    place = Place(f"sqlite:///{folder}/auth.db", "authx_")
    place.add()
    return place
