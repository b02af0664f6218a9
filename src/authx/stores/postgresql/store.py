"""`postgresql://…`: several machines; asyncpg, on connections that are held."""

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from authx.core.ids import is_session_id_of, session_created_at
from authx.core.session import Cutoff, Revocation, Rotation, Session
from authx.exceptions import BadConfigurationError
from authx.stores.per_loop import PerLoop
from authx.stores.postgresql.connections import Connections, Facts, OwnServer, Pool, PoolServer, Server
from authx.stores.postgresql.errors import refused
from authx.stores.postgresql.listener import Listener
from authx.stores.postgresql.statements import SCHEMA_VERSION, Statements, schema
from authx.stores.postgresql.text import key, note, read_revocation, read_session
from authx.stores.postgresql.url import read_url
from authx.stores.prefixes import namespace_prefix, require_prefix
from authx.stores.protocol import Revocations, Sessions
from authx.stores.rows import (
    KEEP_REVOCATIONS,
    KEEP_SESSIONS,
    in_batches,
    known_version,
    readable,
    rotated_from,
    rotation_values,
    session_values,
    subject_cutoff,
)

__all__ = ["PostgreSQLStore", "from_url", "schema"]

_CONNECTIONS: Final = 8
# Besides those for statements: one connection to revoke on, one to listen on.
_OTHERS: Final = 2
_BATCH: Final = 500
_SCHEMA_SECONDS: Final = 5.0
_POLL_POOL: Final = 0.2
# Not `now()`, which is when a transaction began.
_CLOCK: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"


def from_url(url: str, prefix: str) -> "PostgreSQLStore":
    """Make the store that a URL names, as `open_store` does."""
    return PostgreSQLStore(url, prefix=prefix)


@dataclass(frozen=True, slots=True)
class _Opened:
    connections: Connections
    # Revocations have to wait for each other anyway; here they take no connection from rotations.
    revoking: Connections
    listener: Listener

    async def close(self) -> None:
        await self.listener.close()
        await self.revoking.close()
        await self.connections.close()

    def abandon(self) -> None:
        self.listener.drop()
        self.revoking.drop()
        self.connections.drop()


class PostgreSQLStore:
    """Sessions in PostgreSQL 12 or later, over connections of their own: not through a pooler that shares them.

    Rotations may be lost when the server loses power, which costs nothing; everything else is on its disk
    when a call returns.

    Args:
        url: Where the server is; or else
        pool: The application's own pool, of the event loop that the store is used on. Connections are
            borrowed from it for good and given back when either of the two is closed.
        connections: How many connections are held for statements; two more are held besides. Default: 8, or the
            number that the URL names; of a pool at most what leaves half of it to the application. Each namespace
            holds as many.
        prefix: Begins the names of its tables.

    Raises:
        BadConfigurationError: Not exactly one of `url` and `pool` is given, the URL cannot be read, the pool is too
            small, or the prefix cannot begin a name.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        pool: Pool | None = None,
        connections: int | None = None,
        prefix: str = "authx_",
    ) -> None:
        self._prefix = require_prefix(prefix)
        self._tables = schema(prefix)
        self._sql = Statements(prefix)
        self._url, self._pool, self._asked = url, pool, connections
        # The prefixes that take connections of the pool: this store, if it is used, and its namespaces.
        self._sharing: set[str] = set()
        self._relaxed: Server
        self._strict: Server
        if url is not None and pool is None:
            target = read_url(url)
            self._size = connections or target.connections or _CONNECTIONS
            facts = Facts()
            self._relaxed = OwnServer(target, facts, synchronous_commit="off")
            self._strict = OwnServer(target, facts)
            self._advance = self._sql.advance
        elif pool is not None and url is None:
            self._size = _share_of(pool, connections, 1)
            self._relaxed = self._strict = PoolServer(pool)
            self._advance = self._sql.advance_relaxed
        else:
            raise BadConfigurationError("PostgreSQLStore takes either a URL or a pool")
        self._opened: PerLoop[_Opened] = PerLoop(self._open, _Opened.close, _Opened.abandon)
        self._closing: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"PostgreSQLStore({self._strict.where})"

    def namespace(self, name: str) -> "PostgreSQLStore":
        """Make a store in the same database, unless the pool is too small for one more. See `NamespacedStore`."""
        prefix = namespace_prefix(self._prefix, name)
        if self._pool is not None:
            _share_of(self._pool, self._asked, len(self._sharing | {prefix}))
            self._sharing.add(prefix)
        sibling = PostgreSQLStore(self._url, pool=self._pool, connections=self._asked, prefix=prefix)
        sibling._sharing = self._sharing
        return sibling

    async def open(self) -> None:
        """Connect, on the running event loop. See `Store.open`."""
        await self._opened.get()

    async def close(self) -> None:
        """Close every connection. See `Store.close`."""
        await self._opened.close()

    async def create_schema(self) -> None:
        """Create the tables that are not there yet, or upgrade them. See `Store.create_schema`."""
        opened = await self._opened.get()
        if await self._version(opened.connections) == SCHEMA_VERSION:
            return
        # All statements on a table wait behind one that waits to change it, so that one must not wait long.
        limits = "SET LOCAL statement_timeout = '5s'", "SET LOCAL lock_timeout = '2s'"
        script = f"BEGIN; {limits[0]}; {self._sql.lock}; {limits[1]}; {self._tables} COMMIT;"
        try:
            connection = await self._strict.connect()
            try:
                await connection.execute(script, timeout=_SCHEMA_SECONDS)
            except BaseException:
                connection.terminate()
                raise
            await self._strict.release(connection)
        except Exception as error:  # noqa: BLE001 - each is raised again, explained
            raise refused(error, self._strict.where) from None
        await self._version(opened.connections)

    async def create(self, session: Session) -> bool:
        """Insert a session if its id is not taken. See `Store.create`."""
        opened = self._opened.here() or await self._opened.get()
        _, _, *rest = session_values(session)
        values = (note(value) if isinstance(value, str) else value for value in rest)
        rows = await opened.connections.fetch(self._sql.create, key(session.sid), key(session.sub), *values)
        return bool(rows)

    async def get(self, sid: str, sub: str | None = None) -> tuple[Session | None, Cutoff | None]:
        """Read a session and its subject's cutoff. See `Store.get`."""
        opened = self._opened.here() or await self._opened.get()
        # No id of ours holds anything else; this also keeps out what cannot be written as UTF-8.
        known = key(sid) if sid.isascii() else ""
        (row,) = await opened.connections.fetch(self._sql.get, known, None if sub is None else key(sub))
        session = None if row[0] is None else read_session(row[:-3])
        return session, subject_cutoff(sid, *row[-3:])

    async def list(self, sub: str, now: int, limit: int = 100) -> Sessions:
        """List a subject's live sessions, newest first. See `Store.list`."""
        opened = self._opened.here() or await self._opened.get()
        rows = await opened.connections.fetch(self._sql.list, key(sub), now, limit)
        return readable(rows, read_session)

    async def advance(self, rotation: Rotation) -> Session | None:
        """Move a session forward by one compare-and-swap. See `Store.advance`."""
        opened = self._opened.here() or await self._opened.get()
        ip, user_agent = note(rotation.ip), note(rotation.user_agent)
        if ip != rotation.ip or user_agent != rotation.user_agent:
            rotation = replace(rotation, ip=ip, user_agent=user_agent)
        _, _, *rest = rotation_values(rotation)
        rows = await opened.connections.fetch(self._advance, key(rotation.sid), key(rotation.sub), *rest)
        return rotated_from(rows[0], rotation) if rows else None

    async def revoke(self, revocation: Revocation) -> Revocation:
        """End something, durably when it returns, and notify every process. See `Store.revoke`."""
        opened = self._opened.here() or await self._opened.get()
        one = revocation
        common = key(one.key), None if one.sub is None else key(one.sub), one.at, one.until, note(one.reason)
        if one.kind == "session":
            rows = await opened.revoking.fetch(
                self._sql.revoke_session, *common, one.expires_at, session_created_at(one.key)
            )
        elif one.kind == "subject":
            spared = one.spared if one.spared is not None and is_session_id_of(one.spared, one.key) else None
            created_at = None if spared is None else session_created_at(spared)
            rows = await opened.revoking.fetch(self._sql.revoke_subject, *common, spared, created_at)
        elif one.kind == "everyone":
            rows = await opened.revoking.fetch(self._sql.revoke_everyone, *common)
        else:
            rows = await opened.revoking.fetch(self._sql.revoke_token, *common)
        return replace(one, at=rows[0][0], spared=rows[0][1])

    async def revocations(self, cursor: str) -> tuple[Revocations, str]:
        """List what was revoked since a cursor, in the order of commits. See `Store.revocations`."""
        opened = self._opened.here() or await self._opened.get()
        return await opened.listener.read(self._sql.revocations, cursor, read_revocation)

    async def count_live(self, now: int) -> tuple[int, str]:
        """Count the revocations that still matter. See `Store.count_live`."""
        opened = self._opened.here() or await self._opened.get()
        return await opened.listener.count_live(self._sql.count_live, now)

    async def wait(self, cursor: str, timeout: float) -> None:  # noqa: ASYNC109 - it may end early, never fail
        """Wait until there may be something after a cursor. See `Store.wait`."""
        opened = self._opened.here() or await self._opened.get()
        await opened.listener.wait(cursor, timeout)

    async def prune(self, now: int, limit: int) -> int:
        """Delete some of what no token can need any more. See `Store.prune`."""
        opened = self._opened.here() or await self._opened.get()

        async def run(sql: str, before: int, room: int) -> tuple[int, int]:
            ((gone, found),) = await opened.connections.fetch(sql, before, room)
            return gone, found

        before = {self._sql.prune_sessions: now - KEEP_SESSIONS, self._sql.prune_revocations: now - KEEP_REVOCATIONS}
        return await in_batches(run, limit, _BATCH, before)

    async def now(self) -> int:
        """Read the server's clock, to compare with this host's.

        Returns:
            Milliseconds since 1970.

        Raises:
            StoreUnavailableError: The server does not answer.
        """
        opened = self._opened.here() or await self._opened.get()
        ((time,),) = await opened.connections.fetch(_CLOCK)
        return int(time)

    async def _open(self) -> _Opened:
        if self._pool is not None:
            self._sharing.add(self._prefix)
            self._size = _share_of(self._pool, self._asked, len(self._sharing))
        opened = _Opened(
            connections=Connections(self._relaxed, self._size),
            revoking=Connections(self._strict, 1),
            listener=Listener(self._strict, self._sql.channel),
        )
        try:
            await self._version(opened.connections)
        except BaseException:
            opened.abandon()
            raise
        if self._pool is not None:
            self._watch(self._pool, opened)
        return opened

    async def _version(self, connections: Connections) -> int:
        """Read the version of the tables; 0 if there are none."""
        ((found,),) = await connections.fetch(self._sql.has_tables, explain=refused)
        if not found:
            return 0
        rows = await connections.fetch(self._sql.version, explain=refused)
        return known_version(rows[0][0] if rows else None, SCHEMA_VERSION, self._strict.where)

    def _watch(self, pool: Pool, opened: _Opened) -> None:
        """Give everything back when the application closes its pool, which waits for that."""
        loop = asyncio.get_running_loop()

        def look() -> None:
            if pool.is_closing():
                closing = loop.create_task(opened.close())
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
            elif not opened.connections.is_closed:
                loop.call_later(_POLL_POOL, look)

        loop.call_later(_POLL_POOL, look)


def _share_of(pool: Pool, connections: int | None, stores: int) -> int:
    """Choose how many connections of a pool each of some stores holds for statements."""
    size = pool.get_max_size()
    each = connections or max(1, min(_CONNECTIONS, size // 2 // stores - _OTHERS))
    held = stores * (each + _OTHERS)
    if held >= size:
        raise BadConfigurationError(
            f"The store would hold {held} connections of a pool of {size}: give the pool a larger max_size"
            + (", or the store fewer connections" if each > 1 else "")
        )
    return each
