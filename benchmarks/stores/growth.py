"""How much more a refresh costs with many sessions than with few: `python -m benchmarks.stores.growth --rows N`.

The rows are written with SQL, as a million logins would leave them; what is timed is the store's own operation
on sessions picked at random among all of them.
"""

import argparse
import asyncio
import random
import sqlite3
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from authx.core.ids import session_id
from authx.stores import Rotation, Store, open_store
from authx.stores.postgresql import PostgreSQLStore
from authx.stores.rows import COLUMNS
from benchmarks.coordinator import OURS, Described, Series
from benchmarks.stores.rows import ADDRESS, AGENT, DAY, RETRY_HASH, now
from benchmarks.stores.servers import folder, url

FEW = 10_000
MANY = 1_000_000
KINDS = ("sqlite", "postgresql")
CALLS = 1_000
# The logins of a million sessions are spread over some days.
APART = 500
_RANDOM = random.Random(7)


class Population:
    """Sessions, as a row each.

    Args:
        kind: the kind of store.
        count: how many.
    """

    def __init__(self, kind: str, count: int) -> None:
        self.kind, self.count = kind, count
        self._generations = array("l", [1]) * count
        self._first = now() - count * APART
        self._secret = _RANDOM.randbytes(8)
        self._store: Store

    def sid(self, number: int) -> str:
        """Ids as unpredictable as real ones, which need not be kept."""
        return session_id(self.sub(number), self._first + number * APART, random.Random(number).randbytes(8))

    def sub(self, number: int) -> str:
        return f"user-{number:07}"

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The columns of the table and `prune_at`."""
        for number in range(self.count):
            at = self._first + number * APART
            end = now() + 20 * DAY
            yield (self.sid(number), self.sub(number), 1, at, at, end, None, None, ADDRESS, AGENT, None, None, end)

    async def settle(self, place: str) -> None:
        """Writes the rows and opens the store."""
        prefix = f"authx_{self.count}_"
        self._store = open_store(place, prefix)
        await self._store.open()
        await self._store.create_schema()
        if isinstance(self._store, PostgreSQLStore):
            await _copy(place, prefix, self.rows())
        else:
            _insert(Path(place.removeprefix("sqlite:///")), prefix, self.rows())

    async def chunk(self, calls: int) -> float:
        """Nanoseconds per refresh, of sessions picked at random."""
        picked = [_RANDOM.randrange(self.count) for _ in range(calls)]
        ready = [(number, self.sid(number), self.sub(number)) for number in picked]
        clock, advance, generations = time.perf_counter_ns, self._store.advance, self._generations
        started = clock()
        for number, sid, sub in ready:
            generation, at = generations[number], now()
            row = await advance(
                Rotation(
                    sid=sid,
                    sub=sub,
                    from_generation=generation,
                    to_generation=generation + 1,
                    at=at,
                    expires_at=at + 20 * DAY,
                    retry_hash=RETRY_HASH,
                    ip=ADDRESS,
                    user_agent=AGENT,
                )
            )
            if row is None:
                raise RuntimeError(f"{self.kind}: session {number} of {self.count} did not move forward")
            generations[number] += 1
        return (clock() - started) / calls

    async def close(self) -> None:
        await self._store.close()


def _insert(path: Path, prefix: str, rows: Iterator[tuple[Any, ...]]) -> None:
    names = (*COLUMNS, "prune_at")
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA synchronous = OFF")
        places = ", ".join("?" * len(names))
        connection.executemany(f"INSERT INTO {prefix}sessions ({', '.join(names)}) VALUES ({places})", rows)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()


async def _copy(place: str, prefix: str, rows: Iterator[tuple[Any, ...]]) -> None:
    import asyncpg

    connection = await asyncpg.connect(place)
    try:
        columns = [
            row["column_name"]
            for row in await connection.fetch(
                "SELECT column_name FROM information_schema.columns WHERE table_name = $1", f"{prefix}sessions"
            )
        ]
        names = [name for name in (*COLUMNS, "prune_at") if name in columns]
        while some := list(islice(rows, 20_000)):
            await connection.copy_records_to_table(
                f"{prefix}sessions", records=[row[: len(names)] for row in some], columns=names
            )
        await connection.execute(f"VACUUM ANALYZE {prefix}sessions")
    finally:
        await connection.close()


async def _measure(kind: str, rows: int, rounds: int, tell: Callable[[str], None]) -> list[Series]:
    few, many = Population(kind, min(FEW, rows // 2)), Population(kind, rows)
    series = []
    for name, population in (("few", few), ("many", many)):
        place = url(kind, f"growth-{name}")
        if place is None:
            return []
        tell(f"growth: writing {population.count:,} sessions, {kind}")
        await population.settle(place)
        described = Described(
            f"growth {kind} {name}",
            "authx",
            f"{kind}: advance, one at a time, {population.count:,} sessions",
            None if population is few else f"growth {kind} few",
            None,
            {},
        )
        series.append((population, Series(described, OURS)))
    for number in range(rounds + 1):
        for population, one in reversed(series) if number % 2 else series:
            took = await population.chunk(CALLS)
            # The first round is for the caches.
            if number:
                one.rounds.append(took / 1000)
    for population, _ in series:
        await population.close()
    return [one for _, one in series]


def run(kinds: Sequence[str], rows: int, rounds: int, tell: Callable[[str], None]) -> list[Series]:
    """Times refreshes among few and among many sessions, in turns.

    Args:
        kinds: kinds of stores.
        rows: how many sessions are many.
        rounds: how often.
        tell: takes lines about the progress.
    """
    folder()
    return [one for kind in kinds for one in asyncio.run(_measure(kind, rows, rounds, tell))]


def main() -> None:
    """Prints what a refresh costs among few and among many sessions, and the ratio."""
    parser = argparse.ArgumentParser(prog="benchmarks.stores.growth", description=__doc__)
    parser.add_argument("kinds", nargs="*", default=KINDS, metavar="KIND", help=f"of {', '.join(KINDS)}")
    parser.add_argument("--rows", type=int, default=MANY, help="how many sessions are many")
    parser.add_argument("--rounds", type=int, default=40, help="how often to measure")
    arguments = parser.parse_args()
    series = run(arguments.kinds, arguments.rows, arguments.rounds, lambda _: None)
    for few, many in zip(series[::2], series[1::2], strict=True):
        print(f"{many.case.title}: {many.median:.1f} µs, {many.over(few):.2f} x what it costs with few")


if __name__ == "__main__":
    main()
