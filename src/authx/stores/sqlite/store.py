"""`sqlite:///auth.db`: one machine, any number of worker processes; the standard library's `sqlite3` in WAL mode."""

import asyncio
import sqlite3
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from authx.core.session import Cutoff, Revocation, Rotation, Session
from authx.exceptions import BadConfigurationError
from authx.stores.notifier import Notifier
from authx.stores.numbered import Numbers
from authx.stores.per_loop import PerLoop
from authx.stores.prefixes import namespace_prefix, require_prefix
from authx.stores.protocol import InvalidRowError, Revocations, Sessions
from authx.stores.rows import (
    KEEP_REVOCATIONS,
    KEEP_SESSIONS,
    in_batches,
    known_version,
    readable,
    revocation_from,
    rotated_from,
    rotation_values,
    session_from,
    session_values,
    subject_cutoff,
)
from authx.stores.sqlite.connections import Connections, Row, Value
from authx.stores.sqlite.errors import is_unreadable_text
from authx.stores.sqlite.statements import SCHEMA_VERSION, Statements, schema
from authx.stores.sqlite.transactions import create_tables, prune_revocations, prune_sessions, revoke
from authx.stores.urls import masked_url

__all__ = ["SQLiteStore", "from_url", "schema"]

_PAGE: Final = 500
_BATCH: Final = 100
_OLDEST_SQLITE: Final = (3, 35)


def from_url(url: str, prefix: str) -> "SQLiteStore":
    """Make the store that a URL names, as `open_store` does."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise BadConfigurationError(
            "The store URL sqlite:// must be sqlite:/// and a path, with three slashes"
        ) from None
    if parts.netloc or parts.query or parts.fragment:
        raise BadConfigurationError(
            f"The store URL {masked_url(url)} must be sqlite:/// and a path, three slashes for a relative one and four "
            "for an absolute one; write ? and # in a path as %3F and %23"
        )
    if ":" in parts.path.partition("@")[0] and "@" in parts.path:
        raise BadConfigurationError(
            f"The store URL {masked_url(url)} seems to hold a user name and a password, and SQLite has neither; "
            "write : and @ in a path as %3A and %40"
        )
    path = unquote(parts.path[1:])
    if path in {"", ":memory:"}:
        raise BadConfigurationError(
            f"The store URL {masked_url(url)} names no file; use memory:// for a store that ends with the process"
        )
    return SQLiteStore(path, prefix=prefix)


class SQLiteStore:
    """Sessions in an SQLite file.

    Rotations may be lost when the machine loses power, which costs nothing; everything else is on the
    disk when a call returns. Use a local disk: network file systems do not lock well enough.

    Args:
        path: The file; it is created where there is none.
        prefix: Begins the names of its tables.

    Raises:
        BadConfigurationError: The prefix cannot begin a name, or this Python's SQLite is too old.
    """

    def __init__(self, path: str | Path, *, prefix: str = "authx_") -> None:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise BadConfigurationError(
                f"this Python has SQLite {sqlite3.sqlite_version}; the sqlite:// store needs 3.35 or later"
            )
        self._path = Path(path)
        self._prefix = require_prefix(prefix)
        self._tables = schema(prefix)
        self._sql = Statements(prefix)
        self._connections = PerLoop(self._connect, Connections.close, Connections.abandon)
        # The cursors of each object have a name of their own: another may be of another file.
        self._numbers = Numbers()
        self._notifier = Notifier()

    def __repr__(self) -> str:
        return f"SQLiteStore({str(self._path)!r})"

    @property
    def path(self) -> Path:
        """The file; it may not be there yet."""
        return self._path

    def namespace(self, name: str) -> "SQLiteStore":
        """Make a store in the same file, with tables of its own. See `NamespacedStore.namespace`."""
        return SQLiteStore(self._path, prefix=namespace_prefix(self._prefix, name))

    async def open(self) -> None:
        """Open the file, on the running event loop. See `Store.open`."""
        await self._connections.get()

    async def close(self) -> None:
        """Close the file. See `Store.close`."""
        await self._connections.close()

    async def create_schema(self) -> None:
        """Create the tables that are not there yet, or upgrade them. See `Store.create_schema`."""
        connections = await self._connections.get()
        if await self._version(connections) < SCHEMA_VERSION:
            await connections.run_durably(partial(create_tables, sql=self._sql, tables=self._tables))

    async def create(self, session: Session) -> bool:
        """Insert a session if its id is not taken. See `Store.create`."""
        connections = self._connections.here() or await self._connections.get()
        values = session_values(session)
        return await connections.run_durably(lambda durable: durable.execute(self._sql.create, values).rowcount == 1)

    async def get(self, sid: str, sub: str | None = None) -> tuple[Session | None, Cutoff | None]:
        """Read a session and its subject's cutoff. See `Store.get`."""
        connections = self._connections.here() or await self._connections.get()
        # No id of ours holds anything else; this also keeps out what cannot be written as UTF-8.
        known = sid if sid.isascii() else ""
        (row,) = await _read(connections, self._sql.get, (known, sub))
        session = None if row[0] is None else session_from(row[:-3])
        return session, subject_cutoff(sid, *row[-3:])

    async def list(self, sub: str, now: int, limit: int = 100) -> Sessions:
        """List a subject's live sessions, newest first. See `Store.list`."""
        connections = self._connections.here() or await self._connections.get()
        return readable(await _read(connections, self._sql.list, (sub, now, limit)), session_from)

    async def advance(self, rotation: Rotation) -> Session | None:
        """Move a session forward by one compare-and-swap. See `Store.advance`."""
        connections = self._connections.here() or await self._connections.get()
        try:
            rows = await connections.run(self._sql.advance, rotation_values(rotation))
        except sqlite3.Error as error:
            if is_unreadable_text(error):
                raise InvalidRowError(rotation.sid) from None
            raise
        if not rows:
            return None
        connections.wrote()
        return rotated_from(rows[0], rotation)

    async def revoke(self, revocation: Revocation) -> Revocation:
        """End something, durably when it returns. See `Store.revoke`."""
        connections = self._connections.here() or await self._connections.get()
        stored = await connections.run_durably(partial(revoke, sql=self._sql, revocation=revocation))
        self._notifier.notify()
        return stored

    async def revocations(self, cursor: str) -> tuple[Revocations, str]:
        """List what was revoked since a cursor, in the order of commits. See `Store.revocations`."""
        connections = self._connections.here() or await self._connections.get()
        return await self._numbers.read(
            cursor, lambda last, size: _read(connections, self._sql.revocations, (last, size)), _PAGE, revocation_from
        )

    async def count_live(self, now: int) -> tuple[int, str]:
        """Count the revocations that still matter. See `Store.count_live`."""
        connections = self._connections.here() or await self._connections.get()
        (row,) = await connections.read_in_thread(self._sql.count_live, (now,))
        return _count(row[0]), self._numbers.cursor(_count(row[1]))

    async def wait(self, cursor: str, timeout: float) -> None:  # noqa: ASYNC109 - it may end early, never fail
        """Wait until there may be something after a cursor. See `Store.wait`.

        A revocation through this object ends the wait. Those of other processes show by the newest number, which is
        read in the beginning only: so the caller chooses by `timeout` how often that is.
        """
        connections = self._connections.here() or await self._connections.get()
        with self._notifier.subscribe() as notified:
            (row,) = await connections.run(self._sql.newest)
            if _count(row[0]) == self._numbers.number(cursor):
                await asyncio.wait([notified], timeout=timeout)

    async def prune(self, now: int, limit: int) -> int:
        """Delete some of what no token can need any more, a hundred rows at a time. See `Store.prune`."""
        connections = self._connections.here() or await self._connections.get()
        return await in_batches(
            lambda batch, before, room: connections.run_durably(
                partial(batch, sql=self._sql, before=before, limit=room)
            ),
            limit,
            _BATCH,
            {prune_sessions: now - KEEP_SESSIONS, prune_revocations: now - KEEP_REVOCATIONS},
        )

    async def _connect(self) -> Connections:
        connections = Connections(self._path)
        await connections.open()
        try:
            await self._version(connections)
        except BaseException:
            await connections.close()
            raise
        return connections

    async def _version(self, connections: Connections) -> int:
        """Read the version of the tables; 0 if there are none."""
        if (await connections.run(self._sql.has_tables))[0][0] == 0:
            return 0
        rows = await connections.run(self._sql.version)
        return known_version(rows[0][0] if rows else None, SCHEMA_VERSION, f"The database {self._path}")


async def _read(connections: Connections, sql: str, values: tuple[Value, ...]) -> list[Row]:
    try:
        return await connections.run(sql, values)
    except sqlite3.Error as error:
        if not is_unreadable_text(error):
            raise
    # One text that is not UTF-8 must not hide the other rows.
    return await connections.run_leniently(sql, values)


def _count(value: object) -> int:
    # max() of nothing is NULL.
    return value if isinstance(value, int) else 0
