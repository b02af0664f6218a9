"""Serves the demo: `python -m authx.demo [--host 127.0.0.1] [--port 8000]`."""

import argparse
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from errno import EADDRINUSE
from typing import Final

from pydantic import ValidationError
from pydantic_settings import SettingsError

from authx.demo.app import create_app
from authx.demo.curl import curl_lines
from authx.exceptions import BadConfigurationError

__all__ = ["main"]

_FAILED: Final = 1
_THIS_MACHINE: Final = ("127.0.0.1", "0.0.0.0", "::1", "::", "")  # noqa: S104 - names to show, none to listen on
_HIGHEST_PORT: Final = 65535


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the demo until it is told to stop.

    Args:
        arguments: Command line arguments; those of the process by default.

    Returns:
        The exit code.
    """
    options = _parser().parse_args(arguments)
    try:
        from authx.demo.server import serve
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
            app = create_app(address=address)
        except (BadConfigurationError, SettingsError, ValidationError) as error:
            return _fail(f"the settings in the environment cannot work: {error}")
        serve(app, listener, _greeting(address))
    return 0


def _greeting(address: str) -> str:
    return f"authx demo on {address} (user test, password test)\n\n{curl_lines(address)}\nCtrl-C stops it."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m authx.demo", description="Serve the demo application.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=_port, default=8000, help="port to listen on, 0 for any free one (default: %(default)s)"
    )
    return parser


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
