"""Settings that did nothing in AuthX 1.7.1, or the opposite of what they say, shown to work."""

import time
from datetime import timedelta

import pytest
from fastapi import Depends, FastAPI, Response
from fastapi.testclient import TestClient
from tests.support.apps import COOKIES, SECRET, make_auth, make_door, make_expired, with_cookie
from tests.support.tokens import bearer, claims_of, forge_access


def test_b1_leeway_covers_a_token_that_expired_a_moment_ago():
    auth = make_auth(JWT_DECODE_LEEWAY=60)
    token = make_expired(auth)
    assert make_door(auth).get("/p", headers=bearer(token)).status_code == 200


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_b1_leeway_covers_a_host_whose_clock_is_ahead(claim):
    soon = int(time.time()) + 40
    token = forge_access(SECRET, **{claim: soon, "exp": soon + 60})
    assert make_door(make_auth(JWT_DECODE_LEEWAY=60)).get("/p", headers=bearer(token)).status_code == 200
    assert make_door(make_auth()).get("/p", headers=bearer(token)).status_code == 401


def test_b1_leeway_is_no_more_than_it_says():
    auth = make_auth(JWT_DECODE_LEEWAY=60)
    token = make_expired(auth, seconds=70)
    answer = make_door(auth).get("/p", headers=bearer(token))
    assert (answer.status_code, answer.json()["error_type"]) == (401, "TokenExpiredError")


def test_b2_every_algorithm_listed_for_decoding_is_accepted():
    token = make_auth(JWT_SECRET_KEY=SECRET * 2, JWT_ALGORITHM="HS512").create_access_token("alice")
    auth = make_auth(JWT_SECRET_KEY=SECRET * 2, JWT_DECODE_ALGORITHMS=["HS256", "HS512"])
    assert make_door(auth).get("/p", headers=bearer(token)).status_code == 200


def test_b2_an_algorithm_not_listed_for_decoding_is_refused():
    token = make_auth(JWT_SECRET_KEY=SECRET * 2, JWT_ALGORITHM="HS512").create_access_token("alice")
    auth = make_auth(JWT_SECRET_KEY=SECRET * 2, JWT_DECODE_ALGORITHMS=["HS256", "HS384"])
    assert make_door(auth).get("/p", headers=bearer(token)).status_code == 401


@pytest.mark.parametrize("create", ["create_access_token", "create_refresh_token"])
def test_b3_tokens_carry_nbf_unless_told_otherwise(create):
    claims = claims_of(getattr(make_auth(), create)("alice"))
    assert claims["nbf"] == claims["iat"]
    assert "nbf" not in claims_of(getattr(make_auth(JWT_ENCODE_NBF=False), create)("alice"))


def test_b3_the_identity_claim_is_written_and_read():
    auth = make_auth(JWT_IDENTITY_CLAIM="user_id")
    token = auth.create_access_token("alice")
    claims = claims_of(token)
    assert (claims["user_id"], claims["sub"]) == ("alice", "alice")
    assert make_door(auth).get("/p", headers=bearer(token)).json() == {"sub": "alice"}


def test_b4_a_message_key_that_was_set_is_used():
    body = make_door(make_auth(JWT_ERROR_MESSAGE_KEY="detail")).get("/p").json()
    assert body["detail"] == "Token Error"
    assert "message" not in body


def test_b5_cookies_live_as_long_as_their_token_where_they_are_no_session_cookies():
    auth = make_auth(JWT_SESSION_COOKIE=False, JWT_ACCESS_TOKEN_EXPIRES=timedelta(hours=1), **COOKIES)
    response = Response()
    auth.set_access_cookies(auth.create_access_token("alice"), response)
    for line in response.headers.getlist("set-cookie"):
        age = int(line.partition("Max-Age=")[2].partition(";")[0])
        assert 3590 <= age <= 3601


def test_b5_a_max_age_of_nought_counts():
    auth = make_auth(JWT_COOKIE_MAX_AGE=600, **COOKIES)
    response = Response()
    auth.set_access_cookies(auth.create_access_token("alice"), response, max_age=0)
    for line in response.headers.getlist("set-cookie"):
        assert "Max-Age=0;" in f"{line};"


@pytest.fixture
def csrf_door():
    auth = make_auth(**COOKIES)
    app = FastAPI()
    auth.handle_errors(app)
    unguarded = Depends(auth.token_required(verify_csrf=False))
    guarded = Depends(auth.token_required(verify_csrf=True))

    @app.post("/unguarded", dependencies=[unguarded])
    def unguarded_post():
        return "open"

    @app.get("/guarded", dependencies=[guarded])
    def guarded_get():
        return "open"

    token = auth.create_access_token("alice")
    return with_cookie(TestClient(app, raise_server_exceptions=False), token), claims_of(token)["csrf"]


def test_b7_verify_csrf_false_asks_for_no_csrf_value(csrf_door):
    client, _ = csrf_door
    assert client.post("/unguarded").status_code == 200


def test_b7_verify_csrf_true_passes_with_the_right_value_on_any_method(csrf_door):
    client, value = csrf_door
    assert client.get("/guarded", headers={"X-CSRF-TOKEN": value}).status_code == 200


def test_b7_verify_csrf_true_asks_for_the_value_on_any_method(csrf_door):
    client, _ = csrf_door
    assert client.get("/guarded").status_code == 403
    assert client.get("/guarded", headers={"X-CSRF-TOKEN": "wrong"}).status_code == 403
