"""How a contract's tests run, and the rows and revocations they are made of."""

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any, Final, TypeAlias

from authx.core.ids import session_id
from authx.core.session import Revocation, Rotation, Session
from authx.stores import Store

__all__ = [
    "DAY",
    "HOUR",
    "MINUTE",
    "NOW",
    "SECONDS",
    "MakeStore",
    "advance",
    "at_once",
    "cut_off",
    "end_everything",
    "end_session",
    "end_token",
    "on_a_loop",
    "session_of",
    "summary",
]

MakeStore: TypeAlias = Callable[[], Store]

NOW: Final = int(time.time() * 1000)
MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
# Seconds that a notification may take on a slow machine.
SECONDS: Final = 60.0
# Longer than any test of a working store takes, so that one that hangs fails.
_PATIENCE: Final = 300.0


def on_a_loop(test: "Callable[..., Coroutine[Any, Any, None]]") -> Callable[..., None]:
    """Make a coroutine a test: it gets as many open stores over the same data as it has arguments."""
    count = len(inspect.signature(test).parameters) - 1

    def run(self: object, make_store: MakeStore) -> None:
        async def with_stores() -> None:
            stores: list[Store] = []
            try:
                async with asyncio.timeout(_PATIENCE):
                    for _ in range(count):
                        stores.append(make_store())
                        await stores[-1].open()
                        await stores[-1].create_schema()
                    await test(self, *stores)
            finally:
                for store in stores:
                    await store.close()

        asyncio.run(with_stores())

    run.__name__, run.__qualname__, run.__doc__ = test.__name__, test.__qualname__, test.__doc__
    return run


def session_of(sub: str = "alice", created_at: int = NOW, **fields: Any) -> Session:
    """Make a row as a login would write it."""
    row = Session(
        sid=session_id(sub, created_at, os.urandom(8)),
        sub=sub,
        generation=1,
        created_at=created_at,
        rotated_at=created_at,
        expires_at=created_at + 30 * DAY,
        ip="192.0.2.1",
        user_agent="Mozilla/5.0",
        device='{"name": "laptop"}',
    )
    return replace(row, **fields)


async def advance(store: Store, row: Session, **changes: Any) -> Session | None:
    """Move a session one generation forward, a second after its last rotation."""
    rotation = Rotation(
        sid=row.sid,
        sub=row.sub,
        from_generation=row.generation,
        to_generation=row.generation + 1,
        at=row.rotated_at + 1000,
        expires_at=row.expires_at,
        retry_hash=row.retry_hash,
        ip=row.ip,
        user_agent=row.user_agent,
    )
    return await store.advance(replace(rotation, **changes))


def end_session(row: Session, **fields: Any) -> Revocation:
    """Make the revocation of a session."""
    one = Revocation(
        kind="session",
        key=row.sid,
        at=row.rotated_at + 5000,
        until=row.rotated_at + HOUR,
        reason="logout",
        sub=row.sub,
        expires_at=row.expires_at,
    )
    return replace(one, **fields)


def cut_off(sub: str = "alice", at: int = NOW, **fields: Any) -> Revocation:
    """Make the revocation of a subject."""
    return replace(Revocation(kind="subject", key=sub, at=at, until=at + HOUR, sub=sub), **fields)


def end_everything(at: int = NOW) -> Revocation:
    """Make the revocation of everyone."""
    return Revocation(kind="everyone", key="", at=at, until=None)


def end_token(jti: str = "jti-1", at: int = NOW, **fields: Any) -> Revocation:
    """Make the revocation of one access token."""
    return replace(Revocation(kind="token", key=jti, at=at, until=at + HOUR), **fields)


def summary(revocations: list[Revocation]) -> list[tuple[str, str]]:
    """Return what is listed, in order."""
    return [(one.kind, one.key) for one in revocations]


async def at_once(count: int, call: Callable[[int], Awaitable[Any]]) -> list[Any]:
    """Make calls concurrently."""
    return list(await asyncio.gather(*(call(number) for number in range(count))))
