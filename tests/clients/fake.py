"""A server that answers as a test says, and what clients of both libraries and both kinds make of it."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import httpx
import httpx2

from authx.clients import AuthXAuth, TokenPair
from authx.testing import Clock

BASE = "https://api.test"
PAIR = TokenPair("access-0", "refresh-0")
REFRESH = (401, {"code": "token_expired", "action": "refresh"})
LOGIN = (401, {"code": "session_revoked", "action": "login"})
BUSY = (503, {"code": "auth_unavailable", "action": "retry"}, {"Retry-After": "7"})


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    url: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def token(self) -> str | None:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme == "Bearer" else None


@dataclass
class Fake:
    """Issues access-1, access-2, …; its other routes let in whoever has the newest.

    Attributes:
        script: Answers for a path, in order; the last one is given for good. `None` is what the server would do.
        seen: The requests.
    """

    script: dict[str, list[Any]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    issued: int = 0
    life: int | None = None

    def paths(self) -> list[str]:
        return [one.path for one in self.seen]

    def count(self) -> Counter[str]:
        return Counter(self.paths())

    def tokens(self, path: str) -> list[str | None]:
        return [one.token for one in self.seen if one.path == path]

    def answer(self, request: Any) -> Any:
        """What a `MockTransport` calls."""
        one = Seen(request.method, str(request.url), request.url.path, dict(request.headers), request.content)
        self.seen.append(one)
        answers = self.script.get(one.path) or [None]
        told = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(told):
            told = told(request)
        if isinstance(told, BaseException):
            raise told
        status, body, *more = self.usual(one) if told is None else told
        library = httpx2 if isinstance(request, httpx2.Request) else httpx
        headers = {"content-type": "application/json", **(more[0] if more else {})}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return library.Response(status, content=content, headers=headers)

    def usual(self, one: Seen) -> tuple[int, Any]:
        if one.path in ("/login", "/refresh"):
            self.issued += 1
            number = self.issued
            tokens = {"access_token": f"access-{number}", "refresh_token": f"refresh-{number}", "token_type": "bearer"}
            return 200, tokens if self.life is None else {**tokens, "expires_in": self.life}
        if one.path == "/logout":
            return 200, {"message": "Logged out"}
        return (200, {"path": one.path}) if one.token == f"access-{self.issued}" else REFRESH


@dataclass
class Kind:
    """One of the four kinds of clients."""

    library: ModuleType
    is_async: bool
    slept: list[float] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)

    def auth(self, base: str = BASE, **more: Any) -> AuthXAuth:
        """An auth object that has time pass as the test says."""

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        return AuthXAuth(base, clock=self.clock, sleep=self.slept.append, async_sleep=sleep, **more)

    def use(self, fake: Fake, auth: AuthXAuth, act: Callable[[Any], Any], **more: Any) -> Any:
        """Have a client of this kind do something, and wait for it."""
        transport = self.library.MockTransport(fake.answer)
        if not self.is_async:
            with self.library.Client(transport=transport, auth=auth, **more) as client:
                return act(client)

        async def wait() -> Any:
            async with self.library.AsyncClient(transport=transport, auth=auth, **more) as client:
                return await act(client)

        return asyncio.run(wait())

    def get(self, fake: Fake, auth: AuthXAuth, url: str = f"{BASE}/items", **more: Any) -> Any:
        return self.use(fake, auth, lambda client: client.get(url, **more))

    def post(self, fake: Fake, auth: AuthXAuth, url: str = f"{BASE}/items", **more: Any) -> Any:
        return self.use(fake, auth, lambda client: client.post(url, **more))

    def logout(self, fake: Fake, auth: AuthXAuth) -> None:
        self.use(fake, auth, auth.alogout if self.is_async else auth.logout)


def holds(auth: AuthXAuth, pair: TokenPair) -> bool:
    """Tell whether the tokens are still those, whether or not their refresh has begun."""
    return auth.tokens is not None and replace(auth.tokens, retry_key=None) == pair
