"""What tests of stores share.

Fixtures: `postgres_url` (session) names a real PostgreSQL server, which is started once, or the one that
`AUTHX_TEST_POSTGRES_URL` names; `postgres_prefix` begins the names of one test's tables, which are dropped
after it. Helpers: `.postgres_server` has `a_postgres`, a server that a test may stop and start; `.servers` has
the same for Valkey; `.model` has `check_model`, the stateful test for any store; what every store does is in
`authx.testing.StoreContract`.
"""

import asyncio
import secrets
from collections.abc import Iterator

import pytest
from tests.waiting import PATIENCE

from authx.stores import postgresql_connectors, postgresql_feed, postgresql_lanes, redis_wire

from .postgres_server import a_postgres_url, drop_tables

# Before anything imports it, so that a history that fails shows the values it compared.
pytest.register_assert_rewrite(f"{__package__}.model", f"{__package__}.protocol")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let stores take their time where it is tested what all of them do: their time limits have tests of their own."""
    if "make_store" not in request.fixturenames and request.path.stem not in {"test_model", "test_protocol"}:
        return
    monkeypatch.setattr(redis_wire, "_CONNECT_TIMEOUT", PATIENCE)
    monkeypatch.setattr(redis_wire.Lanes.call, "__defaults__", (PATIENCE,))
    for module in (postgresql_feed, postgresql_lanes):
        monkeypatch.setattr(module, "STATEMENT_SECONDS", PATIENCE)
    monkeypatch.setattr(postgresql_lanes, "_WAIT_SECONDS", PATIENCE)
    monkeypatch.setitem(postgresql_connectors._SETTINGS, "statement_timeout", f"{1000 * PATIENCE:.0f}")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with a_postgres_url() as url:
        yield url


@pytest.fixture
def postgres_prefix(postgres_url: str) -> Iterator[str]:
    prefix = f"t{secrets.token_hex(6)}_"
    yield prefix
    asyncio.run(drop_tables(postgres_url, prefix))
