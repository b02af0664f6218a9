"""The PostgreSQL store through PgBouncer: in session mode it works, in transaction mode it says what to do."""

import asyncio
from collections.abc import Iterator
from urllib.parse import quote

import asyncpg
import pytest
from tests.support.waiting import PATIENCE

from authx.exceptions import BadConfigurationError
from authx.stores.postgresql import PostgreSQLStore
from authx.testing.contract.harness import NOW, advance, at_once, cut_off, end_token, session_of

from .pgbouncer import a_pgbouncer
from .postgres_server import PostgreSQL, a_postgres
from .test_postgresql import opened

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with a_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def session_mode(server: PostgreSQL) -> Iterator[str]:
    with a_pgbouncer(server, "session") as url:
        yield url


async def test_in_session_mode_with_its_default_settings_everything_works(session_mode):
    async with opened(PostgreSQLStore(session_mode, prefix="whole_")) as store:
        row = session_of()
        assert await store.create(row)
        assert await advance(store, row) is not None
        await at_once(20, lambda _: store.list("alice", NOW))
        await store.revoke(cut_off())
        _, cursor = await store.revocations("")
        waiting = asyncio.create_task(store.wait(cursor, 3600))
        await asyncio.sleep(0.05)
        await store.revoke(end_token())
        async with asyncio.timeout(PATIENCE):
            await waiting
        assert await store.prune(NOW, 10) == 0


async def test_settings_that_it_does_not_pass_on_are_made_afterwards(server, session_mode):
    owner = await asyncpg.connect(server.url)
    await owner.execute("CREATE SCHEMA IF NOT EXISTS elsewhere")
    options = quote("-c search_path=elsewhere -c work_mem=5MB")
    async with opened(PostgreSQLStore(f"{session_mode}?options={options}&application_name=me", prefix="set_")) as store:
        await store.create(session_of())
        assert await owner.fetchval("SELECT count(*) FROM elsewhere.set_sessions") == 1
        connection = store._opened.here().connections._idle[-1].connection
        shown = {name: await connection.fetchval(f"SHOW {name}") for name in EXPECTED}
        assert shown == EXPECTED
    await owner.close()


EXPECTED = {
    "search_path": "elsewhere",
    "work_mem": "5MB",
    "application_name": "me",
    "statement_timeout": "2s",
    "synchronous_commit": "off",
}


async def test_a_setting_that_the_server_does_not_know_is_a_mistake_of_configuration(session_mode):
    with pytest.raises(BadConfigurationError, match="does not know a setting"):
        await PostgreSQLStore(f"{session_mode}?options=-cnobody_knows%3D1").open()


@pytest.mark.parametrize("ignored", ["", "extra_float_digits, statement_timeout, synchronous_commit"])
async def test_in_transaction_mode_it_is_refused_with_advice(server, ignored):
    with a_pgbouncer(server, "transaction", ignore_startup_parameters=ignored) as url:
        store = PostgreSQLStore(url)
        with pytest.raises(BadConfigurationError, match=r"transaction mode.*pool_mode=session") as raised:
            await store.open()
        assert "hunter2" not in str(raised.value)
        await store.close()
        # Nothing of ours is left in the connections that others are lent.
        other = await asyncpg.connect(url, statement_cache_size=0)
        async with other.transaction():
            for name, usual in (("statement_timeout", "0"), ("synchronous_commit", "on")):
                assert await other.fetchval(f"SHOW {name}") == usual
        await other.close()


@pytest.mark.parametrize("mode", ["session", "transaction"])
async def test_an_applications_pool_is_looked_at_too(server, mode):
    with a_pgbouncer(server, mode) as url:
        async with asyncpg.create_pool(url, min_size=0, max_size=8) as pool:
            store = PostgreSQLStore(pool=pool, prefix="pool_")
            if mode == "session":
                async with opened(store):
                    await store.revoke(end_token())
            else:
                with pytest.raises(BadConfigurationError, match="transaction mode"):
                    await store.open()
            await store.close()
            assert pool.get_size() == pool.get_idle_size()


@pytest.mark.parametrize("query", ["sslmode=require", "ssl=true", "sslmode=verify-full&sslrootcert=system"])
async def test_a_server_without_tls_is_a_mistake_of_configuration_where_the_url_asks_for_it(session_mode, query):
    with pytest.raises(BadConfigurationError, match="does not offer TLS"):
        await PostgreSQLStore(f"{session_mode}?{query}").open()


async def test_in_statement_mode_it_is_refused_too(server):
    with a_pgbouncer(server, "statement") as url, pytest.raises(BadConfigurationError, match="statement mode"):
        await PostgreSQLStore(url).open()


async def test_a_server_without_a_pooler_is_not_taken_for_one(server):
    async with opened(PostgreSQLStore(server.url, prefix="direct_")) as store:
        assert store._strict.facts.is_pooled is False
