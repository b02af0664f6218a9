"""A dependency written by hand around PyJWT, as FastAPI's own tutorial shows it."""

from collections.abc import Iterable
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException, Request

from benchmarks import tokens
from benchmarks.asgi import answers, bearer, http_case
from benchmarks.cases import Case
from benchmarks.micro import forged

SUBJECT = "PyJWT by hand"


async def current(request: Request) -> tokens.Claims:
    """Verifies the bearer token of a request."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise HTTPException(401)
    try:
        payload: tokens.Claims = jwt.decode(token, tokens.SECRET, algorithms=["HS256"])
    except jwt.PyJWTError as error:
        raise HTTPException(401) from error
    return payload


def cases() -> Iterable[Case]:
    """One protected route."""
    app = FastAPI()

    @app.get("/protected", response_model=None)
    async def route(payload: Annotated[tokens.Claims, Depends(current)]) -> dict[str, object]:
        return {"sub": payload["sub"]}

    ring = tokens.ring("HS256")
    yield http_case(
        "PyJWT by hand",
        SUBJECT,
        "header HS256, payload injected",
        app,
        "GET",
        "/protected",
        [bearer(token) for token in ring],
        accept=answers({"sub": tokens.SUBJECT}),
        refuse=bearer(forged(ring[0])),
        baseline="bare GET",
    )
