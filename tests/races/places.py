"""Where the sessions are: a file, or a real server that can be stopped and started again."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stores.postgres_server import PostgreSQL, a_postgres
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


Server = PostgreSQL | Node
Place = File | Server


@contextmanager
def a_place(kind: str) -> Iterator[Place]:
    """Have a place for sessions of a kind for as long as the context lasts."""
    if kind == "postgresql":
        with a_postgres() as server:
            yield server
    elif kind == "redis":
        with a_node("--appendonly", "yes", "--maxmemory-policy", "noeviction") as node:
            yield node
    else:
        with tempfile.TemporaryDirectory(prefix="authx-sqlite-") as folder:
            yield File(Path(folder) / "auth.db")
