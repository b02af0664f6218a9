"""The lab of the demo's page: it stops the store, loses responses, and shows security events.

The workers of a demo share one file, so that any of them can answer.
"""

import asyncio
import json
import sqlite3
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Final, ParamSpec, TypeVar

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from authx import AuthX, TokenPayload
from authx.exceptions import StoreUnavailableError
from authx.sessions.events import EVENTS, SecurityEvent
from authx.stores import Store
from authx.testing import FaultyStore

__all__ = ["Lab", "LoseAnswers", "StoppableStore", "lab_routes"]

# Less than JWT_REVOCATION_MAX_STALENESS: longer, and nobody could turn the switch any more.
_LONGEST_STOP: Final = 25
_KEPT_EVENTS: Final = 1000
_LOOK_EVERY: Final = 0.25
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS events (
    uid TEXT NOT NULL, id INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (uid, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS switch (id INTEGER PRIMARY KEY CHECK (id = 1), stopped_until REAL NOT NULL);
INSERT OR IGNORE INTO switch VALUES (1, 0);
CREATE TABLE IF NOT EXISTS run (id INTEGER PRIMARY KEY CHECK (id = 1), name TEXT NOT NULL DEFAULT (hex(randomblob(8))));
INSERT OR IGNORE INTO run (id) VALUES (1);
"""
_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")


class Lab:
    """What the workers of a demo share: recent security events, and how long the store stays stopped."""

    def __init__(self, path: str = ":memory:") -> None:
        self._database = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._database.close)
        self._database.executescript(_SCHEMA)
        self.run: str
        (self.run,) = self._database.execute("SELECT name FROM run").fetchone()
        self.closing = False

    def note(self, event: SecurityEvent, uid: str) -> None:
        """Keep an event, and forget the user's oldest."""
        body = {
            "event": event.event,
            "at": event.at.isoformat(),
            "session_id": event.session_id,
            "ip_address": event.ip_address,
            "user_agent": event.user_agent,
            "distance": event.distance,
        }
        self._database.execute(
            "INSERT INTO events SELECT ?1, coalesce(max(id), 0) + 1, ?2 FROM events WHERE uid = ?1",
            (uid, json.dumps(body)),
        )
        self._database.execute(
            "DELETE FROM events WHERE uid = ?1 AND id <= (SELECT max(id) FROM events WHERE uid = ?1) - ?2",
            (uid, _KEPT_EVENTS),
        )

    def events(self, uid: str, after: int) -> list[dict[str, Any]]:
        """Return a user's events after the last known one, oldest first, each with its `id` and the `run`."""
        rows = self._database.execute(
            "SELECT id, body FROM events WHERE uid = ? AND id > ? ORDER BY id", (uid, after)
        ).fetchall()
        return [{"run": self.run, "id": number, **json.loads(body)} for number, body in rows]

    def stop_store(self, seconds: float) -> None:
        """Stop the store for seconds; 0 starts it again."""
        self._database.execute("UPDATE switch SET stopped_until = ?", (time.time() + seconds,))

    def stopped_for(self) -> float:
        """Return for how many more seconds the store stays stopped."""
        until: float
        (until,) = self._database.execute("SELECT stopped_until FROM switch").fetchone()
        return max(0.0, until - time.time())


class StoppableStore(FaultyStore):
    """A store that fails while the lab has stopped it."""

    def __init__(self, store: Store, lab: Lab) -> None:
        super().__init__(store)
        self._lab = lab

    async def _do(
        self,
        name: Any,
        work: Callable[_Arguments, Awaitable[_Answer]],
        /,
        *args: _Arguments.args,
        **kwargs: _Arguments.kwargs,
    ) -> _Answer:
        if name != "close" and self._lab.stopped_for():
            raise StoreUnavailableError("the lab has stopped the store")
        return await work(*args, **kwargs)


class LoseAnswers:
    """Loses the response to a request that asks for it, after the application has done its work."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or (b"x-lab", b"lose-the-answer") not in scope["headers"]:
            await self.app(scope, receive, send)
            return

        async def lose(message: Message) -> None:
            pass

        await self.app(scope, receive, lose)
        # As a proxy that got no response from the application.
        await send({"type": "http.response.start", "status": 504, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})


class Switch(BaseModel):
    """For how many seconds the store is stopped."""

    seconds: Annotated[float, Field(ge=0, le=_LONGEST_STOP)]


def lab_routes(auth: AuthX[str], lab: Lab) -> APIRouter:
    """Make the lab's routes, for users who are signed in, and subscribe it to all events."""

    async def note(event: SecurityEvent) -> None:
        uid = event.uid or await _owner(auth, event.session_id)
        # A failed login and the like concern nobody who can be named, and so are shown to nobody.
        if uid is not None:
            lab.note(event, uid)

    for name in EVENTS:
        auth.on(name, note)
    router = APIRouter(prefix="/lab", tags=["lab"])

    @router.get("/events", response_class=StreamingResponse)
    async def events(
        payload: TokenPayload = auth.ACCESS_REQUIRED,
        run: Annotated[str, Query(description="The run of the last event that is known")] = "",
        after: Annotated[int, Query(ge=0, description="Its number")] = 0,
    ) -> StreamingResponse:
        """Stream the user's security events, one JSON object a line, until the session ends."""
        return StreamingResponse(
            _lines(auth, lab, payload, after if run == lab.run else 0), media_type="application/x-ndjson"
        )

    @router.get("/store", dependencies=[auth.ACCESS_REQUIRED])
    async def show_switch() -> Switch:
        """Return for how many more seconds the store is stopped."""
        return Switch(seconds=lab.stopped_for())

    @router.post("/store", dependencies=[auth.ACCESS_REQUIRED])
    async def turn_switch(switch: Switch) -> Switch:
        """Stop the store, or start it again."""
        lab.stop_store(switch.seconds)
        return switch

    return router


async def _lines(auth: AuthX[str], lab: Lab, payload: TokenPayload, after: int) -> AsyncIterator[str]:
    is_active = True
    while not lab.closing:
        for event in lab.events(payload.sub, after):
            after = event["id"]
            yield json.dumps(event) + "\n"
        if not is_active:
            return
        # The event follows the end of the session: look once more.
        is_active = await _is_active(auth, payload)
        await asyncio.sleep(_LOOK_EVERY)


async def _is_active(auth: AuthX[str], payload: TokenPayload) -> bool:
    try:
        session = await auth.get_session(payload.sid or "")
    except StoreUnavailableError:
        return True
    return session is not None and session.uid == payload.sub and session.is_active


async def _owner(auth: AuthX[str], session_id: str | None) -> str | None:
    """Return the user of a session, if it is known."""
    try:
        session = await auth.get_session(session_id) if session_id is not None else None
    except StoreUnavailableError:
        return None
    return None if session is None else session.uid
