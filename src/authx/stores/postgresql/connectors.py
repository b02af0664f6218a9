"""Where the connections of the PostgreSQL store come from: its own, or the application's pool."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import asyncpg  # type: ignore[import-untyped]

from authx.stores.postgresql.connections import Connection, Connector, Server
from authx.stores.postgresql.errors import transaction_mode
from authx.stores.postgresql.url import PostgreSQLURL

__all__ = ["Borrowed", "Own", "Pool"]

_CLOSE_SECONDS: Final = 1.0
_ACQUIRE_SECONDS: Final = 2.0
# A statement that waits for a lock ends at the server too, not only for us.
_SETTINGS: Final = {"statement_timeout": "2000"}
_PROCESS: Final = "SELECT pg_backend_pid()"


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

    def __init__(self, url: PostgreSQLURL, server: Server, **settings: str) -> None:
        self.where = url.where
        self.server = server
        self._url = url
        self._settings = {"application_name": "authx", **url.settings, **_SETTINGS, **settings}

    async def connect(self) -> Connection:
        """Open one.

        Raises:
            BadConfigurationError: A pooler stands between us and the server, and lends connections for a transaction.
        """
        connection: Any = None
        try:
            async with asyncio.timeout(self._url.connect_seconds):
                connection = await self._open()
                if not self.server.is_known:
                    await _look_for_pooler(self, connection, lambda: self._connect({}))
                if self.server.is_pooled:
                    await connection.execute(_set(self._settings))
        except BaseException:
            if connection is not None:
                connection.terminate()
            raise
        opened: Connection = connection
        return opened

    async def release(self, connection: Any) -> None:
        """Close one."""
        await connection.close(timeout=_CLOSE_SECONDS)

    async def _open(self) -> Any:
        if not self.server.is_pooled:
            startup = dict(self._settings)
            if self._url.options is not None:
                startup["options"] = self._url.options
            try:
                return await self._connect(startup)
            except asyncpg.ProtocolViolationError as error:
                # PgBouncer passes on none but a few of the settings that a connection may begin with.
                if "startup parameter" not in str(error):
                    raise
                self.server.is_pooled = True
        return await self._connect({} if self._url.options is None else {"options": self._url.options})

    async def _connect(self, startup: dict[str, str]) -> Any:
        context = {} if self._url.context is None else {"ssl": self._url.context}
        return await asyncpg.connect(
            self._url.dsn, server_settings=startup, timeout=self._url.connect_seconds, **context
        )


async def _look_for_pooler(connector: Connector, connection: Any, connect: Callable[[], Awaitable[Any]]) -> None:
    """Find out whether there is a pooler, and whether it lends connections for no longer than a transaction.

    A pooler gives its clients process ids of its own. One that lends for a transaction lends the server's process that
    we have just used to the next who asks.
    """
    server = connector.server
    try:
        process = await _process(connection)
    except (asyncpg.ConnectionDoesNotExistError, asyncpg.ProtocolViolationError):
        if not server.is_pooled:
            raise
        # One that lends for a statement ends a connection that begins a transaction.
        raise transaction_mode(connector.where) from None
    if process != connection.get_server_pid() or server.is_pooled:
        server.is_pooled = True
        other = await connect()
        try:
            async with other.transaction():
                lent = await other.fetchval(_PROCESS)
                if lent == process or await _process(connection) != process:
                    raise transaction_mode(connector.where)
        finally:
            other.terminate()
    server.is_known = True


async def _process(connection: Any) -> int:
    # In a transaction, or a pooler could lose the prepared statement between its being made and being used.
    async with connection.transaction():
        process: int = await connection.fetchval(_PROCESS)
        return process


def _set(settings: Mapping[str, str]) -> str:
    """Write the statement that makes settings, whose names have been checked."""
    values = {name: value.replace("'", "''") for name, value in settings.items()}
    return ";".join(f"SELECT set_config('{name}', '{value}', false)" for name, value in values.items())


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
        if not self.server.is_known:
            try:
                async with asyncio.timeout(_ACQUIRE_SECONDS):
                    await _look_for_pooler(self, connection, self._pool.acquire)
            except BaseException:
                connection.terminate()
                raise
        return connection

    async def release(self, connection: Connection) -> None:
        """Give one back."""
        await self._pool.release(connection, timeout=_CLOSE_SECONDS)
