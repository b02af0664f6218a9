"""A refresh whose answer was lost, asked for again by another tab long after the grace period."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from tests.browser.page_app import PAGE
from tests.browser.serving import served
from tests.browser.tabs import ME, NO_LOCKS, begin, open_tab
from tests.browser.wire import Wire, wire_to

from authx import AuthX, AuthXConfig
from authx.testing import Clock

REFRESH = "/auth/refresh"
KEPT = "localStorage[`authx:${location.origin}/auth/:attempt`] ?? null"


def make_app(clock: Clock, events: list[str]) -> FastAPI:
    """An application with page_app's page, whose time a test moves."""
    config = AuthXConfig(
        JWT_SECRET_KEY="a secret of an application whose clock is moved by tests",
        JWT_TOKEN_LOCATION=["headers"],
        JWT_REFRESH_TOKEN_LOCATION=["cookies"],
        JWT_COOKIE_SECURE="auto",
        # The browser's own clock stands where the tests began.
        JWT_COOKIE_MAX_AGE=10**9,
    )
    auth: AuthX[str] = AuthX(config, store="memory://", clock=clock)
    for name in ("replay", "refresh_reused"):
        auth.on(name, lambda event: events.append(event.event))
    app = FastAPI()
    auth.handle_errors(app)
    app.include_router(auth.router(lambda name, password: name if name == password else None), prefix="/auth")
    app.get("/")(lambda: HTMLResponse(PAGE))

    @app.get("/me")
    async def me(payload=auth.ACCESS_REQUIRED) -> dict[str, str]:
        return {"sub": payload.sub}

    return app


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[Clock, list[str], Wire]]:
    clock, events = Clock(), []
    with served(make_app(clock, events)) as address, wire_to(int(address.rpartition(":")[2])) as wire:
        yield clock, events, wire


@pytest.mark.parametrize("scripts", [[], [NO_LOCKS]], ids=["locks", "no locks"])
def test_another_tab_gets_the_lost_answer_ten_minutes_later(chromium, world, scripts):
    clock, events, wire = world
    events.clear()
    with chromium.new_context() as context:
        first, second = (open_tab(context, wire, *scripts) for _ in range(2))
        begin([first, second])
        before = len(wire.exchanges)
        clock.advance(20 * 60)
        wire.lose_all.add(REFRESH)
        assert first.evaluate("auth.fetch('/me').catch((error) => error.name)") == "TypeError"
        first.close()
        wire.lose_all.clear()
        clock.advance(10 * 60)
        assert second.evaluate(KEPT) is not None
        assert second.evaluate(ME) == [200, "anna"]
        assert second.evaluate(KEPT) is None
        sent = [one for one in wire.exchanges[before:] if one.path == REFRESH]
    assert len(sent) >= 2
    assert len({one.headers["idempotency-key"] for one in sent}) == 1
    assert set(events) == {"replay"}
