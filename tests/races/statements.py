"""Counting what reaches a store, from outside of the library: SQLite's own trace, a proxy, Redis's MONITOR."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from tests.races.places import File, Place
from tests.stores.postgres_server import PostgreSQL
from tests.stores.servers import Node

Watched = AbstractAsyncContextManager[tuple[str, Callable[[], Any]]]


class Watch:
    """What a store was asked to do since somebody began to count.

    Args:
        url: The store's URL, under which what it is asked is seen.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: list[str] = []

    async def settle(self) -> None:
        """Wait until everything that was asked has been seen."""

    async def count(self, work: Callable[[], Any]) -> list[str]:
        """Do something, and tell what the store was asked for it."""
        await self.settle()
        self.seen.clear()
        await work()
        await self.settle()
        return list(self.seen)


@asynccontextmanager
async def watching(place: Place, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watch]:
    """See every statement that reaches a place."""
    if isinstance(place, File):
        yield _watch_file(place, monkeypatch)
    elif isinstance(place, PostgreSQL):
        async with _watch_postgresql(place) as watch:
            yield watch
    else:
        async with _watch_redis(place) as watch:
            yield watch


def _watch_file(place: File, monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch, connect = Watch(place.url), sqlite3.connect

    def note(statement: str) -> None:
        # The feed looks for news by itself.
        if "max(number)" not in statement:
            watch.seen.append(statement)

    def connect_and_trace(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*args, **options)
        connection.set_trace_callback(note)
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect_and_trace)
    return watch


@asynccontextmanager
async def _watch_postgresql(place: PostgreSQL) -> AsyncIterator[Watch]:
    """A proxy: each Sync, and each simple query, is one round trip."""
    folder = re.search(r"host=([^&]+)", place.url)
    assert folder is not None
    tasks: set[asyncio.Task[None]] = set()
    watch = Watch("")

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_server: bool) -> None:
        try:
            if to_server:
                length = await reader.readexactly(4)
                writer.write(length + await reader.readexactly(int.from_bytes(length, "big") - 4))
            while kind := await reader.read(1):
                length = await reader.readexactly(4)
                body = await reader.readexactly(int.from_bytes(length, "big") - 4)
                if to_server and kind in b"SQ":
                    watch.seen.append(kind.decode())
                writer.write(kind + length + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(f"{folder[1]}/.s.PGSQL.5432")
        for task in (
            asyncio.create_task(forward(reader, server_writer, to_server=True)),
            asyncio.create_task(forward(server_reader, writer, to_server=False)),
        ):
            tasks.add(task)

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
    watch.url = f"postgresql://postgres@127.0.0.1:{proxy.sockets[0].getsockname()[1]}/postgres?sslmode=disable"
    try:
        yield watch
    finally:
        proxy.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await proxy.wait_closed()


class _Monitor(Watch):
    def __init__(self, place: Node) -> None:
        super().__init__(place.url)
        self._place = place
        self._marks = 0
        self._arrived = asyncio.Event()

    async def settle(self) -> None:
        # The server tells of commands in their order.
        self._marks += 1
        self._arrived.clear()
        reader, writer = await asyncio.open_connection(self._place.host, self._place.port)
        writer.write(b"ECHO mark-%d\r\n" % self._marks)
        await reader.readline()
        writer.close()
        await self._arrived.wait()

    async def listen(self, reader: asyncio.StreamReader) -> None:
        while line := (await reader.readline()).decode("utf-8", "replace"):
            if f"mark-{self._marks}" in line:
                self._arrived.set()
            # What a script does is part of it, and the feed waits for news by itself.
            elif " lua] " not in line and '"XREAD"' not in line and '"ECHO"' not in line:
                self.seen.append(line)


@asynccontextmanager
async def _watch_redis(place: Node) -> AsyncIterator[Watch]:
    reader, writer = await asyncio.open_connection(place.host, place.port)
    writer.write(b"MONITOR\r\n")
    await reader.readline()
    watch = _Monitor(place)
    listening = asyncio.create_task(watch.listen(reader))
    try:
        yield watch
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        writer.close()
