"""What a dependency is: one stable object, one node, no thread, and one look at a token in a request."""

import asyncio
import functools
import threading
from typing import Annotated

import anyio.to_thread
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Security, WebSocket
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection
from tests.support.asgi import COOKIES, OTHER_SECRET, SECRET, Clock, authorization, cookies, knock, make_auth
from tests.support.axes import spread
from tests.support.tokens import claims_of

from authx import AuthX, AuthXConfig, AuthXDependency, TokenPayload
from authx.exceptions import AuthXException, InsufficientScopeError, MissingTokenError
from authx.jose import jws


def one_route(dependency, path="/p", app=None):
    """An application with one route that injects a dependency and answers whether it gave anything."""
    app = FastAPI() if app is None else app
    required = Depends(dependency)

    @app.get(path)
    async def route(given=required):
        return type(given).__name__

    return app


def nodes(dependant):
    """Every dependency of a route, at any depth."""
    return [node for child in dependant.dependencies for node in (child, *nodes(child))]


def nodes_of_only_route(app):
    (route,) = [route for route in app.routes if getattr(route, "path", "") == "/p"]
    return nodes(route.dependant)


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


async def _async_answer(argument, answer=None):
    return answer


class TestNoThread:
    @pytest.mark.parametrize("locations", [["headers"], ["cookies"], ["headers", "cookies", "json", "query"]], ids=str)
    @pytest.mark.parametrize(
        "name",
        ["access_token_required", "fresh_token_required", "get_current_subject", "_bundle"],
    )
    def test_a_dependency_makes_no_hop(self, hops, locations, name):
        auth = make_auth(JWT_TOKEN_LOCATION=locations)
        auth.set_subject_getter(_async_answer)
        auth.set_token_blocklist(_async_answer)
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
        auth.set_subject_getter(_async_answer)
        getattr(auth, register)(lambda argument: None, inline=inline)
        app = one_route(auth.get_current_subject)
        assert knock(app, headers=[authorization(auth.create_access_token("alice"))]).status == 200
        assert len(hops) == count


@pytest.fixture
def decoded(monkeypatch):
    """Every token whose signature was looked at."""
    seen = []
    decode = jws.decode

    def counted(token, *args):
        seen.append(token)
        return decode(token, *args)

    monkeypatch.setattr(jws, "decode", counted)
    return seen


class TestOneLookARequest:
    @pytest.mark.parametrize("remember", [0, 1024])
    @pytest.mark.parametrize("inline", [True, False])
    def test_three_dependencies_verify_and_ask_once(self, decoded, remember, inline):
        auth, asked = make_auth(JWT_TOKEN_CACHE_SIZE=remember), []
        auth.set_token_blocklist(asked.append, inline=inline)
        auth.set_subject_getter(_async_answer)
        scoped = Depends(auth.scopes_required("read"))
        app = FastAPI(dependencies=[auth.ACCESS_REQUIRED])

        @app.get("/p", dependencies=[scoped])
        async def route(subject=auth.CURRENT_SUBJECT, fresh=auth.FRESH_REQUIRED, socket=auth.WS_AUTH_REQUIRED):
            return "open"

        token = auth.create_access_token("alice", fresh=True, scopes=["read"])
        assert knock(app, headers=[authorization(token)]).json == "open"
        assert (asked, decoded) == ([token], [token.encode()])

    def test_dependencies_that_ask_for_less_share_the_look_with_those_that_ask_for_more(self, decoded):
        auth, asked = make_auth(JWT_TOKEN_CACHE_SIZE=0), []
        auth.set_token_blocklist(asked.append, inline=True)
        less = Depends(auth.token_required(verify_type=False))
        app = FastAPI()

        @app.get("/p", dependencies=[less, auth.ACCESS_REQUIRED])
        async def route():
            return "open"

        token = auth.create_access_token("alice")
        assert knock(app, headers=[authorization(token)]).json == "open"
        assert (asked, decoded) == ([token], [token.encode()])

    def test_every_requirement_is_checked_all_the_same(self):
        auth = make_auth()
        scoped = Depends(auth.scopes_required("admin"))
        app = FastAPI(dependencies=[auth.ACCESS_REQUIRED])

        @app.get("/p", dependencies=[auth.FRESH_REQUIRED, scoped])
        async def route():
            return "open"

        def ask(**more):
            return knock(app, headers=[authorization(auth.create_access_token("alice", **more))]).json

        assert ask()["code"] == "fresh_required"
        assert ask(fresh=True)["code"] == "insufficient_scope"
        assert ask(fresh=True, scopes=["admin"]) == "open"

    @pytest.mark.parametrize("order", [1, -1])
    def test_a_token_taken_as_any_type_is_not_taken_as_an_access_token(self, order):
        auth = make_auth()
        app = FastAPI()
        any_type = Depends(auth.token_required(verify_type=False))

        @app.get("/p", dependencies=[any_type, auth.ACCESS_REQUIRED][::order])
        async def route():
            return "open"

        answer = knock(app, headers=[authorization(auth.create_refresh_token("alice"))])
        assert answer.json["code"] == "token_wrong_type"

    def test_a_token_of_the_wrong_type_is_not_asked_about(self):
        auth, asked = make_auth(), []
        auth.set_token_blocklist(asked.append, inline=True)
        app = one_route(auth.access_token_required)
        knock(app, headers=[authorization(auth.create_refresh_token("alice"))])
        assert asked == []

    def test_an_access_and_a_refresh_token_are_looked_at_each(self, decoded):
        auth, asked = make_auth(**COOKIES, JWT_TOKEN_CACHE_SIZE=0), []
        auth.set_token_blocklist(asked.append, inline=True)
        app = FastAPI()

        @app.get("/p")
        async def route(access=auth.ACCESS_REQUIRED, refresh=auth.REFRESH_REQUIRED):
            return [access.type, refresh.type]

        pair = auth.create_token_pair("alice")
        headers = [cookies(access_token_cookie=pair.access_token, refresh_token_cookie=pair.refresh_token)]
        assert knock(app, headers=headers).json == ["access", "refresh"]
        assert asked == [pair.access_token, pair.refresh_token]
        assert len(decoded) == 2

    def test_two_instances_look_each_with_their_own_key_and_blocklist(self):
        one, other = make_auth(), make_auth(JWT_SECRET_KEY=OTHER_SECRET, JWT_HEADER_NAME="X-Other")
        asked = []
        one.set_token_blocklist(lambda token: asked.append("one"), inline=True)
        other.set_token_blocklist(lambda token: asked.append("other"), inline=True)
        app = FastAPI()

        @app.get("/p", dependencies=[one.ACCESS_REQUIRED, other.ACCESS_REQUIRED])
        async def route():
            return "open"

        header = authorization(one.create_access_token("alice"))
        foreign = ("X-Other", f"Bearer {other.create_access_token('alice')}")
        assert knock(app, headers=[header, foreign]).json == "open"
        assert asked == ["one", "other"]
        assert knock(app, headers=[header, ("X-Other", header[1])]).status == 401

    def test_two_instances_with_the_same_key_do_not_trust_each_others_blocklist(self):
        lenient, strict = make_auth(), make_auth()
        strict.set_token_blocklist(lambda token: True, inline=True)
        app = FastAPI()

        @app.get("/p", dependencies=[lenient.ACCESS_REQUIRED, strict.ACCESS_REQUIRED])
        async def route():
            return "open"

        answer = knock(app, headers=[authorization(lenient.create_access_token("alice"))])
        assert answer.json["code"] == "token_revoked"

    def test_the_next_request_asks_again(self):
        auth, asked = make_auth(), []
        auth.set_token_blocklist(asked.append, inline=True)
        app, token = one_route(auth.access_token_required), auth.create_access_token("alice")
        for _ in range(3):
            assert knock(app, headers=[authorization(token)]).status == 200
        assert asked == [token] * 3

    def test_a_token_is_revoked_from_one_request_to_the_next(self):
        auth, revoked = make_auth(), set()
        auth.set_token_blocklist(revoked.__contains__, inline=True)
        app, token = one_route(auth.access_token_required), auth.create_access_token("alice")
        assert knock(app, headers=[authorization(token)]).status == 200
        revoked.add(token)
        assert knock(app, headers=[authorization(token)]).json["code"] == "token_revoked"

    def test_a_blocklist_registered_later_is_asked_about_tokens_seen_before(self):
        auth = make_auth()
        app, token = one_route(auth.access_token_required), auth.create_access_token("alice")
        assert [knock(app, headers=[authorization(token)]).status for _ in range(2)] == [200, 200]
        auth.set_token_blocklist(lambda text: True, inline=True)
        assert knock(app, headers=[authorization(token)]).status == 401
        auth.set_token_blocklist(None)
        assert knock(app, headers=[authorization(token)]).status == 200

    def test_a_token_that_was_refused_is_refused_again_in_the_same_request(self):
        auth = make_auth()
        auth.set_token_blocklist(lambda token: True, inline=True)
        app = FastAPI()

        @app.get("/p")
        async def route(request: Request):
            codes = []
            for _ in range(2):
                try:
                    await auth.access_token_required(request)
                except AuthXException as error:
                    codes.append(error.code)
            return codes

        answer = knock(app, headers=[authorization(auth.create_access_token("alice"))])
        assert answer.json == ["token_revoked", "token_revoked"]

    def test_places_that_differ_are_searched_each(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["headers", "query"])
        app = FastAPI()
        in_query, in_header = (Depends(auth.token_required(locations=[place])) for place in ("query", "headers"))

        @app.get("/p")
        async def route(first=in_query, second=in_header, third=auth.ACCESS_REQUIRED):
            return [first.sub, second.sub, third.sub]

        one, other = auth.create_access_token("one"), auth.create_access_token("other")
        assert knock(app, headers=[authorization(one)], query=f"token={other}").json == ["other", "one", "one"]

    @pytest.mark.parametrize("remembered", [False, True])
    def test_a_token_that_expired_is_not_remembered_as_good(self, remembered):
        clock = Clock()
        auth = make_auth(clock, JWT_TOKEN_CACHE_SIZE=1024 if remembered else 0)
        app, token = one_route(auth.access_token_required), auth.create_access_token("alice")
        assert [knock(app, headers=[authorization(token)]).status for _ in range(2)] == [200, 200]
        clock.now += 900
        assert [knock(app, headers=[authorization(token)]).json["code"] for _ in range(2)] == ["token_expired"] * 2

    def test_a_remembered_token_is_still_of_its_type_fresh_and_in_its_scopes(self):
        auth = make_auth()
        scoped = auth.scopes_required("admin")
        app = one_route(auth.access_token_required, "/plain")
        for path, guard in (
            ("/refresh", auth.refresh_token_required),
            ("/fresh", auth.fresh_token_required),
            ("/scoped", scoped),
        ):
            one_route(guard, path, app)
        headers = [authorization(auth.create_access_token("alice"))]
        assert [knock(app, "/plain", headers=headers).status for _ in range(2)] == [200, 200]
        codes = [knock(app, path, headers=headers).json["code"] for path in ("/refresh", "/fresh", "/scoped")]
        assert codes == ["token_wrong_type", "fresh_required", "insufficient_scope"]


class TestPayloads:
    @pytest.fixture
    def door(self):
        auth = make_auth()
        app = FastAPI()

        @app.get("/p")
        async def route(one=auth.ACCESS_REQUIRED, other=auth.FRESH_REQUIRED):
            one.sub = "mallory"
            one.scopes.append("admin")
            one.aud.append("them")
            one.extra_dict["team"]["members"].append("mallory")
            one.team["members"].append("eve")
            one.team["name"] = "changed"
            return [other.sub, other.scopes, other.aud, other.team]

        auth.config.JWT_DECODE_AUDIENCE = ["us"]
        token = auth.create_access_token(
            "alice",
            fresh=True,
            scopes=["read"],
            audience=["us"],
            data={"team": {"name": "blue", "members": ["alice"]}},
        )
        return app, token

    def test_payloads_of_one_request_are_independent(self, door):
        app, token = door
        expected = ["alice", ["read"], ["us"], {"name": "blue", "members": ["alice"]}]
        assert knock(app, headers=[authorization(token)]).json == expected

    def test_payloads_of_one_token_are_independent_in_the_next_request_too(self, door):
        app, token = door
        first, *others = (knock(app, headers=[authorization(token)]).json for _ in range(4))
        assert others == [first] * 3

    def test_the_one_dependency_used_twice_gives_one_payload(self):
        auth, app = make_auth(), FastAPI()

        @app.get("/p")
        async def route(one=auth.ACCESS_REQUIRED, other=auth.ACCESS_REQUIRED):
            return one is other

        assert knock(app, headers=[authorization(auth.create_access_token("alice"))]).json is True

    def test_a_payload_says_what_the_token_says(self):
        auth, app = make_auth(), FastAPI()

        @app.get("/p")
        async def route(payload=auth.ACCESS_REQUIRED):
            return payload

        token = auth.create_access_token("alice", fresh=True, scopes=["read"], data={"role": "editor"})
        claims = claims_of(token)
        answered = knock(app, headers=[authorization(token)]).json
        del claims["exp"]
        assert {name: answered[name] for name in claims} == claims

    def test_a_payload_is_as_if_it_had_been_validated(self):
        auth, app, given = make_auth(), FastAPI(), []

        @app.get("/p")
        async def route(payload=auth.ACCESS_REQUIRED):
            given.append(payload)

        token = auth.create_access_token("alice", scopes=["read"], data={"role": "editor", "exact": 2**70})
        for _ in range(2):
            assert knock(app, headers=[authorization(token)]).status == 200
        for payload in given:
            assert payload == TokenPayload.model_validate(claims_of(token))
            assert payload.model_dump() == TokenPayload.model_validate(claims_of(token)).model_dump()
            assert payload.extra_dict == {"role": "editor", "exact": 2**70}
            assert payload.model_copy(update={"sub": "bob"}).sub == "bob"


class Asks:
    """A callback in every form an application may have it."""

    def __init__(self, answer):
        self.answer = answer

    def method(self, argument):
        return self.answer

    async def async_method(self, argument):
        return self.answer

    def __call__(self, argument):
        return self.answer


class AsksLater(Asks):
    async def __call__(self, argument):
        return self.answer


def _plain(answer, argument):
    return answer


async def _later(answer, argument):
    return answer


FORMS = {
    "function": lambda answer: lambda argument: answer,
    "coroutine function": lambda answer: Asks(answer).async_method,
    "method": lambda answer: Asks(answer).method,
    "callable object": Asks,
    "object with an async call": AsksLater,
    "partial of a function": lambda answer: functools.partial(_plain, answer),
    "partial of a coroutine function": lambda answer: functools.partial(_later, answer),
    "partial of a partial": lambda answer: functools.partial(functools.partial(_later), answer),
    "partial of an object with an async call": lambda answer: functools.partial(AsksLater(answer)),
    "lambda returning a coroutine": lambda answer: lambda argument: _later(answer, argument),
}


class TestCallbacks:
    @pytest.mark.parametrize("inline", [False, True], ids=["", "inline"])
    @pytest.mark.parametrize("form", FORMS)
    def test_a_blocklist_may_be_any_callable(self, form, inline):
        auth = make_auth()
        app, headers = one_route(auth.access_token_required), [authorization(auth.create_access_token("alice"))]
        for answer, status in ((True, 401), (False, 200)):
            auth.set_token_blocklist(FORMS[form](answer), inline=inline)
            assert knock(app, headers=headers).status == status

    @pytest.mark.parametrize(("answer", "status"), [(None, 200), (0, 200), (1, 401), ("", 200), ("x", 401)])
    def test_the_truth_of_a_blocklists_answer_counts(self, answer, status):
        auth = make_auth()
        auth.set_token_blocklist(lambda token: answer)
        app = one_route(auth.access_token_required)
        assert knock(app, headers=[authorization(auth.create_access_token("alice"))]).status == status

    @pytest.mark.parametrize(
        ("form", "answer", "inline"),
        spread(
            [*FORMS, *FORMS], [{"name": "Alice"}, None, [], "alice", "bob"], [False] * len(FORMS) + [True] * len(FORMS)
        ),
    )
    def test_a_subject_getters_answer_is_injected_as_it_is(self, form, answer, inline):
        auth, app = make_auth(), FastAPI()
        auth.set_subject_getter(FORMS[form](answer), inline=inline)

        @app.get("/p")
        async def route(subject=auth.CURRENT_SUBJECT):
            return [subject]

        assert knock(app, headers=[authorization(auth.create_access_token("alice"))]).json == [answer]


class TestCallbackRules:
    def test_a_blocklist_is_given_the_compact_token_and_a_getter_the_subject(self):
        auth, given = make_auth(), []
        auth.set_token_blocklist(given.append, inline=True)
        auth.set_subject_getter(given.append, inline=True)
        app, token = one_route(auth.get_current_subject), auth.create_access_token("älice")
        assert knock(app, headers=[authorization(token)]).status == 200
        assert given == [token, "älice"]

    def test_a_sync_callback_runs_in_a_thread_and_an_inline_one_does_not(self):
        auth, threads = make_auth(), []

        def note(argument):
            threads.append(threading.current_thread() is threading.main_thread())

        app, headers = one_route(auth.access_token_required), [authorization(auth.create_access_token("alice"))]
        for inline in (False, True):
            auth.set_token_blocklist(note, inline=inline)
            assert knock(app, headers=headers).status == 200
        assert threads == [False, True]

    def test_no_getter_is_a_mistake_of_the_application(self):
        auth = make_auth()
        app = one_route(auth.get_current_subject)
        answer = knock(app, headers=[authorization(auth.create_access_token("alice"))])
        assert (answer.status, type(answer.raised)) == (500, AttributeError)
        assert str(answer.raised).startswith("Model callback not set")

    def test_without_a_token_no_getter_is_looked_for(self):
        assert knock(one_route(make_auth().get_current_subject)).status == 401

    def test_the_callbacks_can_be_read_back_and_unset(self):
        auth = make_auth()
        assert not auth.is_token_callback_set
        assert not auth.is_model_callback_set
        auth.set_token_blocklist(_async_answer)
        auth.set_subject_getter(_async_answer)
        assert auth.callback_is_token_in_blocklist is _async_answer
        assert auth.callback_get_model_instance is _async_answer
        auth.set_token_blocklist(None)
        auth.set_subject_getter(None)
        assert auth.callback_is_token_in_blocklist is auth.callback_get_model_instance is None

    @pytest.mark.parametrize(("answer", "expected"), [(True, True), (None, False), ("x", True), (0, False)])
    def test_the_blocklist_can_be_asked_by_hand(self, answer, expected):
        auth = make_auth()
        auth.set_token_blocklist(functools.partial(_later, answer))
        assert asyncio.run(auth.is_token_in_blocklist("token")) is expected

    def test_without_a_blocklist_or_a_token_nothing_is_revoked(self):
        auth = make_auth()
        assert asyncio.run(auth.is_token_in_blocklist("token")) is False
        auth.set_token_blocklist(lambda token: True)
        assert asyncio.run(auth.is_token_in_blocklist(None)) is False


class TestErrorsCarry:
    """What an exception handler of the application can read off an error."""

    async def caught(self, auth, guard, headers=()):
        scope = {"type": "http", "method": "GET", "query_string": b"", "headers": list(headers)}
        try:
            await guard(HTTPConnection(scope))
        except AuthXException as error:
            return error
        return None

    def test_the_login_type_of_its_instance(self):
        auth = AuthX(config=AuthXConfig(JWT_SECRET_KEY=SECRET), login_type="staff")
        headers = [(b"authorization", b"Bearer " + auth.create_access_token("alice").encode())]
        error = asyncio.run(self.caught(auth, auth.scopes_required("admin"), headers))
        assert isinstance(error, InsufficientScopeError)
        assert (error.login_type, error.required, error.provided) == ("staff", ["admin"], [])

    def test_no_login_type_where_there_was_no_token(self):
        auth = AuthX(config=AuthXConfig(JWT_SECRET_KEY=SECRET), login_type="staff")
        error = asyncio.run(self.caught(auth, auth.access_token_required))
        assert isinstance(error, MissingTokenError)
        assert error.login_type is None

    def test_no_token_in_its_text(self):
        auth, other = make_auth(), make_auth(JWT_SECRET_KEY=OTHER_SECRET)
        token = other.create_access_token("alice")
        headers = [(b"authorization", f"Bearer {token}".encode())]
        error = asyncio.run(self.caught(auth, auth.access_token_required, headers))
        assert token not in f"{error!r} {error} {error.evidence!r}"
