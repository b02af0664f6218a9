"""Talking to Redis for the store: connections, scripts, one retry, deadlines, and errors in our words.

Calls to a server of our own go over connections that this module holds: redis-py's protocol and
connection, without its pool, whose bookkeeping costs as much as the call. A cluster, and a client that
the application hands over, are asked through their redis-py client. What blocks (the feed, waiting for
the disk) always has connections of its own, so that nothing else waits behind it.
"""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Final, TypeAlias, cast
from urllib.parse import urlsplit

from redis import exceptions as errors
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.client import NEVER_DECODE

from authx.exceptions import AuthXException, BadConfigurationError, StoreUnavailableError
from authx.stores.urls import masked_url, options_of, problem_of, shown

__all__ = ["Argument", "Client", "Reply", "Script", "UnreadableRowError", "Wire", "borrow", "connect_to"]

Argument: TypeAlias = str | bytes | int
Command: TypeAlias = Sequence[Argument]
Reply: TypeAlias = "bytes | int | list[Reply] | None"
Outcome: TypeAlias = "bytes | int | list[Reply] | Exception | None"
Client: TypeAlias = Redis | RedisCluster
Connect: TypeAlias = Callable[[], AbstractConnection]
# Options come from a URL or from a pool, by name: redis-py checks them, a type checker cannot.
ConnectionKind: TypeAlias = Callable[..., AbstractConnection]

# Seconds within which a call answers or fails: requests must not pile up behind a server that is gone.
DEADLINE: Final = 2.0
_CONNECT_TIMEOUT: Final = 1.0
_WAITAOF_MS: Final = 1800
# Connections to one server of our own, and those on which calls may block.
_LANES: Final = 32
_SIDE_LANES: Final = 64

_OPTIONS: Final = frozenset({"client_name", "db", "max_connections", "password", "socket_keepalive", "username"})
_TLS_OPTIONS: Final = frozenset(
    {"ssl_ca_certs", "ssl_ca_data", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile"}
)
# The code of an error reply that passes by itself, wherever an old server puts it in the text.
_PASSING: Final = re.compile(r"\b(BUSY|LOADING|MASTERDOWN|MISCONF|NOREPLICAS|OOM|READONLY|TRYAGAIN|UNBLOCKED)\b")


_CLUSTER_MODE: Final = re.compile(r"^(redis|server)_mode:cluster", re.MULTILINE)
# A cluster's replies that say: not here, or not now.
_MOVING: Final = (errors.AskError, errors.ClusterDownError, errors.TryAgainError)


class UnreadableRowError(Exception):
    """A script met a row that makes no sense. It never leaves the store."""


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script.

    Attributes:
        text: Its source.
        sha: The name the server knows it by.
    """

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        # SHA-1 is what EVALSHA is made of, not a protection of anything.
        object.__setattr__(self, "sha", sha1(self.text.encode(), usedforsecurity=False).hexdigest())


class Lanes:
    """Connections to one server, each of which carries one call at a time.

    Args:
        connect: Makes a connection that is not opened yet.
        size: How many at most; further calls wait their turn.
    """

    def __init__(self, connect: Connect, size: int) -> None:
        self._connect = connect
        self._idle: list[AbstractConnection] = []
        self._turns = asyncio.Semaphore(size)
        self._closed = False

    async def call(self, commands: Sequence[Command], deadline: float = DEADLINE) -> list[Outcome]:
        """Send commands on one connection and read their replies.

        Args:
            commands: What to send, in one go.
            deadline: Seconds after which to give up, the wait for a connection included.

        Returns:
            A reply for each; a command that the server refuses has its `ResponseError` there.

        Raises:
            TimeoutError: There was no answer in time.
            errors.RedisError: The connection failed, or was refused.
        """
        async with asyncio.timeout(deadline), self._turns:
            if self._closed:
                raise errors.ConnectionError("The store was closed")
            lane = self._idle.pop() if self._idle else self._connect()
            whole = False
            try:
                await lane.send_packed_command(b"".join(map(_packed, commands)))
                replies = [await _reply_on(lane) for _ in commands]
                # A server that became a replica: its name may lead to the new primary by now.
                whole = not any(isinstance(reply, errors.ReadOnlyError) for reply in replies)
            except (errors.ConnectionError, errors.TimeoutError):
                # When one connection is lost, most of the others are.
                await self.drop()
                raise
            finally:
                if self._closed or not whole:
                    await lane.disconnect(nowait=True)
                self._idle.append(lane)
            return replies

    async def drop(self) -> None:
        """Let go of the connections that carry no call now."""
        idle, self._idle = self._idle, []
        for lane in idle:
            await lane.disconnect(nowait=True)

    async def close(self) -> None:
        """Let go of the connections; one that carries a call goes when it has answered."""
        self._closed = True
        idle, self._idle = self._idle, []
        for lane in idle:
            await lane.disconnect()


def _packed(command: Command) -> bytes:
    # As redis-py packs, in a third of the time.
    parts = [b"*%d\r\n" % len(command)]
    for argument in command:
        encoded = argument if type(argument) is bytes else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(encoded), encoded))
    return b"".join(parts)


async def _reply_on(lane: AbstractConnection) -> Outcome:
    try:
        return cast("Reply", await lane.read_response(disable_decoding=True))
    except errors.ResponseError as error:
        return error


def _is_lost(error: errors.ConnectionError) -> bool:
    # Only this class means that the connection went away; its subclasses are refusals.
    return type(error) is errors.ConnectionError


async def _twice(lanes: Lanes, commands: Sequence[Command]) -> list[Outcome]:
    try:
        return await lanes.call(commands)
    except errors.ConnectionError as error:
        if not _is_lost(error):
            raise
    return await lanes.call(commands)


class Wire(ABC):
    """A server or a cluster, on the running event loop.

    Args:
        where: What messages call it.
        appends: What is known of each server: whether it writes an append-only file that can be waited for.

    Attributes:
        whole: Whether one script may use all keys, of whatever slot.
    """

    whole = True

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
        """Run a script; once more if the connection was lost.

        Args:
            script: The script.
            keys: Its keys, all in one hash slot.
            arguments: Its arguments.
            repeated: Its arguments the second time, where they differ.

        Returns:
            Its answer.

        Raises:
            StoreUnavailableError: No answer in time, or one that says to come again.
            BadConfigurationError: The server refuses us.
            UnreadableRowError: A row makes no sense.
        """
        try:
            try:
                return await self._evaluate(script, keys, arguments)
            except errors.ConnectionError as error:
                if not _is_lost(error):
                    raise
            return await self._evaluate(script, keys, arguments if repeated is None else repeated)
        except (errors.RedisError, errors.RedisClusterException, TimeoutError, OSError) as error:
            failure = translated(error, self.where)
        # Outside of the handler: an error of the driver may quote what was sent, so it is not chained.
        raise failure

    async def _evaluate(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> Reply:
        rest = (len(keys), *keys, *arguments)
        try:
            return await self._send(("EVALSHA", script.sha, *rest))
        except errors.NoScriptError:
            return await self._send(("EVAL", script.text, *rest))

    async def settle(self, *keys: str) -> None:
        """Wait until what was written before is on the disk of the servers of some keys, where they append.

        Args:
            *keys: Keys that may be overwritten, each in a slot that was written to.

        Raises:
            StoreUnavailableError: It is not on the disk in time.
            BadConfigurationError: A server refuses us.
        """
        try:
            await asyncio.gather(*(self._settle(*place) for place in (await self._places(keys)).items()))
        except (errors.RedisError, errors.RedisClusterException, TimeoutError, OSError) as error:
            failure = translated(error, self.where)
        else:
            return
        raise failure

    async def _settle(self, server: str, place: tuple[Lanes, str]) -> None:
        lanes, key = place
        if not self._appends.get(server, True):
            return
        # WAITAOF waits for the writes of its own connection, so there has to be one that comes later.
        written, waited = await _twice(lanes, (("SET", key, "", "PX", 60_000), ("WAITAOF", 1, 0, _WAITAOF_MS)))
        if isinstance(written, Exception):
            raise written
        if isinstance(waited, Exception):
            # It does not append, is too old to say when it has, or does not let us ask.
            self._appends[server] = False
        elif not (isinstance(waited, list) and isinstance(waited[0], int) and waited[0] >= 1):
            raise errors.TimeoutError("the append-only file was not written in time")

    async def block(self, key: str, command: Command, deadline: float) -> Reply:
        """Send a command that may block, on a connection of its own.

        Args:
            key: A key of it.
            command: The command.
            deadline: Seconds after which the connection counts as lost.

        Returns:
            Its reply.

        Raises:
            errors.RedisError: The connection failed, or the command was refused.
            TimeoutError: There was no reply in time.
        """
        ((lanes, _),) = (await self._places((key,))).values()
        (reply,) = await lanes.call((command,), deadline)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def inspect(self) -> Mapping[str, str]:
        """Connect, and read what every server says about itself.

        Returns:
            For each server, what INFO answers; empty where it may not be asked.

        Raises:
            StoreUnavailableError: A server cannot be reached.
            BadConfigurationError: A server refuses us.
        """
        try:
            found = {server: await self._info(lanes) for server, lanes in (await self._servers()).items()}
        except (errors.RedisError, errors.RedisClusterException, TimeoutError, OSError) as error:
            failure = translated(error, self.where)
        else:
            for server, info in found.items():
                if self.whole and _CLUSTER_MODE.search(info):
                    raise _part_of_a_cluster(self.where)
                if "aof_enabled:" in info:
                    self._appends[server] = "aof_enabled:1" in info
            return found
        raise failure

    async def _info(self, lanes: Lanes) -> str:
        sections = await _twice(lanes, [("INFO", section) for section in ("server", "memory", "persistence")])
        return "".join(part.decode("utf-8", "replace") for part in sections if isinstance(part, bytes))

    @abstractmethod
    async def _send(self, command: Command) -> Reply:
        """Send a script to where its first key lives."""

    @abstractmethod
    async def _places(self, keys: Sequence[str]) -> dict[str, tuple[Lanes, str]]:
        """Find the servers of some keys: lanes for what blocks, and one of the keys, by the server's name."""

    @abstractmethod
    async def _servers(self) -> dict[str, Lanes]:
        """Find all servers: lanes for what blocks, by the server's name."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of every connection of ours."""


class _Server(Wire):
    """One server, by connections of our own."""

    def __init__(self, connect: Connect, size: int, where: str, appends: dict[str, bool]) -> None:
        super().__init__(where, appends)
        self._lanes = Lanes(connect, size)
        self._side = Lanes(connect, _SIDE_LANES)

    async def _send(self, command: Command) -> Reply:
        (reply,) = await self._lanes.call((command,))
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def _places(self, keys: Sequence[str]) -> dict[str, tuple[Lanes, str]]:
        return {"": (self._side, keys[0])}

    async def _servers(self) -> dict[str, Lanes]:
        return {"": self._side}

    async def close(self) -> None:
        await self._lanes.close()
        await self._side.close()


class _Borrowed(_Server):
    """One server, by the application's client."""

    def __init__(self, client: Redis, where: str, appends: dict[str, bool]) -> None:
        pool = client.connection_pool
        super().__init__(lambda: _connection_like(pool.connection_class, pool.connection_kwargs), 1, where, appends)
        self._client = client

    async def _send(self, command: Command) -> Reply:
        async with asyncio.timeout(DEADLINE):
            # redis-py leaves this one method untyped.
            reply = await self._client.execute_command(*command, **{NEVER_DECODE: True})  # type: ignore[no-untyped-call]
        return cast("Reply", reply)


class _Cluster(Wire):
    """A cluster, by a redis-py client that follows its slots."""

    whole = False

    def __init__(self, client: RedisCluster, size: int, where: str, appends: dict[str, bool], *, ours: bool) -> None:
        super().__init__(where, appends)
        self._client = client
        self._size = size
        self._ours = ours
        # redis-py refuses what exceeds its connections to a node, so no more than that may come.
        self._turns = asyncio.Semaphore(_SIDE_LANES)
        self._lanes: dict[str, Lanes] = {}
        self._sides: dict[str, Lanes] = {}
        # Whether the client knows where the slots are, as far as can be told.
        self._steady = False

    async def _send(self, command: Command) -> Reply:
        if self._steady:
            reply = await self._send_directly(command)
            if not isinstance(reply, _MOVING):
                if isinstance(reply, Exception):
                    raise reply
                return reply
            self._steady = False
        # The client follows slots that move, and looks for another server when one is gone. It has to see that
        # for itself, so no deadline stands over it but its own.
        async with self._turns:
            try:
                found = cast("Reply", await self._client.execute_command(*command, **{NEVER_DECODE: True}))
            except AttributeError:
                # redis-py looks for the socket of a connection that another of its calls has just closed.
                raise errors.ConnectionError("the connection was closed") from None
        self._steady = self._ours
        return found

    async def _send_directly(self, command: Command) -> Outcome:
        try:
            node = self._client.get_node_from_key(str(command[3]))
            if node is None:
                return errors.TryAgainError()
            lanes = self._lanes.get(node.name)
            if lanes is None:
                lanes = self._lanes[node.name] = _lanes_to(node, self._size)
            (reply,) = await lanes.call((command,))
        except (errors.RedisError, errors.RedisClusterException, TimeoutError, OSError):
            self._steady = False
            raise
        return reply

    async def _places(self, keys: Sequence[str]) -> dict[str, tuple[Lanes, str]]:
        servers = await self._servers()
        found: dict[str, tuple[Lanes, str]] = {}
        for key in keys:
            node = self._client.get_node_from_key(key)
            if node is None or node.name not in servers:
                raise errors.ClusterDownError("no server has the slot")
            found.setdefault(node.name, (servers[node.name], key))
        return found

    async def _servers(self) -> dict[str, Lanes]:
        await self._client.initialize()
        nodes = {node.name: node for node in self._client.get_primaries()}
        for places in (self._sides, self._lanes):
            for name in places.keys() - nodes.keys():
                await places.pop(name).close()
        for name, node in nodes.items():
            if name not in self._sides:
                self._sides[name] = _lanes_to(node, _SIDE_LANES)
        return self._sides

    async def close(self) -> None:
        for lanes in (*self._sides.values(), *self._lanes.values()):
            await lanes.close()
        if self._ours:
            await self._client.aclose()
            # It keeps its connections where it was about to look for the servers again.
            for nodes in ("nodes_cache", "startup_nodes"):
                await self._client.nodes_manager.aclose(nodes)


def _lanes_to(node: ClusterNode, size: int) -> Lanes:
    return Lanes(lambda: _connection_like(node.connection_class, node.connection_kwargs), size)


def _connection_like(kind: ConnectionKind, options: Mapping[str, object]) -> AbstractConnection:
    # The pool's handlers of maintenance notices belong to the connections it keeps itself.
    plain = {name: value for name, value in options.items() if "maint" not in name and not name.startswith("orig_")}
    return kind(**{**plain, **_ours()})


def _ours() -> dict[str, object]:
    # No timeout of a single read or write: a deadline stands over the whole call, and costs less.
    return {
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": None,
        "socket_connect_timeout": _CONNECT_TIMEOUT,
    }


def connect_to(url: str, appends: dict[str, bool]) -> Callable[[], Wire]:
    """Read a URL.

    Args:
        url: `redis://`, `rediss://`, `redis+cluster://` or `rediss+cluster://`.
        appends: Passed to `Wire`.

    Returns:
        What makes the wire, on the running event loop.

    Raises:
        BadConfigurationError: The URL makes no sense.
    """
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    base, _, kind = scheme.partition("+")
    where = masked_url(url)
    _check(f"{base}://{rest}", cluster=kind == "cluster", tls=base == "rediss", where=where)
    options: dict[str, object] = {**parse_url(f"{base}://{rest}")}
    size = cast("int", options.pop("max_connections", _LANES))
    if kind == "cluster":
        tls = options.pop("connection_class", None) is not None
        options.pop("db", None)
        cluster: Callable[..., RedisCluster] = RedisCluster
        options.update(_ours(), ssl=tls, socket_timeout=DEADLINE, max_connections=2 * _SIDE_LANES)
        return lambda: _Cluster(cluster(**options), size, where, appends, ours=True)
    connection = cast("ConnectionKind", options.pop("connection_class", Connection))
    options.update(_ours())
    return lambda: _Server(lambda: connection(**options), size, where, appends)


def _check(url: str, *, cluster: bool, tls: bool, where: str) -> None:
    """Look at all that can be wrong with a URL.

    Raises:
        BadConfigurationError: Something is; no value is in the message.
    """
    problem = problem_of(url) or _problem_of(url, cluster=cluster, tls=tls)
    if problem is not None:
        raise BadConfigurationError(f"The store URL {where} {problem}")


def _problem_of(url: str, *, cluster: bool, tls: bool) -> str | None:
    parts = urlsplit(url)
    path = parts.path.strip("/")
    if path and not (path.isascii() and path.isdigit()):
        return "must end in the number of a database, or in nothing"
    if not parts.hostname or "," in parts.netloc.rpartition("@")[2]:
        return "must name one server"
    options = options_of(url)
    known = _OPTIONS | _TLS_OPTIONS if tls else _OPTIONS
    before: dict[str, str] = {}
    for name, value in options.items():
        if name not in known:
            return f"has {shown(name, before)}; known are {', '.join(sorted(known))}"
        before[name] = value
    if cluster and (path not in {"", "0"} or options.get("db", "0") != "0"):
        return "names a database; a cluster has only number 0"
    if options.get("ssl_cert_reqs", "required") not in {"none", "optional", "required"}:
        return "has an ssl_cert_reqs that is none of none, optional, required"
    size = options.get("max_connections", "1")
    if not (size.isascii() and size.isdigit()) or int(size) == 0:
        return "has a max_connections that is no positive number"
    try:
        parse_url(url)
    except ValueError:
        return "has an option whose value cannot be read"
    return None


def borrow(client: Client, appends: dict[str, bool]) -> Callable[[], Wire]:
    """Use the application's own client.

    Args:
        client: It.
        appends: Passed to `Wire`.

    Returns:
        What makes the wire, on the running event loop.

    Raises:
        BadConfigurationError: It is no client for asyncio.
    """
    where = "of the client that was handed over"
    if isinstance(client, Redis):
        return lambda: _Borrowed(client, where, appends)
    if isinstance(client, RedisCluster):
        return lambda: _Cluster(client, _LANES, where, appends, ours=False)
    raise BadConfigurationError(
        f"RedisStore(client=) takes a redis.asyncio.Redis or RedisCluster, not {type(client).__qualname__}"
    )


def translated(error: Exception, where: str) -> AuthXException | UnreadableRowError:
    """Say what went wrong, without a word of what was sent.

    Args:
        error: What the driver raised.
        where: What to call the server.

    Returns:
        `StoreUnavailableError` where it may pass by itself, else what has to be changed.
    """
    cause = error.__cause__
    if isinstance(error, errors.RedisClusterException) and isinstance(cause, Exception):
        # What went wrong with the last server that the client tried.
        error = cause
    if isinstance(error, errors.AuthenticationError | errors.AuthorizationError):
        return _not_let_in(where)
    if isinstance(error, errors.NoPermissionError):
        return BadConfigurationError(
            f"The Redis server {where} does not permit what the store needs: scripts, hashes, sorted sets and "
            "streams, on keys that begin with JWT_STORE_PREFIX"
        )
    if isinstance(error, errors.MovedError | errors.ClusterCrossSlotError):
        return _part_of_a_cluster(where)
    if isinstance(error, errors.RedisClusterException) and "mode is not enabled" in str(error):
        return BadConfigurationError(f"The Redis server {where} is no cluster: use redis://")
    if isinstance(error, errors.InvalidResponse | errors.DataError):
        return BadConfigurationError(f"what answers at {where} does not speak Redis's protocol")
    if isinstance(error, errors.ResponseError) and not isinstance(error, _PASSING_ERRORS):
        return _refusal(str(error), where)
    return StoreUnavailableError(f"The Redis server {where} is not available ({_reason(error)})")


def _not_let_in(where: str) -> BadConfigurationError:
    return BadConfigurationError(f"The Redis server {where} refuses the user name or password")


def _part_of_a_cluster(where: str) -> BadConfigurationError:
    return BadConfigurationError(f"The Redis server {where} is part of a cluster: use redis+cluster://")


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError | errors.TimeoutError):
        return "no answer in time"
    # What the operating system or TLS said, where it was one of them: nothing that was sent is in it.
    origin = error.__context__
    return origin.strerror if isinstance(origin, OSError) and origin.strerror else type(error).__name__


_PASSING_ERRORS: Final = (
    errors.AskError,
    errors.ClusterDownError,
    errors.OutOfMemoryError,
    errors.ReadOnlyError,
    errors.TryAgainError,
)


def _refusal(text: str, where: str) -> AuthXException | UnreadableRowError:
    # The text is never shown: a refused command is quoted in it, and HELLO holds the password.
    if "AUTHXROW" in text:
        return UnreadableRowError()
    passing = _PASSING.search(text)
    if passing is not None:
        return StoreUnavailableError(f"The Redis server {where} is not available ({passing[0]})")
    if "unauthenticated" in text:
        # A command that is too long to be accepted from just anybody.
        return _not_let_in(where)
    if "WRONGTYPE" in text:
        return BadConfigurationError(
            f"The Redis server {where} has keys of another kind under the store's names: set JWT_STORE_PREFIX"
        )
    if "unknown command" in text.lower():
        return BadConfigurationError(f"The Redis server {where} lacks a command that the store needs")
    if "invalid DB index" in text or "DB index is out of range" in text:
        return BadConfigurationError(f"The Redis server {where} has no database of that number")
    return BadConfigurationError(f"The Redis server {where} refuses what the store asks of it")
