"""Reading revocations that have numbers: what the stores that keep them in a table have alike."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from authx.core.session import Revocation
from authx.stores.protocol import Revocations

__all__ = ["Numbers"]


class Numbers:
    """Cursors of one reader: a name and a number. A cursor of any other name counts as empty."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Take another name, because what is read from now on may be another table."""
        self.name = secrets.token_hex(4)

    def cursor(self, number: int) -> str:
        """Return the cursor after a number."""
        return f"{self.name}-{number}"

    def number(self, cursor: str) -> int:
        """Return the number of a cursor; 0 if it is of another name."""
        name, _, number = cursor.partition("-")
        return int(number) if name == self.name and number.isdecimal() else 0

    async def read(
        self,
        cursor: str,
        page: Callable[[int, int], Awaitable[Sequence[Sequence[Any]]]],
        size: int,
        read: Callable[[Sequence[Any]], Revocation | None],
    ) -> tuple[Revocations, str]:
        """List what comes after a cursor, in pages of rows from a number on that begin with their number."""
        name, known = self.name, self.number(cursor)
        last = known
        listed: Revocations = []
        while True:
            rows = await page(last, size)
            # The newest number is never deleted, so where it is missing this is not the table of the cursor.
            if self.name != name or (last == known > 0 and not rows):
                name, known, last, listed = self.name, 0, 0, []
                continue
            listed += [one for row in rows if row[0] > last and (one := read(row)) is not None]
            last = rows[-1][0] if rows else last
            if len(rows) < size:
                return listed, self.cursor(last)
            # A hundred thousand rows are read in slices, and requests come in between.
            await asyncio.sleep(0)
