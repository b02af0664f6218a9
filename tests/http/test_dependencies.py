"""What a dependency is: one stable object, one node, and no thread."""

import asyncio
from typing import Annotated

import anyio.to_thread
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Security, WebSocket
from fastapi.testclient import TestClient
from tests.http.one_route import async_answer, nodes_of_only_route, one_route
from tests.support.asgi import COOKIES, OTHER_SECRET, SECRET, authorization, cookies, knock, make_auth

from authx import AuthXConfig, AuthXDependency, TokenPayload


class TestNodes:
    @pytest.mark.parametrize(
        ("name", "locations", "count"),
        [
            ("access_token_required", ["headers"], 1),
            ("access_token_required", ["cookies"], 1),
            ("access_token_required", ["query"], 1),
            ("access_token_required", ["json"], 1),
            ("access_token_required", ["headers", "json"], 1),
            ("access_token_required", ["headers", "cookies"], 2),
            ("access_token_required", ["headers", "cookies", "query"], 3),
            ("access_token_required", ["headers", "cookies", "json", "query"], 3),
            ("access_token_required", [], 1),
            ("refresh_token_required", ["headers", "cookies", "query"], 3),
            ("fresh_token_required", ["headers", "cookies", "query"], 3),
            ("get_current_subject", ["headers", "cookies", "query"], 3),
        ],
        ids=str,
    )
    def test_a_dependency_is_a_node_for_each_place_that_can_be_shown(self, name, locations, count):
        auth = make_auth(JWT_TOKEN_LOCATION=locations)
        assert len(nodes_of_only_route(one_route(getattr(auth, name)))) == count

    @pytest.mark.parametrize("locations", [["headers"], ["headers", "cookies", "query"]], ids=str)
    def test_every_node_is_async(self, locations):
        auth = make_auth(JWT_TOKEN_LOCATION=locations)
        for node in nodes_of_only_route(one_route(auth.access_token_required)):
            assert asyncio.iscoroutinefunction(type(node.call).__call__)

    def test_a_finder_is_one_node(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["headers", "cookies", "query"])
        app = FastAPI()

        @app.get("/p")
        async def route(access=auth.ACCESS_TOKEN):
            return access

        assert len(nodes_of_only_route(app)) == 1


ARGUMENTS = [
    {},
    {"type": "access"},
    {"type": "refresh"},
    {"verify_type": False},
    {"verify_fresh": True},
    {"verify_csrf": True},
    {"verify_csrf": False},
    {"locations": ["headers"]},
    {"locations": ["headers", "cookies"]},
    {"locations": ["cookies", "headers"]},
    {"locations": []},
]


class TestStableObjects:
    @pytest.mark.parametrize("arguments", ARGUMENTS, ids=str)
    def test_the_same_arguments_give_the_same_object(self, arguments):
        auth = make_auth()
        assert auth.token_required(**arguments) is auth.token_required(**arguments)

    def test_different_arguments_give_different_objects(self):
        auth = make_auth()
        made = [auth.token_required(**arguments) for arguments in ARGUMENTS]
        # The first two say the same.
        assert made[0] is made[1]
        assert len({id(guard) for guard in made}) == len(made) - 1

    def test_defaults_may_be_spelt_out(self):
        auth = make_auth()
        assert auth.token_required() is auth.access_token_required
        assert auth.token_required("access", True, False, None, None) is auth.access_token_required
        assert auth.token_required(type="refresh") is auth.refresh_token_required
        assert auth.token_required(verify_fresh=True) is auth.fresh_token_required

    def test_a_list_of_places_may_be_a_tuple(self):
        auth = make_auth()
        assert auth.token_required(locations=["query"]) is auth.token_required(locations=("query",))

    def test_scopes_give_one_object_for_the_same_scopes(self):
        auth = make_auth()
        assert auth.scopes_required("a", "b") is auth.scopes_required("a", "b")
        assert auth.scopes_required("a", "b") is not auth.scopes_required("a", "b", all_required=False)
        assert auth.scopes_required("a") is not auth.scopes_required("b")
        assert auth.scopes_required("a") is not auth.access_token_required

    def test_two_instances_share_none(self):
        assert make_auth().access_token_required is not make_auth().access_token_required

    def test_other_settings_leave_the_objects_what_they_are(self):
        auth = make_auth()
        guard = auth.access_token_required
        auth.config.JWT_HEADER_NAME = "X-Pass"
        assert auth.access_token_required is guard
        auth.load_config(AuthXConfig(JWT_SECRET_KEY=OTHER_SECRET))
        assert auth.access_token_required is guard

    @pytest.mark.parametrize("name", ["BUNDLE", "DEPENDENCY", "ACCESS_TOKEN", "REFRESH_TOKEN", "CURRENT_SUBJECT"])
    def test_a_ready_made_dependency_is_the_same_at_each_access(self, name):
        auth = make_auth()
        assert getattr(auth, name).dependency == getattr(auth, name).dependency
        assert hash(getattr(auth, name).dependency) == hash(getattr(auth, name).dependency)

    @pytest.mark.parametrize(
        "arguments",
        [{"type": "acces"}, {"type": "Access"}, {"type": None}, {"locations": ["body"]}, {"locations": "headers"}],
        ids=str,
    )
    def test_what_does_not_exist_is_refused_where_the_route_is_declared(self, arguments):
        with pytest.raises(ValueError, match="use"):
            make_auth().token_required(**arguments)

    def test_a_misspelt_argument_is_refused(self):
        with pytest.raises(TypeError):
            make_auth().token_required(verify_scrf=False)
        with pytest.raises(TypeError):
            make_auth().scopes_required("a", scope="b")

    def test_a_single_scope_in_a_list_is_refused_where_the_route_is_declared(self):
        with pytest.raises(TypeError):
            make_auth().scopes_required(["posts:read"])

    def test_no_secret_is_in_the_text_of_a_dependency(self):
        auth = make_auth()
        assert SECRET not in repr(auth.access_token_required)
        assert "verify_fresh=True" in repr(auth.fresh_token_required)


GUARDS = {
    "access": lambda auth: auth.access_token_required,
    "refresh": lambda auth: auth.refresh_token_required,
    "fresh": lambda auth: auth.fresh_token_required,
    "type": lambda auth: auth.token_required("refresh", verify_csrf=False),
    "scopes": lambda auth: auth.scopes_required("admin"),
    "subject": lambda auth: auth.get_current_subject,
    "finder": lambda auth: auth.ACCESS_TOKEN.dependency,
    "bundle": lambda auth: auth.BUNDLE.dependency,
    "websocket": lambda auth: auth.WS_AUTH_REQUIRED.dependency,
}


class TestOverrides:
    @pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS)
    @pytest.mark.parametrize("locations", [["headers"], ["headers", "cookies", "query"]], ids=str)
    def test_a_dependency_can_be_replaced_in_tests(self, guard, locations):
        auth = make_auth(JWT_TOKEN_LOCATION=locations)
        app = one_route(guard(auth))
        app.dependency_overrides[guard(auth)] = lambda: complex(1)
        assert knock(app).json == "complex"
        app.dependency_overrides.clear()
        assert knock(app).status in (401, 200)
        assert knock(app).body != b'"complex"'

    def test_replacing_one_leaves_the_others(self):
        auth = make_auth()
        app = one_route(auth.access_token_required, "/one", one_route(auth.fresh_token_required, "/two"))
        app.dependency_overrides[auth.access_token_required] = lambda: None
        assert (knock(app, "/one").status, knock(app, "/two").status) == (200, 401)

    def test_one_dependency_of_a_route_for_http_and_websockets_is_replaced_for_both(self):
        auth = make_auth()
        app = one_route(auth.access_token_required)

        @app.websocket("/ws")
        async def greet(websocket: WebSocket, payload=auth.WS_AUTH_REQUIRED):
            await websocket.accept()
            await websocket.send_text(payload)

        app.dependency_overrides[auth.access_token_required] = lambda: "instead"
        assert knock(app).status == 200
        with TestClient(app).websocket_connect("/ws") as socket:
            assert socket.receive_text() == "instead"


class TestWhereTheyWork:
    def test_on_a_route_a_router_and_an_application(self):
        auth = make_auth()
        app = FastAPI(dependencies=[auth.ACCESS_REQUIRED])
        router = APIRouter(prefix="/router", dependencies=[Depends(auth.fresh_token_required)])
        scoped = Depends(auth.scopes_required("admin"))

        @router.get("/route", dependencies=[scoped])
        async def deep():
            return "open"

        @app.get("/plain")
        async def plain():
            return "open"

        app.include_router(router)

        def ask(path, **token):
            return knock(app, path, headers=[authorization(auth.create_access_token("alice", **token))]).status

        assert knock(app, "/plain").status == 401
        assert ask("/plain") == 200
        assert ask("/router/route", scopes=["admin"]) == 401
        assert ask("/router/route", fresh=True) == 403
        assert ask("/router/route", fresh=True, scopes=["admin"]) == 200
        assert knock(app, "/openapi.json").status == 200

    def test_as_a_default_as_an_annotation_and_as_security(self):
        auth = make_auth()
        app = FastAPI()
        required = Depends(auth.access_token_required)

        @app.get("/default")
        async def default(payload: TokenPayload = required):
            return payload.sub

        @app.get("/annotated")
        async def annotated(payload: Annotated[TokenPayload, Depends(auth.access_token_required)]):
            return payload.sub

        @app.get("/ready")
        async def ready(payload: TokenPayload = auth.ACCESS_REQUIRED):
            return payload.sub

        secured = Security(auth.access_token_required)

        @app.get("/security")
        async def security(payload: TokenPayload = secured):
            return payload.sub

        headers = [authorization(auth.create_access_token("alice"))]
        for path in ("/default", "/annotated", "/ready", "/security"):
            assert knock(app, path, headers=headers).json == "alice"

    def test_in_a_dependency_of_ones_own(self):
        auth = make_auth()

        async def name(payload=auth.ACCESS_REQUIRED):
            return payload.sub

        app, named = FastAPI(), Depends(name)

        @app.get("/p")
        async def route(name=named):
            return name

        assert knock(app, headers=[authorization(auth.create_access_token("alice"))]).json == "alice"

    @pytest.mark.parametrize("keyword", [True, False])
    def test_called_by_hand(self, keyword):
        auth = make_auth()
        app = FastAPI()

        @app.get("/p")
        async def route(request: Request):
            guard = auth.access_token_required
            payload = await (guard(request=request) if keyword else guard(request))
            return [payload.sub, await auth.get_current_subject(request)]

        auth.set_subject_getter(lambda uid: uid.upper())
        assert knock(app, headers=[authorization(auth.create_access_token("alice"))]).json == ["alice", "ALICE"]
        assert knock(app).json["code"] == "token_missing"

    def test_the_bundle_and_its_other_name(self):
        auth = make_auth(**COOKIES)
        app = FastAPI()

        @app.post("/p")
        async def route(one: AuthXDependency = auth.BUNDLE, other: AuthXDependency = auth.DEPENDENCY):
            one.set_access_cookies(one.create_access_token("alice"))
            return one is other

        answer = knock(app, method="POST")
        assert (answer.json, answer.cookie_names) == (True, ["access_token_cookie", "csrf_access_token"])


@pytest.fixture
def hops(monkeypatch):
    """Every function that was run in a thread."""
    seen = []
    run = anyio.to_thread.run_sync

    async def counted(function, *args, **options):
        seen.append(function)
        return await run(function, *args, **options)

    monkeypatch.setattr(anyio.to_thread, "run_sync", counted)
    return seen


class TestNoThread:
    @pytest.mark.parametrize("locations", [["headers"], ["cookies"], ["headers", "cookies", "json", "query"]], ids=str)
    @pytest.mark.parametrize(
        "name",
        ["access_token_required", "fresh_token_required", "get_current_subject", "_bundle"],
    )
    def test_a_dependency_makes_no_hop(self, hops, locations, name):
        auth = make_auth(JWT_TOKEN_LOCATION=locations)
        auth.set_subject_getter(async_answer)
        auth.set_token_blocklist(async_answer)
        token = auth.create_access_token("alice", fresh=True)
        headers = [authorization(token)] if "headers" in locations else [cookies(access_token_cookie=token)]
        app = one_route(getattr(auth, name))
        assert knock(app, headers=headers).status == 200
        assert hops == []

    def test_a_refusal_makes_no_hop(self, hops):
        auth = make_auth()
        app = one_route(auth.access_token_required)
        assert knock(app).status == 401
        auth.handle_errors(app)
        assert knock(app, headers=[authorization("garbage")]).status == 401
        assert hops == []

    def test_a_search_makes_no_hop(self, hops):
        auth, app = make_auth(), FastAPI()

        @app.get("/p")
        async def route(access=auth.ACCESS_TOKEN, refresh=auth.REFRESH_TOKEN):
            return access

        assert knock(app).status == 200
        assert hops == []

    @pytest.mark.parametrize("register", ["set_token_blocklist", "set_subject_getter"])
    @pytest.mark.parametrize(("inline", "count"), [(True, 0), (False, 1)])
    def test_only_a_sync_callback_makes_one_unless_it_is_inline(self, hops, register, inline, count):
        auth = make_auth()
        auth.set_subject_getter(async_answer)
        getattr(auth, register)(lambda argument: None, inline=inline)
        app = one_route(auth.get_current_subject)
        assert knock(app, headers=[authorization(auth.create_access_token("alice"))]).status == 200
        assert len(hops) == count
