"""The PostgreSQL store on a real server: the contract, and its own connections, durability, order, restarts."""

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from socket import gaierror
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg
import pytest
from tests.support.waiting import PATIENCE, SOON, until

from authx.core.session import Session
from authx.exceptions import BadConfigurationError, StoreUnavailableError
from authx.stores import InvalidRowError, open_store
from authx.stores.postgresql import PostgreSQLStore, connections, schema
from authx.stores.postgresql.errors import explained
from authx.stores.rows import COLUMNS
from authx.testing import StoreContract
from authx.testing.contract.harness import (
    DAY,
    NOW,
    MakeStore,
    advance,
    at_once,
    cut_off,
    end_everything,
    end_session,
    end_token,
    session_of,
)

from . import version_1
from .postgres_server import PostgreSQL, a_postgres

pytestmark = pytest.mark.anyio


class TestContract(StoreContract):
    @pytest.fixture
    def make_store(self, postgres_url: str, postgres_prefix: str) -> MakeStore:
        return lambda: PostgreSQLStore(postgres_url, prefix=postgres_prefix)


@pytest.fixture
async def store(postgres_url: str, postgres_prefix: str) -> AsyncIterator[PostgreSQLStore]:
    async with opened(PostgreSQLStore(postgres_url, prefix=postgres_prefix)) as store:
        yield store


@asynccontextmanager
async def opened(store: PostgreSQLStore) -> AsyncIterator[PostgreSQLStore]:
    try:
        await store.open()
        await store.create_schema()
        yield store
    finally:
        await store.close()


@pytest.fixture
async def raw(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Somebody else's connection."""
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(postgres_url, min_size=0, max_size=8) as pool:
        yield pool


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    """A server of this module's own, which its tests may stop."""
    with a_postgres() as server:
        yield server


def with_query(url: str, query: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{query}"


def connected(url: str, name: str) -> str:
    return with_query(url, f"application_name={name}")


async def sessions_named(raw: asyncpg.Connection, name: str) -> int:
    return await raw.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", name)


async def until_locked_out(raw: asyncpg.Connection) -> None:
    """Wait until somebody waits for a lock."""
    await until(lambda: raw.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"), "the wait for a lock")


# Where it is


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_a_url_is_shown_without_its_password(scheme):
    store = open_store(f"{scheme}://user:hunter2@db.example:6432/app?password=hunter2&connections=3")
    assert repr(store) == f"PostgreSQLStore({scheme}://**********@db.example:6432/app)"
    assert "hunter2" not in repr(vars(store)["_advance"])


@pytest.mark.parametrize(
    "query",
    [
        "connections=0",
        "connections=101",
        "connections=x",
        "connections=",
        "connections=1&connections=2",
        "connections=-1",
        "connections=٣",
        "connections=1_0",
    ],
)
def test_a_number_of_connections_that_makes_no_sense_is_refused(query):
    with pytest.raises(
        BadConfigurationError, match=r"a number from 1 to 100|connections without|connections twice"
    ) as raised:
        open_store(f"postgresql://user:hunter2@host/app?{query}")
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("url", ["postgresql://[::1/app", "postgresql://user:hunter2@[host/app?connections=2"])
def test_a_url_that_cannot_be_read_is_refused(url):
    with pytest.raises(BadConfigurationError, match="cannot be read") as raised:
        open_store(url)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("url", ["postgresql://user:hunter2@host:port/app", "postgresql://user:hunter2@host:1:2/app"])
async def test_a_url_that_asyncpg_cannot_read_is_refused_at_opening(url):
    with pytest.raises(BadConfigurationError) as raised:
        await open_store(url).open()
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_either_a_url_or_a_pool_is_needed():
    for arguments in ({}, {"url": "postgresql://h/d", "pool": object()}):
        with pytest.raises(BadConfigurationError, match="either a URL or a pool"):
            PostgreSQLStore(**arguments)


async def test_nothing_is_connected_at_construction(raw, postgres_url):
    PostgreSQLStore(connected(postgres_url, "not-connected"))
    assert await sessions_named(raw, "not-connected") == 0


async def test_a_server_that_is_not_there_does_not_answer():
    with pytest.raises(StoreUnavailableError, match="cannot be reached") as raised:
        async with asyncio.timeout(SOON):
            await open_store("postgresql://user:hunter2@127.0.0.1:1/app").open()
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert "nothing listens there" in str(raised.value)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (gaierror(-2, "Name or service not known"), "its host name is not known"),
        (FileNotFoundError(2, "No such file"), "nothing listens there"),
        (TimeoutError(), "no answer in time"),
        (OSError(113, "No route to host"), "cannot be reached: OSError"),
    ],
    ids=repr,
)
def test_why_a_server_cannot_be_reached_is_said_in_words(error, words):
    assert words in str(explained(error, "postgresql://h/d"))


@pytest.fixture
async def guarded(server: PostgreSQL) -> AsyncIterator[dict[str, str]]:
    """URLs of a server that asks for passwords."""
    owner = await asyncpg.connect(server.url)
    await owner.execute(
        "DROP ROLE IF EXISTS guarded; CREATE ROLE guarded LOGIN PASSWORD 'hunter2'; "
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC;"
    )
    server.allow("local all guarded scram-sha-256\nlocal all nobody reject")
    query = urlsplit(server.url).query

    def url(user: str, database: str) -> str:
        return f"postgresql://{user}@/{database}?{query}"

    yield {
        "right": url("guarded:hunter2", "postgres"),
        "wrong password": url("guarded:wrong-hunter3", "postgres"),
        "no password": url("guarded", "postgres"),
        "wrong user": url("nobody:hunter2", "postgres"),
        "wrong database": url("guarded:hunter2", "missing"),
    }
    await owner.close()


@pytest.mark.parametrize(
    ("case", "advice"),
    [
        ("wrong password", "refuses the password"),
        ("no password", "refuses|cannot read"),
        ("wrong user", "refuses this user"),
        ("wrong database", "has no such database"),
    ],
)
async def test_a_server_that_refuses_us_is_a_mistake_of_configuration(guarded, case, advice):
    with pytest.raises(BadConfigurationError, match=advice) as raised:
        await open_store(guarded[case]).open()
    assert "hunter" not in str(raised.value)
    assert raised.value.__cause__ is None


async def test_a_user_who_may_not_create_tables_is_told_who_may(guarded):
    store = open_store(guarded["right"], prefix="forbidden_")
    await store.open()
    with pytest.raises(BadConfigurationError, match="authx schema postgresql"):
        await store.create_schema()
    await store.close()


async def test_a_user_who_may_only_use_the_tables_needs_no_more(server, guarded):
    owner = await asyncpg.connect(server.url)
    await owner.execute(schema("granted_"))
    await owner.execute(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON granted_sessions, granted_cutoffs, granted_revocations, granted_meta "
        "TO guarded; GRANT USAGE ON SEQUENCE granted_revocation_number TO guarded"
    )
    await owner.close()
    async with opened(PostgreSQLStore(guarded["right"], prefix="granted_")) as store:
        row = session_of()
        assert await store.create(row)
        assert await advance(store, row)
        await store.revoke(cut_off())
        await store.prune(NOW, 10)


# The schema


async def test_the_published_schema_is_the_one_it_needs(raw, postgres_url, postgres_prefix):
    await raw.execute(schema(postgres_prefix))
    await raw.execute(schema(postgres_prefix))
    store = PostgreSQLStore(postgres_url, prefix=postgres_prefix)
    row = session_of()
    assert await store.create(row)
    assert await advance(store, row)
    await store.close()


async def test_a_schema_of_a_newer_version_is_refused(store, raw, postgres_url, postgres_prefix):
    await raw.execute(f"UPDATE {postgres_prefix}meta SET value = 3 WHERE name = 'schema_version'")
    with pytest.raises(BadConfigurationError, match="upgrade authx-fastapi"):
        await PostgreSQLStore(postgres_url, prefix=postgres_prefix).open()


def old_row(row: Session) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in COLUMNS if name != "retry_hash")


@pytest.fixture
async def of_version_1(raw: asyncpg.Connection, postgres_prefix: str) -> Session:
    """Tables as version 1 of the schema left them, with one session."""
    row = session_of()
    await raw.execute(version_1.POSTGRESQL.format(p=postgres_prefix))
    await raw.fetch(version_1.POSTGRESQL_CREATE.format(p=postgres_prefix), *old_row(row))
    return row


async def test_creating_the_schema_upgrades_version_1(of_version_1, postgres_url, postgres_prefix):
    row = of_version_1
    async with opened(PostgreSQLStore(postgres_url, prefix=postgres_prefix)) as store:
        assert await store.get(row.sid) == (row, None)
        moved = await advance(store, row, retry_hash="ab" * 16)
        assert moved == (await store.get(row.sid))[0]
        assert moved.retry_hash == "ab" * 16
        assert await store.create(session_of(retry_hash="cd" * 16))
    async with opened(PostgreSQLStore(postgres_url, prefix=postgres_prefix)) as store:
        assert await store.get(row.sid) == (moved, None)


async def test_many_processes_upgrade_version_1_at_once(of_version_1, postgres_url, postgres_prefix):
    stores = [PostgreSQLStore(postgres_url, prefix=postgres_prefix, connections=1) for _ in range(4)]
    try:
        # Each has found version 1 before the first of them upgrades.
        for store in stores:
            await store.open()
        await asyncio.gather(*(store.create_schema() for store in stores))
        for store in stores:
            assert await store.get(of_version_1.sid) == (of_version_1, None)
    finally:
        for store in stores:
            await store.close()


async def test_the_published_schema_upgrades_version_1(of_version_1, raw, postgres_url, postgres_prefix):
    await raw.execute(schema(postgres_prefix))
    store = PostgreSQLStore(postgres_url, prefix=postgres_prefix)
    assert await advance(store, of_version_1, retry_hash="ab" * 16)
    await store.close()


async def test_the_published_schema_never_goes_back_to_an_earlier_version(store, raw, postgres_prefix):
    await raw.execute(f"UPDATE {postgres_prefix}meta SET value = 3 WHERE name = 'schema_version'")
    await raw.execute(schema(postgres_prefix))
    assert await raw.fetchval(f"SELECT value FROM {postgres_prefix}meta WHERE name = 'schema_version'") == 3


async def test_a_schema_of_version_1_that_may_not_be_upgraded_is_a_mistake_of_configuration(
    of_version_1, postgres_url, postgres_prefix
):
    store = PostgreSQLStore(postgres_url, prefix=postgres_prefix)
    await store.open()
    for call in (store.get("x"), store.create(session_of()), store.list("alice", NOW), advance(store, of_version_1)):
        with pytest.raises(BadConfigurationError, match="authx schema postgresql"):
            await call
    await store.close()


async def test_an_upgrade_holds_nobody_up_behind_a_long_transaction(of_version_1, raw, postgres_url, postgres_prefix):
    store = PostgreSQLStore(postgres_url, prefix=postgres_prefix)
    await store.open()
    async with raw.transaction(), asyncio.timeout(SOON):
        # As a backup does.
        await raw.execute(f"LOCK TABLE {postgres_prefix}sessions IN ACCESS SHARE MODE")
        with pytest.raises(StoreUnavailableError):
            await store.create_schema()
    await store.create_schema()
    assert await advance(store, of_version_1)
    await store.close()


async def test_a_process_of_version_1_leaves_the_retry_hash_alone(of_version_1, raw, postgres_url, postgres_prefix):
    old = of_version_1
    move = await raw.prepare(version_1.POSTGRESQL_ADVANCE.format(p=postgres_prefix))
    # asyncpg keeps the transaction of a prepared statement open until it is first used.
    assert await move.fetch("", "", 0, 0, 0, 0, None, None) == []
    async with opened(PostgreSQLStore(postgres_url, prefix=postgres_prefix)) as store:
        moved = await advance(store, old, retry_hash="ab" * 16)
        assert await move.fetch(old.sid, old.sub, 2, 3, NOW + 2000, old.expires_at, "192.0.2.9", None)
        assert (await store.get(old.sid))[0] == replace(
            moved, generation=3, rotated_at=NOW + 2000, ip="192.0.2.9", user_agent=None
        )
        values = (old.sid, old.sub, NOW, old.expires_at, NOW + 3000, "logout")
        await raw.execute(version_1.POSTGRESQL_REVOKE.format(p=postgres_prefix), *values)
        found, _ = await store.get(old.sid)
        assert (found.revoked_at, found.retry_hash) == (NOW + 3000, "ab" * 16)
        another = session_of()
        await raw.fetch(version_1.POSTGRESQL_CREATE.format(p=postgres_prefix), *old_row(another))
        assert await store.get(another.sid) == (another, None)


async def test_missing_tables_are_a_mistake_of_configuration(postgres_url, postgres_prefix):
    store = PostgreSQLStore(postgres_url, prefix=postgres_prefix)
    await store.open()
    for call in (store.get("x"), store.create(session_of()), store.revocations(""), store.revoke(end_token())):
        with pytest.raises(BadConfigurationError, match="authx schema postgresql"):
            await call
    await store.close()


async def test_stores_with_different_prefixes_know_nothing_of_each_other(store, postgres_url, postgres_prefix, raw):
    prefix = f"other_{postgres_prefix}"
    async with opened(PostgreSQLStore(postgres_url, prefix=prefix)) as other:
        row = session_of()
        await store.create(row)
        await store.revoke(end_token())
        assert await other.get(row.sid) == (None, None)
        assert (await other.revocations(""))[0] == []
    await raw.execute(f"DROP TABLE {prefix}sessions, {prefix}cutoffs, {prefix}revocations, {prefix}meta")


@pytest.mark.parametrize(
    ("statement", "values", "index"),
    [
        ("list", ("alice", NOW, 100), "sessions_of_subject"),
        ("get", ("x", "alice"), "sessions_pkey"),
        ("prune_sessions", (NOW, 100), "sessions_to_prune"),
        ("prune_revocations", (NOW, 100), "revocations_until"),
        ("revocations", (1, 100), "revocations_pkey"),
    ],
)
async def test_statements_that_look_for_rows_can_use_an_index(store, raw, postgres_prefix, statement, values, index):
    await raw.execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off")
    plan = await raw.fetch(f"EXPLAIN {getattr(store._sql, statement)}", *values)
    assert any(f"{postgres_prefix}{index}" in line[0] for line in plan), [line[0] for line in plan]


async def test_a_rotation_touches_no_index(store, raw, postgres_prefix):
    row = session_of()
    await store.create(row)
    async with raw.transaction():
        moved = await raw.fetch(
            store._sql.advance, row.sid, row.sub, 1, 2, NOW + 1, row.expires_at + DAY, None, "192.0.2.9", "other"
        )
        assert len(moved) == 1
        updates = await raw.fetchval(
            f"SELECT pg_stat_get_xact_tuples_hot_updated('{postgres_prefix}sessions'::regclass)"
        )
    assert updates == 1


# Round trips and durability


@asynccontextmanager
async def counted_round_trips(url: str) -> AsyncIterator[tuple[str, Counter[str]]]:
    """Stand between a store and its server, and count what is sent there: Q and S each wait for an answer."""
    folder = Path(parse_qs(urlsplit(url).query)["host"][0])
    sent: Counter[str] = Counter()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(folder / ".s.PGSQL.5432")
        back = asyncio.create_task(copy(from_server, writer))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            kind = b""
            while True:
                # The first message of a connection has no letter.
                length = await reader.readexactly(4)
                to_server.write(kind + length + await reader.readexactly(int.from_bytes(length, "big") - 4))
                kind = await reader.readexactly(1)
                sent[kind.decode()] += 1
        to_server.close()
        await back

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    with tempfile.TemporaryDirectory(prefix="authx-relay-") as between:
        server = await asyncio.start_unix_server(relay, Path(between) / ".s.PGSQL.5432")
        yield url.replace(str(folder), between), sent
        server.close()


async def test_a_refresh_is_one_round_trip(server):
    async with (
        counted_round_trips(server.url) as (url, sent),
        opened(PostgreSQLStore(url, prefix="counted_")) as store,
    ):
        row = session_of()
        await store.create(row)
        assert await advance(store, row) is not None
        sent.clear()
        for generation in range(2, 7):
            assert await advance(store, row, from_generation=generation, to_generation=generation + 1) is not None
        # Each binds, executes and asks for the answer, once.
        assert sent == {"B": 5, "E": 5, "S": 5}


async def test_over_a_pool_each_call_is_one_round_trip_too(server):
    async with (
        counted_round_trips(server.url) as (url, sent),
        asyncpg.create_pool(url, min_size=0, max_size=8) as pool,
        opened(PostgreSQLStore(pool=pool, prefix="counted_")) as store,
    ):
        for is_counted in (False, True):
            row = session_of()
            sent.clear()
            await store.create(row)
            await advance(store, row)
            await store.get(row.sid)
            await store.list("alice", NOW)
            await store.revoke(end_session(row))
            await store.revoke(cut_off())
            await store.revoke(end_everything())
            await store.revoke(end_token())
            assert not is_counted or sent == {"B": 8, "E": 8, "S": 8}


@pytest.mark.parametrize("borrowed", [False, True])
@pytest.mark.parametrize("standard", ["on", "off"])
async def test_rotations_commit_relaxed_and_everything_else_fully(
    raw, postgres_url, postgres_prefix, borrowed, standard
):
    await raw.execute(schema(postgres_prefix))
    await raw.execute(
        f"""
        CREATE TABLE {postgres_prefix}seen (of text, value text);
        CREATE FUNCTION {postgres_prefix}look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO {postgres_prefix}seen
                VALUES (TG_OP || ' ' || TG_TABLE_NAME, current_setting('synchronous_commit'));
            RETURN NULL; END $$;
        CREATE TRIGGER look AFTER INSERT OR UPDATE ON {postgres_prefix}sessions
            FOR EACH ROW EXECUTE FUNCTION {postgres_prefix}look();
        CREATE TRIGGER look AFTER INSERT OR UPDATE ON {postgres_prefix}revocations
            FOR EACH ROW EXECUTE FUNCTION {postgres_prefix}look();
        """
    )
    settings = {"synchronous_commit": standard}
    async with asyncpg.create_pool(postgres_url, min_size=0, max_size=8, server_settings=settings) as pool:
        store = (
            PostgreSQLStore(pool=pool, prefix=postgres_prefix)
            if borrowed
            else PostgreSQLStore(
                with_query(postgres_url, f"options=-csynchronous_commit%3D{standard}"), prefix=postgres_prefix
            )
        )
        row = session_of()
        await store.create(row)
        await advance(store, row)
        await store.revoke(end_session(session_of()))
        await store.revoke(end_token())
        await store.close()
        seen = [tuple(line) for line in await raw.fetch(f"SELECT * FROM {postgres_prefix}seen")]
        if borrowed:
            # What was set for a statement is not left behind for the application.
            assert await pool.fetchval("SHOW synchronous_commit") == standard
    assert sorted(seen) == sorted(
        [
            (f"INSERT {postgres_prefix}sessions", "on"),
            (f"UPDATE {postgres_prefix}sessions", "off"),
            (f"INSERT {postgres_prefix}sessions", "on"),
            (f"INSERT {postgres_prefix}revocations", "on"),
            (f"INSERT {postgres_prefix}revocations", "on"),
        ]
    )
    await raw.execute(f"DROP FUNCTION {postgres_prefix}look CASCADE; DROP TABLE {postgres_prefix}seen")


# The order of revocations


async def read_all(store: PostgreSQLStore, cursor: str, seen: list[str]) -> str:
    listed, cursor = await store.revocations(cursor)
    seen += [one.key for one in listed]
    return cursor


async def test_a_slow_writer_is_never_overtaken(store, raw):
    """A number is drawn by whoever commits next: so no reader can pass one that is not there yet."""
    seen: list[str] = []
    cursor = await read_all(store, "", seen)
    transaction = raw.transaction()
    await transaction.start()
    await raw.fetch(store._sql.revoke_token, "slow", None, NOW, NOW + DAY, "revoked")
    fast = asyncio.create_task(store.revoke(end_token("fast")))
    await until_locked_out(raw)
    assert not fast.done()
    cursor = await read_all(store, cursor, seen)
    assert seen == []
    await transaction.commit()
    await fast
    await read_all(store, cursor, seen)
    assert seen == ["slow", "fast"]


async def test_a_writer_that_rolls_back_leaves_nothing_and_holds_up_nobody(store, raw):
    seen: list[str] = []
    cursor = await read_all(store, "", seen)
    transaction = raw.transaction()
    await transaction.start()
    await raw.fetch(store._sql.revoke_token, "undone", None, NOW, NOW + DAY, "revoked")
    waiting = asyncio.create_task(store.revoke(end_token("done")))
    await until_locked_out(raw)
    await transaction.rollback()
    await waiting
    cursor = await read_all(store, cursor, seen)
    assert seen == ["done"]
    assert await store.revocations(cursor) == ([], cursor)


async def test_a_reader_misses_nothing_of_slow_and_failing_writers(store, postgres_url):
    seen: list[str] = []
    done = asyncio.Event()

    async def read() -> None:
        cursor = ""
        while True:
            was_done = done.is_set()
            cursor = await read_all(store, cursor, seen)
            if was_done:
                return
            await asyncio.sleep(0.001)

    async def write(number: int) -> None:
        connection = await asyncpg.connect(postgres_url)
        for n in range(12):
            transaction = connection.transaction()
            await transaction.start()
            await connection.fetch(store._sql.revoke_token, f"{number}-{n}", None, NOW, NOW + DAY, "revoked")
            await asyncio.sleep(0.001 * ((number + n) % 4))
            await (transaction.rollback() if n % 3 == 0 else transaction.commit())
        await connection.close()

    reader = asyncio.create_task(read())
    await at_once(6, write)
    done.set()
    await reader
    assert sorted(seen) == sorted(f"{number}-{n}" for number in range(6) for n in range(12) if n % 3)


async def test_a_notification_of_another_connection_comes_at_once(store, raw):
    _, cursor = await store.revocations("")
    waiting = asyncio.create_task(store.wait(cursor, 3600))
    await asyncio.sleep(0)
    await raw.fetch(store._sql.revoke_token, "another", None, NOW, NOW + DAY, "revoked")
    async with asyncio.timeout(PATIENCE):
        await waiting


# Connections


async def test_no_more_connections_are_opened_than_are_needed_at_once(raw, postgres_url, postgres_prefix):
    url = connected(postgres_url, "connections-needed")
    async with opened(PostgreSQLStore(url, prefix=postgres_prefix)) as store:
        row = session_of()
        await store.create(row)
        for generation in range(1, 20):
            await advance(store, row, from_generation=generation, to_generation=generation + 1)
        assert await sessions_named(raw, "connections-needed") == 1
        await at_once(100, lambda n: store.get(row.sid))
        assert await sessions_named(raw, "connections-needed") == 8
    await until_gone(raw, "connections-needed")


async def until_gone(raw: asyncpg.Connection, name: str) -> None:
    """Wait until all connections of that name have ended, which the server notices a moment later."""

    async def are_gone() -> bool:
        return await sessions_named(raw, name) == 0

    await until(are_gone, "the end of the connections")


@pytest.mark.parametrize(
    ("query", "chosen", "expected"), [("connections=2", None, 2), ("connections=2", 3, 3), ("", 1, 1)]
)
async def test_the_number_of_connections_can_be_chosen(raw, postgres_url, postgres_prefix, query, chosen, expected):
    name = f"connections-{expected}"
    url = with_query(connected(postgres_url, name), query) if query else connected(postgres_url, name)
    async with opened(PostgreSQLStore(url, prefix=postgres_prefix, connections=chosen)) as store:
        await at_once(50, lambda n: store.get(""))
        assert await sessions_named(raw, name) == expected


async def test_one_connection_is_enough(postgres_url, postgres_prefix):
    async with opened(PostgreSQLStore(postgres_url, prefix=postgres_prefix, connections=1)) as store:
        rows = [session_of() for _ in range(20)]
        assert await at_once(20, lambda n: store.create(rows[n])) == [True] * 20
        await asyncio.gather(
            store.create_schema(),
            store.list("alice", NOW),
            store.prune(NOW, 10),
            store.revocations(""),
            store.count_live(NOW),
            *(store.revoke(one) for one in (end_token(), end_session(rows[0]), end_everything(NOW - DAY))),
        )
        assert None not in await at_once(19, lambda n: advance(store, rows[n + 1]))


async def test_a_connection_that_the_server_closed_is_opened_again(store, raw, postgres_url, postgres_prefix):
    url = connected(postgres_url, "thrown-out")
    async with opened(PostgreSQLStore(url, prefix=postgres_prefix)) as store:
        row = session_of()
        await store.create(row)
        await store.revoke(end_token())
        await raw.fetch("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'thrown-out'")
        await until_gone(raw, "thrown-out")
        await until_it_answers(store)
        assert await advance(store, row) is not None
        await store.revoke(end_session(row))


async def test_a_caller_who_gives_up_takes_no_connection_with_him(raw, postgres_url, postgres_prefix):
    async with opened(PostgreSQLStore(postgres_url, prefix=postgres_prefix, connections=1)) as store:
        row = session_of()
        await store.create(row)
        transaction = raw.transaction()
        await transaction.start()
        await raw.execute(f"SELECT FROM {postgres_prefix}sessions FOR UPDATE")
        held, waits = (asyncio.create_task(advance(store, row)) for _ in range(2))
        await until_locked_out(raw)
        for task in (waits, held):
            task.cancel()
        await asyncio.gather(held, waits, return_exceptions=True)
        await transaction.rollback()
        assert held.cancelled()
        assert waits.cancelled()
        assert (await store.get(row.sid))[0] is not None


async def test_a_connection_that_comes_to_one_who_just_gave_up_goes_to_the_next(postgres_url, postgres_prefix):
    async with opened(PostgreSQLStore(postgres_url, prefix=postgres_prefix, connections=1)) as store:
        calls = [asyncio.create_task(store.get("")) for _ in range(20)]
        await asyncio.sleep(0)
        for task in calls[1::2]:
            task.cancel()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert answers[::2] == [(None, None)] * 10
        assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[1::2])
        assert await store.get("") == (None, None)


async def test_a_statement_that_waits_too_long_for_a_lock_fails_and_the_connection_goes_on(
    store, raw, postgres_prefix, caplog
):
    row = session_of()
    await store.create(row)
    async with raw.transaction():
        await raw.execute(f"SELECT FROM {postgres_prefix}sessions FOR UPDATE")
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError, match="QueryCanceledError"):
            await advance(store, row)
        assert time.monotonic() - began > 1
    assert await advance(store, row) is not None
    assert not caplog.records


async def test_a_connection_that_is_silent_for_too_long_is_dropped(raw, pool, postgres_prefix, monkeypatch, caplog):
    # A pool's connections have no time limit of ours at the server.
    async with opened(PostgreSQLStore(pool=pool, prefix=postgres_prefix)) as store:
        row = session_of()
        await store.create(row)
        async with raw.transaction():
            await raw.execute(f"SELECT FROM {postgres_prefix}sessions FOR UPDATE")
            with monkeypatch.context() as limits:
                limits.setattr(connections, "STATEMENT_SECONDS", 0.2)
                with pytest.raises(StoreUnavailableError):
                    await advance(store, row)
        assert (await store.get(row.sid))[0] is not None
    assert not caplog.records


async def test_a_caller_waits_for_a_connection_no_longer_than_it_may(raw, postgres_url, postgres_prefix, monkeypatch):
    monkeypatch.setattr(connections, "WAIT_SECONDS", 0.1)
    async with opened(PostgreSQLStore(postgres_url, prefix=postgres_prefix, connections=1)) as store:
        row = session_of()
        await store.create(row)
        async with raw.transaction():
            await raw.execute(f"SELECT FROM {postgres_prefix}sessions FOR UPDATE")
            holds = asyncio.create_task(advance(store, row))
            await until_locked_out(raw)
            with pytest.raises(StoreUnavailableError, match="are busy"):
                await store.get("")
        assert await holds is not None


async def test_a_flood_of_revocations_keeps_no_connection_from_rotations(store, raw):
    row = session_of()
    await store.create(row)
    transaction = raw.transaction()
    await transaction.start()
    await raw.execute(store._sql.lock)
    waiting = [asyncio.create_task(store.revoke(end_token(f"{n}"))) for n in range(30)]
    await until_locked_out(raw)
    assert await advance(store, row) is not None
    await transaction.rollback()
    await asyncio.gather(*waiting)


# The application's own pool


async def test_a_pool_gets_its_connections_back(pool, postgres_prefix):
    async with opened(PostgreSQLStore(pool=pool, prefix=postgres_prefix)) as store:
        await at_once(50, lambda n: store.get(""))
        await store.revoke(end_token())
        await store.revocations("")
        held = pool.get_size() - pool.get_idle_size()
        # Half of the eight, two of them to revoke and to listen on.
        assert held == 4
        assert await pool.fetchval("SELECT 1") == 1
    assert pool.get_size() == pool.get_idle_size()
    assert await pool.fetchval("SELECT count(*) FROM pg_listening_channels()") == 0


async def test_a_pool_can_be_closed_before_the_store(postgres_url, postgres_prefix):
    pool = await asyncpg.create_pool(postgres_url, min_size=0, max_size=8)
    store = PostgreSQLStore(pool=pool, prefix=postgres_prefix)
    await store.open()
    await store.create_schema()
    await store.revocations("")
    await store.revoke(end_token())
    async with asyncio.timeout(SOON):
        await pool.close()
    with pytest.raises(StoreUnavailableError):
        await store.get("")
    await store.close()


@pytest.mark.parametrize(("size", "chosen"), [(1, None), (3, None), (5, 3), (8, 6)])
def test_a_pool_that_is_too_small_is_refused(size, chosen):
    class Small:
        def get_max_size(self) -> int:
            return size

    with pytest.raises(BadConfigurationError, match="a larger max_size"):
        PostgreSQLStore(pool=Small(), connections=chosen)


@pytest.mark.parametrize(("size", "chosen"), [(10, 3), (8, 2)])
def test_a_pool_that_is_too_small_for_its_namespaces_is_refused(size, chosen):
    class Small:
        def get_max_size(self) -> int:
            return size

    store = PostgreSQLStore(pool=Small(), connections=chosen)
    store.namespace("admin")
    store.namespace("admin")
    with pytest.raises(BadConfigurationError, match="a larger max_size, or the store fewer connections"):
        store.namespace("user")


async def test_namespaces_share_what_a_store_takes_of_a_pool(postgres_url, postgres_prefix):
    async with asyncpg.create_pool(postgres_url, min_size=0, max_size=10) as pool:
        store = PostgreSQLStore(pool=pool, prefix=postgres_prefix)
        namespaces = [store.namespace(name) for name in ("admin", "user")]
        async with opened(namespaces[0]), opened(namespaces[1]):
            for each in namespaces:
                await at_once(20, lambda _, each=each: each.list("alice", NOW))
                await each.revoke(end_token())
                await each.revocations("")
            assert pool.get_size() - pool.get_idle_size() == 6


async def test_a_store_over_a_pool_revokes_and_refreshes_as_any_other(pool, postgres_prefix, store):
    row, spared = session_of(created_at=NOW - 1), session_of(created_at=NOW - 2)
    async with opened(PostgreSQLStore(pool=pool, prefix=postgres_prefix)) as borrowing:
        for each in (row, spared):
            assert await borrowing.create(each)
        moved = await at_once(50, lambda n: advance((borrowing, store)[n % 2], row))
        assert sum(one is not None for one in moved) == 1
        stored = await borrowing.revoke(cut_off(at=NOW, spared=spared.sid))
        assert (stored.at, stored.spared) == (NOW, spared.sid)
        assert await advance(borrowing, row, from_generation=2) is None
        assert await advance(borrowing, spared) is not None


# A server that goes and comes back


@pytest.fixture
async def on_own_server(server: PostgreSQL) -> AsyncIterator[PostgreSQLStore]:
    async with opened(PostgreSQLStore(server.url)) as store:
        yield store


async def until_it_answers(store: PostgreSQLStore) -> None:
    async def answers() -> bool:
        try:
            await store.get("")
        except StoreUnavailableError:
            return False
        return True

    await until(answers, "an answer of the store")


@pytest.fixture(params=["own", "borrowed"])
async def under_load(request, server: PostgreSQL) -> AsyncIterator[PostgreSQLStore]:
    if request.param == "own":
        async with opened(PostgreSQLStore(server.url)) as store:
            yield store
    else:
        async with (
            asyncpg.create_pool(server.url, min_size=0, max_size=8) as pool,
            opened(PostgreSQLStore(pool=pool)) as store,
        ):
            yield store


@pytest.mark.parametrize("how", ["stop", "crash"])
async def test_a_restart_under_load_is_an_outage_and_nothing_else(under_load, server, how, caplog):
    store = under_load
    rows = [session_of() for _ in range(4)]
    for row in rows:
        await store.create(row)
    stops, outcomes = asyncio.Event(), set()

    async def load(number: int) -> None:
        row = rows[number]
        while not stops.is_set():
            try:
                found, _ = await store.get(row.sid)
                assert found is not None
                await advance(store, found)
                await store.revoke(end_token(f"{number}"))
                await store.revocations("")
            except StoreUnavailableError:
                outcomes.add("unavailable")
                await asyncio.sleep(0.005)
            else:
                outcomes.add("answered")

    with caplog.at_level(logging.DEBUG, logger="asyncpg"):
        running = [asyncio.create_task(load(number)) for number in range(4)]
        await until(lambda: "answered" in outcomes, "an answer")
        await asyncio.to_thread(getattr(server, how))
        await until(lambda: "unavailable" in outcomes, "the outage")
        await asyncio.to_thread(server.start)
        await until_it_answers(store)
        outcomes.discard("answered")
        await until(lambda: "answered" in outcomes, "an answer after the outage")
        stops.set()
        await asyncio.gather(*running)
    assert outcomes == {"unavailable", "answered"}
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    for row in rows:
        assert (await store.get(row.sid))[0] is not None


async def test_a_server_that_is_down_is_told_at_once_and_at_every_call(on_own_server, server):
    store = on_own_server
    await store.revocations("")
    await asyncio.to_thread(server.stop)
    try:
        for call in (
            store.get(""),
            store.create(session_of()),
            advance(store, session_of()),
            store.list("alice", NOW),
            store.revoke(end_token()),
            store.revocations(""),
            store.count_live(NOW),
            store.prune(NOW, 10),
        ):
            with pytest.raises(StoreUnavailableError):
                async with asyncio.timeout(SOON):
                    await call
        await store.wait("", 0.01)
        with pytest.raises(StoreUnavailableError):
            await PostgreSQLStore(server.url).open()
    finally:
        await asyncio.to_thread(server.start)
    await until_it_answers(store)


async def test_after_a_reconnection_a_reader_loads_everything(on_own_server, server):
    store = on_own_server
    await store.revoke(end_token("before"))
    _, cursor = await store.revocations("")
    waiting = asyncio.create_task(store.wait(cursor, 3600))
    await asyncio.sleep(0)
    await asyncio.to_thread(server.crash)
    # Who waits is told of the end of the connection, and need not wait for nothing.
    async with asyncio.timeout(PATIENCE):
        await waiting
    await asyncio.to_thread(server.start)
    await until_it_answers(store)
    listed, again = await store.revocations(cursor)
    assert "before" in {one.key for one in listed}
    assert await store.revocations(again) == ([], again)
    # It listens again, too.
    waiting = asyncio.create_task(store.wait(again, 3600))
    await asyncio.sleep(0)
    await store.revoke(end_token("after"))
    async with asyncio.timeout(PATIENCE):
        await waiting


async def test_a_standby_that_only_reads_is_a_store_that_does_not_answer(on_own_server, server):
    row = session_of()
    await on_own_server.create(row)
    url = with_query(server.url, "options=-cdefault_transaction_read_only%3Don")
    store = PostgreSQLStore(url)
    assert await store.get(row.sid) == (row, None)
    with pytest.raises(StoreUnavailableError, match="is read-only"):
        await advance(store, row)
    await store.close()


# Rows that somebody else wrote


@pytest.mark.parametrize("change", ["generation = -1", "generation = -9223372036854775808"])
async def test_a_row_with_garbage_in_it_is_refused_and_breaks_nothing_else(store, raw, postgres_prefix, change):
    bad, good = session_of(), session_of(created_at=NOW - 1)
    for row in (bad, good):
        await store.create(row)
    await raw.execute(f"UPDATE {postgres_prefix}sessions SET {change} WHERE sid = $1", bad.sid)
    with pytest.raises(InvalidRowError) as raised:
        await store.get(bad.sid, "alice")
    assert raised.value.sid == bad.sid
    assert await advance(store, bad) is None
    assert await store.list("alice", NOW) == [good]
    assert await advance(store, good) is not None


async def test_columns_of_another_type_are_refused_row_by_row(store, raw, postgres_prefix):
    row = session_of()
    await store.create(row)
    await raw.execute(f"ALTER TABLE {postgres_prefix}sessions ALTER ip TYPE bigint USING 7")
    await store.close()
    with pytest.raises(InvalidRowError):
        await store.get(row.sid)
    assert await store.list("alice", NOW) == []


async def test_a_table_that_changes_while_it_is_used_is_an_outage_at_most(store, raw, postgres_prefix):
    row = session_of()
    await store.create(row)
    for _ in range(7):
        await store.get(row.sid)
    await raw.execute(f"ALTER TABLE {postgres_prefix}sessions ALTER device TYPE varchar(4000)")
    outcomes: list[Any] = []
    for _ in range(3):
        try:
            outcomes.append((await store.get(row.sid))[0])
        except StoreUnavailableError:
            outcomes.append(None)
    assert outcomes[-1] == row


# Processes

FORKING = """
import asyncio, os, sys
from authx.stores.postgresql import PostgreSQLStore
from authx.testing.contract.harness import advance, end_token, session_of

store, row = PostgreSQLStore(sys.argv[1], prefix=sys.argv[2]), session_of()
loop = asyncio.new_event_loop()
loop.run_until_complete(store.create_schema())
loop.run_until_complete(store.create(row))
_, cursor = loop.run_until_complete(store.revocations(""))
pid = os.fork()
if pid == 0:
    # The very loop that the parent runs on: only the process is another.
    moved = loop.run_until_complete(advance(store, row))
    loop.run_until_complete(store.revoke(end_token("child")))
    loop.run_until_complete(store.close())
    os._exit(0 if moved is not None else 1)
_, status = os.waitpid(pid, 0)
assert status == 0, status
moved = loop.run_until_complete(advance(store, row, from_generation=2, to_generation=3))
assert moved is not None
listed, _ = loop.run_until_complete(store.revocations(cursor))
assert [one.key for one in listed] == ["child"], listed
loop.run_until_complete(store.close())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_connects_again_and_leaves_the_parents_connections_alone(postgres_url, postgres_prefix):
    subprocess.run([sys.executable, "-c", FORKING, postgres_url, postgres_prefix], check=True, timeout=PATIENCE)


def test_what_an_event_loop_left_open_is_closed_with_it(postgres_url, postgres_prefix):
    store = PostgreSQLStore(connected(postgres_url, quote("left open")), prefix=postgres_prefix)

    async def use() -> None:
        await store.create_schema()
        await store.revoke(end_token())
        await store.revocations("")

    async def look() -> None:
        connection = await asyncpg.connect(postgres_url)
        try:
            await until_gone(connection, "left open")
        finally:
            await connection.close()

    for _ in range(2):
        asyncio.run(use())
    asyncio.run(look())
