"""`sqlite:///auth.db`: one machine, any number of worker processes; the standard library's `sqlite3` in WAL mode."""

import asyncio
import secrets
import sqlite3
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from authx.core.session import Cutoff, Revocation, Rotation, Session
from authx.exceptions import BadConfigurationError
from authx.stores import InvalidRowError, Revocations, Sessions, masked_url
from authx.stores.notifier import News
from authx.stores.per_loop import PerLoop
from authx.stores.prefixes import namespace_prefix, require_prefix
from authx.stores.rows import (
    KEEP_REVOCATIONS,
    KEEP_SESSIONS,
    known_version,
    revocation_from,
    rotated_from,
    session_from,
    sessions_from,
    subject_cutoff,
)
from authx.stores.sqlite.connections import Connections, Row, Value
from authx.stores.sqlite.errors import is_unreadable_text
from authx.stores.sqlite.statements import SCHEMA_VERSION, schema, statements
from authx.stores.sqlite.transactions import create_tables, prune_revocations, prune_sessions, revoke

__all__ = ["SQLiteStore", "from_url", "schema"]

_PAGE: Final = 500
_BATCH: Final = 100
_OLDEST_SQLITE: Final = (3, 35)


def from_url(url: str, prefix: str) -> "SQLiteStore":
    """Make the store that a URL names.

    Args:
        url: `sqlite:///relative/path.db` or `sqlite:////absolute/path.db`.
        prefix: Begins the names of its tables.

    Returns:
        The store, not opened.

    Raises:
        BadConfigurationError: The URL names no file.
    """
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
        self._sql = statements(prefix)
        self._connections = PerLoop(self._connect, Connections.close, Connections.abandon)
        # Tells cursors of this object from those of others, which may be of another file.
        self._name = secrets.token_hex(4)
        self._news = News()

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
        values = (
            session.sid,
            session.sub,
            session.generation,
            session.created_at,
            session.rotated_at,
            session.expires_at,
            session.revoked_at,
            session.revoked_reason,
            session.ip,
            session.user_agent,
            session.device,
            session.retry_hash,
        )
        return await connections.run_durably(lambda durable: durable.execute(self._sql.create, values).rowcount == 1)

    async def get(self, sid: str, sub: str | None = None) -> tuple[Session | None, Cutoff | None]:
        """Read a session and its subject's cutoff. See `Store.get`.

        Raises:
            InvalidRowError: The row, or the cutoff, makes no sense.
        """
        connections = self._connections.here() or await self._connections.get()
        # No id of ours holds anything else; this also keeps out what cannot be written as UTF-8.
        known = sid if sid.isascii() else ""
        (row,) = await _read(connections, self._sql.get, (known, sub))
        session = session_from(row[:-3])
        if session is None and row[0] is not None:
            raise InvalidRowError(sid)
        try:
            return session, subject_cutoff(*row[-3:])
        except ValueError:
            raise InvalidRowError(sid) from None

    async def list(self, sub: str, now: int, limit: int = 100) -> Sessions:
        """List a subject's live sessions, newest first. See `Store.list`."""
        connections = self._connections.here() or await self._connections.get()
        return sessions_from(await _read(connections, self._sql.list, (sub, now, limit)))

    async def advance(self, rotation: Rotation) -> Session | None:
        """Move a session forward by one compare-and-swap. See `Store.advance`.

        Raises:
            InvalidRowError: The row makes no sense.
        """
        connections = self._connections.here() or await self._connections.get()
        values = (
            rotation.sid,
            rotation.sub,
            rotation.from_generation,
            rotation.to_generation,
            rotation.at,
            rotation.expires_at,
            rotation.ip,
            rotation.user_agent,
            rotation.retry_hash,
        )
        try:
            rows = await connections.run(self._sql.advance, values)
        except sqlite3.Error as error:
            if is_unreadable_text(error):
                raise InvalidRowError(rotation.sid) from None
            raise
        if not rows:
            return None
        connections.wrote()
        session = rotated_from(rows[0], rotation)
        if session is None:
            raise InvalidRowError(rotation.sid)
        return session

    async def revoke(self, revocation: Revocation) -> Revocation:
        """End something, durably when it returns. See `Store.revoke`."""
        connections = self._connections.here() or await self._connections.get()
        stored = await connections.run_durably(partial(revoke, sql=self._sql, revocation=revocation))
        self._news.tell()
        return stored

    async def revocations(self, cursor: str) -> tuple[Revocations, str]:
        """List what was revoked since a cursor, in the order of commits. See `Store.revocations`."""
        connections = self._connections.here() or await self._connections.get()
        known = self._number_of(cursor)
        listed: Revocations = []
        last = known
        while True:
            page = await _read(connections, self._sql.revocations, (last, _PAGE))
            if last == known > 0 and not page:
                # The newest number is never deleted, so this is not the table that the cursor was made from.
                known = last = 0
                continue
            for row in page:
                number, revocation = revocation_from(row)
                if number > last and revocation is not None:
                    listed.append(revocation)
                last = max(last, number)
            if len(page) < _PAGE:
                return listed, self._cursor_at(last)
            # A hundred thousand rows are read in slices, and requests come in between.
            await asyncio.sleep(0)

    async def count_live(self, now: int) -> tuple[int, str]:
        """Count the revocations that still matter. See `Store.count_live`."""
        connections = self._connections.here() or await self._connections.get()
        (row,) = await connections.read_in_thread(self._sql.count_live, (now,))
        return _count(row[0]), self._cursor_at(_count(row[1]))

    async def wait(self, cursor: str, timeout: float) -> None:  # noqa: ASYNC109 - it may end early, never fail
        """Wait until there may be something after a cursor. See `Store.wait`.

        This object tells of its own revocations. Those of others show by the newest number, which is looked at in the
        beginning only: so the caller says by `timeout` how often that is.
        """
        connections = self._connections.here() or await self._connections.get()
        with self._news.listening() as told:
            (row,) = await connections.run(self._sql.newest)
            if _count(row[0]) == self._number_of(cursor):
                await asyncio.wait([told], timeout=timeout)

    async def prune(self, now: int, limit: int) -> int:
        """Delete some of what no token can need any more, a hundred rows at a time. See `Store.prune`."""
        connections = self._connections.here() or await self._connections.get()
        deleted = 0
        for batch, before in ((prune_sessions, now - KEEP_SESSIONS), (prune_revocations, now - KEEP_REVOCATIONS)):
            while deleted < limit:
                room = min(limit - deleted, _BATCH)
                gone, found = await connections.run_durably(partial(batch, sql=self._sql, before=before, limit=room))
                deleted += gone
                if found < room:
                    break
        return deleted

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

    def _number_of(self, cursor: str) -> int:
        name, _, number = cursor.partition("-")
        return int(number) if name == self._name and number.isdecimal() else 0

    def _cursor_at(self, number: int) -> str:
        return f"{self._name}-{number}"


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
