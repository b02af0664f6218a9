"""FastAPI by itself, and the least protection that is still strict."""

import binascii
import hmac
import time
from collections.abc import Iterable
from typing import Annotated

import orjson
from fastapi import Depends, FastAPI, HTTPException
from fastapi.requests import HTTPConnection
from pydantic import BaseModel

from benchmarks import tokens
from benchmarks.asgi import answers, bearer, http_case, json_body
from benchmarks.cases import Case
from benchmarks.micro import forged

SUBJECT = "FastAPI"
BY_HAND = "by hand"

HELLO = {"message": "You have access"}
CREDENTIALS = {"username": "test", "password": "test"}

_SECRET = tokens.SECRET.encode()
_HEADER = tokens.b64(orjson.dumps({"alg": "HS256", "typ": "JWT"})) + b"."
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_TO_URL = bytes.maketrans(b"+/", b"-_")
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


class Login(BaseModel):
    """The body of a login."""

    username: str
    password: str


async def no_op() -> None:
    """Does nothing: what one dependency costs by itself."""


async def current(connection: HTTPConnection) -> tokens.Claims:
    """Verifies an HS256 bearer token: HMAC, base64, JSON and `exp`, nothing else."""
    token = b""
    for name, value in connection.scope["headers"]:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            token = value[7:]
            break
    end = token.rfind(b".")
    signature = hmac.digest(_SECRET, token[:end], "sha256")
    # Comparing the text, not the bytes, leaves one spelling of a signature.
    text = binascii.b2a_base64(signature, newline=False).translate(_TO_URL, b"=")
    if not hmac.compare_digest(text, token[end + 1 :]) or not token.startswith(_HEADER):
        raise HTTPException(401, headers=_CHALLENGE)
    payload = token[len(_HEADER) : end]
    claims: tokens.Claims = orjson.loads(binascii.a2b_base64(payload.translate(_FROM_URL) + b"=="))
    expires = claims.get("exp")
    if not isinstance(expires, int) or expires <= time.time():
        raise HTTPException(401, headers=_CHALLENGE)
    return claims


def _bare_get() -> FastAPI:
    app = FastAPI()

    @app.get("/protected", response_model=None)
    async def route() -> dict[str, str]:
        return HELLO

    return app


def _bare_post() -> FastAPI:
    app = FastAPI()

    @app.post("/protected", response_model=None)
    async def route() -> dict[str, str]:
        return HELLO

    return app


def _bare_login() -> FastAPI:
    app = FastAPI()

    @app.post("/login", response_model=None)
    async def login(data: Login) -> dict[str, str]:
        if data.username == "test" and data.password == "test":
            return HELLO
        raise HTTPException(401, detail="Invalid credentials")

    return app


def _no_op_dependency() -> FastAPI:
    app = FastAPI()

    @app.get("/protected", dependencies=[Depends(no_op)], response_model=None)
    async def route() -> dict[str, str]:
        return HELLO

    return app


def _by_hand() -> FastAPI:
    app = FastAPI()

    @app.get("/protected", response_model=None)
    async def route(payload: Annotated[tokens.Claims, Depends(current)]) -> dict[str, object]:
        return {"sub": payload["sub"]}

    return app


def cases() -> Iterable[Case]:
    """The baselines; measured in every environment, so that each compares with its own."""
    ring = tokens.ring("HS256")
    nothing = [bearer(ring[0])]
    hello = answers(HELLO)
    yield http_case("bare GET", SUBJECT, "bare GET", _bare_get(), "GET", "/protected", nothing, accept=hello)
    yield http_case("bare POST", SUBJECT, "bare POST", _bare_post(), "POST", "/protected", nothing, accept=hello)
    yield http_case(
        "bare login",
        SUBJECT,
        "bare POST with a JSON body",
        _bare_login(),
        "POST",
        "/login",
        [json_body(CREDENTIALS)],
        accept=hello,
        refuse=json_body({**CREDENTIALS, "password": "no"}),
    )
    yield http_case(
        "no-op dependency",
        SUBJECT,
        "one no-op async dependency",
        _no_op_dependency(),
        "GET",
        "/protected",
        nothing,
        accept=hello,
        baseline="bare GET",
    )
    yield http_case(
        "by hand",
        BY_HAND,
        "strict HMAC, base64, orjson, exp; payload injected",
        _by_hand(),
        "GET",
        "/protected",
        [bearer(token) for token in ring],
        accept=answers({"sub": tokens.SUBJECT}),
        refuse=bearer(forged(ring[0])),
        baseline="bare GET",
    )
