"""The rows of the error contract, each with a request that gets there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import Depends, FastAPI
from tests.support.asgi import OTHER_SECRET, Answer, authorization, cookies, knock, make_auth
from tests.support.tokens import claims_of

from authx import AuthX
from authx.exceptions import (
    AccessTokenRequiredError,
    AuthXException,
    CSRFError,
    FreshTokenRequiredError,
    InsufficientScopeError,
    InvalidRequestError,
    JWTDecodeError,
    MissingCSRFTokenError,
    MissingTokenError,
    RefreshTokenRequiredError,
    RevokedTokenError,
    TokenExpiredError,
    TokenInvalidAudienceError,
    TokenInvalidSignatureError,
)
from authx.testing import Clock

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
