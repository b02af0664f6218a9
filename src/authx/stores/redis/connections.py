"""Connections to one Redis server that are held: redis-py's own, without its pool, which costs as much as a call."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias, cast

from redis import exceptions as errors
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

__all__ = [
    "Argument",
    "Command",
    "ConnectionKind",
    "Connections",
    "Outcome",
    "Reply",
    "connection_like",
    "is_lost",
    "our_options",
]

Argument: TypeAlias = str | bytes | int
Command: TypeAlias = Sequence[Argument]
Reply: TypeAlias = "bytes | int | list[Reply] | None"
Outcome: TypeAlias = "bytes | int | list[Reply] | Exception | None"
# Options come from a URL or from a pool, by name: redis-py checks them, a type checker cannot.
ConnectionKind: TypeAlias = Callable[..., AbstractConnection]

# Seconds within which a call answers or fails: requests must not pile up behind a server that is gone.
DEADLINE: Final = 2.0
CONNECT_SECONDS: Final = 1.0


class Connections:
    """At most `size` connections, each of which carries one call at a time; `connect` makes one, not opened yet."""

    def __init__(self, connect: Callable[[], AbstractConnection], size: int) -> None:
        self._connect = connect
        self._idle: list[AbstractConnection] = []
        self._turns = asyncio.Semaphore(size)
        self._is_closed = False

    async def call(self, commands: Sequence[Command], seconds: float | None = None) -> list[Outcome]:
        """Send commands on one connection, and read a reply for each within a time; a refusal is one of them."""
        async with asyncio.timeout(DEADLINE if seconds is None else seconds), self._turns:
            if self._is_closed:
                raise errors.ConnectionError("The store was closed")
            connection = self._idle.pop() if self._idle else self._connect()
            works = False
            try:
                await connection.send_packed_command(b"".join(map(_packed, commands)))
                replies = [await _read(connection) for _ in commands]
                # A server that became a replica: its name may lead to the new primary by now.
                works = not any(isinstance(reply, errors.ReadOnlyError) for reply in replies)
            except (errors.ConnectionError, errors.TimeoutError):
                # When one connection is lost, most of the others are.
                await self._drop()
                raise
            finally:
                if self._is_closed or not works:
                    await connection.disconnect(nowait=True)
                self._idle.append(connection)
            return replies

    async def call_twice(self, commands: Sequence[Command]) -> list[Outcome]:
        """Send commands, once more if the connection was lost."""
        try:
            return await self.call(commands)
        except errors.ConnectionError as error:
            if not is_lost(error):
                raise
        return await self.call(commands)

    async def close(self) -> None:
        """Close the connections; one that carries a call is closed when it has answered."""
        self._is_closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.disconnect()

    async def _drop(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.disconnect(nowait=True)


def is_lost(error: errors.ConnectionError) -> bool:
    """Return whether a connection went away: only this class means that, its subclasses are refusals."""
    return type(error) is errors.ConnectionError


def our_options() -> dict[str, object]:
    """Return the options of every connection of ours."""
    # No timeout of a single read or write: a deadline stands over the whole call, and costs less.
    return {
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": None,
        "socket_connect_timeout": CONNECT_SECONDS,
    }


def connection_like(kind: ConnectionKind, options: Mapping[str, object]) -> AbstractConnection:
    """Make a connection to where those of a pool go."""
    # The pool's handlers of maintenance notices belong to the connections it keeps itself.
    plain = {name: value for name, value in options.items() if "maint" not in name and not name.startswith("orig_")}
    return kind(**{**plain, **our_options()})


def _packed(command: Command) -> bytes:
    # As redis-py packs, in a third of the time.
    parts = [b"*%d\r\n" % len(command)]
    for argument in command:
        encoded = argument if type(argument) is bytes else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(encoded), encoded))
    return b"".join(parts)


async def _read(connection: AbstractConnection) -> Outcome:
    try:
        return cast("Reply", await connection.read_response(disable_decoding=True))
    except errors.ResponseError as error:
        return error
