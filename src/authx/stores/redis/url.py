"""Where the store's connections come from: a URL, which is read strictly, or the application's client."""

from collections.abc import Callable
from typing import Final, TypeAlias, cast
from urllib.parse import urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.connection import Connection, parse_url

from authx.exceptions import BadConfigurationError
from authx.stores.redis import connections
from authx.stores.redis.cluster import Cluster
from authx.stores.redis.connections import ConnectionKind, our_options
from authx.stores.redis.wire import BorrowedServer, Server, Wire
from authx.stores.urls import masked_url, options_of, problem_of, shown

__all__ = ["CONNECTIONS", "Client", "borrow", "connect_to"]

Client: TypeAlias = Redis | RedisCluster

# Connections to one server, unless the URL says otherwise.
CONNECTIONS: Final = 32
_OPTIONS: Final = frozenset({"client_name", "db", "max_connections", "password", "socket_keepalive", "username"})
_TLS_OPTIONS: Final = frozenset(
    {"ssl_ca_certs", "ssl_ca_data", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile"}
)


def connect_to(url: str, appends: dict[str, bool]) -> Callable[[], Wire]:
    """Read a URL, and return what connects on the running event loop; `appends` is passed to `Wire`."""
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    base, _, kind = scheme.partition("+")
    where = masked_url(url)
    url = f"{base}://{rest}"
    problem = problem_of(url) or _problem_of(url, cluster=kind == "cluster", tls=base == "rediss")
    if problem is not None:
        raise BadConfigurationError(f"The store URL {where} {problem}")
    options: dict[str, object] = {**parse_url(url)}
    size = cast("int", options.pop("max_connections", CONNECTIONS))
    if kind == "cluster":
        tls = options.pop("connection_class", None) is not None
        options.pop("db", None)
        cluster: Callable[..., RedisCluster] = RedisCluster
        # Twice as many as there are calls: a slot that moved adds calls to a server.
        options.update(our_options(), ssl=tls, socket_timeout=connections.DEADLINE, max_connections=2 * size)
        return lambda: Cluster(cluster(**options), size, where, appends, ours=True)
    connection = cast("ConnectionKind", options.pop("connection_class", Connection))
    options.update(our_options())
    return lambda: Server(lambda: connection(**options), size, where, appends)


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
    """Return what uses the application's own client, as `connect_to` does."""
    where = "of the client that was handed over"
    if isinstance(client, Redis):
        return lambda: BorrowedServer(client, where, appends)
    if isinstance(client, RedisCluster):
        return lambda: Cluster(client, CONNECTIONS, where, appends, ours=False)
    raise BadConfigurationError(
        f"RedisStore(client=) takes a redis.asyncio.Redis or RedisCluster, not {type(client).__qualname__}"
    )
