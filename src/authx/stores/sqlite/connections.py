"""The two connections to a database file: one on the event loop, one in a thread.

A statement takes less time than a hop to a thread, so rotations and reads run on the loop, over a
connection that does not wait for the disk. What must survive a crash, and checkpoints, run in the one
thread. SQLite's own waiting for a locked file blocks and is unfair, so neither waits there: where the file is
locked, they try again soon, one at a time.
"""

import asyncio
import os
import random
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from authx.exceptions import BadConfigurationError, StoreUnavailableError
from authx.stores.sqlite.errors import explained, is_locked, refused
from authx.stores.sqlite.log import checkpoint

__all__ = ["Connections", "Row", "Value"]

Value: TypeAlias = str | int | None
# SQLite's columns hold values of any type, whatever they were declared as.
Row: TypeAlias = tuple[Any, ...]
_Result = TypeVar("_Result")

_PATIENCE: Final = 5.0
_PAUSE: Final = (0.0003, 0.004)
_CHECKPOINT_AFTER: Final = 1.0


class _Retries:
    """Lets one at a time try again: a hundred who all keep trying would leave the loop no time for anything else."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.is_locked_out = False


class Connections:
    """A database file, opened for the running event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="authx-sqlite")
        self._on_loop, self._in_thread = _Retries(), _Retries()
        self._checkpoint_due: asyncio.TimerHandle | None = None
        self._durable: sqlite3.Connection | None = None
        self._main: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open both."""
        try:
            # In the thread first: creating the file, or recovering it after a crash, takes its time.
            self._durable = await self._in_turn(self._in_thread, self._submitted(self._open_durable))
            self._main = await self._in_turn(self._on_loop, self._at_once(lambda: self._connect("NORMAL")))
        except sqlite3.Error as error:
            await self.close()
            raise refused(error, self._path) from None
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close both; the last one to close writes the log into the file, which is why it does so in the thread."""
        self._stop()
        await self._loop.run_in_executor(self._thread, self._close_durable)
        self._thread.shutdown(wait=False)

    def abandon(self) -> None:
        """Close both after the event loop has ended."""
        self._stop()
        self._thread.submit(self._close_durable)
        self._thread.shutdown(wait=False)

    # Two ways to run a statement

    async def run(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Run a statement on the loop, not waiting for the disk, and return all its rows."""
        main = self._main
        if main is not None and not self._on_loop.is_locked_out:
            try:
                # A statement that returns rows is not over before the last is fetched.
                return main.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                if not is_locked(error):
                    raise explained(error, self._path) from None
        return await self._explained(self._on_loop, self._at_once(lambda: _fetch(self._main, sql, values)))

    async def run_leniently(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Run a statement on the loop whose rows hold text that is not UTF-8: such values come as bytes."""

        def execute() -> list[Row]:
            main = _opened(self._main)
            main.text_factory = _text_or_bytes
            try:
                return _fetch(main, sql, values)
            finally:
                main.text_factory = str

        return await self._explained(self._on_loop, self._at_once(execute))

    async def run_durably(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Run a transaction in the thread, again where the file was locked; it is on disk when this returns."""
        result = await self._explained(self._in_thread, self._submitted(lambda: _transact(self._durable, work)))
        self.wrote()
        return result

    async def read_in_thread(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """Run a statement in the thread that only reads, and reads much."""
        return await self._explained(self._in_thread, self._submitted(lambda: _fetch(self._durable, sql, values)))

    def wrote(self) -> None:
        """Note that something was written, so that the log is moved into the file soon."""
        if self._checkpoint_due is None:
            self._checkpoint_due = self._loop.call_later(_CHECKPOINT_AFTER, self._begin_checkpoint)

    # Waiting for a locked file

    async def _explained(self, retries: _Retries, attempt: Callable[[], Awaitable[_Result]]) -> _Result:
        try:
            return await self._in_turn(retries, attempt)
        except sqlite3.Error as error:
            raise explained(error, self._path) from None

    async def _in_turn(self, retries: _Retries, attempt: Callable[[], Awaitable[_Result]]) -> _Result:
        deadline = self._loop.time() + _PATIENCE
        try:
            async with asyncio.timeout_at(deadline), retries.lock:
                try:
                    while True:
                        try:
                            return await attempt()
                        except sqlite3.Error as error:
                            if not is_locked(error):
                                raise
                        retries.is_locked_out = True
                        await asyncio.sleep(random.uniform(*_PAUSE))  # noqa: S311 - spreads retries, no secret
                finally:
                    retries.is_locked_out = False
        except TimeoutError:
            raise StoreUnavailableError(f"The database {self._path.name} stayed locked for too long") from None

    def _at_once(self, work: Callable[[], _Result]) -> Callable[[], Awaitable[_Result]]:
        async def attempt() -> _Result:
            return work()

        return attempt

    def _submitted(self, work: Callable[[], _Result]) -> Callable[[], Awaitable[_Result]]:
        return lambda: self._loop.run_in_executor(self._thread, work)

    # On the loop

    def _stop(self) -> None:
        if self._checkpoint_due is not None:
            self._checkpoint_due.cancel()
            self._checkpoint_due = None
        main, self._main = self._main, None
        if main is not None:
            main.close()

    def _begin_checkpoint(self) -> None:
        self._checkpoint_due = None
        # Nobody waits for it, so it does not come back to the loop, which may have ended by then.
        self._thread.submit(self._checkpoint)

    # In the thread

    def _open_durable(self) -> sqlite3.Connection:
        if not self._path.exists():
            with suppress(OSError):
                # SQLite gives the log files the same rights: addresses and user agents are nobody else's business.
                os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = self._connect("FULL")
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except BaseException:
            connection.close()
            raise
        if mode != "wal":
            connection.close()
            raise BadConfigurationError(
                f"The file system of {self._path} cannot hold SQLite's write-ahead log; use a local disk"
            )
        return connection

    def _connect(self, synchronous: str) -> sqlite3.Connection:
        # The thread that closes an abandoned connection is not the one that opened it.
        connection = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
        except BaseException:
            connection.close()
            raise
        return connection

    def _checkpoint(self) -> None:
        connection = self._durable
        if connection is None:
            return
        # Whatever goes wrong here goes wrong again, and is raised, at the next statement.
        with suppress(sqlite3.Error, OSError):
            checkpoint(connection, Path(f"{self._path}-wal"))

    def _close_durable(self) -> None:
        durable, self._durable = self._durable, None
        if durable is not None:
            with suppress(sqlite3.Error):
                durable.close()


def _opened(connection: sqlite3.Connection | None) -> sqlite3.Connection:
    if connection is None:
        raise StoreUnavailableError("The store was closed")
    return connection


def _fetch(connection: sqlite3.Connection | None, sql: str, values: Sequence[Value]) -> list[Row]:
    return _opened(connection).execute(sql, values).fetchall()


def _transact(connection: sqlite3.Connection | None, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
    connection = _opened(connection)
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _text_or_bytes(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw
