"""A real server in a thread, that counts refreshes and whose time a test moves."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from tests.support.processes import Port
from tests.support.waiting import PATIENCE, until

from authx import AuthX, AuthXConfig
from authx.testing import Clock

ANNA = {"username": "anna", "password": "a pass word"}
LIFE = 60


class World:
    """An application, and what it has been asked.

    Attributes:
        clock: The server's time.
        presented: The refresh tokens that arrived, in order.
        together: The greatest number of refreshes that were under way at one moment.
        refreshing: Set once a refresh has arrived.
        refreshed: Set once a refresh is done.
        delay: Seconds that a refresh takes.
        go: Set while refreshes are not held up.
        logins: How many there were.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self._under_way = 0
        self._reserved = Port()
        self.port = self._reserved.number
        self.forget()
        config = AuthXConfig(
            JWT_SECRET_KEY="a secret of more than thirty-two letters for clients",
            JWT_TOKEN_LOCATION=["headers"],
            JWT_ACCESS_TOKEN_EXPIRES=timedelta(seconds=LIFE),
        )
        self.auth: AuthX[str] = AuthX(config, store="memory://", clock=self.clock)
        for name in ("replay", "refresh_reused"):
            self.auth.on(name, lambda event: self.events.append(event.event))
        self.app = FastAPI()
        self.auth.handle_errors(self.app)
        self.app.include_router(self.auth.router(self._authenticate), prefix="/auth")
        self.app.add_middleware(_Watch, world=self)

        @self.app.get("/protected", dependencies=[self.auth.ACCESS_REQUIRED])
        async def protected() -> dict[str, str]:
            return {"message": "You have access"}

    def close(self) -> None:
        """Give its port back."""
        self._reserved.close()

    def forget(self) -> None:
        """Begin to count anew."""
        self.presented: list[str] = []
        self.events: list[str] = []
        self.logins = self.together = 0
        self.delay = 0.0
        self.refreshing, self.refreshed, self.go = threading.Event(), threading.Event(), threading.Event()
        self.go.set()

    def _authenticate(self, username: str, password: str) -> str | None:
        self.logins += 1
        return username if {"username": username, "password": password} == ANNA else None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base(self) -> str:
        return f"{self.address}/auth"

    @contextmanager
    def served(self) -> Iterator[None]:
        """Serve the application; on the same port each time."""
        with socket.create_server(("127.0.0.1", self.port)) as listener:
            config = uvicorn.Config(self.app, log_level="warning", timeout_graceful_shutdown=1)
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
            thread.start()
            try:
                yield
            finally:
                self.go.set()
                server.should_exit = True
                thread.join(PATIENCE)
                assert not thread.is_alive()

    def expire(self) -> None:
        """Let the access tokens of now end."""
        self.clock.advance(LIFE + 30)


class _Watch:
    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        world = self._world
        if scope["type"] != "http" or scope["path"] != "/auth/refresh":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        world.presented.append(headers[b"authorization"].decode().removeprefix("Bearer "))
        world.refreshing.set()
        world._under_way += 1
        world.together = max(world.together, world._under_way)

        async def answer(message: Message) -> None:
            # Counted before the client can know of it and send the next one.
            if message["type"] == "http.response.start":
                world._under_way -= 1
            await send(message)

        await asyncio.sleep(world.delay)
        await until(world.go.is_set, "the end of the hold")
        await self._app(scope, receive, answer)
        world.refreshed.set()
