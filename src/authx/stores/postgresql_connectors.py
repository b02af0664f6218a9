"""Where the connections of the PostgreSQL store come from: its own, or the application's pool."""

from typing import Any, Final, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg  # type: ignore[import-untyped]

from authx.exceptions import BadConfigurationError
from authx.stores import masked_url
from authx.stores.postgresql_lanes import Connection, Server

__all__ = ["Borrowed", "Own", "Pool", "lanes_of"]

_CONNECT_SECONDS: Final = 3.0
_CLOSE_SECONDS: Final = 1.0
_ACQUIRE_SECONDS: Final = 2.0
# A statement that waits for a lock ends at the server too, not only for us.
_SETTINGS: Final = {"statement_timeout": "2000"}
_MOST_LANES: Final = 100


class Pool(Protocol):
    """A pool of asyncpg, as far as it is used here."""

    async def acquire(self, *, timeout: float | None = None) -> Any: ...  # noqa: ASYNC109, D102
    async def release(self, connection: Any, *, timeout: float | None = None) -> None: ...  # noqa: ASYNC109, D102
    def get_max_size(self) -> int: ...  # noqa: D102
    def is_closing(self) -> bool: ...  # noqa: D102


class Own:
    """Connections that the store opens and closes itself.

    Args:
        url: Where the server is.
        server: What is known of it.
        **settings: Settings of the session; the URL's own come second.
    """

    def __init__(self, url: str, server: Server, **settings: str) -> None:
        self.where = masked_url(url)
        self.server = server
        self._url = url
        self._settings = _SETTINGS | settings
        if "application_name=" not in url:
            self._settings["application_name"] = "authx"

    async def connect(self) -> Connection:
        """Open one."""
        connection: Connection = await asyncpg.connect(
            self._url, timeout=_CONNECT_SECONDS, server_settings=self._settings
        )
        return connection

    async def release(self, connection: Any) -> None:
        """Close one."""
        await connection.close(timeout=_CLOSE_SECONDS)


class Borrowed:
    """Connections of the application's pool.

    Args:
        pool: The pool.
    """

    where = "the PostgreSQL server of the pool"

    def __init__(self, pool: Pool) -> None:
        self.server = Server()
        self._pool = pool

    async def connect(self) -> Connection:
        """Borrow one."""
        connection: Connection = await self._pool.acquire(timeout=_ACQUIRE_SECONDS)
        return connection

    async def release(self, connection: Connection) -> None:
        """Give one back."""
        await self._pool.release(connection, timeout=_CLOSE_SECONDS)


def lanes_of(url: str) -> tuple[str, int | None]:
    """Take `lanes=…` out of a URL: the rest is asyncpg's.

    Args:
        url: The URL.

    Returns:
        The URL without it, and how many lanes it asks for.

    Raises:
        BadConfigurationError: It asks for something else than a number from 1 to 100, or cannot be read.
    """
    try:
        parts = urlsplit(url)
        asked = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        raise BadConfigurationError(f"the store URL {masked_url(url)} cannot be read; check its parts") from None
    lanes = [value for name, value in asked if name == "lanes"]
    if not lanes:
        return url, None
    if not (len(lanes) == 1 and lanes[0].isascii() and lanes[0].isdecimal() and 1 <= int(lanes[0]) <= _MOST_LANES):
        raise BadConfigurationError(
            f"the store URL {masked_url(url)} has to say lanes= once, with a number from 1 to {_MOST_LANES}"
        )
    rest = urlencode([(name, value) for name, value in asked if name != "lanes"])
    return urlunsplit(parts._replace(query=rest)), int(lanes[0])
