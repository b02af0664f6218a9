"""A token is looked at once in a request, and each route gets a payload of its own."""

import pytest
from fastapi import Depends, FastAPI, Request
from tests.http.one_route import async_answer, one_route
from tests.support.asgi import COOKIES, OTHER_SECRET, authorization, cookies, knock, make_auth
from tests.support.tokens import claims_of

from authx import TokenPayload
from authx.exceptions import AuthXException
from authx.jose import jws
from authx.testing import Clock


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
        auth.set_subject_getter(async_answer)
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
