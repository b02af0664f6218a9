"""What each error is answered: status, challenge, code, action, and whether the cookies stay."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from tests.support.asgi import OTHER_SECRET, Answer, Clock, authorization, cookies, knock, make_auth
from tests.support.tokens import claims_of

from authx import AuthX
from authx.exceptions import (
    AccessTokenRequiredError,
    AccountUnavailableError,
    AuthXException,
    CSRFError,
    CSRFOriginError,
    FreshTokenRequiredError,
    InsufficientScopeError,
    InvalidCredentialsError,
    InvalidRequestError,
    JWTDecodeError,
    MissingCSRFTokenError,
    MissingTokenError,
    RateLimitExceeded,
    RefreshReusedError,
    RefreshTokenRequiredError,
    RevokedTokenError,
    SessionNotFoundError,
    SessionRevoked,
    StoreUnavailableError,
    TokenExpiredError,
    TokenInvalidAudienceError,
    TokenInvalidIssuerError,
    TokenInvalidSignatureError,
)

BEARER = 'Bearer realm="authx"'
INVALID = f'{BEARER}, error="invalid_token"'
EVERYWHERE = ["headers", "cookies", "json", "query"]


@dataclass
class Door:
    """An application with a route for each requirement, and the clock it goes by."""

    auth: AuthX[Any]
    app: FastAPI
    clock: Clock
    revoked: set[str] = field(default_factory=set)

    def access(self, **more: Any) -> str:
        return self.auth.create_access_token("alice", **more)

    def refresh(self, **more: Any) -> str:
        return self.auth.create_refresh_token("alice", **more)

    def knock(self, path: str = "/p", **how: Any) -> Answer:
        return knock(self.app, path, **how)


def make_door(**fields: Any) -> Door:
    clock = Clock()
    auth = make_auth(clock, **{"JWT_TOKEN_LOCATION": EVERYWHERE} | fields)
    app = FastAPI()
    auth.handle_errors(app)
    door = Door(auth, app, clock)
    auth.set_token_blocklist(lambda token: token in door.revoked, inline=True)

    @app.api_route("/p", methods=["GET", "POST"], dependencies=[auth.ACCESS_REQUIRED])
    async def protected():
        return "open"

    @app.post("/r", dependencies=[auth.REFRESH_REQUIRED])
    async def refresh():
        return "open"

    @app.get("/fresh", dependencies=[auth.FRESH_REQUIRED])
    async def fresh():
        return "open"

    @app.get("/scoped", dependencies=[Depends(auth.scopes_required("posts:read", "posts:write"))])
    async def scoped():
        return "open"

    return door


@pytest.fixture
def door() -> Door:
    return make_door()


@dataclass(frozen=True)
class Row:
    """One line of the contract, and a request that gets there."""

    title: str
    request: Callable[[Door], Answer]
    error: type[AuthXException]
    status: int
    challenge: str | None
    code: str
    action: str
    clears: bool = False


def forged(create: str, **fields: Any) -> Callable[[Door], str]:
    """A token of another instance, whose settings differ in one thing."""

    def make(door: Door) -> str:
        return getattr(make_auth(door.clock, JWT_TOKEN_LOCATION=EVERYWHERE, **fields), create)("alice")

    return make


def expired(create: str) -> Callable[[Door], str]:
    def make(door: Door) -> str:
        token = getattr(door.auth, create)("alice")
        door.clock.now += 365 * 86400
        return token

    return make


def revoked(create: str) -> Callable[[Door], str]:
    def make(door: Door) -> str:
        token = getattr(door.auth, create)("alice")
        door.revoked.add(token)
        return token

    return make


def by_header(path: str, make: Callable[[Door], str], method: str = "GET") -> Callable[[Door], Answer]:
    return lambda door: door.knock(path, method=method, headers=[authorization(make(door))])


def by_cookie(
    path: str, make: Callable[[Door], str], method: str = "GET", csrf: str | None = "value", **headers: str
) -> Callable[[Door], Answer]:
    """With the CSRF value of the token in its header, another one, or none."""

    def request(door: Door) -> Answer:
        token = make(door)
        name = "refresh_token_cookie" if path == "/r" else "access_token_cookie"
        lines: list[tuple[str, str | bytes]] = [cookies(**{name: token}), *headers.items()]
        if csrf is not None:
            value = claims_of(token)["csrf"] if csrf == "value" and token.count(".") == 2 else csrf
            lines.append(("X-CSRF-TOKEN", value))
        return door.knock(path, method=method, headers=lines)

    return request


def access(door: Door) -> str:
    return door.access()


def refresh(door: Door) -> str:
    return door.refresh()


def garbage(door: Door) -> str:
    return "garbage"


def too_long(door: Door) -> str:
    return "x" * 8193


ACCESS_ROWS = [
    Row("no credentials", lambda door: door.knock(), MissingTokenError, 401, BEARER, "token_missing", "login"),
    *[
        Row(
            f"no access token beside the cookie {name}",
            lambda door, name=name: door.knock(headers=[cookies(**{name: "anything"})]),
            MissingTokenError,
            401,
            BEARER,
            "token_missing",
            "refresh",
        )
        for name in ("refresh_token_cookie", "csrf_refresh_token")
    ],
    *[
        Row(f"{title} {how}", arrive("/p", make), error, 401, INVALID, "token_invalid", "login")
        for how, arrive in (("in the header", by_header), ("in a cookie", by_cookie))
        for title, make, error in (
            ("a malformed token", garbage, JWTDecodeError),
            (
                "a bad signature",
                forged("create_access_token", JWT_SECRET_KEY=OTHER_SECRET),
                TokenInvalidSignatureError,
            ),
            ("an audience", forged("create_access_token", JWT_ENCODE_AUDIENCE="them"), TokenInvalidAudienceError),
        )
    ],
    *[
        Row(
            f"an expired access token {how}",
            arrive("/p", expired("create_access_token")),
            TokenExpiredError,
            401,
            f'{INVALID}, error_description="The access token expired"',
            "token_expired",
            "refresh",
        )
        for how, arrive in (("in the header", by_header), ("in a cookie", by_cookie))
    ],
    *[
        Row(
            f"a refresh token for an access token {how}",
            arrive("/p", refresh),
            AccessTokenRequiredError,
            401,
            INVALID,
            "token_wrong_type",
            "login",
        )
        for how, arrive in (("in the header", by_header), ("in a cookie", by_cookie))
    ],
    *[
        Row(
            f"a revoked access token {how}",
            arrive("/p", revoked("create_access_token")),
            RevokedTokenError,
            401,
            INVALID,
            "token_revoked",
            "login",
        )
        for how, arrive in (("in the header", by_header), ("in a cookie", by_cookie))
    ],
    *[
        Row(
            f"a token that is not fresh {how}",
            arrive("/fresh", access),
            FreshTokenRequiredError,
            401,
            f'{BEARER}, error="insufficient_user_authentication"',
            "fresh_required",
            "reauthenticate",
        )
        for how, arrive in (("in the header", by_header), ("in a cookie", by_cookie))
    ],
    *[
        Row(
            f"a missing scope {how}",
            arrive("/scoped", lambda door: door.access(scopes=["posts:read"])),
            InsufficientScopeError,
            403,
            f'{BEARER}, error="insufficient_scope", scope="posts:read posts:write"',
            "insufficient_scope",
            "forbidden",
        )
        for how, arrive in (("in the header", by_header), ("in a cookie", by_cookie))
    ],
]

REFRESH_ROWS = [
    Row(
        "no refresh token",
        lambda door: door.knock("/r", method="POST"),
        MissingTokenError,
        401,
        INVALID,
        "refresh_missing",
        "login",
    ),
    Row(
        "no refresh token, but an access cookie",
        lambda door: door.knock(
            "/r", method="POST", headers=[cookies(access_token_cookie=door.access(), csrf_access_token="x")]
        ),
        MissingTokenError,
        401,
        INVALID,
        "refresh_missing",
        "login",
    ),
    *[
        Row(f"{title} {how}", arrive("/r", make, "POST"), error, 401, INVALID, "refresh_invalid", "login", clears=True)
        for how, arrive in (("in the header", by_header), ("in a cookie", by_cookie))
        for title, make, error in (
            ("a malformed refresh token", garbage, JWTDecodeError),
            (
                "a bad signature of a refresh token",
                forged("create_refresh_token", JWT_SECRET_KEY=OTHER_SECRET),
                TokenInvalidSignatureError,
            ),
            (
                "an audience of a refresh token",
                forged("create_refresh_token", JWT_ENCODE_AUDIENCE="them"),
                TokenInvalidAudienceError,
            ),
        )
    ],
    *[
        Row(
            f"an expired refresh token {how}",
            arrive("/r", expired("create_refresh_token"), "POST"),
            TokenExpiredError,
            401,
            f'{INVALID}, error_description="The refresh token expired"',
            "refresh_expired",
            "login",
            clears=True,
        )
        for how, arrive in (("in the header", by_header), ("in a cookie", by_cookie))
    ],
    *[
        Row(
            f"an access token for a refresh token {how}",
            arrive("/r", access, "POST"),
            RefreshTokenRequiredError,
            401,
            INVALID,
            "token_wrong_type",
            "login",
        )
        for how, arrive in (("in the header", by_header), ("in a cookie", by_cookie))
    ],
    *[
        Row(
            f"a revoked refresh token {how}",
            arrive("/r", revoked("create_refresh_token"), "POST"),
            RevokedTokenError,
            401,
            INVALID,
            "token_revoked",
            "login",
        )
        for how, arrive in (("in the header", by_header), ("in a cookie", by_cookie))
    ],
]

CSRF_ROWS = [
    row
    for path, make in (("/p", access), ("/r", refresh))
    for row in (
        Row(
            f"no CSRF value at {path}",
            by_cookie(path, make, "POST", csrf=None),
            MissingCSRFTokenError,
            403,
            None,
            "csrf_missing",
            "csrf",
        ),
        Row(
            f"another CSRF value at {path}",
            by_cookie(path, make, "POST", csrf="another"),
            CSRFError,
            403,
            None,
            "csrf_mismatch",
            "csrf",
        ),
    )
]

BROKEN_ROWS = [
    Row(title, request, InvalidRequestError, 400, f'{BEARER}, error="invalid_request"', "request_invalid", "login")
    for title, request in (
        ("a token over the limit in the header", by_header("/p", too_long)),
        ("a token over the limit in a cookie", by_cookie("/p", too_long)),
        ("a token over the limit in the query", lambda door: door.knock(query="token=" + "x" * 8193)),
        ("a refresh token over the limit", by_cookie("/r", too_long, "POST")),
        (
            "two Authorization headers",
            lambda door: door.knock(headers=[authorization(door.access()), authorization(door.access())]),
        ),
        (
            "two different cookies of one name",
            lambda door: door.knock(headers=[cookies(access_token_cookie="a"), cookies(access_token_cookie="b")]),
        ),
        (
            "two different refresh cookies",
            lambda door: door.knock(
                "/r",
                method="POST",
                headers=[cookies(refresh_token_cookie="a"), cookies(refresh_token_cookie="b")],
            ),
        ),
        (
            "unreadable JSON",
            lambda door: door.knock(
                "/p", method="POST", headers=[("Content-Type", "application/json")], body=b'{"access_token": '
            ),
        ),
    )
]

ROWS = ACCESS_ROWS + REFRESH_ROWS + CSRF_ROWS + BROKEN_ROWS
FOUR_COOKIES = ["access_token_cookie", "csrf_access_token", "refresh_token_cookie", "csrf_refresh_token"]


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
