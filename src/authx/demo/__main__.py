"""Serves the demo: `python -m authx.demo [--host 127.0.0.1] [--port 8000] [--store URL] [--workers N]`."""

import argparse
import asyncio
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from errno import EADDRINUSE
from functools import partial
from typing import Final

from pydantic import ValidationError
from pydantic_settings import SettingsError

from authx.config import AuthXConfig
from authx.demo.app import MEMORY, check_store, create_app, demo_config, is_in_memory
from authx.demo.curl import curl_lines
from authx.demo.place import new_lab_file
from authx.exceptions import BadConfigurationError, StoreUnavailableError
from authx.stores import masked_url

__all__ = ["main"]

_FAILED: Final = 1
_THIS_MACHINE: Final = ("127.0.0.1", "0.0.0.0", "::1", "::", "")  # noqa: S104 - names to show, none to listen on
_HIGHEST_PORT: Final = 65535
_MOST_WORKERS: Final = 64


def main(arguments: Sequence[str] | None = None, name: str = "python -m authx.demo") -> int:
    """Serve the demo until it is told to stop.

    Args:
        arguments: Command line arguments; those of the process by default.
        name: What its users type to start it.

    Returns:
        The exit code.
    """
    options = _parser(name).parse_args(arguments)
    try:
        from authx.demo.server import WorkerEndedError, serve, serve_by_workers
    except ModuleNotFoundError:
        return _fail("the demo needs a server: pip install 'authx-fastapi[demo]'")
    try:
        listener = socket.create_server(
            (options.host, options.port), family=socket.AF_INET6 if ":" in options.host else socket.AF_INET
        )
    except OSError as error:
        return _fail(f"cannot listen on {options.host} port {options.port}: {_reason(error)}")
    with listener, suppress(KeyboardInterrupt):
        address = _address(options.host, listener.getsockname()[1])
        try:
            config = demo_config(options.store)
            if options.workers > 1 and is_in_memory(config):
                return _fail(f"{MEMORY} is one process's own: choose another --store for {options.workers} workers")
            lab_file = new_lab_file(listener.getsockname()[1]) if options.workers > 1 else ":memory:"
            make_app = partial(create_app, config, address=address, lab_file=lab_file)
            app = make_app()
            asyncio.run(check_store(config))
        except (BadConfigurationError, SettingsError, ValidationError) as error:
            return _fail(f"the settings cannot work: {error}")
        except StoreUnavailableError as error:
            return _fail(f"the session store cannot be used: {error}")
        except OSError as error:
            return _fail(f"there is no place for sessions: {error}")
        greeting = _greeting(address, config, options.workers)
        if options.workers == 1:
            serve(app, listener, greeting)
            return 0
        try:
            serve_by_workers(make_app, listener, greeting, options.workers)
        except WorkerEndedError:
            return _fail("a worker ended by itself; the others have been stopped")
    return 0


def _greeting(address: str, config: AuthXConfig, workers: int) -> str:
    by = f", by {workers} processes" if workers > 1 else ""
    return (
        f"authx demo on {address}{by}: open it in a browser (user test, password test; or alice, alice)\n"
        f"Sessions are kept in {masked_url(config.JWT_STORE_URL or MEMORY)}\n\n"
        f"{curl_lines(address)}\nCtrl-C stops it."
    )


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=name, description="Serve the demo application.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=_port, default=8000, help="port to listen on, 0 for any free one (default: %(default)s)"
    )
    parser.add_argument(
        "--store",
        metavar="URL",
        help="session store: sqlite:///file.db, postgresql://…, redis://…, memory:// "
        "(default: JWT_STORE_URL, else an SQLite file in a temporary folder)",
    )
    parser.add_argument("--workers", type=_workers, default=1, help="how many processes serve (default: %(default)s)")
    return parser


def _workers(text: str) -> int:
    workers = int(text)
    if not 1 <= workers <= _MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"{workers} is not between 1 and {_MOST_WORKERS}")
    return workers


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= _HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{port} is not between 0 and {_HIGHEST_PORT}")
    return port


def _address(host: str, port: int) -> str:
    if host in _THIS_MACHINE:
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _reason(error: OSError) -> str:
    if error.errno == EADDRINUSE:
        return "it is taken; choose another with --port"
    return (error.strerror or str(error)).partition(" (while")[0]


def _fail(reason: str) -> int:
    print(f"authx demo: {reason}", file=sys.stderr)
    return _FAILED


if __name__ == "__main__":
    sys.exit(main())
