"""What needs a session store says so, and what AuthX answers without one stays as it was."""

import httpx2
import pytest
from fastapi import FastAPI, Request, Response
from tests.sessions.world import SECRET
from tests.support.tokens import bearer

from authx import AuthX, AuthXConfig, RequestToken
from authx.exceptions import BadConfigurationError
from authx.schema import SessionInfo
from authx.sessions.authx_store import InMemorySessionStore
from authx.testing import Clock

pytestmark = pytest.mark.anyio


@pytest.fixture
def auth():
    return AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET), clock=Clock())


def browser(app):
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="https://testserver")


@pytest.mark.parametrize("name", ["login", "refresh", "logout"])
@pytest.mark.parametrize("handled", [True, False])
async def test_calls_of_a_request_need_a_store(auth, name, handled):
    app = FastAPI()
    if handled:
        auth.handle_errors(app)

    @app.post("/")
    async def route(request: Request, response: Response) -> None:
        arguments = ("alice",) if name == "login" else ()
        await getattr(auth, name)(*arguments, request, response)

    token = auth.create_refresh_token("alice")
    async with browser(app) as client:
        with pytest.raises(BadConfigurationError, match="session store"):
            await client.post("/", headers=bearer(token))


@pytest.mark.parametrize("call", [lambda auth: auth.revoke_everyone(), lambda auth: auth.open()])
async def test_calls_of_an_operator_need_a_store(auth, call):
    with pytest.raises(BadConfigurationError, match="session store"):
        await call(auth)


async def test_revoking_a_token_needs_a_store(auth):
    with pytest.raises(BadConfigurationError, match="session store"):
        await auth.revoke_token(auth.create_access_token("alice"))


async def test_closing_does_nothing(auth):
    for _ in range(2):
        await auth.close()
        token = RequestToken(token=auth.create_access_token("alice"), location="headers")
        assert auth.verify_token(token).sub == "alice"


async def test_the_calls_of_authx_answer_as_without_a_store(auth):
    session = await auth.create_session("alice", device_info={"name": "phone"})
    assert isinstance(session, SessionInfo)
    assert (session.uid, session.device_info, session.is_active) == ("alice", {"name": "phone"}, True)
    assert await auth.list_sessions("alice") == []
    assert await auth.get_session(session.session_id) is None
    await auth.revoke_session(session.session_id)
    await auth.revoke_all_sessions("alice")


async def test_a_store_written_for_authx_is_used(auth):
    auth.set_session_store(InMemorySessionStore())
    session = await auth.create_session("alice")
    assert [one.session_id for one in await auth.list_sessions("alice")] == [session.session_id]
    assert await auth.get_session(session.session_id) == session
    await auth.revoke_session(session.session_id)
    assert await auth.list_sessions("alice") == []


async def test_tokens_carry_a_session_all_the_same(auth):
    app = FastAPI()

    @app.get("/")
    async def route(payload=auth.ACCESS_REQUIRED):
        return payload.sid

    async with browser(app) as client:
        answer = await client.get("/", headers=bearer(auth.create_access_token("alice")))
    assert len(answer.json()) == 36
