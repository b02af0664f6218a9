"""A small application to knock at: two protected routes, and nothing else."""

import time
from datetime import timedelta
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from authx import AuthX, AuthXConfig

SECRET = "forty-eight letters of a secret nobody will guess"
COOKIES: dict[str, Any] = {"JWT_TOKEN_LOCATION": ["cookies"], "JWT_COOKIE_SECURE": False}


def make_auth(**fields: Any) -> AuthX[Any]:
    return AuthX(config=AuthXConfig(**{"JWT_SECRET_KEY": SECRET} | fields))


def make_expired(auth: AuthX[Any], uid: str = "alice", *, seconds: float = 5) -> str:
    """An access token of an instance that ended so many seconds ago."""
    back_then = time.time() - 60 - seconds
    former = AuthX(config=auth.config, login_type=auth.login_type, clock=lambda: back_then)
    return former.create_access_token(uid, expiry=timedelta(seconds=60))


def make_door(auth: AuthX[Any], *, handle_errors: bool = True) -> TestClient:
    """Serves ``/p`` behind the access token and ``/r`` behind the refresh token."""
    app = FastAPI()
    if handle_errors:
        auth.handle_errors(app)

    @app.get("/p")
    def read(payload=auth.ACCESS_REQUIRED):
        return {"sub": payload.sub}

    @app.post("/p")
    def write(payload=auth.ACCESS_REQUIRED):
        return {"sub": payload.sub}

    @app.post("/r")
    def refresh(payload=auth.REFRESH_REQUIRED):
        return {"sub": payload.sub}

    return TestClient(app, raise_server_exceptions=False)


def with_cookie(client: TestClient, token: str, name: str = "access_token_cookie") -> TestClient:
    client.cookies.set(name, token)
    return client
