"""A Redis cluster, by a redis-py client that follows its slots."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import cast

from redis import exceptions as errors
from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.client import NEVER_DECODE

from authx.stores.redis.connections import Command, Connections, Reply, connection_like
from authx.stores.redis.wire import SIDE_CONNECTIONS, Wire

__all__ = ["Cluster"]


class Cluster(Wire):
    """A cluster, by a client that is `ours` to close or not; at most `size` calls to each server at a time."""

    is_whole = False

    def __init__(self, client: RedisCluster, size: int, where: str, appends: dict[str, bool], *, ours: bool) -> None:
        super().__init__(where, appends)
        self._client = client
        self._ours = ours
        # redis-py refuses what exceeds its connections to a server, so no more than that may come.
        self._turns: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(size))
        self._sides: dict[str, Connections] = {}

    async def _send(self, command: Command) -> Reply:
        # The client follows slots that move, and looks for another server when one is gone. It has to see that for
        # itself, so no deadline stands over it but its own.
        async with self._turns[self._server_of(str(command[3]))]:
            try:
                return cast("Reply", await self._client.execute_command(*command, **{NEVER_DECODE: True}))
            except AttributeError:
                # redis-py looks for the socket of a connection that another of its calls has just closed.
                raise errors.ConnectionError("the connection was closed") from None

    def _server_of(self, key: str) -> str:
        try:
            node = self._client.get_node_from_key(key)
        except errors.SlotNotCoveredError:
            node = None
        return "" if node is None else node.name

    async def _places(self, keys: Sequence[str]) -> dict[str, tuple[Connections, str]]:
        servers = await self._servers()
        found: dict[str, tuple[Connections, str]] = {}
        for key in keys:
            node = self._client.get_node_from_key(key)
            if node is None or node.name not in servers:
                raise errors.ClusterDownError("no server has the slot")
            found.setdefault(node.name, (servers[node.name], key))
        return found

    async def _servers(self) -> dict[str, Connections]:
        await self._client.initialize()
        nodes = {node.name: node for node in self._client.get_primaries()}
        for name in self._sides.keys() - nodes.keys():
            await self._sides.pop(name).close()
        for name in nodes.keys() - self._sides.keys():
            self._sides[name] = _side_of(nodes[name])
        return self._sides

    async def close(self) -> None:
        """Close every connection of ours."""
        for side in self._sides.values():
            await side.close()
        if self._ours:
            await self._client.aclose()
            # It keeps its connections where it was about to look for the servers again.
            for nodes in ("nodes_cache", "startup_nodes"):
                await self._client.nodes_manager.aclose(nodes)


def _side_of(node: ClusterNode) -> Connections:
    return Connections(lambda: connection_like(node.connection_class, node.connection_kwargs), SIDE_CONNECTIONS)
