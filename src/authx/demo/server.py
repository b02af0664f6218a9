"""The server under the demo."""

import socket
from typing import Final

import uvicorn
from starlette.types import ASGIApp

__all__ = ["serve"]

_SECONDS_TO_FINISH: Final = 3


class _Server(uvicorn.Server):
    """A server that says when it can be used, and stopped."""

    def __init__(self, app: ASGIApp, greeting: str) -> None:
        super().__init__(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=_SECONDS_TO_FINISH))
        self._greeting = greeting

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._greeting, flush=True)


def serve(app: ASGIApp, listener: socket.socket, greeting: str) -> None:
    """Serve an application until the process is told to stop.

    Args:
        app: The application.
        listener: Where it listens.
        greeting: What to print once it is served.

    Raises:
        KeyboardInterrupt: It was stopped with Ctrl-C, and everything is in order.
    """
    _Server(app, greeting).run(sockets=[listener])
