"""`Security(guard, scopes=[...])` is enforced on every level, and a forgotten call is an error where it stands."""

import asyncio
import enum

import jwt
import pytest
from fastapi import APIRouter, Depends, FastAPI, Security, WebSocket
from fastapi.exceptions import FastAPIError
from fastapi.security import SecurityScopes
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from tests.support.asgi import SECRET, authorization, knock, make_auth, request_of
from tests.support.axes import pairwise, spread

from authx import AuthManager, AuthX, AuthXConfig
from authx.exceptions import BadConfigurationError, InsufficientScopeError
from authx.http.ratelimit import RateLimiter
from authx.schema import TokenPayload
from authx.testing import Clock

READ = ["posts:read"]


@pytest.fixture
def auth():
    auth = make_auth(JWT_TOKEN_LOCATION=["headers", "cookies"])
    auth.login_type = "admin"
    auth.set_subject_getter(lambda uid: {"name": uid})
    return auth


def manager_of(auth):
    manager = AuthManager()
    manager.register(auth)
    return manager


# Every dependency that lets a request pass, and the type of token that it asks for.
GUARDS = {
    "access_token_required": (lambda auth: auth.access_token_required, "access"),
    "refresh_token_required": (lambda auth: auth.refresh_token_required, "refresh"),
    "fresh_token_required": (lambda auth: auth.fresh_token_required, "access"),
    "token_required": (lambda auth: auth.token_required(locations=["headers"]), "access"),
    "token_required in the body": (lambda auth: auth.token_required(locations=["json", "headers"]), "access"),
    "scopes_required": (lambda auth: auth.scopes_required("me"), "access"),
    "any of scopes_required": (lambda auth: auth.scopes_required("me", "you", all_required=False), "access"),
    "rate_limited": (lambda auth: auth.rate_limited(), "access"),
    "get_current_subject": (lambda auth: auth.get_current_subject, "access"),
    "the manager's": (lambda auth: manager_of(auth).access_token_required("admin"), "access"),
    "the manager's for refresh tokens": (lambda auth: manager_of(auth).refresh_token_required("admin"), "refresh"),
}


def token_of(auth, kind, scopes):
    if kind == "refresh":
        return auth.create_refresh_token("alice", scopes=scopes)
    return auth.create_access_token("alice", fresh=True, scopes=scopes)


def app_with(auth, *levels, declared=None):
    """An application whose route `/p` is under these levels of `include_router`, innermost first."""
    app = FastAPI()
    auth.handle_errors(app)
    router = APIRouter()

    @router.get("/p", dependencies=declared or [])
    def read():
        return "read"

    for dependencies in levels:
        outer = APIRouter()
        outer.include_router(router, dependencies=dependencies)
        router = outer
    app.include_router(router)
    return app


@pytest.mark.parametrize("name", GUARDS)
def test_each_guard_asks_for_the_scopes_that_are_declared(auth, name):
    make, kind = GUARDS[name]
    app = app_with(auth, declared=[Security(make(auth), scopes=["posts:read", "posts:write"])])
    for scopes, status in (
        (["me", "posts:read", "posts:write"], 200),
        (["me", "posts:*"], 200),
        (["me", "posts:read"], 403),
        (["me"], 403),
    ):
        for _ in range(2):  # a remembered token, too
            answer = knock(app, headers=[authorization(token_of(auth, kind, scopes))])
            assert answer.status == status, scopes
    assert answer.json["code"] == "insufficient_scope"
    assert answer.get("www-authenticate").endswith('error="insufficient_scope", scope="posts:read posts:write"')


@pytest.mark.parametrize("name", GUARDS)
def test_each_guard_documents_the_403(auth, name):
    make, _ = GUARDS[name]
    app = app_with(auth, declared=[Security(make(auth), scopes=READ)])
    responses = app.openapi()["paths"]["/p"]["get"]["responses"]
    assert "the token lacks a scope" in responses["403"]["description"].lower()
    plain = app_with(auth, declared=[Depends(auth.access_token_required)])
    assert "403" not in plain.openapi()["paths"]["/p"]["get"]["responses"]


@pytest.mark.parametrize("name", [name for name in GUARDS if name != "rate_limited"])
def test_each_guard_that_shows_a_scheme_shows_the_scopes_with_it(auth, name):
    make, _ = GUARDS[name]
    operation = app_with(auth, declared=[Security(make(auth), scopes=READ)]).openapi()["paths"]["/p"]["get"]
    assert all(scopes == READ for scheme in operation["security"] for scopes in scheme.values())


def test_a_token_without_scopes_lacks_them(auth):
    app = app_with(auth, declared=[Security(auth.access_token_required, scopes=READ)])
    assert knock(app, headers=[authorization(auth.create_access_token("alice"))]).status == 403


def test_the_message_names_the_missing_scopes_alone(auth):
    app = app_with(auth, declared=[Security(auth.access_token_required, scopes=["me", "read", "write"])])
    answer = knock(app, headers=[authorization(auth.create_access_token("alice", scopes=["read"]))])
    assert answer.json["message"] == "Missing required scopes: ['me', 'write']. Provided: ['read']"


@pytest.mark.parametrize("place", ["parameter", "decorator", "router", "include", "three includes", "application"])
def test_scopes_are_enforced_where_they_are_declared(auth, place):
    needs = [Security(auth.access_token_required, scopes=READ)]
    if place == "parameter":
        app = FastAPI()

        @app.get("/p")
        def read(payload: TokenPayload = needs[0]):
            return payload.sub

    elif place == "decorator":
        app = app_with(auth, declared=needs)
    elif place == "router":
        app, router = FastAPI(), APIRouter(dependencies=needs)
        router.add_api_route("/p", lambda: "read")
        app.include_router(router)
    elif place == "include":
        app = app_with(auth, needs)
    elif place == "three includes":
        app = app_with(auth, [], needs, [])
    else:
        app = FastAPI(dependencies=needs)
        app.add_api_route("/p", lambda: "read")
    auth.handle_errors(app)
    for scopes, status in ((READ, 200), ([], 403), (None, 403)):
        assert knock(app, headers=[authorization(auth.create_access_token("alice", scopes=scopes))]).status == status


def test_the_scopes_of_all_levels_are_required(auth):
    guard = auth.access_token_required
    levels = [[Security(guard, scopes=["b"])], [Security(guard, scopes=["c"])]]
    app = app_with(auth, *levels, declared=[Security(guard, scopes=["a"])])
    for scopes, status in ((["a", "b", "c"], 200), (["a", "b"], 403), (["b", "c"], 403), (["a", "c"], 403)):
        assert knock(app, headers=[authorization(auth.create_access_token("alice", scopes=scopes))]).status == status


def test_one_router_is_included_twice_with_different_scopes(auth):
    app, router = FastAPI(), APIRouter()
    auth.handle_errors(app)
    router.add_api_route("/p", lambda: "read", dependencies=[Depends(auth.access_token_required)])
    for prefix in ("/a", "/b"):
        needs = [Security(auth.access_token_required, scopes=[prefix[1:]])]
        app.include_router(router, prefix=prefix, dependencies=needs)
    token = [authorization(auth.create_access_token("alice", scopes=["a"]))]
    assert knock(app, "/a/p", headers=token).status == 200
    assert knock(app, "/b/p", headers=token).status == 403


def test_scopes_reach_a_guard_below_a_dependency_of_the_application(auth):
    def user(payload: TokenPayload = auth.ACCESS_REQUIRED):
        return payload.sub

    app = app_with(auth, declared=[Security(user, scopes=["me"])])
    for scopes, status in ((["me"], 200), ([], 403)):
        assert knock(app, headers=[authorization(auth.create_access_token("alice", scopes=scopes))]).status == status


@pytest.mark.parametrize("name", ["access_token_required", "_ws_auth_required"])
def test_a_websocket_asks_for_its_scopes(auth, name):
    app = FastAPI()
    auth.handle_errors(app)

    @app.websocket("/ws")
    async def ws(socket: WebSocket, payload: TokenPayload = Security(getattr(auth, name), scopes=READ)):
        await socket.accept()
        await socket.send_text(payload.sub)
        await socket.close()

    client = TestClient(app)
    tokens = {scope: auth.create_access_token("alice", scopes=[scope]) for scope in ("posts:read", "me")}
    headers = {scope: {"Authorization": f"Bearer {token}"} for scope, token in tokens.items()}
    with client.websocket_connect("/ws", headers=headers["posts:read"]) as socket:
        assert socket.receive_text() == "alice"
    with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect("/ws", headers=headers["me"]):
        pass
    assert refused.value.status_code == 403


def test_a_guard_that_is_called_by_hand_takes_scopes(auth):
    token = auth.create_access_token("alice", scopes=READ)
    request = request_of([authorization(token)])
    guard = auth.access_token_required
    assert asyncio.run(guard(request)).sub == "alice"
    assert asyncio.run(guard(request, SecurityScopes(READ))).sub == "alice"
    with pytest.raises(InsufficientScopeError):
        asyncio.run(guard(request, security_scopes=SecurityScopes(["posts:write"])))


def test_a_string_for_scopes_is_refused_with_the_list_to_write(auth):
    app = app_with(auth, declared=[Security(auth.access_token_required, scopes="posts:read")])
    answer = knock(app, headers=[authorization(auth.create_access_token("alice", scopes=READ))])
    assert isinstance(answer.raised, BadConfigurationError)
    assert 'scopes=["posts:read"]' in str(answer.raised)
    assert knock(app).status == 401


@pytest.mark.parametrize("scopes", [["r"], ["*"], ["r", "w"], ["c", "r", "u", "d"]])
def test_scopes_of_one_letter_are_scopes(auth, scopes):
    app = app_with(auth, declared=[Security(auth.access_token_required, scopes=scopes)])
    assert knock(app, headers=[authorization(auth.create_access_token("alice", scopes=scopes))]).status == 200
    refused = knock(app, headers=[authorization(auth.create_access_token("alice", scopes=["x"]))])
    assert refused.status == 403
    assert ("write a list" in refused.json["message"]) == (len(scopes) > 1)


# Scopes of other issuers


def foreign(**claims):
    now = int(Clock().now)
    usual = {"sub": "alice", "jti": "1", "iat": now, "exp": now + 60, "type": "access", "login_type": "admin"}
    return jwt.encode(usual | claims, SECRET, "HS256")


@pytest.mark.parametrize(
    ("claims", "shown", "status"),
    [
        ({"scope": "posts:read"}, ["posts:read"], 200),
        ({"scope": "me posts:read"}, ["me", "posts:read"], 200),
        ({"scope": "  posts:*  me "}, ["posts:*", "me"], 200),
        ({"scope": "posts:read", "scopes": None}, ["posts:read"], 200),
        ({"scope": "me", "scopes": ["posts:read"]}, ["posts:read"], 200),
        ({"scope": "posts:read", "scopes": ["me"]}, ["me"], 403),
        ({"scope": "posts:read", "scopes": []}, [], 403),
        ({"scope": ""}, [], 403),
        ({"scope": "posts:read\u00a0me"}, ["posts:read\u00a0me"], 403),
        ({"scope": "posts:read\tme"}, ["posts:read\tme"], 403),
        ({"scope": "posts:read,me"}, ["posts:read,me"], 403),
        ({"scope": ["posts:read"]}, None, 403),
        ({"scope": {"posts:read": True}}, None, 403),
        ({"scope": None}, None, 403),
        ({}, None, 403),
    ],
)
def test_scopes_in_one_text_are_read_where_there_is_no_list(auth, claims, shown, status):
    app = FastAPI()
    auth.handle_errors(app)

    @app.get("/p")
    def read(payload: TokenPayload = Security(auth.access_token_required, scopes=READ)):
        return payload.scopes

    @app.get("/shown")
    def show(payload: TokenPayload = auth.ACCESS_REQUIRED):
        return [payload.scopes, payload.has_scopes("posts:read"), payload.extra_dict.get("scope")]

    token = foreign(**claims)
    for _ in range(3):  # each of the ways in which a payload is made
        answer = knock(app, headers=[authorization(token)])
        assert answer.status == status
        assert status == 403 or answer.json == shown
        assert knock(app, "/shown", headers=[authorization(token)]).json == [shown, status == 200, claims.get("scope")]
    assert TokenPayload.decode(token, SECRET, verify=False).scopes == shown


# What is no dependency

MISTAKES = {
    "token_required": lambda auth: auth.token_required,
    "scopes_required": lambda auth: auth.scopes_required,
    "rate_limited": lambda auth: auth.rate_limited,
    "verify_token": lambda auth: auth.verify_token,
    "RateLimiter": lambda auth: RateLimiter,
    **{
        name: lambda auth, name=name: getattr(auth, name)
        for name in (
            "ACCESS_REQUIRED",
            "REFRESH_REQUIRED",
            "FRESH_REQUIRED",
            "WS_AUTH_REQUIRED",
            "ACCESS_TOKEN",
            "REFRESH_TOKEN",
            "CURRENT_SUBJECT",
            "BUNDLE",
            "DEPENDENCY",
        )
    },
    **{
        f"manager.{name}": lambda auth, name=name: getattr(manager_of(auth), name)
        for name in (
            "token_required",
            "access_token_required",
            "refresh_token_required",
            "fresh_token_required",
            "policy_required",
            "authorize",
        )
    },
}


PLACES = ["parameter", "decorator", "websocket", "path"]
WRAPS = {
    "Depends": Depends,
    "Security": Security,
    "with scopes": lambda dependency: Security(dependency, scopes=READ),
}


@pytest.mark.parametrize(
    ("name", "place", "wrap"),
    [*spread(MISTAKES, PLACES, WRAPS), *pairwise(["token_required", "ACCESS_REQUIRED"], PLACES, WRAPS)],
)
def test_what_is_not_a_dependency_is_refused_where_the_route_is_defined(auth, name, place, wrap):
    app, dependency = FastAPI(), WRAPS[wrap](MISTAKES[name](auth))

    def route(given=dependency):
        return "in"

    define = {
        "parameter": lambda: app.get("/p")(route),
        "decorator": lambda: app.get("/p", dependencies=[dependency])(lambda: "in"),
        "websocket": lambda: app.websocket("/p")(route),
        "path": lambda: app.get("/{type}/{login_type}/{max_requests}/{scopes}/{token}/{doubled}")(route),
    }
    with pytest.raises(FastAPIError, match=r"([Ww]rite|Call those).*(Depends|auth\.ACCESS_REQUIRED)"):
        define[place]()


@pytest.mark.parametrize(
    "scopes", [(["a"],), ([],), (("a", "b"),), ({"a"},), (1,), (None,), (True,), ("a", ["b"]), (b"a",)]
)
def test_scopes_that_are_no_texts_are_refused(auth, scopes):
    with pytest.raises(TypeError, match=r'scopes_required\("posts:read", "posts:write"\)'):
        auth.scopes_required(*scopes)
    with pytest.raises(TypeError, match="has_scopes"):
        TokenPayload(sub="alice", scopes=["a", "b:*"]).has_scopes(*scopes)


@pytest.mark.parametrize("scopes", [("",), ("a", "")])
@pytest.mark.parametrize("all_required", [True, False])
def test_an_empty_scope_is_refused(auth, scopes, all_required):
    with pytest.raises(ValueError, match="empty"):
        auth.scopes_required(*scopes, all_required=all_required)


def test_scopes_required_without_scopes_asks_for_an_access_token(auth):
    app = app_with(auth, declared=[Depends(auth.scopes_required())])
    assert knock(app).status == 401
    assert knock(app, headers=[authorization(auth.create_refresh_token("alice"))]).status == 401
    assert knock(app, headers=[authorization(auth.create_access_token("alice"))]).status == 200


def test_the_members_of_an_enumeration_are_scopes(auth):
    class Scope(enum.StrEnum):
        READ = "posts:read"

    assert auth.scopes_required(Scope.READ) is auth.scopes_required("posts:read")
    app = app_with(auth, declared=[Security(auth.access_token_required, scopes=[Scope.READ])])
    assert knock(app, headers=[authorization(auth.create_access_token("alice", scopes=READ))]).status == 200
    assert knock(app, headers=[authorization(auth.create_access_token("alice", scopes=["me"]))]).status == 403


def test_the_function_behind_the_bundle_is_a_dependency():
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET))
    app = FastAPI()

    @app.get("/p")
    def read(bundle=Depends(auth.get_dependency)):
        return bundle.request.url.path

    assert knock(app).json == "/p"
