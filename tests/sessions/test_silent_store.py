"""What clients are told of a store that fails, and what the log is told."""

import pytest
from fastapi import WebSocket
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect
from tests.sessions.world import World
from tests.support.axes import spread
from tests.support.tokens import bearer

from authx.exceptions import StoreUnavailableError
from authx.http import errors
from authx.schema import TokenPayload
from authx.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

SECRETS = ("10.0.0.5", "6379", "app-user", "hush", "08006", "asyncpg", "/srv/auth.db")


@pytest.fixture(autouse=True)
def nothing_was_noted_before(monkeypatch):
    monkeypatch.setattr(errors, "_outage_log", errors._OutageLog())


class TellingError(StoreUnavailableError):
    """An application's own store says it in its own way."""


def telling(error):
    """An application on a store that says everything about itself."""
    world = World(MemoryStore(), None, {"JWT_REVOCATION_CHECK": "store"})

    async def fail(*_, **__):
        raise error("redis://app-user:hush@10.0.0.5:6379/0, /srv/auth.db: asyncpg 08006")

    return world, fail


CALLS = [
    ("revocations", "GET", "/door"),
    ("get", "GET", "/door"),
    ("advance", "POST", "/auth/refresh"),
    ("get", "POST", "/hand"),
    ("revoke", "POST", "/auth/logout"),
    ("revoke", "POST", "/auth/logout/all"),
    ("list", "GET", "/auth/sessions"),
    ("create", "POST", "/enter/alice"),
]


@pytest.mark.parametrize(("call", "error"), spread(CALLS, [StoreUnavailableError, TellingError]), ids=str)
async def test_a_client_is_told_nothing_about_the_store(caplog, call, error):
    operation, method, path = call
    world, fail = telling(error)
    await world.auth.open()
    tokens = await world.login()
    setattr(world.store, operation, fail)
    token = tokens["refresh_token" if path in ("/auth/refresh", "/hand") else "access_token"]
    answer = await world.http.request(method, path, headers=bearer(token))
    assert (answer.status_code, answer.json()["code"]) == (503, "auth_unavailable")
    told = answer.text + str(answer.headers)
    assert not [one for one in SECRETS if one in told]
    assert answer.json()["message"] == StoreUnavailableError.client_message
    assert "10.0.0.5:6379" in caplog.text
    await world.close()


async def test_a_socket_is_told_nothing_about_the_store():
    world, fail = telling(StoreUnavailableError)

    @world.app.websocket("/socket")
    async def socket(websocket: WebSocket, payload: TokenPayload = world.auth.ACCESS_REQUIRED) -> None:
        await websocket.accept()

    @world.app.websocket("/late")
    async def late(websocket: WebSocket) -> None:
        await websocket.accept()
        await world.auth.access_token_required(websocket)

    token = world.auth.create_access_token("alice")
    with TestClient(world.app) as client:
        world.store.revocations = fail
        for path in ("/socket", "/late"):
            with (
                pytest.raises((WebSocketDisconnect, WebSocketDenialResponse)) as caught,
                client.websocket_connect(path, headers=bearer(token)) as connection,
            ):
                connection.receive_text()
            told = f"{caught.value!r} {getattr(caught.value, 'reason', '')} {getattr(caught.value, 'text', '')}"
            assert not [one for one in SECRETS if one in told]
            assert "auth_unavailable" in told


async def test_the_message_for_a_store_that_fails_can_be_replaced():
    world, fail = telling(StoreUnavailableError)
    await world.auth.open()
    token = (await world.login())["access_token"]
    world.store.revocations = fail
    world.auth.MSG_StoreUnavailableError = "Back in a minute"
    assert (await world.http.get("/door", headers=bearer(token))).json()["message"] == "Back in a minute"
    world.auth.MSG_StoreUnavailableError = None
    told = (await world.http.get("/door", headers=bearer(token))).json()["message"]
    assert told == StoreUnavailableError.client_message
    await world.close()


async def test_the_log_is_told_of_a_store_that_fails_once_in_a_while(caplog):
    world, fail = telling(StoreUnavailableError)
    await world.auth.open()
    token = (await world.login())["access_token"]
    world.store.revocations = fail
    for _ in range(50):
        assert await world.knock(token) == 503
    assert caplog.text.count("answered with 503") == 1
    await world.close()
