"""PostgreSQL fails over behind one address: connections that have become read-only are not used again."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from tests.support.waiting import until

from authx.exceptions import StoreUnavailableError
from authx.stores.postgresql import PostgreSQLStore, schema
from authx.testing.contract.harness import NOW, advance, end_token, session_of

from .postgres_server import PostgreSQL, a_postgres

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[PostgreSQL, PostgreSQL]]:
    with a_postgres() as former, a_postgres() as successor:
        yield former, successor


class Address:
    """One address, which leads new connections to the one or the other server; those there are stay."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.server: PostgreSQL

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to_server = await asyncio.open_unix_connection(socket_of(self.server))
        await asyncio.gather(copy(reader, to_server), copy(there, writer))


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


def socket_of(server: PostgreSQL) -> str:
    return f"{parse_qs(urlsplit(server.url).query)['host'][0]}/.s.PGSQL.5432"


@pytest.fixture
async def address(servers: tuple[PostgreSQL, PostgreSQL]) -> AsyncIterator[Address]:
    former, _ = servers
    with tempfile.TemporaryDirectory(prefix="authx-address-") as folder:
        address = Address(folder)
        address.server = former
        listening = await asyncio.start_unix_server(address.relay, Path(folder) / ".s.PGSQL.5432")
        for server in servers:
            await run(server, schema("authx_"))
        yield address
        listening.close()
        await run(former, "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
        for server in servers:
            await run(server, "DROP TABLE authx_sessions, authx_cutoffs, authx_revocations, authx_meta")


async def run(server: PostgreSQL, *statements: str) -> None:
    connection = await asyncpg.connect(server.url, server_settings={"default_transaction_read_only": "off"})
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def fail_over(address: Address, servers: tuple[PostgreSQL, PostgreSQL]) -> None:
    """Let the former server take no more writes, and new connections go to its successor."""
    watching = await asyncpg.connect(servers[0].url)
    await run(servers[0], "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")

    async def is_read_only() -> bool:
        return await watching.fetchval("SHOW default_transaction_read_only") == "on"

    await until(is_read_only)
    await watching.close()
    address.server = servers[1]


@asynccontextmanager
async def a_store(address: Address, kind: str) -> AsyncIterator[PostgreSQLStore]:
    url = f"postgresql://postgres@/postgres?host={address.folder}"
    async with contextlib.AsyncExitStack() as stack:
        if kind == "pool":
            pool = await stack.enter_async_context(asyncpg.create_pool(url, min_size=0, max_size=10))
            store = PostgreSQLStore(pool=pool, connections=2)
        else:
            store = PostgreSQLStore(url, connections=2)
        stack.push_async_callback(store.close)
        await store.open()
        yield store


@pytest.mark.parametrize(
    ("kind", "first"), [("URL", "rotation"), ("URL", "login"), ("URL", "revocation"), ("pool", "rotation")]
)
async def test_one_write_that_is_refused_leads_every_connection_to_the_successor(servers, address, kind, first):
    async with a_store(address, kind) as store:
        row = session_of()
        await asyncio.gather(store.create(row), store.get(row.sid))
        await store.revoke(end_token("before"))
        _, cursor = await store.revocations("")
        await fail_over(address, servers)
        with pytest.raises(StoreUnavailableError, match="is read-only"):
            await {
                "rotation": lambda: advance(store, row),
                "login": lambda: store.create(session_of()),
                "revocation": lambda: store.revoke(end_token("refused")),
            }[first]()
        fresh = session_of()
        assert await store.create(fresh)
        assert await advance(store, fresh) is not None
        await store.revoke(end_token("after"))
        # The cursor is of the former server, so everything is read, and of the successor.
        assert [one.key for one in (await store.revocations(cursor))[0]] == ["after"]
        assert (await store.count_live(NOW))[0] == 1
