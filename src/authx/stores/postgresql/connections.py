"""Connections to PostgreSQL that are held: the reset a pool makes after each statement would cost nearly half the rate.

They are the store's own, or borrowed from the application's pool. The one that came back last goes out first, so no
more are opened than are needed at once.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from math import inf
from time import monotonic
from typing import Any, Final, Protocol, TypeAlias

import asyncpg  # type: ignore[import-untyped]

from authx.exceptions import StoreUnavailableError
from authx.stores.postgresql.errors import breaks_connection, explained, is_read_only, transaction_mode
from authx.stores.postgresql.url import PostgreSQLURL

__all__ = [
    "STATEMENT_SECONDS",
    "Connection",
    "Connections",
    "Facts",
    "OwnServer",
    "Pool",
    "PoolServer",
    "Row",
    "Server",
    "terminate",
]

# asyncpg's classes, which have no types.
Connection: TypeAlias = Any
Row: TypeAlias = Sequence[Any]

STATEMENT_SECONDS: Final = 2.5
WAIT_SECONDS: Final = 2.0
_CLOSE_SECONDS: Final = 1.0
# A statement that waits for a lock ends at the server too, not only for us.
SETTINGS: Final = {"statement_timeout": "2000"}
_PROCESS: Final = "SELECT pg_backend_pid()"


class Pool(Protocol):
    """A pool of asyncpg, as far as it is used here."""

    async def acquire(self, *, timeout: float | None = None) -> Connection: ...  # noqa: ASYNC109, D102
    async def release(self, connection: Connection, *, timeout: float | None = None) -> None: ...  # noqa: ASYNC109, D102
    def get_max_size(self) -> int: ...  # noqa: D102
    def is_closing(self) -> bool: ...  # noqa: D102


class Facts:
    """What all who have connections to a server know of it.

    `era` grows when the server turns out to be read-only: connections of an earlier era are not used again. Whether a
    pooler stands in front of it is `is_pooled`, once it `is_known`.
    """

    __slots__ = ("era", "is_known", "is_pooled")

    def __init__(self) -> None:
        self.era = 0
        self.is_known = self.is_pooled = False


class Server(Protocol):
    """Where connections come from."""

    where: str
    facts: Facts

    async def connect(self) -> Connection:
        """Open or borrow a connection."""
        ...

    async def release(self, connection: Connection) -> None:
        """Close or give back one that works."""
        ...


class OwnServer:
    """A server to which the store opens connections itself, with settings of the session besides the URL's own."""

    def __init__(self, url: PostgreSQLURL, facts: Facts, **settings: str) -> None:
        self.where = url.where
        self.facts = facts
        self._url = url
        self._settings = {"application_name": "authx", **url.settings, **SETTINGS, **settings}

    async def connect(self) -> Connection:
        """Open one; a pooler that lends connections for no longer than a transaction is refused."""
        connection: Connection = None
        try:
            async with asyncio.timeout(self._url.connect_seconds):
                connection = await self._open()
                if not self.facts.is_known:
                    await _look_for_pooler(self, connection, lambda: self._connect({}))
                if self.facts.is_pooled:
                    await connection.execute(_set(self._settings))
        except BaseException:
            if connection is not None:
                connection.terminate()
            raise
        return connection

    async def release(self, connection: Connection) -> None:
        """Close one."""
        await connection.close(timeout=_CLOSE_SECONDS)

    async def _open(self) -> Connection:
        options = {} if self._url.options is None else {"options": self._url.options}
        if not self.facts.is_pooled:
            try:
                return await self._connect(self._settings | options)
            except asyncpg.ProtocolViolationError as error:
                # PgBouncer passes on none but a few of the settings that a connection may begin with.
                if "startup parameter" not in str(error):
                    raise
                self.facts.is_pooled = True
        return await self._connect(options)

    async def _connect(self, startup: dict[str, str]) -> Connection:
        context = {} if self._url.context is None else {"ssl": self._url.context}
        return await asyncpg.connect(
            self._url.dsn,
            server_settings=startup,
            timeout=self._url.connect_seconds,
            **context,
        )


class PoolServer:
    """The server of the application's pool, from which connections are borrowed."""

    where = "the PostgreSQL server of the pool"

    def __init__(self, pool: Pool) -> None:
        self.facts = Facts()
        self._pool = pool

    async def connect(self) -> Connection:
        """Borrow one; a pooler that lends connections for no longer than a transaction is refused."""
        connection = await self._pool.acquire(timeout=WAIT_SECONDS)
        if not self.facts.is_known:
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await _look_for_pooler(self, connection, self._pool.acquire)
            except BaseException:
                connection.terminate()
                raise
        return connection

    async def release(self, connection: Connection) -> None:
        """Give one back."""
        await self._pool.release(connection, timeout=_CLOSE_SECONDS)


class _Held:
    """A connection that is open, its prepared statements, and the server's era at its opening."""

    __slots__ = ("connection", "era", "statements")

    def __init__(self, connection: Connection, era: int) -> None:
        self.connection = connection
        self.era = era
        self.statements: dict[str, Any] = {}


class Connections:
    """At most `size` connections to a server, each of which carries one statement at a time."""

    def __init__(self, server: Server, size: int) -> None:
        self.is_closed = False
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._turns = size
        self._waiting: deque[tuple[asyncio.Future[None], float]] = deque()
        self._expiry: asyncio.TimerHandle | None = None
        self._open: set[_Held] = set()
        self._idle: list[_Held] = []

    async def fetch(
        self, sql: str, *args: object, explain: Callable[[Exception, str], Exception] = explained
    ) -> list[Row]:
        """Run a statement in a transaction of its own and one round trip; raises what `explain` makes of an error."""
        if self._turns:
            self._turns -= 1
        else:
            await self._wait_for_turn()
        held: _Held | None = None
        works = False
        try:
            held = self._take() or await self._connect()
            statement = held.statements.get(sql)
            if statement is None:
                statement = held.statements[sql] = await held.connection.prepare(sql, timeout=STATEMENT_SECONDS)
            rows: list[Row] = await statement.fetch(*args, timeout=STATEMENT_SECONDS)
            works = True
        except Exception as error:  # noqa: BLE001 - each is raised again, explained
            if is_read_only(error):
                self._server.facts.era += 1
            works = not breaks_connection(error)
            raise explain(error, self._server.where) from None
        else:
            return rows
        finally:
            if held is not None:
                if works and not self.is_closed:
                    self._idle.append(held)
                else:
                    # Cancelled with an answer under way: waiting for that could take for ever.
                    self._drop(held)
            self._pass_turn()

    async def close(self) -> None:
        """Close the connections that are free now, and the others as they come back."""
        self.is_closed = True
        self._refuse_waiting(inf, "The store was closed")
        idle, self._idle = self._idle, []
        for held in idle:
            self._open.discard(held)
            try:
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await self._server.release(held.connection)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
                terminate(held.connection)

    def drop(self) -> None:
        """Drop all connections, whatever they are doing."""
        self.is_closed = True
        for held in list(self._open):
            self._drop(held)

    async def _wait_for_turn(self) -> None:
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((waiter, monotonic() + WAIT_SECONDS))
        if self._expiry is None:
            # One timer for all that wait: one for each would cost a tenth of the rate.
            self._expiry = self._loop.call_later(WAIT_SECONDS, self._expire)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._pass_turn()
            raise

    def _pass_turn(self) -> None:
        while self._waiting:
            waiter, _ = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._turns += 1

    def _expire(self) -> None:
        self._expiry = None
        self._refuse_waiting(monotonic(), f"all connections to {self._server.where} are busy")
        if self._waiting:
            self._expiry = self._loop.call_later(max(0.0, self._waiting[0][1] - monotonic()), self._expire)

    def _refuse_waiting(self, until: float, reason: str) -> None:
        while self._waiting and (self._waiting[0][0].done() or self._waiting[0][1] <= until):
            waiter, _ = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(StoreUnavailableError(reason))

    def _take(self) -> _Held | None:
        if self.is_closed:
            raise StoreUnavailableError("The store was closed")
        while self._idle:
            held = self._idle.pop()
            if held.era == self._server.facts.era and _is_open(held.connection):
                return held
            self._drop(held)
        return None

    async def _connect(self) -> _Held:
        era = self._server.facts.era
        held = _Held(await self._server.connect(), era)
        self._open.add(held)
        return held

    def _drop(self, held: _Held) -> None:
        self._open.discard(held)
        terminate(held.connection)


def terminate(connection: Connection) -> None:
    """End a connection at once, whatever it is doing."""
    # A pool may have taken it back, and its event loop may have ended.
    with contextlib.suppress(asyncpg.InterfaceError, RuntimeError):
        connection.terminate()


def _is_open(connection: Connection) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:
        # One of a pool that has taken it back.
        return False


async def _look_for_pooler(server: Server, connection: Connection, connect: Callable[[], Awaitable[Any]]) -> None:
    """Find out whether there is a pooler, and refuse one that lends connections for no longer than a transaction.

    A pooler gives its clients process ids of its own. One that lends for a transaction lends the server's process that
    we have just used to the next who asks.
    """
    facts = server.facts
    try:
        process = await _process(connection)
    except (asyncpg.ConnectionDoesNotExistError, asyncpg.ProtocolViolationError):
        if not facts.is_pooled:
            raise
        # One that lends for a statement ends a connection that begins a transaction.
        raise transaction_mode(server.where) from None
    if process != connection.get_server_pid() or facts.is_pooled:
        facts.is_pooled = True
        other = await connect()
        try:
            async with other.transaction():
                lent = await other.fetchval(_PROCESS)
                if lent == process or await _process(connection) != process:
                    raise transaction_mode(server.where)
        finally:
            other.terminate()
    facts.is_known = True


async def _process(connection: Connection) -> int:
    # In a transaction, or a pooler could lose the prepared statement between its being made and being used.
    async with connection.transaction():
        process: int = await connection.fetchval(_PROCESS)
        return process


def _set(settings: Mapping[str, str]) -> str:
    """Write the statement that makes settings, whose names have been checked."""
    values = {name: value.replace("'", "''") for name, value in settings.items()}
    return ";".join(f"SELECT set_config('{name}', '{value}', false)" for name, value in values.items())
