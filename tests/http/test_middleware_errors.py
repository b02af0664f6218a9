"""Errors raised outside of routes, in an application's own middleware, are answered as those of routes."""

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import HTTPConnection
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocket, WebSocketDisconnect
from tests.support.asgi import COOKIES, authorization, cookies, knock, make_auth

from authx.exceptions import AuthXException, BadConfigurationError, InsufficientScopeError, TokenExpiredError
from authx.testing import Clock

ORIGIN = ("Origin", "https://front.example")


def decorated(app, check):
    @app.middleware("http")
    async def guard(request: Request, call_next):
        await check(request)
        return await call_next(request)


def based(app, check):
    class Guard(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            await check(request)
            return await call_next(request)

    app.add_middleware(Guard)


class Bare:
    """Pure ASGI, without the attribute `app` that others have."""

    def __init__(self, app, check):
        self._inner = app
        self._check = check

    async def __call__(self, scope, receive, send):
        if scope["type"] in ("http", "websocket"):
            await self._check(HTTPConnection(scope, receive))
        await self._inner(scope, receive, send)


def bare(app, check):
    app.add_middleware(Bare, check=check)


KINDS = {"decorated": decorated, "BaseHTTPMiddleware": based, "pure ASGI": bare}


def app_with(auth, add, check=None, *, late=False):
    """An application with a middleware that is added before or after `handle_errors`."""
    app = FastAPI()
    if not late:
        add(app, check or auth.access_token_required)
    auth.handle_errors(app)
    if late:
        add(app, check or auth.access_token_required)

    @app.get("/p")
    @app.post("/p")
    def read():
        return "read"

    return app


def raising(error):
    async def check(request):
        raise error

    return check


@pytest.fixture(params=KINDS)
def add(request):
    return KINDS[request.param]


@pytest.mark.parametrize("late", [False, True])
def test_the_error_contract_holds_in_a_middleware(add, late):
    clock = Clock()
    auth = make_auth(clock)
    app = app_with(auth, add, late=late)
    missing = knock(app)
    assert (missing.status, missing.json["code"], missing.json["action"]) == (401, "token_missing", "login")
    assert missing.get("www-authenticate") == 'Bearer realm="authx"'
    assert missing.get("cache-control") == "no-store"
    token = auth.create_access_token("alice")
    assert knock(app, headers=[authorization(token)]).json == "read"
    assert knock(app, headers=[authorization(token[:-1])]).json["code"] == "token_invalid"
    assert knock(app, headers=[authorization(auth.create_refresh_token("alice"))]).json["code"] == "token_wrong_type"
    clock.now += 10_000
    assert (knock(app, headers=[authorization(token)]).json["action"]) == "refresh"


def test_a_status_other_than_401_is_answered_too(add):
    app = app_with(make_auth(), add, raising(InsufficientScopeError(["a"])))
    assert (knock(app).status, knock(app).json["code"]) == (403, "insufficient_scope")


def test_cookies_need_their_csrf_value_in_a_middleware(add):
    auth = make_auth(**COOKIES)
    app = app_with(auth, add)
    came = cookies(access_token_cookie=auth.create_access_token("alice"))
    assert knock(app, headers=[came]).status == 200
    assert knock(app, method="POST", headers=[came]).json["code"] == "csrf_missing"


def test_an_access_check_deletes_no_cookies_and_a_refused_refresh_token_does(add):
    auth = make_auth(**COOKIES)
    came = cookies(access_token_cookie="x.y.z", refresh_token_cookie="x.y.z")
    assert knock(app_with(auth, add), headers=[came]).cookies == []
    refused = knock(app_with(auth, add, auth.refresh_token_required), headers=[came])
    assert (refused.status, len(refused.cookies)) == (401, 4)


def test_cookies_that_a_middleware_sets_reach_the_answer(add):
    auth = make_auth(**COOKIES)

    async def check(request):
        auth.set_access_cookies(auth.create_access_token("alice"), Response())

    assert "access_token_cookie" in knock(app_with(auth, add, check, late=True)).cookie_names


def test_the_answer_passes_the_middleware_further_out(add):
    app = app_with(make_auth(), add)
    app.add_middleware(CORSMiddleware, allow_origins=["https://front.example"])
    app.add_middleware(GZipMiddleware)
    answer = knock(app, headers=[ORIGIN])
    assert (answer.status, answer.get("access-control-allow-origin")) == (401, "https://front.example")


def test_the_settings_of_the_instance_that_refused_make_the_answer(add):
    auth = make_auth(JWT_ERROR_STATUS="authx", JWT_REALM="inside")
    app = FastAPI()
    make_auth().handle_errors(app)
    add(app, auth.access_token_required)
    answer = knock(app)
    assert "code" not in answer.json
    assert answer.get("www-authenticate") == 'Bearer realm="inside"'


@pytest.mark.parametrize("kind", [AuthXException, TokenExpiredError])
@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_handler_of_the_application_goes_first(add, kind, asynchronous):
    app = app_with(make_auth(), add, raising(TokenExpiredError("over")))

    async def later(request, error):
        return JSONResponse({"own": str(error)}, 418)

    app.add_exception_handler(
        kind, later if asynchronous else lambda request, error: JSONResponse({"own": "over"}, 418)
    )
    answer = knock(app)
    assert (answer.status, answer.json) == (418, {"own": "over"})


@pytest.mark.parametrize("error", [BadConfigurationError("no key"), ValueError("a mistake")])
def test_what_is_not_for_clients_stays_a_500(add, error):
    answer = knock(app_with(make_auth(), add, raising(error)))
    assert answer.status == 500
    assert type(answer.raised) is type(error)


def test_an_error_after_the_answer_has_begun_is_raised():
    auth, app = make_auth(), FastAPI()
    auth.handle_errors(app)

    class Late:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            await self.app(scope, receive, send)
            raise TokenExpiredError("too late")

    app.add_middleware(Late)

    @app.get("/p")
    def read():
        return "read"

    answer = knock(app)
    assert (answer.status, answer.body) == (200, b'"read"')
    assert isinstance(answer.raised, TokenExpiredError)


def test_an_application_that_has_started_is_joined():
    auth, app = make_auth(), FastAPI()
    decorated(app, auth.access_token_required)
    app.add_middleware(CORSMiddleware, allow_origins=["https://front.example"])
    assert knock(app).status == 500
    auth.handle_errors(app)
    auth.handle_errors(app)
    answer = knock(app, headers=[ORIGIN])
    assert (answer.status, answer.get("access-control-allow-origin")) == (401, "https://front.example")


def test_the_list_of_middleware_stays_the_application_s_own():
    auth = make_auth()
    app = app_with(auth, decorated)
    auth.handle_errors(app)
    own = list(app.user_middleware)
    assert knock(app).status == 401
    assert app.user_middleware == own
    assert len(own) == 1


# WebSocket


def socket_app(auth):
    app = FastAPI()
    auth.handle_errors(app)

    @app.websocket("/ws")
    async def ws(socket: WebSocket):
        await socket.accept()
        await socket.send_text("in")
        await socket.close()

    return app


def test_a_socket_that_a_middleware_refuses_is_denied():
    auth = make_auth()
    app = socket_app(auth)
    bare(app, auth.access_token_required)
    client = TestClient(app)
    with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect("/ws"):
        pass
    assert (refused.value.status_code, refused.value.json()["code"]) == (401, "token_missing")
    headers = {"Authorization": f"Bearer {auth.create_access_token('alice')}"}
    with client.websocket_connect("/ws", headers=headers) as socket:
        assert socket.receive_text() == "in"


def test_an_accepted_socket_that_a_middleware_refuses_is_closed():
    auth = make_auth()
    app = socket_app(auth)

    class AtEnd:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            async def without_close(message):
                if message["type"] != "websocket.close":
                    await send(message)

            await self.app(scope, receive, without_close)
            raise TokenExpiredError("over")

    app.add_middleware(AtEnd)
    with TestClient(app).websocket_connect("/ws") as socket:
        assert socket.receive_text() == "in"
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert (closed.value.code, closed.value.reason) == (1008, "token_expired")
