"""The library's calls without an application: for what is counted, not raced."""

import time
from collections.abc import Callable

from fastapi import Request, Response
from tests.support.asgi import request_of
from tests.support.tokens import bearer

from authx import AuthX, AuthXConfig
from authx.schema import SessionTokens

SECRET = "a secret of more than thirty-two letters for the door"


def make_auth(url: str, clock: Callable[[], float] = time.time, **more: object) -> AuthX:
    """An instance whose feed does not look at the store unless it is told to."""
    fields = {"JWT_SECRET_KEY": SECRET, "JWT_REVOCATION_POLL_INTERVAL": 3600, "JWT_REVOCATION_MAX_STALENESS": None}
    return AuthX(AuthXConfig(**(fields | more)), store=url, clock=clock)


def request(token: str = "") -> Request:
    return request_of(bearer(token) if token else {}, method="POST")


async def log_in(auth: AuthX, name: str) -> SessionTokens:
    return await auth.login(name, request(), Response())


async def refresh(auth: AuthX, token: str) -> SessionTokens:
    return await auth.refresh(request(token), Response())
