"""Serves the demo: `python -m authx.demo [--host 127.0.0.1] [--port 8000] [--store URL] [--workers N]`."""

import argparse
import asyncio
import signal
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
from authx.demo.place import lab_file
from authx.exceptions import BadConfigurationError, StoreUnavailableError
from authx.stores import masked_url

__all__ = ["main"]

_FAILED: Final = 1
_ONLY_HERE: Final = ("127.0.0.1", "localhost", "::1")
_THIS_MACHINE: Final = (*_ONLY_HERE, "0.0.0.0", "::", "")  # noqa: S104 - names to show, none to listen on
_HIGHEST_PORT: Final = 65535
_MOST_WORKERS: Final = 64


def main(arguments: Sequence[str] | None = None, name: str = "python -m authx.demo") -> int:
    """Serve the demo until it is stopped, and return the exit code."""
    options = _parser(name).parse_args(arguments)
    try:
        from authx.demo.server import TerminatedError, WorkerEndedError, serve, serve_by_workers
    except ModuleNotFoundError:
        return _fail("the demo needs a server: pip install 'authx-fastapi[demo]'")
    try:
        listener = socket.create_server(
            (options.host, options.port), family=socket.AF_INET6 if ":" in options.host else socket.AF_INET
        )
    except OSError as error:
        return _fail(f"cannot listen on {options.host} port {options.port}: {_reason(error)}")
    with listener, suppress(KeyboardInterrupt):
        port = listener.getsockname()[1]
        try:
            config = demo_config(options.store)
            if options.workers > 1 and is_in_memory(config):
                return _fail(f"{MEMORY} is one process's own: choose another --store for {options.workers} workers")
            make_app = partial(create_app, config, address=_address(options.host, port))
            app = make_app()
            asyncio.run(check_store(config))
        except (BadConfigurationError, SettingsError, ValidationError) as error:
            return _fail(f"the settings cannot work: {error}")
        except StoreUnavailableError as error:
            return _fail(f"the session store cannot be used: {error}")
        except OSError as error:
            return _fail(f"there is no place for sessions: {error}")
        greeting = _greeting(options.host, port, config, options.workers)
        if options.workers == 1:
            serve(app, listener, greeting)
            return 0
        try:
            with lab_file(port) as path:
                serve_by_workers(partial(make_app, lab_file=path), listener, greeting, options.workers)
        except WorkerEndedError:
            return _fail("a worker ended by itself; the others have been stopped")
        except TerminatedError:
            signal.raise_signal(signal.SIGTERM)
    return 0


def _greeting(host: str, port: int, config: AuthXConfig, workers: int) -> str:
    address = _address(host, port)
    by = f", by {workers} processes" if workers > 1 else ""
    warning = (
        "" if host in _ONLY_HERE else "Others can reach it too: they know the passwords, and can stop the store.\n"
    )
    return (
        f"authx demo on {address}{by}: open it in a browser (user test, password test; or alice, alice)\n"
        f"Sessions are kept in {masked_url(config.JWT_STORE_URL or MEMORY)}\n{warning}\n"
        f"{curl_lines(address)}\nCtrl-C stops it."
    )


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=name, description="Serve the demo application.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port",
        type=partial(_number, least=0, most=_HIGHEST_PORT),
        default=8000,
        help="port to listen on, 0 for any free one (default: %(default)s)",
    )
    parser.add_argument(
        "--store",
        metavar="URL",
        help="session store: sqlite:///file.db, postgresql://…, redis://…, memory:// "
        "(default: JWT_STORE_URL, else an SQLite file in a temporary folder)",
    )
    parser.add_argument(
        "--workers",
        type=partial(_number, least=1, most=_MOST_WORKERS),
        default=1,
        help="how many processes serve (default: %(default)s)",
    )
    return parser


def _number(text: str, *, least: int, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"{text!r} is no number between {least} and {most}")
    return int(text)


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
