"""How a process hears of revocations in PostgreSQL: a connection of its own that listens, and is asked."""

import asyncio
import secrets
from typing import Final

from authx.exceptions import StoreUnavailableError
from authx.stores.notifier import News
from authx.stores.postgresql.connections import STATEMENT_SECONDS, Connection, Connector, Lane, Row

__all__ = ["Feed"]

_PAGE: Final = 1000


class Feed:
    """The connection that LISTENs, and reads what it heard of.

    Another connection may be to another server, which knows less. So each has a name, which is in the
    cursors it gave out, and a cursor of another means that the reader has to load everything.

    Args:
        connector: Where the connection comes from.
        channel: What it listens to.
    """

    def __init__(self, connector: Connector, channel: str) -> None:
        self.where = connector.where
        self.server = connector.server
        self._connector = connector
        self._channel = channel
        self._lane = Lane(self)
        self._name = ""
        self._turn = asyncio.Lock()
        self._news = News()
        self._has_news = False

    async def since(self, sql: str, cursor: str) -> tuple[list[Row], str]:
        """Read the rows after a cursor.

        Args:
            sql: The statement for rows from a number on, and how many.
            cursor: The cursor.

        Returns:
            The rows, and the cursor of their end.

        Raises:
            StoreUnavailableError: The server does not answer.
        """
        async with self._turn:
            # Cleared first: what is announced while we read may or may not be among what we read.
            self._has_news = False
            known = self._number_of(cursor)
            name, last = self._name, known
            rows: list[Row] = []
            while True:
                page = await self._fetch(sql, (last, _PAGE))
                # The newest number is never deleted, so where it is missing the table is not the cursor's.
                if self._name != name or (last == known > 0 and not page):
                    name, known, last, rows = self._name, 0, 0, []
                    continue
                rows += [row for row in page if row[0] > last]
                last = rows[-1][0] if rows else last
                if len(page) < _PAGE:
                    return rows, self._cursor_at(last)

    async def count_live(self, sql: str, now: int) -> tuple[int, str]:
        """Count revocations.

        Args:
            sql: The statement for their count and the newest number.
            now: Its parameter.

        Returns:
            How many, and the cursor of the newest.

        Raises:
            StoreUnavailableError: The server does not answer.
        """
        async with self._turn:
            (row,) = await self._fetch(sql, (now,))
            return row[0], self._cursor_at(row[1] or 0)

    async def wait(self, cursor: str, seconds: float) -> None:
        """Wait until something is announced that was not there yet at the last reading.

        Args:
            cursor: What the last reading returned.
            seconds: How long at most.
        """
        with self._news.listening() as told:
            if not self._has_news and cursor.startswith(f"{self._name}-"):
                await asyncio.wait([told], timeout=seconds)

    async def connect(self) -> Connection:
        """Open the connection, and listen."""
        connection = await self._connector.connect()
        try:
            connection.add_termination_listener(self._hear)
            async with asyncio.timeout(STATEMENT_SECONDS):
                await connection.add_listener(self._channel, self._hear)
        except BaseException:
            connection.terminate()
            raise
        self._name = secrets.token_hex(4)
        return connection

    async def release(self, connection: Connection) -> None:
        """Stop listening, and close the connection or give it back."""
        connection.remove_termination_listener(self._hear)
        await connection.remove_listener(self._channel, self._hear)
        await self._connector.release(connection)

    async def close(self) -> None:
        """Close the connection; whoever waits is woken."""
        self._news.tell()
        await self._lane.close()

    def drop(self) -> None:
        """Let go of the connection, whatever it is doing."""
        self._lane.drop()

    async def _fetch(self, sql: str, args: tuple[int, ...]) -> list[Row]:
        try:
            async with asyncio.timeout(STATEMENT_SECONDS):
                return await self._lane.fetch(sql, args)
        except TimeoutError:
            raise StoreUnavailableError(f"{self.where} does not answer in time") from None

    def _hear(self, *_: object) -> None:
        self._has_news = True
        self._news.tell()

    def _number_of(self, cursor: str) -> int:
        name, _, number = cursor.partition("-")
        return int(number) if name == self._name and number.isdecimal() else 0

    def _cursor_at(self, number: int) -> str:
        return f"{self._name}-{number}"
