"""Where a token is looked for, in which order, and what is no token at all."""

import asyncio
import json
from itertools import permutations

import pytest
from fastapi import Body, Depends, FastAPI, Request
from pydantic import BaseModel
from tests.support.asgi import authorization, cookies, knock, make_auth, request_of
from tests.support.tokens import claims_of

from authx.exceptions import MissingTokenError
from authx.jose import jws
from authx.testing import Clock
from authx.types import TokenLocation

JSON = ("Content-Type", "application/json")
PLACES: list[TokenLocation] = ["headers", "cookies", "json", "query"]


def make_door(auth):
    app = FastAPI()
    auth.handle_errors(app)

    @app.get("/p")
    @app.post("/p", operation_id="post")
    async def protected(payload=auth.ACCESS_REQUIRED):
        return payload.sub

    @app.post("/r")
    async def refresh(payload=auth.REFRESH_REQUIRED):
        return payload.sub

    @app.post("/where")
    async def where(access=auth.ACCESS_TOKEN, refresh=auth.REFRESH_TOKEN):
        return [None if token is None else token.location for token in (access, refresh)]

    return app


def put(place, token, kind="access"):
    """A request with a token in that place, and the CSRF value of a cookie."""
    if place == "headers":
        return {"headers": [authorization(token)]}
    if place == "json":
        return {"headers": [JSON], "body": json.dumps({f"{kind}_token": token}).encode()}
    if place == "query":
        return {"query": f"token={token}"}
    value = claims_of(token)["csrf"] if token.count(".") == 2 else "any"
    return {"headers": [cookies(**{f"{kind}_token_cookie": token}), ("X-CSRF-TOKEN", value)]}


def both(one, other):
    return {
        "headers": [*one.get("headers", []), *other.get("headers", [])],
        "body": one.get("body", b"") + other.get("body", b""),
        "query": one.get("query", "") + other.get("query", ""),
    }


class TestOrder:
    @pytest.mark.parametrize(
        ("configured", "place", "kind"),
        [
            *((place, place, kind) for place in PLACES for kind in ("access", "refresh")),
            *((one, other, "access") for one, other in permutations(PLACES, 2)),
        ],
    )
    def test_a_token_is_found_where_it_is_configured_and_nowhere_else(self, configured, place, kind):
        auth = make_auth(JWT_TOKEN_LOCATION=[configured])
        token = auth.create_access_token("alice") if kind == "access" else auth.create_refresh_token("alice")
        path = "/p" if kind == "access" else "/r"
        answer = knock(make_door(auth), path, "POST", **put(place, token, kind))
        assert answer.status == (200 if configured == place else 401)

    @pytest.mark.parametrize(("first", "second"), [*permutations(PLACES, 2)])
    def test_the_first_place_that_has_a_token_decides(self, first, second):
        auth = make_auth(JWT_TOKEN_LOCATION=[first, second])
        request = both(put(first, auth.create_access_token("first")), put(second, auth.create_access_token("second")))
        if "cookies" in (first, second):
            owner = "first" if first == "cookies" else "second"
            request = _with_csrf_of(request, owner)
        app = make_door(auth)
        assert knock(app, "/p", "POST", **request).json == "first"

    @pytest.mark.parametrize(("first", "second"), [*permutations(PLACES, 2)])
    def test_a_bad_token_in_the_first_place_is_not_passed_over(self, first, second):
        auth = make_auth(JWT_TOKEN_LOCATION=[first, second])
        request = both(put(first, "garbage"), put(second, auth.create_access_token("second")))
        answer = knock(make_door(auth), "/p", "POST", **request)
        assert answer.json["code"] in ("token_invalid", "csrf_mismatch")

    def test_the_place_is_told(self):
        auth = make_auth(JWT_TOKEN_LOCATION=PLACES)
        app = make_door(auth)
        for place in PLACES:
            answer = knock(app, "/where", "POST", **put(place, auth.create_access_token("alice")))
            assert answer.json[0] == place

    def test_a_place_named_twice_is_looked_at_once(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["headers", "headers", "query"])
        answer = knock(make_door(auth), **put("query", auth.create_access_token("alice")))
        assert answer.json == "alice"

    def test_no_place_means_no_token(self):
        auth = make_auth(JWT_TOKEN_LOCATION=[])
        answer = knock(make_door(auth), **put("headers", auth.create_access_token("alice")))
        assert answer.json["code"] == "token_missing"


def _with_csrf_of(request, owner):
    """Leaves the one CSRF value that belongs to the cookie."""
    headers = [item for item in request["headers"] if item[0] != "X-CSRF-TOKEN"]
    cookie = next(value for name, value in headers if name == "Cookie").decode().partition("=")[2]
    assert claims_of(cookie)["sub"] == owner
    return request | {"headers": [*headers, ("X-CSRF-TOKEN", claims_of(cookie)["csrf"])]}


class TestPlacesOfRefreshTokens:
    @pytest.fixture
    def door(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["headers"], JWT_REFRESH_TOKEN_LOCATION=["cookies"])
        return make_door(auth), auth

    def test_a_refresh_token_travels_where_it_is_told_to(self, door):
        app, auth = door
        token = auth.create_refresh_token("alice")
        assert knock(app, "/r", "POST", **put("cookies", token, "refresh")).json == "alice"
        assert knock(app, "/r", "POST", **put("headers", token, "refresh")).status == 401

    def test_an_access_token_travels_where_all_others_do(self, door):
        app, auth = door
        token = auth.create_access_token("alice")
        assert knock(app, "/p", **put("headers", token)).json == "alice"
        assert knock(app, "/p", **put("cookies", token)).status == 401

    def test_only_tokens_that_travel_in_cookies_carry_a_csrf_value(self, door):
        _, auth = door
        pair = auth.create_token_pair("alice")
        assert claims_of(pair.access_token)["csrf"] == claims_of(auth.create_access_token("alice"))["csrf"] == ""
        assert claims_of(pair.refresh_token)["csrf"]
        assert claims_of(auth.create_refresh_token("alice"))["csrf"]

    def test_a_call_may_name_other_places(self, door):
        app, auth = door

        @app.post("/query")
        async def from_query(payload=Depends(auth.token_required("refresh", locations=["query"]))):
            return payload.sub

        token = auth.create_refresh_token("alice")
        assert knock(app, "/query", "POST", query=f"token={token}").json == "alice"
        assert knock(app, "/query", "POST", **put("cookies", token, "refresh")).status == 401


class TestHeader:
    @pytest.fixture
    def door(self):
        auth = make_auth()
        return make_door(auth), auth.create_access_token("alice")

    @pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "bEaReR ", "Bearer  ", "Bearer    "])
    def test_the_scheme_is_compared_without_regard_to_case(self, door, scheme):
        app, token = door
        assert knock(app, headers={"Authorization": scheme + token}).json == "alice"

    @pytest.mark.parametrize("name", ["authorization", "Authorization", "AUTHORIZATION"])
    def test_the_name_is_compared_without_regard_to_case(self, door, name):
        app, token = door
        assert knock(app, headers={name: f"Bearer {token}"}).json == "alice"

    @pytest.mark.parametrize(
        "value", ["{}", "Basic {}", "Token {}", "Bearer", "Bearer ", "", " ", "Bearer{}", "BearerX {}", "Bea {}", "B"]
    )
    def test_a_value_without_the_scheme_is_no_token(self, door, value):
        app, token = door
        answer = knock(app, headers={"Authorization": value.format(token)})
        assert (answer.status, answer.json["code"]) == (401, "token_missing")

    @pytest.mark.parametrize(
        "value", ["Bearer {0} {0}", "Bearer {0}, Bearer {0}", "Bearer {0},{0}", "Bearer Bearer {0}", "Bearer {0}\t{0}"]
    )
    def test_what_follows_the_scheme_is_one_token_and_nothing_else(self, door, value):
        app, token = door
        answer = knock(app, headers={"Authorization": value.format(token)})
        assert (answer.status, answer.json["code"]) == (400, "request_invalid")

    @pytest.mark.parametrize("seen_before", [False, True])
    @pytest.mark.parametrize("other", ["Bearer other", "Basic dTpw", ""])
    @pytest.mark.parametrize("first", [True, False])
    def test_two_headers_are_refused_whatever_is_in_them(self, door, seen_before, other, first):
        app, token = door
        if seen_before:
            assert knock(app, headers=[authorization(token)]).status == 200
        headers = [authorization(token), ("Authorization", other)]
        answer = knock(app, headers=headers if first else headers[::-1])
        assert (answer.status, answer.json["code"]) == (400, "request_invalid")
        assert "two Authorization headers" in answer.json["message"]

    def test_the_same_token_twice_is_refused_too(self, door):
        app, token = door
        assert knock(app, headers=[authorization(token), authorization(token)]).status == 400

    @pytest.mark.parametrize("order", [["headers", "cookies"], ["headers", "query"]])
    @pytest.mark.parametrize("value", ["Basic dTpw", "Digest a=b, c=d", "Bearer", ""])
    def test_a_header_of_another_scheme_lets_the_next_place_be_asked(self, order, value):
        auth = make_auth(JWT_TOKEN_LOCATION=order)
        request = put(order[1], auth.create_access_token("alice"))
        request["headers"] = [*request.get("headers", []), ("Authorization", value)]
        assert knock(make_door(auth), **request).json == "alice"

    @pytest.mark.parametrize(
        ("fields", "header"),
        [
            ({"JWT_HEADER_NAME": "X-Pass"}, ("X-Pass", "Bearer {}")),
            ({"JWT_HEADER_NAME": "x-pass", "JWT_HEADER_TYPE": "Token"}, ("X-Pass", "token {}")),
            ({"JWT_HEADER_NAME": "X-Pass", "JWT_HEADER_TYPE": ""}, ("x-pass", "{}")),
            ({"JWT_HEADER_TYPE": ""}, ("Authorization", "{}")),
            ({"JWT_HEADER_TYPE": ""}, ("Authorization", "  {}  ")),
        ],
    )
    def test_name_and_scheme_are_configurable(self, fields, header):
        auth = make_auth(**fields)
        name, value = header
        answer = knock(make_door(auth), headers={name: value.format(auth.create_access_token("alice"))})
        assert answer.json == "alice"

    def test_two_headers_of_a_configured_name_are_refused_by_that_name(self):
        auth = make_auth(JWT_HEADER_NAME="X-Pass")
        answer = knock(make_door(auth), headers=[("X-Pass", "Bearer a"), ("X-Pass", "Bearer b")])
        assert "X-Pass" in answer.json["message"]


class TestCookies:
    @pytest.fixture
    def door(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["cookies"])
        return make_door(auth), auth.create_access_token("alice")

    @pytest.mark.parametrize(
        "value",
        [
            "access_token_cookie={}",
            'access_token_cookie="{}"',
            "other=1; access_token_cookie={}; another=2",
            "other=1;access_token_cookie={};another=2",
            "access_token_cookie={0}; access_token_cookie={0}",
            "access_token_cookie={}; Access_Token_Cookie=other",
            "access_token_cookie={}; xaccess_token_cookie=other; access_token_cookiex=other",
            "access_token_cookie=; access_token_cookie={}",
            "=; ;; broken; access_token_cookie={}",
        ],
    )
    def test_a_cookie_is_found_among_others(self, door, value):
        app, token = door
        assert knock(app, headers={"Cookie": value.format(token)}).json == "alice"

    @pytest.mark.parametrize("value", ["access_token_cookie=", 'access_token_cookie=""', "access_token_cookie", "x={}"])
    def test_an_empty_cookie_is_no_token(self, door, value):
        app, token = door
        assert knock(app, headers={"Cookie": value.format(token)}).json["code"] == "token_missing"

    @pytest.mark.parametrize("other_first", [False, True])
    @pytest.mark.parametrize("joined", [False, True])
    def test_two_different_cookies_of_one_name_are_refused(self, door, other_first, joined):
        app, token = door
        values = [f"access_token_cookie={token}", "access_token_cookie=other"]
        values = values[::-1] if other_first else values
        headers = [("Cookie", "; ".join(values))] if joined else [("Cookie", value) for value in values]
        answer = knock(app, headers=headers)
        assert (answer.status, answer.json["code"]) == (400, "request_invalid")
        assert "access_token_cookie" in answer.json["message"]

    def test_cookies_in_two_headers_are_all_looked_at(self, door):
        app, token = door
        headers = [("Cookie", "other=1"), cookies(access_token_cookie=token)]
        assert knock(app, headers=headers).json == "alice"

    def test_a_cookie_named_twice_that_is_not_ours_is_none_of_our_business(self, door):
        app, token = door
        assert knock(app, headers={"Cookie": f"a=1; a=2; access_token_cookie={token}"}).json == "alice"


class TestQuery:
    @pytest.fixture
    def door(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["query"])
        return make_door(auth), auth.create_access_token("alice")

    @pytest.mark.parametrize("query", ["token={}", "a=1&token={}&b=2", "token={0}&token={0}"])
    def test_a_parameter_is_found_among_others(self, door, query):
        app, token = door
        assert knock(app, query=query.format(token)).json == "alice"

    def test_a_token_may_be_percent_encoded(self, door):
        app, token = door
        assert knock(app, query="token=" + "".join(f"%{ord(character):02x}" for character in token)).json == "alice"

    @pytest.mark.parametrize("query", ["", "Token={}", "a=token={}", "tokens={}"])
    def test_a_parameter_of_another_name_is_no_token(self, door, query):
        app, token = door
        assert knock(app, query=query.format(token)).json["code"] == "token_missing"

    @pytest.mark.parametrize("query", ["token=", "token", "token=&a=1"])
    def test_an_empty_parameter_is_a_token_that_nobody_made(self, door, query):
        app, _ = door
        assert knock(app, query=query).json["code"] == "token_invalid"

    @pytest.mark.parametrize("other", ["other", ""])
    def test_two_different_tokens_are_refused(self, door, other):
        app, token = door
        assert knock(app, query=f"token={token}&token={other}").json["code"] == "request_invalid"

    def test_more_parameters_than_anybody_needs_are_refused(self, door):
        app, token = door
        answer = knock(app, query="&".join(["a=1"] * 5000) + f"&token={token}")
        assert answer.json["code"] == "request_invalid"

    def test_a_token_in_the_query_needs_no_csrf_value(self, door):
        app, token = door
        assert knock(app, method="POST", query=f"token={token}").json == "alice"


class TestJSON:
    @pytest.fixture
    def door(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["json"])
        return make_door(auth), auth.create_access_token("alice")

    @pytest.mark.parametrize(
        "content_type",
        ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;charset=latin-1"],
    )
    def test_a_body_of_json_is_read(self, door, content_type):
        app, token = door
        body = json.dumps({"access_token": token}).encode()
        assert knock(app, method="POST", headers={"Content-Type": content_type}, body=body).json == "alice"

    @pytest.mark.parametrize("content_type", ["text/plain", "application/jsonp", "text/json", "", "image/x"])
    def test_a_body_of_another_type_is_not(self, door, content_type):
        app, token = door
        body = json.dumps({"access_token": token}).encode()
        answer = knock(app, method="POST", headers={"Content-Type": content_type}, body=body)
        assert answer.json["code"] == "token_missing"

    def test_two_types_of_one_body_are_none(self, door):
        app, token = door
        body = json.dumps({"access_token": token}).encode()
        answer = knock(app, method="POST", headers=[JSON, ("Content-Type", "text/plain")], body=body)
        assert answer.json["code"] == "token_missing"

    @pytest.mark.parametrize("body", [b"", b"  ", b"{}", b"[]", b"null", b"1", b'"a"', b'{"access_token": 1}'])
    def test_a_body_without_the_key_is_no_token(self, door, body):
        app, _ = door
        assert knock(app, method="POST", headers=[JSON], body=body).json["code"] == "token_missing"

    def test_an_empty_text_is_a_token_that_nobody_made(self, door):
        app, _ = door
        answer = knock(app, method="POST", headers=[JSON], body=b'{"access_token": ""}')
        assert answer.json["code"] == "token_invalid"

    @pytest.mark.parametrize("body", [b"{", b'{"a": 1, "a": 2}', b'{"a": NaN}', b"\xff", b"{} {}", b"{'a': 1}"])
    def test_a_body_that_cannot_be_read_is_a_broken_request(self, door, body):
        app, _ = door
        assert knock(app, method="POST", headers=[JSON], body=body).json["code"] == "request_invalid"

    def test_any_method_may_have_a_body(self, door):
        app, token = door
        body = json.dumps({"access_token": token}).encode()
        assert knock(app, method="GET", headers=[JSON], body=body).json == "alice"

    def test_the_body_is_left_for_the_route(self, door):
        app, token = door
        auth = make_auth(JWT_TOKEN_LOCATION=["json"])

        class Note(BaseModel):
            text: str

        @app.post("/note")
        async def note(request: Request, note: Note, text: str = Body(), payload=auth.ACCESS_REQUIRED):
            return [payload.sub, text]

        @app.post("/raw")
        async def raw(request: Request, payload=auth.ACCESS_REQUIRED):
            return [payload.sub, (await request.json())["text"]]

        body = json.dumps({"access_token": token, "text": "hello", "note": {"text": "hello"}}).encode()
        for path in ("/note", "/raw"):
            assert knock(app, path, "POST", [JSON], body).json == ["alice", "hello"]


class TestWhatIsRead:
    @pytest.mark.parametrize("order", [["headers"], ["headers", "cookies", "query"], ["cookies", "headers"]])
    def test_nothing_reads_the_body_unless_json_is_a_place(self, order):
        auth = make_auth(JWT_TOKEN_LOCATION=order)
        request = put("headers", auth.create_access_token("alice"))
        answer = knock(make_door(auth), method="POST", body=b"{", **request)
        assert (answer.json, answer.reads) == ("alice", 0)

    def test_the_body_is_not_read_where_an_earlier_place_has_a_token(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["headers", "json"])
        headers = [authorization(auth.create_access_token("alice")), JSON]
        answer = knock(make_door(auth), method="POST", headers=headers, body=b"{")
        assert (answer.json, answer.reads) == ("alice", 0)

    @pytest.mark.parametrize("place", PLACES)
    def test_a_token_over_the_limit_is_refused_before_it_is_decoded(self, place, monkeypatch):
        def never(*_):
            raise AssertionError("it was decoded")

        auth = make_auth(JWT_TOKEN_LOCATION=[place], JWT_MAX_TOKEN_BYTES=300)
        app = make_door(auth)
        monkeypatch.setattr(jws, "decode", never)
        answer = knock(app, "/p", "POST", **put(place, "x" * 301))
        assert (answer.status, answer.json["code"]) == (400, "request_invalid")
        assert "300 bytes" in answer.json["message"]

    @pytest.mark.parametrize("place", PLACES)
    def test_a_token_of_just_the_limit_is_taken(self, place):
        token = make_auth(JWT_TOKEN_LOCATION=["cookies"]).create_access_token("alice")
        auth = make_auth(JWT_TOKEN_LOCATION=[place], JWT_MAX_TOKEN_BYTES=len(token))
        assert knock(make_door(auth), "/p", "POST", **put(place, token)).json == "alice"
        auth.config.JWT_MAX_TOKEN_BYTES = len(token) - 1
        assert knock(make_door(auth), "/p", "POST", **put(place, token)).status == 400


class TestCallsInRoutes:
    @pytest.fixture
    def door(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["headers"])
        app = FastAPI()
        auth.handle_errors(app)

        @app.post("/named")
        async def named(request: Request, where: str = ""):
            places = where.split(",") if where else []
            token = await auth.get_access_token_from_request(request, locations=places)
            return [token.location, token.type, token.csrf]

        @app.post("/optional")
        async def optional(request: Request):
            return await auth.get_token_from_request(request)

        @app.post("/needed")
        async def needed(request: Request):
            return await auth.get_token_from_request(request, type="refresh", optional=False)

        return app, auth

    def test_the_places_of_a_call_need_not_be_configured(self, door):
        app, auth = door
        token = auth.create_access_token("alice")
        answer = knock(app, "/named", "POST", query=f"where=cookies,query&token={token}")
        assert answer.json == ["query", "access", None]

    def test_no_places_mean_no_token(self, door):
        app, auth = door
        answer = knock(app, "/named", "POST", [authorization(auth.create_access_token("alice"))])
        assert answer.json["code"] == "token_missing"

    def test_a_place_that_does_not_exist_is_a_mistake_of_the_application(self, door):
        app, _ = door
        assert isinstance(knock(app, "/named", "POST", query="where=body").raised, KeyError)

    def test_an_optional_token_that_is_absent_is_none(self, door):
        app, _ = door
        assert knock(app, "/optional", "POST").json is None

    def test_an_optional_token_that_is_there_twice_is_refused(self, door):
        app, _ = door
        assert knock(app, "/optional", "POST", [authorization("a"), authorization("b")]).status == 400

    def test_a_needed_token_that_is_absent_is_missed_by_its_type(self, door):
        app, _ = door
        assert knock(app, "/needed", "POST").json["code"] == "refresh_missing"

    def test_the_error_says_where_it_was_looked_for(self, door):
        _, auth = door
        request = request_of()
        with pytest.raises(MissingTokenError) as refusal:
            asyncio.run(auth.get_access_token_from_request(request, locations=["headers", "cookies", "query"]))
        assert len(refusal.value.args) == 3
        with pytest.raises(MissingTokenError) as refusal:
            asyncio.run(auth.get_access_token_from_request(request))
        assert isinstance(refusal.value.args[0], str)


def test_time_is_the_instances_own():
    clock = Clock()
    auth = make_auth(clock)
    app, token = make_door(auth), auth.create_access_token("alice")
    assert knock(app, headers=[authorization(token)]).status == 200
    clock.now += 15 * 60 - 1
    assert knock(app, headers=[authorization(token)]).status == 200
    clock.now += 1
    assert knock(app, headers=[authorization(token)]).json["code"] == "token_expired"
