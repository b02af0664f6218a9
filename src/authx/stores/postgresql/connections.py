"""Connections to PostgreSQL, held: a pool's reset after each statement would cost nearly half of the rate.

A lane is one connection that is kept. It is opened at its first use and opened again after it broke.
The lane that came back last goes out first, so no more are opened than are needed at once.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Final, Protocol, TypeAlias

import asyncpg  # type: ignore[import-untyped]

from authx.exceptions import StoreUnavailableError
from authx.stores.postgresql.errors import breaks_connection, explained, is_read_only, refused

__all__ = ["STATEMENT_SECONDS", "Connection", "Connector", "Lane", "Lanes", "Listener", "Row", "Server"]

Row: TypeAlias = Sequence[Any]
Listener: TypeAlias = Callable[..., None]
Explain: TypeAlias = Callable[[Exception, str], Exception]

STATEMENT_SECONDS: Final = 2.5
_TICK: Final = 0.25
_WAIT_SECONDS: Final = 2.0
_CLOSE_SECONDS: Final = 1.0


class Statement(Protocol):
    """A prepared statement of asyncpg, as far as it is used here."""

    async def fetch(self, *args: object) -> list[Row]: ...


class Connection(Protocol):
    """A connection of asyncpg, as far as it is used here."""

    async def prepare(self, query: str) -> Statement: ...  # noqa: D102
    async def execute(self, query: str, *, timeout: float | None = None) -> str: ...  # noqa: ASYNC109, D102
    async def add_listener(self, channel: str, callback: Listener) -> None: ...  # noqa: D102
    async def remove_listener(self, channel: str, callback: Listener) -> None: ...  # noqa: D102
    def add_termination_listener(self, callback: Listener) -> None: ...  # noqa: D102
    def remove_termination_listener(self, callback: Listener) -> None: ...  # noqa: D102
    def is_closed(self) -> bool: ...  # noqa: D102
    def terminate(self) -> None: ...  # noqa: D102


class Server:
    """What is known of the server, by all who have connections to it.

    Attributes:
        era: Grows when the server turns out to be read-only: connections of an earlier era are not used again.
        is_known: Whether somebody has looked for a pooler in front of it.
        is_pooled: Whether there is one.
    """

    __slots__ = ("era", "is_known", "is_pooled")

    def __init__(self) -> None:
        self.era = 0
        self.is_known = self.is_pooled = False


class Connector(Protocol):
    """Where connections come from."""

    where: str
    server: Server

    async def connect(self) -> Connection:
        """Open or borrow a connection."""
        ...

    async def release(self, connection: Connection) -> None:
        """Close or give back one that works."""
        ...


class Lane:
    """One connection that is kept, with its prepared statements.

    Args:
        connector: Where its connection comes from.

    Attributes:
        busy_since: When its statement began, by the clock of the loop; 0 while it has none.
    """

    __slots__ = ("_connection", "_connector", "_era", "_server", "_statements", "busy_since")

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._server = connector.server
        self._era = 0
        self._connection: Connection | None = None
        self._statements: dict[str, Statement] = {}
        self.busy_since = 0.0

    async def fetch(self, sql: str, args: Sequence[object], explain: Explain = explained) -> list[Row]:
        """Run a statement, in a transaction of its own, on a connection that is opened first where there is none.

        It is for the caller to `drop` the lane if that takes too long.

        Args:
            sql: The statement.
            args: Its parameters.
            explain: Finds the error to raise for one of asyncpg's.

        Returns:
            Its rows.

        Raises:
            Exception: As `explain` has it.
        """
        try:
            connection = self._connection
            if connection is None or self._era != self._server.era or not is_open(connection):
                connection = await self.connect()
            self.busy_since = monotonic()
            statement = self._statements.get(sql)
            if statement is None:
                statement = self._statements[sql] = await connection.prepare(sql)
            return await statement.fetch(*args)
        except Exception as error:  # noqa: BLE001 - each is raised again, explained
            if is_read_only(error):
                self._server.era += 1
            if breaks_connection(error):
                self.drop()
            raise explain(error, self._connector.where) from None
        except BaseException:
            # Cancelled with an answer under way: waiting for that could take for ever.
            self.drop()
            raise
        finally:
            self.busy_since = 0.0

    async def connect(self) -> Connection:
        """Open the connection anew.

        Returns:
            It.
        """
        self.drop()
        era = self._server.era
        connection = self._connection = await self._connector.connect()
        self._era = era
        return connection

    def drop(self) -> None:
        """Let go of the connection, whatever it is doing."""
        connection, self._connection = self._connection, None
        self._statements.clear()
        if connection is not None:
            drop(connection)

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        self._statements.clear()
        if connection is not None:
            await close(self._connector, connection)


class Lanes:
    """A few lanes, each used by one statement at a time.

    Args:
        connector: Where their connections come from.
        size: How many there are at most.
    """

    def __init__(self, connector: Connector, size: int) -> None:
        self.is_closed = False
        self._where = connector.where
        self._loop = asyncio.get_running_loop()
        self._all = [Lane(connector) for _ in range(size)]
        self._free = self._all[::-1]
        self._waiting: deque[tuple[asyncio.Future[Lane], float]] = deque()
        self._watch: asyncio.TimerHandle | None = None

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        """Run a statement, in a transaction of its own and one round trip.

        Args:
            sql: The statement.
            *args: Its parameters.

        Returns:
            Its rows.

        Raises:
            StoreUnavailableError: The server does not answer.
            Exception: As `explained` has it.
        """
        lane = self._free.pop() if self._free else await self._wait()
        if self._watch is None:
            self._watch = self._loop.call_later(_TICK, self._look)
        try:
            return await lane.fetch(sql, args)
        finally:
            self._give_back(lane)

    async def probe(self, sql: str) -> list[Row]:
        """Run a statement for the first time, to see whether the server takes us at all.

        Args:
            sql: The statement.

        Returns:
            Its rows.

        Raises:
            StoreUnavailableError: The server does not answer now.
            BadConfigurationError: It refuses us.
        """
        try:
            # Twice a connection's, and a statement's: whatever the server does, this returns.
            async with asyncio.timeout(2 * STATEMENT_SECONDS):
                lane = self._free.pop() if self._free else await self._wait()
                try:
                    return await lane.fetch(sql, (), refused)
                finally:
                    self._give_back(lane)
        except TimeoutError:
            raise StoreUnavailableError(f"{self._where} does not answer in time") from None

    async def close(self) -> None:
        """Close the lanes that are free now, and the others as they come back."""
        self.is_closed = True
        for waiter, _ in self._waiting:
            if not waiter.done():
                waiter.set_exception(StoreUnavailableError("The store was closed"))
        free, self._free = self._free, []
        for lane in free:
            await lane.close()

    def drop(self) -> None:
        """Let go of all connections, whatever they are doing."""
        self.is_closed = True
        for lane in self._all:
            lane.drop()

    async def _wait(self) -> Lane:
        if self.is_closed:
            raise StoreUnavailableError("The store was closed")
        waiter: asyncio.Future[Lane] = self._loop.create_future()
        self._waiting.append((waiter, monotonic()))
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._give_back(waiter.result())
            raise

    def _look(self) -> None:
        """End what has taken too long: one look at all of them now and then, for a timer each would cost a tenth."""
        now = monotonic()
        for lane in self._all:
            if lane.busy_since and now - lane.busy_since > STATEMENT_SECONDS:
                lane.drop()
        while self._waiting and (self._waiting[0][0].done() or now - self._waiting[0][1] > _WAIT_SECONDS):
            waiter, _ = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(StoreUnavailableError(f"all connections to {self._where} are busy"))
        is_idle = len(self._free) == len(self._all) or self.is_closed
        self._watch = None if is_idle else self._loop.call_later(_TICK, self._look)

    def _give_back(self, lane: Lane) -> None:
        if self.is_closed:
            lane.drop()
            return
        while self._waiting:
            waiter, _ = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(lane)
                return
        self._free.append(lane)


def is_open(connection: Connection) -> bool:
    """Tell whether a connection works, as far as can be told without asking the server.

    Args:
        connection: The connection.

    Returns:
        Whether it does.
    """
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:
        # One of a pool that has taken it back.
        return False


def drop(connection: Connection) -> None:
    """Let go of a connection, whatever it is doing.

    Args:
        connection: The connection.
    """
    # A pool may have taken it back, and its event loop may have ended.
    with contextlib.suppress(asyncpg.InterfaceError, RuntimeError):
        connection.terminate()


async def close(connector: Connector, connection: Connection) -> None:
    """Close a connection in the polite way, or else in the other.

    Args:
        connector: Where it comes from.
        connection: The connection.
    """
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await connector.release(connection)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError):
        drop(connection)
