"""An application as its users write one. The environment says everything, so several servers of it are several
machines over one store.
"""

import os
from collections import Counter

from fastapi import FastAPI, Request

from authx import AuthX, AuthXConfig, TokenPayload
from authx.schema import TokenResponse
from authx.sessions.events import EVENTS, SecurityEvent

auth = AuthX(AuthXConfig())
app = FastAPI()
auth.handle_errors(app)
seen: Counter[str] = Counter()


def authenticate(username: str, password: str) -> str | None:
    return username if password == username else None


app.include_router(auth.router(authenticate, prefix="/auth"))


def count(event: SecurityEvent) -> None:
    seen[event.event] += 1


for name in EVENTS:
    auth.on(name, count)


@app.post("/pair")
async def pair(username: str) -> TokenResponse:
    """A login that writes nothing."""
    return auth.create_token_pair(username)


@app.get("/protected")
async def protected(payload: TokenPayload = auth.ACCESS_REQUIRED) -> dict[str, object]:
    return {"sub": payload.sub, "process": os.getpid()}


@app.post("/by-hand")
async def by_hand(payload: TokenPayload = auth.REFRESH_REQUIRED) -> dict[str, str]:
    """A refresh route as AuthX's users write it."""
    return {"access_token": auth.create_access_token(payload.sub, sid=payload.sid)}


@app.post("/revoke")
async def revoke(request: Request, payload: TokenPayload = auth.ACCESS_REQUIRED) -> None:
    """End the very token that asks, and nothing else."""
    assert payload.sub
    await auth.revoke_token(request.headers["authorization"].removeprefix("Bearer "))


@app.get("/events")
async def events() -> dict[str, int]:
    """What this process has seen happen."""
    return seen
