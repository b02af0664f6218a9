"""Connections to PostgreSQL, held: a pool's reset after each statement would cost nearly half of the rate.

A lane is one connection that is kept. It is opened at its first use and opened again after it broke.
The lane that came back last goes out first, so no more are opened than are needed at once.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeAlias

import asyncpg  # type: ignore[import-untyped]

from authx.exceptions import StoreUnavailableError
from authx.stores.postgresql_errors import breaks_connection, explained, refused

__all__ = ["Connection", "Connector", "Lanes", "Listener", "Row"]

Row: TypeAlias = Sequence[Any]
Listener: TypeAlias = Callable[..., None]
Explain: TypeAlias = Callable[[Exception, str], Exception]

_STATEMENT_SECONDS: Final = 2.5
_WAIT_SECONDS: Final = 2.0
_CLOSE_SECONDS: Final = 1.0


class Statement(Protocol):
    """A prepared statement of asyncpg, as far as it is used here."""

    async def fetch(self, *args: object, timeout: float | None = None) -> list[Row]: ...  # noqa: ASYNC109, D102


class Connection(Protocol):
    """A connection of asyncpg, as far as it is used here."""

    async def prepare(self, query: str, *, timeout: float | None = None) -> Statement: ...  # noqa: ASYNC109, D102
    async def execute(self, query: str, *, timeout: float | None = None) -> str: ...  # noqa: ASYNC109, D102
    async def add_listener(self, channel: str, callback: Listener) -> None: ...  # noqa: D102
    async def remove_listener(self, channel: str, callback: Listener) -> None: ...  # noqa: D102
    def add_termination_listener(self, callback: Listener) -> None: ...  # noqa: D102
    def remove_termination_listener(self, callback: Listener) -> None: ...  # noqa: D102
    def is_closed(self) -> bool: ...  # noqa: D102
    def terminate(self) -> None: ...  # noqa: D102


class Connector(Protocol):
    """Where connections come from."""

    where: str

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
    """

    __slots__ = ("_connection", "_connector", "_statements")

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._connection: Connection | None = None
        self._statements: dict[str, Statement] = {}

    async def fetch(self, sql: str, args: Sequence[object], explain: Explain = explained) -> list[Row]:
        """Run a statement, in a transaction of its own, on a connection that is opened first where there is none.

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
            if connection is None or not is_open(connection):
                connection = await self.connect()
            statement = self._statements.get(sql)
            if statement is None:
                statement = self._statements[sql] = await connection.prepare(sql, timeout=_STATEMENT_SECONDS)
            return await statement.fetch(*args, timeout=_STATEMENT_SECONDS)
        except Exception as error:
            if breaks_connection(error):
                self.drop()
            raise explain(error, self._connector.where) from None
        except BaseException:
            # Cancelled with an answer under way: waiting for that could take for ever.
            self.drop()
            raise

    async def connect(self) -> Connection:
        """Open the connection anew.

        Returns:
            It.
        """
        self.drop()
        connection = self._connection = await self._connector.connect()
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
        self._where = connector.where
        self._all = [Lane(connector) for _ in range(size)]
        self._free = self._all[::-1]
        self._waiting: deque[asyncio.Future[Lane]] = deque()
        self._is_closed = False

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
        lane = self._free.pop() if self._free else await self._wait()
        try:
            return await lane.fetch(sql, (), refused)
        finally:
            self._give_back(lane)

    async def close(self) -> None:
        """Close the lanes that are free now, and the others as they come back."""
        self._is_closed = True
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(StoreUnavailableError("the store was closed"))
        free, self._free = self._free, []
        for lane in free:
            await lane.close()

    def drop(self) -> None:
        """Let go of all connections, whatever they are doing."""
        self._is_closed = True
        for lane in self._all:
            lane.drop()

    async def _wait(self) -> Lane:
        if self._is_closed:
            raise StoreUnavailableError("the store was closed")
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Lane] = loop.create_future()
        self._waiting.append(waiter)
        # Not `asyncio.timeout`: under load most statements wait here, and it costs several times as much.
        expiry = loop.call_later(_WAIT_SECONDS, self._expire, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._give_back(waiter.result())
            raise
        finally:
            expiry.cancel()

    def _expire(self, waiter: "asyncio.Future[Lane]") -> None:
        if not waiter.done():
            waiter.set_exception(StoreUnavailableError(f"all connections to {self._where} are busy"))

    def _give_back(self, lane: Lane) -> None:
        if self._is_closed:
            lane.drop()
            return
        while self._waiting:
            waiter = self._waiting.popleft()
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
