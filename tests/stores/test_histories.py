"""Random histories of every store: it behaves as the model does, and the refresh protocol on it is fair."""

import secrets
from pathlib import Path

import pytest

from authx.stores import Store, open_store

from .machine import MakeEmptyStore, check
from .model import StoreMachine
from .postgres_server import drop_tables
from .protocol import ProtocolMachine


@pytest.fixture(params=["memory", "sqlite", "postgresql", "redis"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def make(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> MakeEmptyStore:
    urls = {"postgresql": "postgres_url", "redis": "redis_url"}
    url = request.getfixturevalue(urls[kind]) if kind in urls else "memory://"
    # Tables are dropped, a file and keys are other ones each time.
    prefix = request.getfixturevalue("postgres_prefix") if kind == "postgresql" else None

    async def make() -> Store:
        name = secrets.token_hex(6)
        if prefix is not None:
            await drop_tables(url, prefix)
        store = open_store(f"sqlite:///{tmp_path}/{name}.db" if kind == "sqlite" else url, prefix or f"t{name}_")
        await store.open()
        await store.create_schema()
        return store

    return make


def test_a_store_behaves_as_the_model_does(make: MakeEmptyStore, kind: str) -> None:
    check(StoreMachine, make, examples=100 if kind == "memory" else 25)


def test_the_refresh_protocol_signs_no_honest_client_out_and_notices_the_others(
    make: MakeEmptyStore, kind: str
) -> None:
    check(ProtocolMachine, make, examples={"memory": 150, "sqlite": 20}.get(kind, 15))
