"""Managers of two login types, and a route behind one of their guards."""

from typing import Annotated

from fastapi import Depends, FastAPI, WebSocket
from fastapi.testclient import TestClient
from tests.support.apps import make_expired
from tests.support.tokens import bearer

from authx.config import AuthXConfig
from authx.main import AuthX
from authx.manager import AuthManager
from authx.policy import PolicyRule
from authx.schema import TokenPayload

ADMIN_SECRET = "the secret that signs the tokens of administrators"
USER_SECRET = "the secret that signs the tokens of everybody else"
UNKNOWN_SECRET = "a secret that no instance of these tests has got"
ALLOW_ALL = PolicyRule("allow", ["*"], ["*"])


def make(login_type, secret, store=None, **fields):
    return AuthX(AuthXConfig(JWT_SECRET_KEY=secret, **fields), login_type=login_type, store=store)


def manage(*instances, **arguments):
    manager = AuthManager(**arguments)
    for auth in instances:
        manager.register(auth)
    return manager


def door(guard, manager=None):
    """One route behind a guard; with a manager, its error handlers are installed."""
    app = FastAPI()
    if manager is not None:
        manager.handle_errors(app)

    @app.get("/door")
    def entered(payload: Annotated[TokenPayload, Depends(guard)]):
        return payload.sub

    @app.post("/door")
    def posted(payload: Annotated[TokenPayload, Depends(guard)]):
        return payload.sub

    @app.websocket("/socket")
    async def socket(opened: WebSocket, payload: Annotated[TokenPayload, Depends(guard)]):
        await opened.accept()
        await opened.send_text(payload.sub)
        await opened.close()

    return app


def knock(guard, token=None, manager=None, **kwargs):
    client = TestClient(door(guard, manager))
    return client.get("/door", headers=bearer(token) if token is not None else {}, **kwargs)


def admitted(auth, token):
    """The payload an instance reads from a token of its own."""
    return TokenPayload.decode(token, auth.config.JWT_SECRET_KEY)


def tokens(kind):
    """Tokens by what they are, made by instances of their own with the same secrets."""
    admin, user = make("admin", ADMIN_SECRET), make("user", USER_SECRET)
    return {
        "admin": admin.create_access_token("a"),
        "admin fresh": admin.create_access_token("a", fresh=True),
        "admin refresh": admin.create_refresh_token("a"),
        "admin expired": make_expired(admin, "a", seconds=30),
        "user": user.create_access_token("u"),
        "user refresh": user.create_refresh_token("u"),
        "user expired": make_expired(user, "u", seconds=30),
        "sharing": make("sharing", ADMIN_SECRET).create_access_token("s"),
        "unregistered, same secret": make("other", ADMIN_SECRET).create_access_token("s"),
        "no login type": AuthX(AuthXConfig(JWT_SECRET_KEY=ADMIN_SECRET)).create_access_token("n"),
        "other algorithm": make(
            "stronger", USER_SECRET, JWT_ALGORITHM="HS512", JWT_DECODE_ALGORITHMS=["HS512"]
        ).create_access_token("s"),
        "unknown key": make("admin", UNKNOWN_SECRET).create_access_token("a"),
        "claims to be admin": make("admin", USER_SECRET).create_access_token("a"),
        "garbage": "garbage",
    }[kind]
