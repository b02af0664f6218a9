"""An application with sessions, a clock to move, a store that can fail, and everything that was told of it."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import httpx2
import jwt
from fastapi import FastAPI, Request, Response
from tests.support.tokens import bearer, claims_of

from authx import AuthX, AuthXConfig
from authx.core.session import Session
from authx.schema import SessionTokens, TokenPayload
from authx.sessions.events import EVENTS, SecurityEvent
from authx.stores import Store
from authx.testing import Clock, FaultyStore

SECRET = "the secret of more than thirty-two letters of these sessions"
OTHER_SECRET = "another secret of more than thirty-two letters, elsewhere"
HOME = "192.0.2.7"
AGENT = "browser/1.0"
DAY = 86_400
GRACE = 30
MAX_AGE = 90 * DAY
ACCESS_LIFE = 15 * 60
REFRESH_LIFE = 20 * DAY


class World:
    """One application.

    Attributes:
        options: Further arguments of the next logins.
        pause: Seconds that pass in the route `/both` before it refreshes.
    """

    def __init__(self, store: Store, clock: Clock | None, fields: dict[str, Any]) -> None:
        self.clock = clock or Clock()
        self.store = store if isinstance(store, FaultyStore) else FaultyStore(store)
        self.auth: AuthX[Any] = AuthX(
            AuthXConfig(**{"JWT_SECRET_KEY": SECRET} | fields), store=self.store, clock=self.clock
        )
        self.options: dict[str, Any] = {}
        self.pause = 0.0
        self.told: list[SecurityEvent] = []
        for name in EVENTS:
            self.auth.on(name, self.told.append)
        self.app = make_app(self)
        self.http = self.client()

    def client(self, address: str = HOME) -> httpx2.AsyncClient:
        """A browser of its own."""
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app, client=(address, 40000)),
            base_url="https://testserver",
            headers={"User-Agent": AGENT},
        )

    async def close(self) -> None:
        self.store.heal()
        await self.http.aclose()
        await self.auth.close()

    # What a client does with tokens in the header

    async def login(self, uid: str = "alice", **options: Any) -> dict[str, Any]:
        self.options = options
        answer = await self.http.post(f"/enter/{uid}")
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    async def refresh(self, token: str, path: str = "/auth/refresh") -> httpx2.Response:
        return await self.http.post(path, headers=bearer(token))

    async def refreshed(self, token: str) -> dict[str, Any]:
        answer = await self.refresh(token)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    async def knock(self, token: str, path: str = "/door") -> int:
        """The status that a protected route answers with."""
        return (await self.http.get(path, headers=bearer(token))).status_code

    # What the test knows

    async def row(self, token_or_sid: str) -> Session:
        row, _ = await self.store.store.get(sid_of(token_or_sid))
        assert row is not None
        return row

    def names(self) -> list[str]:
        """The names of the events so far; they are forgotten."""
        names = [event.event for event in self.told]
        self.told.clear()
        return names

    def writes(self) -> int:
        """How many writes were asked of the store so far."""
        return sum(self.store.calls[name] for name in ("create", "advance", "revoke"))

    def create_pair(self, uid: str = "alice", **arguments: Any) -> tuple[str, str]:
        """Access and refresh token of a session that has no row."""
        pair = self.auth.create_token_pair(uid, **arguments)
        return pair.access_token, pair.refresh_token


class WorldMaker(Protocol):
    """What the fixtures `make_world` and `make_process` are."""

    def __call__(
        self, *, store: Any = None, clock: Clock | None = None, opened: bool = True, **fields: Any
    ) -> Awaitable[World]: ...


def make_app(world: World) -> FastAPI:
    app = FastAPI()
    auth = world.auth
    auth.handle_errors(app)
    app.include_router(auth.router(lambda name, password: name if password == "right" else None), prefix="/auth")

    @app.post("/enter/{uid}")
    async def enter(uid: str, request: Request, response: Response) -> SessionTokens:
        return await auth.login(uid, request, response, **world.options)

    @app.get("/door")
    async def door(payload: TokenPayload = auth.ACCESS_REQUIRED) -> str:
        return payload.sub

    @app.post("/door")
    async def push(payload: TokenPayload = auth.ACCESS_REQUIRED) -> str:
        return payload.sub

    @app.post("/hand")
    async def hand(payload: TokenPayload = auth.REFRESH_REQUIRED) -> dict[str, str]:
        return {"access_token": auth.create_access_token(payload.sub, sid=payload.sid)}

    @app.post("/both")
    async def both(
        request: Request, response: Response, payload: TokenPayload = auth.REFRESH_REQUIRED
    ) -> SessionTokens:
        world.clock.advance(world.pause)
        return await auth.refresh(request, response)

    return app


def sid_of(token_or_sid: str) -> str:
    return str(claims_of(token_or_sid)["sid"]) if "." in token_or_sid else token_or_sid


def foreign_token(clock: Callable[[], float], kind: str = "refresh", **claims: Any) -> str:
    """Signs what AuthX 1.7 would issue: times with fractions, no session."""
    now = clock()
    usual = {
        "sub": "alice",
        "jti": "5f0ed2c8-6f5c-4f5a-8a44-6a7f9f5b7d11",
        "iat": now,
        "nbf": now,
        "exp": now + (REFRESH_LIFE if kind == "refresh" else ACCESS_LIFE),
        "type": kind,
        "csrf": "f1d0c2a4-4d0c-4f0e-9f0b-2b8b2a8a6b11",
        "fresh": False,
    }
    return jwt.encode({name: value for name, value in (usual | claims).items() if value is not None}, SECRET, "HS256")
