"""One store operation, the compare-and-swap of a refresh: by the store, and by its bare driver.

The bare driver runs the very statement of the store, prepared, on as many held connections.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from authx.stores import Rotation, Store, open_store
from authx.stores.postgresql import PostgreSQLStore
from authx.stores.redis import RedisStore
from authx.stores.redis.keys import digest_of
from authx.stores.sqlite.statements import Statements as SQLiteStatements
from benchmarks.cases import Case, CaseError, Facts
from benchmarks.stores.rows import ADDRESS, AGENT, DAY, RETRY_HASH, Moving, begin, fill, now
from benchmarks.stores.servers import KINDS, folder, url

AT_ONCE = 32
# Many more than are under way, so that none is met again at once.
SESSIONS = 32 * AT_ONCE
# SQLite's log is written into its file now and then; neither that nor what it costs the next statement is timed.
CALM = 0.05
CHECKPOINT_AFTER = 1.0

# redis-py complains of clients that go before the process does.
_clients: list[object] = []


class Contender(Protocol):
    """Something that moves sessions forward."""

    async def open(self, sessions: list[Moving]) -> None:
        """Connects, and makes sure that the sessions have rows."""
        ...

    async def advance(self, one: Moving) -> int:
        """Moves a session to its next generation, which is returned."""
        ...

    async def rest(self) -> None:
        """Does what does not belong to the operation."""
        ...


class Ours:
    """The store."""

    def __init__(self, url: str) -> None:
        self._store = open_store(url)

    async def open(self, sessions: list[Moving]) -> None:
        await prepared(self._store, sessions)

    async def advance(self, one: Moving) -> int:
        at = now()
        row = await self._store.advance(
            Rotation(
                sid=one.sid,
                sub=one.sub,
                from_generation=one.generation,
                to_generation=one.generation + 1,
                at=at,
                expires_at=at + 20 * DAY,
                retry_hash=RETRY_HASH,
                ip=ADDRESS,
                user_agent=AGENT,
            )
        )
        return 0 if row is None else row.generation

    async def rest(self) -> None:
        await asyncio.sleep(CALM)


class BareSQLite:
    """`sqlite3`, set up as the store sets it up."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._statement = SQLiteStatements("authx_").advance

    async def open(self, sessions: list[Moving]) -> None:
        store = open_store(self._url)
        await prepared(store, sessions)
        await store.close()
        self._connection = sqlite3.connect(self._url.removeprefix("sqlite:///"), isolation_level=None)
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA wal_autocheckpoint = 0")
        self._next_checkpoint = 0.0

    async def advance(self, one: Moving) -> int:
        at = now()
        values = (one.sid, one.sub, one.generation, one.generation + 1, at, at + 20 * DAY, RETRY_HASH, ADDRESS, AGENT)
        rows = self._connection.execute(self._statement, values).fetchall()
        return one.generation + len(rows)

    async def rest(self) -> None:
        if time.monotonic() > self._next_checkpoint:
            self._next_checkpoint = time.monotonic() + CHECKPOINT_AFTER
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        await asyncio.sleep(CALM)


class BarePostgreSQL:
    """asyncpg: the prepared statement, on connections that are held."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def open(self, sessions: list[Moving]) -> None:
        import asyncpg

        store = PostgreSQLStore(self._url)
        await prepared(store, sessions)
        await store.close()
        self._free: asyncio.LifoQueue[Any] = asyncio.LifoQueue()
        self._held = []
        for _ in range(store._size):
            settings = {"synchronous_commit": "off", "statement_timeout": "2000"}
            connection = await asyncpg.connect(self._url, server_settings=settings)
            self._held.append(connection)
            statement = await connection.prepare(store._advance)
            # asyncpg leaves a statement half done until it is first used.
            await statement.fetch("", "", 0, 0, 0, 0, "", "", "")
            self._free.put_nowait(statement)

    async def advance(self, one: Moving) -> int:
        at = now()
        statement = await self._free.get()
        try:
            rows = await statement.fetch(
                one.sid, one.sub, one.generation, one.generation + 1, at, at + 20 * DAY, RETRY_HASH, ADDRESS, AGENT
            )
        finally:
            self._free.put_nowait(statement)
        return one.generation + len(rows)

    async def rest(self) -> None:
        pass


class BareRedis:
    """redis-py: EVALSHA, on clients of one connection each."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def open(self, sessions: list[Moving]) -> None:
        from redis.asyncio import Redis

        from authx.stores.redis.scripts import SCRIPTS
        from authx.stores.redis.url import CONNECTIONS

        store = RedisStore(self._url)
        await prepared(store, sessions)
        self._keys = {one.sid: _keys_of(store, one) for one in sessions}
        await store.close()
        self._free: asyncio.LifoQueue[Redis] = asyncio.LifoQueue()
        for _ in range(CONNECTIONS):
            client = Redis.from_url(self._url, single_connection_client=True, protocol=2)
            _clients.append(client)
            self._sha = await client.script_load(SCRIPTS["advance"].text)
            self._free.put_nowait(client)

    async def advance(self, one: Moving) -> int:
        at = now()
        client = await self._free.get()
        try:
            reply = await client.evalsha(
                self._sha,
                4,
                *self._keys[one.sid],
                "",
                one.sid,
                at,
                one.sub,
                one.generation,
                one.generation + 1,
                at,
                at + 20 * DAY,
                f"={ADDRESS}",
                f"={AGENT}",
                RETRY_HASH,
            )
        finally:
            self._free.put_nowait(client)
        return one.generation + bool(reply)

    async def rest(self) -> None:
        pass


def _keys_of(store: RedisStore, one: Moving) -> tuple[str, str, str, str]:
    digest, keys = digest_of(one.sub), store._keys
    return keys.row(one.sid), keys.cutoffs(digest[:4]), keys.index(digest), keys.everyone


async def prepared(store: Store, sessions: list[Moving]) -> None:
    """Opens a store and writes rows."""
    await store.open()
    await store.create_schema()
    await fill(store, sessions)


def advance_case(kind: str, tag: str, subject: str, title: str, contender: Contender, baseline: str | None) -> Case:
    """Times a contender, 32 sessions at a time.

    Args:
        kind: the kind of store.
        tag: ends the case's name.
        subject: whose code it is.
        title: what it does.
        contender: what is timed.
        baseline: the case to divide by.
    """
    sessions: list[Moving] = []

    async def one_after_the_other(first: int, count: int) -> None:
        number = first
        for _ in range(count):
            one = sessions[number]
            if await contender.advance(one) != one.generation + 1:
                raise CaseError(f"{subject}, {kind}: a session did not move forward")
            one.generation += 1
            number = (number + AT_ONCE) % SESSIONS

    async def check() -> Facts:
        sessions.extend(begin(SESSIONS))
        await contender.open(sessions)
        await one_after_the_other(0, SESSIONS // AT_ONCE)
        return {}

    async def chunk(calls: int) -> int:
        shares = [(calls + AT_ONCE - 1 - first) // AT_ONCE for first in range(AT_ONCE)]
        await contender.rest()
        clock = time.perf_counter_ns
        started = clock()
        await asyncio.gather(*(one_after_the_other(first, count) for first, count in enumerate(shares)))
        return clock() - started

    return Case(f"advance {kind} {tag}", subject, title, check, chunk, baseline)


def cases() -> Iterable[Case]:
    """Each store, and its driver."""
    bare: dict[str, tuple[str, Callable[[str], Contender]]] = {
        "sqlite": ("sqlite3", BareSQLite),
        "postgresql": ("asyncpg", BarePostgreSQL),
        "redis": ("redis-py", BareRedis),
    }
    folder()
    for kind in KINDS:
        driver, contender = bare[kind]
        places = [url(kind, name) for name in ("bare", "ours")]
        if None in places:
            continue
        title = f"{kind}: advance, {AT_ONCE} at a time"
        yield advance_case(kind, "bare", driver, f"{title}, the statement alone", contender(str(places[0])), None)
        yield advance_case(kind, "authx", "authx", title, Ours(str(places[1])), f"advance {kind} bare")
