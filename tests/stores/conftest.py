"""What tests of stores share.

Fixtures: `postgres_url` (session) names a real PostgreSQL server, which is started once, or the one that
`AUTHX_TEST_POSTGRES_URL` names; `postgres_prefix` begins the names of one test's tables, which are dropped
after it; `redis_url` (session) names a Valkey server, where each test takes a prefix of its own. Helpers:
`.postgres_server` has `a_postgres`, a server that a test may stop and start; `.servers` has the same for Valkey;
`.model` and `.protocol` are stateful tests for any store; what every store does is in
`authx.testing.StoreContract`.
"""

import asyncio
import secrets
from collections.abc import Iterator

import pytest
from tests.support.patience import let_stores_take_their_time

from .postgres_server import a_postgres_url, drop_tables
from .servers import a_node

# Before anything imports it, so that a history that fails shows the values it compared.
pytest.register_assert_rewrite(f"{__package__}.model", f"{__package__}.protocol")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let stores take their time where it is tested what all of them do: their time limits have tests of their own."""
    if "make_store" not in request.fixturenames and request.path.stem != "test_histories":
        return
    let_stores_take_their_time(monkeypatch)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with a_postgres_url() as url:
        yield url


@pytest.fixture
def postgres_prefix(postgres_url: str) -> Iterator[str]:
    prefix = f"t{secrets.token_hex(6)}_"
    yield prefix
    asyncio.run(drop_tables(postgres_url, prefix))


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with a_node() as node:
        yield node.url
