"""A real PgBouncer for the tests, in front of a PostgreSQL server of theirs; Debian has it as `pgbouncer`."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.support.processes import Port, running
from tests.support.waiting import wait_until

from .postgres_server import PostgreSQL


def binary() -> str:
    """Find it; skip where there is none, but fail where tests must not be skipped."""
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no pgbouncer: apt-get install pgbouncer")
        pytest.skip("there is no pgbouncer on this machine: apt-get install pgbouncer")
    return found


@contextmanager
def a_pgbouncer(server: PostgreSQL, mode: str, **settings: str) -> Iterator[str]:
    """Run one with its default settings but for its mode; give a URL that leads through it."""
    program = binary()
    place = parse_qs(urlsplit(server.url).query)["host"][0]
    port = Port()
    folder = Path(tempfile.mkdtemp(prefix="authx-pgbouncer-"))
    lines = {"pool_mode": mode, "auth_type": "any", "listen_addr": "127.0.0.1", "listen_port": str(port.number)}
    lines |= {"unix_socket_dir": "", "logfile": str(folder / "log")} | settings
    file = folder / "pgbouncer.ini"
    file.write_text(
        f"[databases]\npostgres = host={place} user=postgres\n[pgbouncer]\n"
        + "".join(f"{name} = {value}\n" for name, value in lines.items())
    )
    command = [program, "-q", str(file)]
    if os.geteuid() == 0:
        # It refuses to be root, and the server's socket is its owner's.
        owner = Path(place).owner()
        command[1:1] = ["-u", owner]
        shutil.chown(folder, owner)
        shutil.chown(file, owner)
    try:
        with running(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            wait_until(lambda: _listens(port.number) or process.poll() is not None, "pgbouncer's start")
            assert process.poll() is None, (folder / "log").read_text()
            yield f"postgresql://app:hunter2@127.0.0.1:{port.number}/postgres"
    finally:
        port.close()
        shutil.rmtree(folder)


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
