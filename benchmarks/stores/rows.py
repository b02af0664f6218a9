"""Sessions to move forward, and the rows they begin with."""

import asyncio
import os
import time
from dataclasses import dataclass

from authx.core.ids import session_id
from authx.core.session import Session
from authx.stores import Store

DAY = 86_400_000
ADDRESS = "203.0.113.7"
RETRY_HASH = "0123456789abcdef" * 2
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class Moving:
    """A session, and the generation that its row has."""

    sid: str
    sub: str
    generation: int = 1


def begin(count: int) -> list[Moving]:
    """Sessions of as many users."""
    created = now()
    return [Moving(session_id(sub, created, os.urandom(8)), sub) for sub in (f"user-{n:07}" for n in range(count))]


def row_of(moving: Moving) -> Session:
    """The row a session has after its login."""
    at = now()
    return Session(
        sid=moving.sid,
        sub=moving.sub,
        generation=moving.generation,
        created_at=at,
        rotated_at=at,
        expires_at=at + 20 * DAY,
        ip=ADDRESS,
        user_agent=AGENT,
    )


async def fill(store: Store, sessions: list[Moving]) -> None:
    """Writes the rows, through the store."""
    created = await asyncio.gather(*(store.create(row_of(one)) for one in sessions))
    if not all(created):
        raise RuntimeError("rows were there already")
