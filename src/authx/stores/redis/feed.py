"""The feed of revocations in Redis.

The feed's stream is one key, so the order of its ids is the order of its commits. What is revoked again gets
a new entry, and the old one goes: readers that saw the old one see the new one, later.

**A server that starts again, or another that takes its place,** may have lost the end of the stream, and may
go on with ids that a reader believes it has read. A cursor therefore names the run of the server that
issued it. A cursor of another run, or one beyond the end, counts as empty: the reader loads all that is live.
"""

import asyncio
from typing import Final, cast

from authx.core.session import Revocation
from authx.stores.protocol import Revocations
from authx.stores.redis.connections import Argument
from authx.stores.redis.errors import DRIVER_ERRORS
from authx.stores.redis.keys import Keys
from authx.stores.redis.replies import items, number, position, revocation_in, sane, text
from authx.stores.redis.scripts import SCRIPTS, Script
from authx.stores.redis.wire import Wire
from authx.stores.rows import KEEP_REVOCATIONS, in_batches

__all__ = ["Feed"]

_PAGE: Final = 1000  # entries in one reply
_SLICE: Final = 1.0  # seconds a reader blocks at a time
_PAUSE: Final = 0.25  # seconds between polls where a reader cannot block


class Feed:
    """The feed, by its keys, which share a hash slot."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    async def announce(self, wire: Wire, revocation: Revocation, version: str = "0") -> int:
        """Enter a revocation; return the time that is stored. A subject's cutoff has a version."""
        fields: list[Argument] = []
        for name, value in (
            ("reason", sane(revocation.reason)),
            ("sub", revocation.sub),
            ("spared", revocation.spared),
        ):
            if value is not None:
                fields += (name, value)
        head = (revocation.kind, revocation.key, revocation.at, number(revocation.until), version)
        keys = (self._keys.feed, self._keys.entries, self._keys.untils, self._keys.everyone)
        return int(text(await wire.run(SCRIPTS["announce"], keys, (*head, *fields))))

    async def read(self, wire: Wire, cursor: str) -> tuple[Revocations, str]:
        """List what comes after a cursor, and return the cursor of its end."""
        found: Revocations = []
        while True:
            run, last = position(cursor)
            answer = items(await wire.run(SCRIPTS["read"], (self._keys.feed,), (run, last, _PAGE)))
            run_now, newest, entries = text(answer[0]), text(answer[1]), [items(entry) for entry in items(answer[2])]
            if run_now != run:
                # From the beginning: what was read of another run is not what this one holds.
                found.clear()
            found += [one for _, pairs in entries if (one := revocation_in(pairs)) is not None]
            is_end = len(entries) < _PAGE
            cursor = f"{run_now}:{newest if is_end else text(entries[-1][0])}"
            if is_end:
                return found, cursor

    async def count_live(self, wire: Wire, now: int) -> tuple[int, str]:
        """Count the revocations that still matter, and return the cursor of the newest."""
        count, run, newest = items(await wire.run(SCRIPTS["count_live"], (self._keys.untils, self._keys.feed), (now,)))
        return cast("int", count), f"{text(run)}:{text(newest)}"

    async def wait(self, wire: Wire, cursor: str, seconds: float) -> None:
        """Block on a connection of its own; where that fails, return soon, so that the reader polls."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        last = position(cursor)[1] or "0-0"
        while (left := min(end - loop.time(), _SLICE)) > 0:
            milliseconds = max(1, int(left * 1000))
            command = ("XREAD", "COUNT", 1, "BLOCK", milliseconds, "STREAMS", self._keys.feed, last)
            try:
                if await wire.block(self._keys.feed, command, left + 1.0):
                    return
            except DRIVER_ERRORS:
                await asyncio.sleep(max(0.0, min(end - loop.time(), _PAUSE)))
                return

    async def prune(self, wire: Wire, now: int, limit: int) -> int:
        """Delete at most `limit` entries that matter no more."""
        keys = (self._keys.feed, self._keys.entries, self._keys.untils)

        async def run(script: Script, before: int, room: int) -> tuple[int, int]:
            gone = cast("int", await wire.run(script, keys, (before, room)))
            return gone, gone

        return await in_batches(run, limit, _PAGE, {SCRIPTS["prune"]: now - KEEP_REVOCATIONS})
