"""Running scripts on Redis: one retry, deadlines, writes that are waited for, and errors in our words.

What blocks (the feed, waiting for the disk) always has connections of its own, so that nothing else waits behind it.
"""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

from redis import exceptions as errors
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.client import NEVER_DECODE

from authx.stores.redis import connections
from authx.stores.redis.connections import Argument, Command, Connections, Reply, connection_like, is_lost
from authx.stores.redis.errors import DRIVER_ERRORS, part_of_a_cluster, translated
from authx.stores.redis.scripts import Script

__all__ = ["SIDE_CONNECTIONS", "BorrowedServer", "Server", "Wire"]

# Connections to one server on which calls may block.
SIDE_CONNECTIONS: Final = 64
_WAITAOF_MS: Final = 1800
_CLUSTER_MODE: Final = re.compile(r"^(redis|server)_mode:cluster", re.MULTILINE)


class Wire(ABC):
    """A server or a cluster, on the running event loop.

    `where` names it in messages. `appends` holds what is known of each server: whether it writes an append-only file
    that can be waited for. `is_whole` says whether one script may use all keys, of whatever slot.
    """

    is_whole = True

    def __init__(self, where: str, appends: dict[str, bool]) -> None:
        self.where = where
        self._appends = appends

    async def run(
        self,
        script: Script,
        keys: Sequence[str],
        arguments: Sequence[Argument],
        repeated: Sequence[Argument] | None = None,
    ) -> Reply:
        """Run a script on keys of one hash slot; once more, with `repeated`, if the connection was lost."""
        try:
            try:
                return await self._evaluate(script, keys, arguments)
            except errors.ConnectionError as error:
                if not is_lost(error):
                    raise
            return await self._evaluate(script, keys, arguments if repeated is None else repeated)
        except DRIVER_ERRORS as error:
            failure = translated(error, self.where)
        # Outside of the handler: an error of the driver may quote what was sent, so it is not chained.
        raise failure

    async def _evaluate(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> Reply:
        rest = (len(keys), *keys, *arguments)
        try:
            return await self._send(("EVALSHA", script.sha, *rest))
        except errors.NoScriptError:
            return await self._send(("EVAL", script.text, *rest))

    async def wait_for_disk(self, *keys: str) -> None:
        """Wait until all that was written before, in the slots of some keys, is on disk where the servers append.

        The keys are overwritten.
        """
        try:
            await asyncio.gather(*(self._wait_for_disk(*place) for place in (await self._places(keys)).items()))
        except DRIVER_ERRORS as error:
            failure = translated(error, self.where)
        else:
            return
        raise failure

    async def _wait_for_disk(self, server: str, place: tuple[Connections, str]) -> None:
        side, key = place
        if not self._appends.get(server, True):
            return
        # WAITAOF waits for the writes of its own connection, so there has to be one that comes later.
        written, waited = await side.call_twice((("SET", key, "", "PX", 60_000), ("WAITAOF", 1, 0, _WAITAOF_MS)))
        if isinstance(written, Exception):
            raise written
        if isinstance(waited, Exception):
            # It does not append, is too old to say when it has, or does not let us ask.
            self._appends[server] = False
        elif not (isinstance(waited, list) and isinstance(waited[0], int) and waited[0] >= 1):
            raise errors.TimeoutError("the append-only file was not written in time")

    async def block(self, key: str, command: Command, seconds: float) -> Reply:
        """Send a command that may block, on a connection of its own; raises errors of redis-py and `TimeoutError`."""
        ((side, _),) = (await self._places((key,))).values()
        (reply,) = await side.call((command,), seconds)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def inspect(self) -> Mapping[str, str]:
        """Connect, and read what every server says about itself; nothing where it may not be asked."""
        try:
            found = {server: await _info(side) for server, side in (await self._servers()).items()}
        except DRIVER_ERRORS as error:
            failure = translated(error, self.where)
        else:
            for server, info in found.items():
                if self.is_whole and _CLUSTER_MODE.search(info):
                    raise part_of_a_cluster(self.where)
                if "aof_enabled:" in info:
                    self._appends[server] = "aof_enabled:1" in info
            return found
        raise failure

    @abstractmethod
    async def _send(self, command: Command) -> Reply:
        """Send a script to where its first key lives."""

    @abstractmethod
    async def _places(self, keys: Sequence[str]) -> dict[str, tuple[Connections, str]]:
        """Find the servers of some keys: connections for what blocks, and one of the keys, by the server's name."""

    @abstractmethod
    async def _servers(self) -> dict[str, Connections]:
        """Find all servers: connections for what blocks, by the server's name."""

    @abstractmethod
    async def close(self) -> None:
        """Close every connection of ours."""


class Server(Wire):
    """One server, over at most `size` connections of our own, and others for what blocks."""

    def __init__(
        self, connect: Callable[[], AbstractConnection], size: int, where: str, appends: dict[str, bool]
    ) -> None:
        super().__init__(where, appends)
        self._connections = Connections(connect, size)
        self._side = Connections(connect, SIDE_CONNECTIONS)

    async def _send(self, command: Command) -> Reply:
        (reply,) = await self._connections.call((command,))
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def _places(self, keys: Sequence[str]) -> dict[str, tuple[Connections, str]]:
        return {"": (self._side, keys[0])}

    async def _servers(self) -> dict[str, Connections]:
        return {"": self._side}

    async def close(self) -> None:
        """Close every connection."""
        await self._connections.close()
        await self._side.close()


class BorrowedServer(Server):
    """One server, over the application's client."""

    def __init__(self, client: Redis, where: str, appends: dict[str, bool]) -> None:
        pool = client.connection_pool
        super().__init__(lambda: connection_like(pool.connection_class, pool.connection_kwargs), 1, where, appends)
        self._client = client

    async def _send(self, command: Command) -> Reply:
        async with asyncio.timeout(connections.DEADLINE):
            # redis-py leaves this one method untyped.
            reply = await self._client.execute_command(*command, **{NEVER_DECODE: True})  # type: ignore[no-untyped-call]
        return cast("Reply", reply)


async def _info(side: Connections) -> str:
    sections = await side.call_twice([("INFO", section) for section in ("server", "memory", "persistence")])
    return "".join(part.decode("utf-8", "replace") for part in sections if isinstance(part, bytes))
