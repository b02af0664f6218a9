"""WebSockets: the same dependency, the same places, and a handshake that is refused before it is accepted."""

import asyncio

import pytest
from fastapi import Depends, FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect
from tests.support.asgi import COOKIES, OTHER_SECRET, make_auth
from tests.support.tokens import bearer

from authx.exceptions import AuthXException, TokenExpiredError
from authx.testing import Clock

CLOSE_POLICY = 1008


def make_app(auth, dependency=None):
    app = FastAPI()
    required = Depends(auth.access_token_required if dependency is None else dependency)

    @app.websocket("/ws")
    async def greet(socket: WebSocket, payload=required):
        await socket.accept()
        await socket.send_text(payload.sub)
        await socket.close()

    return app


def greeting(app, url="/ws", **headers):
    with TestClient(app).websocket_connect(url, headers=headers) as socket:
        return socket.receive_text()


def refusal(app, url="/ws", **headers):
    with pytest.raises(WebSocketDenialResponse) as caught, TestClient(app).websocket_connect(url, headers=headers):
        pass
    return caught.value


class TestPlaces:
    @pytest.mark.parametrize("name", ["access_token_required", "_ws_auth_required"])
    def test_the_header(self, name):
        auth = make_auth()
        app = make_app(auth, getattr(auth, name))
        assert greeting(app, **bearer(auth.create_access_token("alice"))) == "alice"

    def test_the_ready_made_dependency(self):
        auth = make_auth()
        app = make_app(auth, auth.WS_AUTH_REQUIRED.dependency)
        assert greeting(app, **bearer(auth.create_access_token("alice"))) == "alice"

    def test_the_query_where_it_is_configured(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["headers", "query"])
        assert greeting(make_app(auth), f"/ws?token={auth.create_access_token('alice')}") == "alice"

    @pytest.mark.parametrize("locations", [["headers"], ["cookies"], ["headers", "cookies", "json"]], ids=str)
    def test_the_query_is_not_looked_at_unless_it_is_configured(self, locations):
        auth = make_auth(JWT_TOKEN_LOCATION=locations)
        answer = refusal(make_app(auth), f"/ws?token={auth.create_access_token('alice')}")
        assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")

    def test_the_body_is_never_looked_at(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["json"])
        answer = refusal(make_app(auth), **{"Content-Type": "application/json"})
        assert answer.json()["code"] == "token_missing"

    def test_the_first_place_that_has_a_token_decides(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["headers", "query"])
        token = auth.create_access_token("of the query")
        app = make_app(auth)
        headers = bearer(auth.create_access_token("of the header"))
        assert greeting(app, f"/ws?token={token}", **headers) == "of the header"
        assert greeting(app, f"/ws?token={token}", Authorization="Basic dTpw") == "of the query"


class TestCookies:
    @pytest.fixture(params=[{}, {"JWT_CSRF_TRUSTED_ORIGINS": ["https://front.example"]}], ids=["", "trusted origins"])
    def auth(self, request):
        return make_auth(**COOKIES, **request.param)

    def headers(self, auth, **more):
        return {"Cookie": f"access_token_cookie={auth.create_access_token('alice')}"} | more

    @pytest.mark.parametrize("more", [{}, {"Origin": "http://testserver"}, {"Origin": "http://testserver:80"}], ids=str)
    def test_a_cookie_of_the_own_page_passes_without_a_csrf_value(self, auth, more):
        if more.get("Origin", "").endswith(":80"):
            # No browser writes the default port.
            assert refusal(make_app(auth), **self.headers(auth, **more)).status_code == 403
        else:
            assert greeting(make_app(auth), **self.headers(auth, **more)) == "alice"

    @pytest.mark.parametrize(
        "origin",
        [
            "https://evil.example",
            "https://testserver",
            "http://testserver.evil.example",
            "http://sub.testserver",
            "http://testserver:8000",
            "null",
            "",
        ],
    )
    def test_a_cookie_of_a_foreign_page_is_refused(self, auth, origin):
        answer = refusal(make_app(auth), **self.headers(auth, Origin=origin))
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_origin")
        assert answer.json()["action"] == "csrf"

    @pytest.mark.parametrize(
        ("site", "passes"), [("same-origin", True), ("none", True), ("cross-site", False), ("same-site", False)]
    )
    def test_without_an_origin_the_browsers_word_on_the_site_counts(self, auth, site, passes):
        headers = self.headers(auth, **{"Sec-Fetch-Site": site})
        if passes:
            assert greeting(make_app(auth), **headers) == "alice"
        else:
            assert refusal(make_app(auth), **headers).json()["code"] == "csrf_origin"

    def test_a_trusted_page_passes(self):
        auth = make_auth(**COOKIES, JWT_CSRF_TRUSTED_ORIGINS=["https://front.example"])
        assert greeting(make_app(auth), **self.headers(auth, Origin="https://front.example")) == "alice"

    @pytest.mark.parametrize("fields", [{"JWT_COOKIE_CSRF_PROTECT": False}, {"JWT_CSRF_METHODS": []}], ids=str)
    def test_a_foreign_page_is_refused_whatever_is_said_of_csrf(self, fields):
        auth = make_auth(**COOKIES, **fields)
        assert refusal(make_app(auth), **self.headers(auth, Origin="https://evil.example")).status_code == 403

    def test_a_foreign_page_is_refused_where_the_dependency_asks_for_no_csrf_value(self):
        auth = make_auth(**COOKIES)
        app = make_app(auth, auth.token_required(verify_csrf=False))
        assert refusal(app, **self.headers(auth, Origin="https://evil.example")).status_code == 403

    def test_a_token_in_a_header_may_come_from_any_page(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["headers", "cookies"])
        headers = bearer(auth.create_access_token("alice")) | {"Origin": "https://evil.example"}
        assert greeting(make_app(auth), **headers) == "alice"

    def test_two_different_cookies_are_refused(self, auth):
        answer = refusal(make_app(auth), Cookie="access_token_cookie=a; access_token_cookie=b")
        assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


REFUSALS = {
    "missing": (lambda auth: {}, 401, "token_missing"),
    "garbage": (lambda auth: bearer("garbage"), 401, "token_invalid"),
    "forged": (
        lambda auth: bearer(make_auth(JWT_SECRET_KEY=OTHER_SECRET).create_access_token("alice")),
        401,
        "token_invalid",
    ),
    "wrong type": (lambda auth: bearer(auth.create_refresh_token("alice")), 401, "token_wrong_type"),
    "not fresh": (lambda auth: bearer(auth.create_access_token("alice", scopes=["admin"])), 401, "fresh_required"),
    "no scope": (lambda auth: bearer(auth.create_access_token("alice", fresh=True)), 403, "insufficient_scope"),
    "too long": (lambda auth: bearer("x" * 9000), 400, "request_invalid"),
}


class TestRefusal:
    @pytest.mark.parametrize(
        ("reason", "handled"), [*((reason, False) for reason in REFUSALS), ("missing", True), ("no scope", True)]
    )
    def test_a_handshake_is_refused_with_the_same_answer_as_a_request(self, reason, handled):
        headers, status, code = REFUSALS[reason]
        auth = make_auth()
        app = make_app(auth, auth.scopes_required("admin", verify_fresh=True))
        if handled:
            auth.handle_errors(app)
        answer = refusal(app, **headers(auth))
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert set(answer.json()) == {"message", "error_type", "code", "action"}
        assert answer.headers["www-authenticate"].startswith('Bearer realm="authx"')
        assert answer.headers["content-type"] == "application/json"

    def test_a_revoked_token_is_refused(self):
        auth = make_auth()
        auth.set_token_blocklist(lambda token: True)
        answer = refusal(make_app(auth), **bearer(auth.create_access_token("alice")))
        assert answer.json()["code"] == "token_revoked"

    def test_authx_statuses_are_obeyed(self):
        answer = refusal(make_app(make_auth(JWT_ERROR_STATUS="authx")), **bearer("garbage"))
        assert answer.status_code == 422
        assert answer.json() == {"message": "Invalid Token", "error_type": "JWTDecodeError"}

    def test_the_routes_code_is_not_reached(self):
        auth, app, reached = make_auth(), FastAPI(), []

        @app.websocket("/ws")
        async def never(socket: WebSocket, payload=auth.WS_AUTH_REQUIRED):
            reached.append(payload)

        refusal(app)
        assert reached == []

    def test_a_handler_of_the_applications_own_is_asked(self):
        auth = make_auth()
        app = make_app(auth)
        seen = []

        @app.exception_handler(AuthXException)
        async def own(socket, error):
            seen.append(error.code)
            await socket.close(4001, "go away")

        with pytest.raises(WebSocketDisconnect) as caught, TestClient(app).websocket_connect("/ws"):
            pass
        assert (seen, caught.value.code, caught.value.reason) == (["token_missing"], 4001, "go away")


def converse(app, *, extensions=None, messages=(), path="/ws", headers=()):
    """Speaks the protocol by hand, as a server without `websocket.http.response` does."""
    sent, waiting = [], [{"type": "websocket.connect"}, *messages]

    async def receive():
        return waiting.pop(0) if waiting else {"type": "websocket.disconnect", "code": 1001}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "scheme": "ws",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "subprotocols": [],
        "state": {},
        "extensions": extensions or {},
    }
    asyncio.run(app(scope, receive, send))
    return sent


class TestWithoutTheExtension:
    @pytest.mark.parametrize("handled", [False, True])
    def test_a_refused_handshake_is_closed_with_1008_and_the_reason(self, handled):
        auth = make_auth()
        app = make_app(auth)
        if handled:
            auth.handle_errors(app)
        (close,) = converse(app)
        assert (close["type"], close["code"], close["reason"]) == ("websocket.close", CLOSE_POLICY, "token_missing")

    def test_with_it_there_is_an_answer(self):
        sent = converse(make_app(make_auth()), extensions={"websocket.http.response": {}})
        assert [message["type"] for message in sent] == [
            "websocket.http.response.start",
            "websocket.http.response.body",
        ]
        assert sent[0]["status"] == 401

    def test_a_server_that_speaks_of_no_extensions_at_all_is_served(self):
        sent = []

        async def receive():
            return {"type": "websocket.connect"}

        async def send(message):
            sent.append(message)

        scope = {"type": "websocket", "path": "/ws", "query_string": b"", "scheme": "ws", "headers": []}
        asyncio.run(make_app(make_auth())(scope, receive, send))
        assert [(message["type"], message["code"]) for message in sent] == [("websocket.close", CLOSE_POLICY)]


class TestAfterAccept:
    """A route that accepts first and asks then."""

    def make(self, auth, *, after=None):
        app = FastAPI()

        @app.websocket("/ws")
        async def late(socket: WebSocket):
            await socket.accept()
            if after is not None:
                await after(socket)
            payload = await auth.access_token_required(socket)
            await socket.send_text(payload.sub)

        return app

    @pytest.mark.parametrize("handled", [False, True])
    @pytest.mark.parametrize("extensions", [{}, {"websocket.http.response": {}}], ids=str)
    def test_a_refused_socket_is_closed_with_1008_and_the_reason(self, handled, extensions):
        auth = make_auth()
        app = self.make(auth)
        if handled:
            auth.handle_errors(app)
        accept, close = converse(app, extensions=extensions)
        assert accept["type"] == "websocket.accept"
        assert (close["type"], close["code"], close["reason"]) == ("websocket.close", CLOSE_POLICY, "token_missing")

    def test_a_good_one_goes_on(self):
        auth = make_auth()
        sent = converse(self.make(auth), headers=bearer(auth.create_access_token("alice")).items())
        assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send"]

    @pytest.mark.parametrize("accepted", [False, True])
    def test_a_socket_that_the_route_has_closed_itself_stays_closed(self, accepted):
        auth, app = make_auth(), FastAPI()

        @app.websocket("/ws")
        async def own_code(socket: WebSocket):
            if accepted:
                await socket.accept()
            try:
                await auth.access_token_required(socket)
            except AuthXException:
                await socket.close(code=4001)
                raise

        sent = converse(app)
        assert (sent[-1]["type"], sent[-1]["code"]) == ("websocket.close", 4001)
        assert len(sent) == 1 + accepted

    def test_a_socket_that_the_client_has_left_is_left_alone(self):
        auth, app = make_auth(), FastAPI()

        @app.websocket("/ws")
        async def late(socket: WebSocket):
            await socket.accept()
            try:
                await socket.receive_text()
            except WebSocketDisconnect:
                await auth.access_token_required(socket)

        sent = converse(app, messages=[{"type": "websocket.disconnect", "code": 1001}])
        assert sent[0]["type"] == "websocket.accept"

    def test_a_check_made_again_on_an_open_socket_sees_that_the_token_has_expired(self):
        clock = Clock()
        auth = make_auth(clock)
        app = FastAPI()

        @app.websocket("/ws")
        async def long_lived(socket: WebSocket, payload=auth.WS_AUTH_REQUIRED):
            await socket.accept()
            clock.now += 3600
            try:
                await auth.access_token_required(socket)
            except TokenExpiredError:
                await socket.close(4401)
            else:
                await socket.send_text("still here")

        sent = converse(app, headers=bearer(auth.create_access_token("alice")).items())
        assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]

    def test_a_check_made_again_on_an_open_socket_asks_the_blocklist_again(self):
        auth, revoked = make_auth(), set()
        auth.set_token_blocklist(revoked.__contains__, inline=True)
        app, token = FastAPI(), auth.create_access_token("alice")

        @app.websocket("/ws")
        async def long_lived(socket: WebSocket, payload=auth.WS_AUTH_REQUIRED):
            await socket.accept()
            revoked.add(token)
            await auth.access_token_required(socket)
            await socket.send_text("still here")

        sent = converse(app, headers=bearer(token).items())
        assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
        assert sent[-1]["reason"] == "token_revoked"


class TestOneDependencyForBoth:
    def test_the_same_object_serves_requests_and_sockets(self):
        auth = make_auth()
        app = make_app(auth)
        required = Depends(auth.access_token_required)

        @app.get("/p")
        async def protected(payload=required):
            return payload.sub

        headers = bearer(auth.create_access_token("alice"))
        assert greeting(app, **headers) == "alice"
        assert TestClient(app).get("/p", headers=headers).json() == "alice"

    def test_the_subject_and_the_finders_work_on_a_socket(self):
        auth, app = make_auth(), FastAPI()
        auth.set_subject_getter(str.upper)

        @app.websocket("/ws")
        async def greet(socket: WebSocket, subject=auth.CURRENT_SUBJECT, found=auth.ACCESS_TOKEN):
            await socket.accept()
            await socket.send_text(f"{subject} {found.location}")

        assert greeting(app, **bearer(auth.create_access_token("alice"))) == "ALICE headers"

    def test_three_dependencies_of_a_handshake_ask_the_blocklist_once(self):
        auth, app, asked = make_auth(), FastAPI(), []
        auth.set_token_blocklist(asked.append, inline=True)
        auth.set_subject_getter(str.upper)

        @app.websocket("/ws")
        async def greet(
            socket: WebSocket, one=auth.WS_AUTH_REQUIRED, other=auth.FRESH_REQUIRED, s=auth.CURRENT_SUBJECT
        ):
            await socket.accept()
            await socket.send_text(s)

        token = auth.create_access_token("alice", fresh=True)
        assert greeting(app, **bearer(token)) == "ALICE"
        assert asked == [token]

    def test_called_by_hand_it_raises_for_the_route_to_catch(self):
        auth, app = make_auth(), FastAPI()

        @app.websocket("/ws")
        async def own_code(socket: WebSocket):
            try:
                await auth._ws_auth_required(socket)
            except AuthXException as error:
                await socket.close(code=4001, reason=error.code)

        (close,) = converse(app)
        assert (close["code"], close["reason"]) == (4001, "token_missing")
