"""Counts what one refresh and four kinds of access check call inside the package: calls, functions, files, hops.

Usage: .venv/bin/python scripts/trace.py [--calls NAME]

`--calls` also lists the calls of one case, in order. A hop is a call in another file than the call before it.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NamedTuple

import httpx2
from fastapi import Depends, FastAPI

import authx
from authx import AuthX, AuthXConfig, TokenPayload

_ROOT = str(Path(authx.__file__).parent)


class Call(NamedTuple):
    """One call of a function of the package."""

    file: str
    function: str


class Case(NamedTuple):
    """What a traced request called."""

    name: str
    calls: list[Call]

    def row(self) -> str:
        """Write the case as a row of the table."""
        files = [call.file for call in self.calls]
        hops = sum(one != other for one, other in pairwise(files))
        return f"{self.name:44}{len(files):>8}{len(set(self.calls)):>11}{len(set(files)):>8}{hops:>7}"


@contextmanager
def traced() -> Iterator[list[Call]]:
    """Record the calls of the package's functions in this thread."""
    calls: list[Call] = []
    seen: set[int] = set()
    kept: list[FrameType] = []

    def profile(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(_ROOT) or id(frame) in seen:
            return
        # A coroutine that goes on is no new call. Frames are kept, so that no id is given twice.
        seen.add(id(frame))
        kept.append(frame)
        calls.append(Call(code.co_filename.removeprefix(f"{_ROOT}/"), code.co_qualname))

    sys.setprofile(profile)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def application(store: str) -> tuple[FastAPI, AuthX[Any]]:
    """Make the application that is traced: both locations, the ready-made router, SQLite."""
    app = FastAPI()
    auth: AuthX[Any] = AuthX(
        AuthXConfig(
            JWT_SECRET_KEY="9f3c1d7a5b2e8064c1f7a9d3e5b70286",  # noqa: S106 - of this program alone
            JWT_TOKEN_LOCATION=["headers", "cookies"],
            # The follower's own calls must not come in between.
            JWT_REVOCATION_POLL_INTERVAL=timedelta(seconds=10),
        ),
        store=store,
    )
    auth.handle_errors(app)
    app.include_router(auth.router(lambda username, _: username), prefix="/auth")

    @app.post("/protected")
    async def protected(payload: Annotated[TokenPayload, Depends(auth.access_token_required)]) -> str:
        return payload.sub

    return app, auth


async def cases(app: FastAPI) -> list[Case]:
    """Trace one request of each kind."""
    found: list[Case] = []
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://localhost") as client:

        async def trace(name: str, send: Callable[[], Any]) -> None:
            with traced() as calls:
                answer = await send()
            if answer.status_code != 200:
                raise SystemExit(f"{name}: {answer.status_code} {answer.text}")
            found.append(Case(name, calls))

        credentials = {"username": "anna", "password": "-"}
        tokens = (await client.post("/auth/login", json=credentials)).json()
        refresh = {"X-CSRF-TOKEN": client.cookies["csrf_refresh_token"]}
        await client.post("/auth/refresh", headers=refresh)
        await trace("refresh (router, cookies, SQLite)", lambda: client.post("/auth/refresh", headers=refresh))

        access = {"X-CSRF-TOKEN": client.cookies["csrf_access_token"]}
        await trace("access, cookie with CSRF, new token", lambda: client.post("/protected", headers=access))
        await trace("access, cookie with CSRF, seen before", lambda: client.post("/protected", headers=access))
        client.cookies.clear()
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        await trace("access, header, new token", lambda: client.post("/protected", headers=bearer))
        await trace("access, header, seen before", lambda: client.post("/protected", headers=bearer))
    return found


async def main(shown: str | None) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        app, auth = application(f"sqlite:///{folder}/auth.db")
        await auth.open()
        try:
            found = await cases(app)
        finally:
            await auth.close()
    print(f"{'':44}{'calls':>8}{'functions':>11}{'files':>8}{'hops':>7}")
    for case in found:
        print(case.row())
        if shown is not None and shown in case.name:
            for call in case.calls:
                print(f"    {call.file:36}{call.function}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--calls", metavar="NAME")
    asyncio.run(main(arguments.parse_args().calls))
