"""Applications to knock at, each made once, that differ in their settings alone."""

from collections.abc import Callable
from functools import cache
from typing import Any

import jwt
from fastapi import FastAPI, WebSocket

from authx import AuthX, AuthXConfig

from . import forge

ASYMMETRIC: dict[str, Callable[[], Any]] = {
    "RS256": forge.rsa_pair,
    "ES256": forge.ec_pair,
    "ES384": lambda: forge.ec_pair("secp384r1"),
    "EdDSA": forge.ed25519_pair,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "lenient": {"JWT_DECODE_LEEWAY": 60},
    "service": {"JWT_DECODE_AUDIENCE": "me", "JWT_DECODE_ISSUER": "https://me.example"},
    "cookies": {"JWT_TOKEN_LOCATION": ["cookies"]},
    "everywhere": {"JWT_TOKEN_LOCATION": ["headers", "cookies", "json", "query"]},
    "json": {"JWT_TOKEN_LOCATION": ["json"]},
    "query": {"JWT_TOKEN_LOCATION": ["query"]},
    "form": {"JWT_TOKEN_LOCATION": ["cookies"], "JWT_CSRF_CHECK_FORM": True},
    "origins": {"JWT_TOKEN_LOCATION": ["cookies"], "JWT_CSRF_TRUSTED_ORIGINS": ["https://front.example"]},
    "no scheme": {"JWT_HEADER_TYPE": ""},
    "by text": {},
    "by id": {"JWT_ALGORITHM": "ES256"},
}
REVOKED = forge.access(jti="a revoked token's id")


def settings(name: str) -> dict[str, Any]:
    if name in ASYMMETRIC:
        return {"JWT_ALGORITHM": name, "JWT_SECRET_KEY": None, "JWT_PUBLIC_KEY": forge.pem(ASYMMETRIC[name]())}
    if name == "by id":
        return settings("ES256")
    return SETTINGS[name]


def revoked_by_text(token: str) -> bool:
    return token == REVOKED.decode()


def revoked_by_id(token: str) -> bool:
    return jwt.decode(token, options={"verify_signature": False})["jti"] == "a revoked token's id"


@cache
def door(name: str, *, handle_errors: bool = True) -> FastAPI:
    """The application of that name, at a moment that stays."""
    return make_door(name, lambda: float(forge.NOW), handle_errors=handle_errors)


def make_door(name: str, clock: Callable[[], float], *, handle_errors: bool = True, **more: Any) -> FastAPI:
    """An application whose routes ask for a token of any kind of requirement."""
    config = AuthXConfig(**{"JWT_SECRET_KEY": forge.SECRET} | settings(name) | more)
    auth: AuthX[Any] = AuthX(config, clock=clock)
    if name == "by text":
        auth.set_token_blocklist(revoked_by_text, inline=True)
    if name == "by id":
        auth.set_token_blocklist(revoked_by_id, inline=True)
    app = FastAPI()
    if handle_errors:
        auth.handle_errors(app)

    @app.api_route("/p", methods=["GET", "HEAD", "POST"])
    async def protected(payload=auth.ACCESS_REQUIRED):
        return {"sub": payload.sub}

    @app.post("/r")
    async def refresh(payload=auth.REFRESH_REQUIRED):
        return {"sub": payload.sub}

    @app.get("/fresh")
    async def fresh(payload=auth.FRESH_REQUIRED):
        return {"sub": payload.sub}

    @app.get("/found")
    async def found(token=auth.ACCESS_TOKEN):
        return {"found": token is not None}

    @app.websocket("/ws")
    async def socket(websocket: WebSocket, payload=auth.WS_AUTH_REQUIRED):
        await websocket.accept()
        await websocket.send_text(payload.sub)
        await websocket.close()

    return app
