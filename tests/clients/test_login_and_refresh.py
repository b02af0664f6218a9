"""What is sent before and after a request, and with which token."""

import json

import pytest
from tests.clients.fake import BASE, LOGIN, PAIR, REFRESH

from authx.clients import LoginError, TokenPair
from authx.token import create_token

ANNA = {"username": "anna", "password": "a pass word"}
KEY = "a secret of more than thirty-two letters for clients"


def jwt(clock, seconds, *, age=0):
    """An access token of a given life that was issued some time ago."""
    return create_token("anna", KEY, issued=clock() - age, expiry=clock() - age + seconds)


def test_the_first_request_logs_in(kind, fake):
    assert kind.get(fake, kind.auth(**ANNA)).status_code == 200
    assert fake.paths() == ["/login", "/items"]
    assert json.loads(fake.seen[0].body) == ANNA
    assert fake.tokens("/items") == ["access-1"]


def test_later_requests_use_the_token_they_have(kind, fake):
    auth = kind.auth(**ANNA)
    assert [kind.get(fake, auth).status_code for _ in range(3)] == [200, 200, 200]
    assert fake.count() == {"/login": 1, "/items": 3}


def test_a_pair_that_was_taken_is_used_without_a_login(kind, fake):
    assert kind.get(fake, kind.auth(tokens=PAIR, **ANNA)).status_code == 200
    assert fake.tokens("/items") == ["access-0"]


def test_a_token_is_renewed_shortly_before_its_end(kind, fake):
    fake.life = 1000
    auth = kind.auth(margin=20, **ANNA)
    kind.get(fake, auth)
    kind.clock.advance(979)
    kind.get(fake, auth)
    assert fake.count()["/refresh"] == 0
    kind.clock.advance(1)
    kind.get(fake, auth)
    assert fake.tokens("/refresh") == ["refresh-1"]
    assert fake.tokens("/items") == ["access-1", "access-1", "access-2"]


def test_a_short_lived_token_is_used_for_nine_tenths_of_its_life(kind, fake):
    fake.life = 10
    auth = kind.auth(margin=60, **ANNA)
    kind.get(fake, auth)
    kind.clock.advance(8.9)
    kind.get(fake, auth)
    assert fake.count()["/refresh"] == 0
    kind.clock.advance(0.2)
    kind.get(fake, auth)
    assert fake.count()["/refresh"] == 1


def test_a_pair_without_times_is_renewed_before_the_end_that_its_jwt_names(kind, fake):
    auth = kind.auth(tokens=TokenPair(jwt(kind.clock, 900), "refresh-0"))
    fake.script["/items"] = [(200, {})]
    kind.get(fake, auth)
    assert fake.count()["/refresh"] == 0
    kind.clock.advance(891)
    kind.get(fake, auth)
    assert fake.count()["/refresh"] == 1


def test_a_pair_with_times_is_renewed_by_them(kind, fake):
    auth = kind.auth(tokens=TokenPair("access-0", "refresh-0", expires_at=kind.clock() - 1))
    assert kind.get(fake, auth).status_code == 200
    assert fake.paths() == ["/refresh", "/items"]


def test_an_answer_without_expires_in_is_renewed_by_the_life_its_jwt_claims_whatever_the_clock_says(kind, fake):
    token = jwt(kind.clock, 900)
    kind.clock.advance(86_400)  # this machine's clock is a day fast
    fake.script.update({"/refresh": [(200, {"access_token": token})], "/items": [(200, {})]})
    auth = kind.auth(tokens=TokenPair(token, "refresh-0"))
    for _ in range(3):
        kind.get(fake, auth)
    assert fake.count() == {"/refresh": 1, "/items": 3}


def test_a_token_that_says_nothing_of_its_end_is_used_until_it_is_refused(kind, fake):
    auth = kind.auth(**ANNA)
    kind.get(fake, auth)
    kind.clock.advance(1e9)
    assert kind.get(fake, auth).status_code == 200
    assert fake.count() == {"/login": 1, "/items": 2}


def test_a_refused_token_is_renewed_and_the_request_sent_again(kind, fake):
    fake.issued = 5
    answer = kind.get(fake, kind.auth(tokens=PAIR))
    assert (answer.status_code, answer.url.path) == (200, "/items")
    assert fake.paths() == ["/items", "/refresh", "/items"]
    assert fake.tokens("/refresh") == ["refresh-0"]
    assert fake.tokens("/items") == ["access-0", "access-6"]


def test_the_newest_refresh_token_is_the_one_presented(kind, fake):
    auth = kind.auth(tokens=PAIR)
    for _ in range(3):
        fake.issued += 10  # all access tokens of before are refused
        assert kind.get(fake, auth).status_code == 200
    assert fake.tokens("/refresh") == ["refresh-0", "refresh-11", "refresh-22"]


def test_a_refresh_token_stays_where_the_answer_has_none(kind, fake):
    fake.issued = 5
    fake.script["/refresh"] = [(200, {"access_token": "access-5"})]
    auth = kind.auth(tokens=PAIR)
    assert kind.get(fake, auth).status_code == 200
    assert auth.tokens == TokenPair("access-5", "refresh-0")


def test_a_login_without_a_refresh_token_is_repeated_at_its_end(kind, fake):
    fake.script["/login"] = [(200, {"access_token": "access-1", "expires_in": 100})]
    fake.script["/items"] = [(200, {})]
    auth = kind.auth(**ANNA)
    kind.get(fake, auth)
    kind.clock.advance(100)
    kind.get(fake, auth)
    assert fake.paths() == ["/login", "/items", "/login", "/items"]


def test_a_session_that_is_over_is_begun_anew(kind, fake):
    fake.script["/items"] = [LOGIN, None]
    assert kind.get(fake, kind.auth(tokens=PAIR, **ANNA)).status_code == 200
    assert fake.paths() == ["/items", "/login", "/items"]


def test_a_session_that_is_over_stays_over_without_a_password(kind, fake):
    fake.script["/items"] = [LOGIN]
    auth = kind.auth(tokens=PAIR)
    answer = kind.get(fake, auth)
    assert (answer.status_code, answer.json()["code"]) == (401, "session_revoked")
    assert auth.tokens is None
    assert kind.get(fake, auth).status_code == 401
    assert fake.tokens("/items") == ["access-0", None]


def test_a_refused_refresh_ends_the_session_and_logs_in_again(kind, fake):
    fake.script["/items"] = [REFRESH, None]
    fake.script["/refresh"] = [(401, {"code": "refresh_reused", "action": "login"})]
    assert kind.get(fake, kind.auth(tokens=PAIR, **ANNA)).status_code == 200
    assert fake.paths() == ["/items", "/refresh", "/login", "/items"]


def test_a_refused_refresh_without_a_password_gives_the_answer_to_what_was_asked(kind, fake):
    fake.script["/items"] = [REFRESH]
    fake.script["/refresh"] = [(401, {"code": "refresh_reused", "action": "login"})]
    auth = kind.auth(tokens=PAIR)
    answer = kind.get(fake, auth)
    assert (answer.status_code, answer.url.path, answer.json()["code"]) == (401, "/items", "token_expired")
    assert auth.tokens is None


@pytest.mark.parametrize("action", ["reauthenticate", "forbidden", "csrf", "unheard of", 7, None])
def test_other_actions_are_left_to_the_caller(kind, fake, action):
    fake.script["/items"] = [(401, {"code": "fresh_required", "action": action})]
    assert kind.get(fake, kind.auth(tokens=PAIR, **ANNA)).json()["action"] == action
    assert fake.paths() == ["/items"]


@pytest.mark.parametrize("status", [400, 403, 404, 422, 500])
def test_actions_are_obeyed_only_with_the_status_they_belong_to(kind, fake, status):
    fake.script["/items"] = [(status, {"action": "login"})]
    auth = kind.auth(tokens=PAIR, **ANNA)
    assert kind.get(fake, auth).status_code == status
    assert fake.paths() == ["/items"]
    assert auth.tokens is PAIR


def test_a_password_that_another_request_got_wrong_does_not_end_the_session(kind, fake):
    fake.script["/items"] = [(401, {"code": "credentials_invalid", "action": "login"})]
    auth = kind.auth(tokens=PAIR, **ANNA)
    assert kind.get(fake, auth).status_code == 401
    assert auth.tokens is PAIR


def test_a_head_request_whose_answer_has_no_body_is_refreshed_by_its_challenge(kind, fake):
    fake.issued = 5
    fake.script["/items"] = [(401, b"", {"WWW-Authenticate": 'Bearer realm="x", error="invalid_token"'}), None]
    answer = kind.use(fake, kind.auth(tokens=PAIR), lambda client: client.head(f"{BASE}/items"))
    assert answer.status_code == 200
    assert fake.paths() == ["/items", "/refresh", "/items"]


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (
            (401, {"code": "credentials_invalid", "action": "login"}),
            "Login failed: the server answered 401 credentials_invalid",
        ),
        ((404, {"code": "a pass word"}), "Login failed: the server answered 404"),
        ((200, {}), "Login failed: the answer (200) holds no usable access token"),
        ((307, b"", {"Location": "/elsewhere"}), "Login failed: the server answered 307"),
        ((503, {}), "Login failed: the server answered 503"),
    ],
)
def test_a_failed_login_is_an_error_that_says_why(kind, fake, refusal, message):
    fake.script["/login"] = [refusal]
    with pytest.raises(LoginError) as caught:
        kind.get(fake, kind.auth(**ANNA))
    assert str(caught.value) == message
    assert caught.value.status == refusal[0]
    assert fake.paths() == ["/login"]


def test_a_failed_login_is_caught_like_any_failed_request(kind, fake):
    fake.script["/login"] = [LOGIN]
    with pytest.raises(kind.library.HTTPError):
        kind.get(fake, kind.auth(**ANNA))


def test_a_login_that_fails_after_the_session_ended_gives_the_answer_to_what_was_asked(kind, fake):
    fake.script.update({"/items": [LOGIN], "/login": [(401, {"code": "account_unavailable", "action": "login"})]})
    answer = kind.get(fake, kind.auth(tokens=PAIR, **ANNA))
    assert (answer.status_code, answer.url.path, answer.json()["code"]) == (401, "/items", "session_revoked")


def test_login_and_refresh_go_where_they_are_said_to_be(kind, fake):
    fake.script["/v1/in"] = [(200, {"access_token": "a", "refresh_token": "b"})]
    fake.script["/v1/again"] = [(200, {"access_token": "access-0"})]
    fake.script["/items"] = [REFRESH, None]
    auth = kind.auth(f"{BASE}/v1/", login_path="/in", refresh_path="/again", **ANNA)
    assert kind.get(fake, auth).status_code == 200
    assert fake.paths() == ["/v1/in", "/items", "/v1/again", "/items"]


def test_the_token_travels_in_the_header_and_after_the_scheme_that_the_server_wants(kind, fake):
    fake.script["/items"] = [(200, {})]
    kind.get(fake, kind.auth(tokens=PAIR, header_name="X-Token", header_type=""))
    kind.get(fake, kind.auth(tokens=PAIR, header_type="JWT"))
    assert fake.seen[0].headers["x-token"] == "access-0"
    assert "authorization" not in fake.seen[0].headers
    assert fake.seen[1].headers["authorization"] == "JWT access-0"


def test_its_own_requests_have_the_time_out_and_the_name_of_the_client_and_the_headers_given(kind, fake):
    timeouts = []
    fake.script["/login"] = [lambda request: timeouts.append(request.extensions["timeout"])]
    auth = kind.auth(headers={"X-Api-Key": "for the gateway"}, **ANNA)
    kind.use(fake, auth, lambda client: client.get(f"{BASE}/items"), timeout=12.5, headers={"User-Agent": "a robot/1"})
    assert timeouts == [{"connect": 12.5, "read": 12.5, "write": 12.5, "pool": 12.5}]
    assert fake.seen[0].headers["user-agent"] == "a robot/1"
    assert fake.seen[0].headers["x-api-key"] == "for the gateway"
    assert "x-api-key" not in fake.seen[1].headers


def test_the_request_of_the_caller_is_left_as_it_is_and_may_be_sent_again(kind, fake):
    auth = kind.auth(**ANNA)
    request = kind.library.Request("GET", f"{BASE}/items")
    kind.use(fake, auth, lambda client: client.send(request))
    fake.issued += 1
    kind.use(fake, auth, lambda client: client.send(request))
    assert "authorization" not in request.headers
    assert fake.tokens("/items") == ["access-1", "access-1", "access-3"]


def test_a_refused_stream_can_still_be_read(kind, fake):
    fake.script.update({"/items": [REFRESH], "/refresh": [(500, b"")]})

    def stream(client):
        with client.stream("GET", f"{BASE}/items") as answer:
            return b"".join(answer.iter_bytes())

    async def stream_async(client):
        async with client.stream("GET", f"{BASE}/items") as answer:
            return b"".join([part async for part in answer.aiter_bytes()])

    body = kind.use(fake, kind.auth(tokens=PAIR), stream_async if kind.is_async else stream)
    assert json.loads(body)["action"] == "refresh"
