"""Every error of the contract: status, challenge, body and cookies."""

from collections.abc import Callable

import pytest
from fastapi import Depends, FastAPI
from tests.http.contract import (
    ACCESS_ROWS,
    BEARER,
    BROKEN_ROWS,
    FOUR_COOKIES,
    INVALID,
    REFRESH_ROWS,
    ROWS,
    Door,
    Row,
    access,
    by_cookie,
    by_header,
    expired,
    garbage,
    make_door,
)
from tests.support.asgi import Answer, authorization, cookies
from tests.support.tokens import claims_of

from authx.exceptions import (
    AccountUnavailableError,
    CSRFOriginError,
    InvalidCredentialsError,
    InvalidRequestError,
    MissingTokenError,
    RateLimitExceeded,
    RefreshReusedError,
    RevokedTokenError,
    SessionNotFoundError,
    SessionRevoked,
    StoreUnavailableError,
    TokenInvalidAudienceError,
    TokenInvalidIssuerError,
)
from authx.testing import Clock


@pytest.fixture
def door() -> Door:
    return make_door()


@pytest.fixture(params=ROWS, ids=lambda row: row.title)
def row(request: pytest.FixtureRequest) -> Row:
    chosen: Row = request.param
    return chosen


def test_a_row_of_the_contract_is_answered_as_it_says(row, door):
    answer = row.request(door)
    assert (answer.status, answer.get("WWW-Authenticate"), answer.get("Retry-After")) == (
        row.status,
        row.challenge,
        None,
    )
    body = answer.json
    assert set(body) == {"message", "error_type", "code", "action"}
    assert (body["error_type"], body["code"], body["action"]) == (row.error.__name__, row.code, row.action)
    assert body["message"]
    assert answer.cookie_names == (FOUR_COOKIES if row.clears else [])
    assert all("Max-Age=0" in line for line in answer.cookies)


@pytest.mark.parametrize("row", {(row.error, row.code): row for row in ROWS}.values(), ids=lambda row: row.title)
def test_an_error_is_answered_alike_without_handle_errors(row, door):
    expected = row.request(door)
    door.app = _without_handlers(door)
    door.clock.now = float(Clock().now)
    answer = row.request(door)
    assert (answer.status, answer.json) == (expected.status, expected.json)
    assert answer.get("WWW-Authenticate") == expected.get("WWW-Authenticate")
    assert answer.cookies == expected.cookies


def _without_handlers(door: Door) -> FastAPI:
    bare = FastAPI()
    bare.router.routes.extend(door.app.router.routes)
    return bare


def test_no_cookies_are_cleared_where_cookies_are_no_location():
    door = make_door(JWT_TOKEN_LOCATION=["headers"])
    answer = door.knock("/r", method="POST", headers=[authorization("garbage")])
    assert (answer.status, answer.cookies) == (401, [])


def test_a_refresh_cookie_is_no_reason_to_refresh_where_cookies_are_no_location():
    door = make_door(JWT_TOKEN_LOCATION=["headers"])
    answer = door.knock(headers=[cookies(refresh_token_cookie="anything")])
    assert answer.json["action"] == "login"


def test_a_refresh_cookie_is_a_reason_to_refresh_where_only_refresh_tokens_travel_in_cookies():
    door = make_door(JWT_TOKEN_LOCATION=["headers"], JWT_REFRESH_TOKEN_LOCATION=["cookies"])
    answer = door.knock(headers=[cookies(refresh_token_cookie="anything")])
    assert (answer.json["code"], answer.json["action"]) == ("token_missing", "refresh")


def test_an_answer_that_clears_cookies_is_kept_by_no_cache(door):
    answer = by_cookie("/r", garbage, "POST")(door)
    assert answer.get("Cache-Control") == "no-store"


@pytest.mark.parametrize(
    ("field", "error"),
    [("JWT_DECODE_ISSUER", TokenInvalidIssuerError), ("JWT_DECODE_AUDIENCE", TokenInvalidAudienceError)],
)
def test_a_token_of_nobody_or_for_nobody_is_refused_where_somebody_is_expected(field, error):
    answer = by_header("/p", access)(make_door(**{field: "us"}))
    assert (answer.status, answer.json["error_type"]) == (401, error.__name__)
    assert (answer.json["code"], answer.json["action"]) == ("token_invalid", "login")
    assert answer.get("WWW-Authenticate") == INVALID


def test_a_foreign_origin_is_a_row_of_its_own():
    door = make_door(JWT_CSRF_TRUSTED_ORIGINS=["https://front.example"])
    answer = by_cookie("/p", access, "POST", Origin="https://evil.example")(door)
    assert (answer.status, answer.get("WWW-Authenticate")) == (403, None)
    assert answer.json["error_type"] == CSRFOriginError.__name__
    assert (answer.json["code"], answer.json["action"]) == ("csrf_origin", "csrf")
    assert answer.cookies == []


def test_the_realm_is_in_every_challenge():
    door = make_door(JWT_REALM="Back office")
    for row in ACCESS_ROWS + REFRESH_ROWS + BROKEN_ROWS:
        door.clock.now = float(Clock().now)
        challenge = row.request(door).get("WWW-Authenticate")
        assert challenge is not None
        assert challenge.startswith('Bearer realm="Back office"'), row.title


def test_the_expired_token_of_one_who_has_a_refresh_cookie_says_refresh(door):
    token = expired("create_access_token")(door)
    answer = door.knock(headers=[cookies(access_token_cookie=token, refresh_token_cookie="anything")])
    assert (answer.json["code"], answer.json["action"]) == ("token_expired", "refresh")


def test_scopes_that_cannot_stand_in_a_challenge_are_left_out_of_it():
    door = make_door()
    required = Depends(door.auth.scopes_required('quo"te', "plain", "two words", "back\\slash", "naïve"))

    @door.app.get("/odd", dependencies=[required])
    async def odd():
        return "open"

    answer = by_header("/odd", access)(door)
    assert answer.get("WWW-Authenticate") == f'{BEARER}, error="insufficient_scope", scope="plain"'


# Errors that a route raises, or that features above this layer will.
RAISED = [
    (SessionRevoked("ended"), 401, INVALID, "session_revoked", "login", {}),
    (RefreshReusedError("again"), 401, INVALID, "refresh_reused", "login", {}),
    (AccountUnavailableError("gone"), 401, INVALID, "account_unavailable", "login", {}),
    (InvalidCredentialsError("no"), 401, BEARER, "credentials_invalid", "login", {}),
    (SessionNotFoundError("none"), 404, None, "session_not_found", "forbidden", {}),
    (StoreUnavailableError("down"), 503, None, "auth_unavailable", "retry", {"retry-after": "1"}),
    (StoreUnavailableError("down", retry_after=7), 503, None, "auth_unavailable", "retry", {"retry-after": "7"}),
    (RateLimitExceeded(30), 429, None, "rate_limited", "retry", {"retry-after": "30"}),
    (RevokedTokenError("no"), 401, INVALID, "token_revoked", "login", {}),
    (MissingTokenError("none"), 401, BEARER, "token_missing", "login", {}),
    (CSRFOriginError("no"), 403, None, "csrf_origin", "csrf", {}),
    (InvalidRequestError("no"), 400, f'{BEARER}, error="invalid_request"', "request_invalid", "login", {}),
]


@pytest.mark.parametrize(("error", "status", "challenge", "code", "action", "headers"), RAISED, ids=repr)
def test_an_error_that_a_route_raises_is_answered_by_the_contract(
    door, error, status, challenge, code, action, headers
):
    @door.app.get("/raise")
    async def fail():
        raise error

    answer = door.knock("/raise")
    assert (answer.status, answer.get("WWW-Authenticate")) == (status, challenge)
    assert (answer.json["code"], answer.json["action"]) == (code, action)
    assert answer.json["error_type"] == type(error).__name__
    assert answer.cookies == []
    for name, value in headers.items():
        assert answer.get(name) == value


HOSTILE = [
    b"\xff\xfe",
    b"\xc3\xa9",
    b"\xed\xa0\x80.\xed\xa0\x80.\xed\xa0\x80",
    b"a.b.c",
    b"..",
    b"{}",
    b"x" * (8 << 20),
]
HOSTILE += [b"eyJhbGciOiJub25lIn0.e30.", b"=", b"\x00", b"%00", b"\\ud800", b'"', b"'; --"]


def statuses(ask: Callable[[bytes], Answer]) -> dict[bytes, int]:
    """What each hostile value is answered with, by its beginning."""
    return {value[:30]: ask(value).status for value in HOSTILE}


class TestNothingAClientSendsIsOurMistake:
    """Statuses of 400, 401 and 403 alone; a 500 is never among them."""

    def test_in_the_header(self, door):
        answers = statuses(lambda value: door.knock(headers=[authorization(value)]))
        assert set(answers.values()) == {400, 401}, answers

    def test_as_the_scheme(self, door):
        answers = statuses(lambda value: door.knock(headers=[("Authorization", value)]))
        assert set(answers.values()) <= {400, 401}, answers

    @pytest.mark.parametrize(("method", "allowed"), [("GET", {400, 401}), ("POST", {400, 401, 403})])
    def test_in_a_cookie(self, door, method, allowed):
        answers = statuses(lambda value: door.knock(method=method, headers=[cookies(access_token_cookie=value)]))
        assert set(answers.values()) <= allowed, answers

    def test_in_the_query(self, door):
        answers = statuses(lambda value: door.knock(query=b"token=" + value))
        assert set(answers.values()) == {400, 401}, answers

    def test_as_the_name_of_a_parameter(self, door):
        answers = statuses(lambda value: door.knock(query=value + b"=1"))
        assert set(answers.values()) <= {400, 401}, answers

    def test_as_a_csrf_value(self, door):
        headers = [cookies(access_token_cookie=door.access())]
        answers = statuses(lambda value: door.knock(method="POST", headers=[*headers, ("X-CSRF-TOKEN", value)]))
        assert set(answers.values()) == {403}, answers

    def test_in_json(self, door):
        headers = [("Content-Type", "application/json")]
        answers = statuses(
            lambda value: door.knock(method="POST", headers=headers, body=b'{"access_token": "' + value + b'"}')
        )
        assert set(answers.values()) == {400, 401}, answers

    def test_as_json(self, door):
        headers = [("Content-Type", "application/json")]
        answers = statuses(lambda value: door.knock(method="POST", headers=headers, body=value))
        assert set(answers.values()) == {400, 401}, answers

    def test_as_the_type_of_a_body(self, door):
        answers = statuses(lambda value: door.knock(method="POST", headers=[("Content-Type", value)], body=b"{}"))
        assert set(answers.values()) == {401}, answers

    @pytest.mark.parametrize("name", ["Origin", "Host"])
    def test_as_a_name_of_the_host_or_an_origin(self, name):
        door = make_door(JWT_CSRF_TRUSTED_ORIGINS=["https://front.example"])
        token = door.access()
        headers = [cookies(access_token_cookie=token), ("X-CSRF-TOKEN", claims_of(token)["csrf"])]
        answers = statuses(
            lambda value: door.knock(
                method="POST", headers=[*headers, (name, value), ("Origin", "https://odd.example")], host=None
            )
        )
        assert set(answers.values()) == {403}, answers


@pytest.mark.parametrize(
    "body",
    [
        b'{"access_token": 1e400}',
        b'{"access_token": NaN}',
        b'{"access_token": null}',
        b'{"access_token": ["a"]}',
        b'{"access_token": "a", "access_token": "b"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"access_token": "\\ud800"}',
        b"\xef\xbb\xbf{}",
        b"null",
        b"[]",
        b'"a"',
        b" ",
        b"",
    ],
    ids=lambda body: repr(body[:40]),
)
def test_no_json_is_our_mistake(door, body):
    answer = door.knock("/p", method="POST", headers=[("Content-Type", "application/json")], body=body)
    assert answer.status in (400, 401)
    assert answer.raised is None


def test_no_answer_repeats_what_the_client_sent(door):
    for row in ROWS:
        door.clock.now = float(Clock().now)
        answer = row.request(door)
        sent = [value.decode("latin-1") for name, value in answer.scope["headers"] if name != b"host"]
        texts = {part for value in sent for part in value.replace("=", " ").split() if len(part) > 12}
        written = answer.body.decode() + repr(answer.headers)
        known = {"access_token_cookie", "refresh_token_cookie", "csrf_access_token", "csrf_refresh_token"}
        assert not any(text in written for text in texts - known - {"application/json"}), row.title
