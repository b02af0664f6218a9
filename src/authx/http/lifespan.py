"""Starting and stopping with an application."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

__all__ = ["follow_lifespan"]


_Step = Callable[[], Awaitable[None]]


def follow_lifespan(app: FastAPI, *, start: _Step, check: _Step, stop: _Step) -> None:
    """Start before an application's own start-up, stop after its own shutdown."""
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(served: Any) -> AsyncIterator[Any]:
        try:
            await start()
            async with inner(served) as state:
                await check()
                yield state
        finally:
            await stop()

    app.router.lifespan_context = lifespan
