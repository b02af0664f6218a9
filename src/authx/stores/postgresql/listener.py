"""How a process learns of revocations in PostgreSQL: a connection of its own that listens, and is asked."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from authx.core.session import Revocation
from authx.exceptions import StoreUnavailableError
from authx.stores.notifier import Notifier
from authx.stores.numbered import Numbers
from authx.stores.postgresql.connections import STATEMENT_SECONDS, Connection, Connections, Row, Server
from authx.stores.protocol import Revocations

__all__ = ["Listener"]

_PAGE: Final = 1000


class Listener:
    """The connection that LISTENs, and reads what it was notified of.

    Another connection may be to another server, which knows less. So each has a name, which is in the cursors it gave
    out, and a cursor of another means that the reader has to load everything.
    """

    def __init__(self, server: Server, channel: str) -> None:
        self.where = server.where
        self.facts = server.facts
        self._server = server
        self._channel = channel
        self._connection = Connections(self, 1)
        self._numbers = Numbers()
        self._turn = asyncio.Lock()
        self._notifier = Notifier()
        self._is_notified = False

    async def read(
        self, sql: str, cursor: str, read: Callable[[Sequence[Any]], Revocation | None]
    ) -> tuple[Revocations, str]:
        """List what comes after a cursor, by a statement for rows from a number on, and how many."""
        async with self._turn:
            # Cleared first: what is announced while we read may or may not be among what we read.
            self._is_notified = False
            return await self._numbers.read(cursor, lambda last, size: self._fetch(sql, last, size), _PAGE, read)

    async def count_live(self, sql: str, now: int) -> tuple[int, str]:
        """Count revocations, by a statement for their count and the newest number."""
        async with self._turn:
            ((count, newest),) = await self._fetch(sql, now)
            return count, self._numbers.cursor(newest or 0)

    async def wait(self, cursor: str, seconds: float) -> None:
        """Wait until something is announced that was not there yet at the last reading, but no longer than that."""
        with self._notifier.subscribe() as notified:
            if not self._is_notified and cursor.startswith(f"{self._numbers.name}-"):
                await asyncio.wait([notified], timeout=seconds)

    async def connect(self) -> Connection:
        """Open the connection, and listen."""
        connection = await self._server.connect()
        try:
            connection.add_termination_listener(self._notify)
            async with asyncio.timeout(STATEMENT_SECONDS):
                await connection.add_listener(self._channel, self._notify)
        except BaseException:
            connection.terminate()
            raise
        self._numbers.renew()
        return connection

    async def release(self, connection: Connection) -> None:
        """Stop listening, and close the connection or give it back."""
        connection.remove_termination_listener(self._notify)
        await connection.remove_listener(self._channel, self._notify)
        await self._server.release(connection)

    async def close(self) -> None:
        """Close the connection, and wake all that wait."""
        self._notifier.notify()
        await self._connection.close()

    def drop(self) -> None:
        """Drop the connection, whatever it is doing."""
        self._connection.drop()

    async def _fetch(self, sql: str, *args: int) -> list[Row]:
        try:
            async with asyncio.timeout(STATEMENT_SECONDS):
                return await self._connection.fetch(sql, *args)
        except TimeoutError:
            raise StoreUnavailableError(f"{self.where} does not answer in time") from None

    def _notify(self, *_: object) -> None:
        self._is_notified = True
        self._notifier.notify()
