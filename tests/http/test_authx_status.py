"""`JWT_ERROR_STATUS="authx"`: statuses and bodies of AuthX 1.7, for applications whose clients know them."""

import pytest
from fastapi import Depends, FastAPI
from tests.support.asgi import authorization, cookies, knock, make_auth
from tests.support.tokens import claims_of

from authx.exceptions import (
    AccessTokenRequiredError,
    AccountUnavailableError,
    CSRFError,
    CSRFOriginError,
    FreshTokenRequiredError,
    InsufficientScopeError,
    InvalidCredentialsError,
    InvalidRequestError,
    JWTDecodeError,
    LoginTypeMismatchError,
    MissingCSRFTokenError,
    MissingTokenError,
    PolicyDeniedError,
    PolicyEvaluationError,
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
    TokenRequiredError,
    TokenTypeError,
)
from authx.testing import Clock

PLAIN = {"message", "error_type"}

# Every error that AuthX has: its status and message there, and the keys of its body.
KNOWN = [
    (JWTDecodeError("x"), 422, "Invalid Token", PLAIN),
    (TokenExpiredError("Token has expired"), 422, "Token has expired", PLAIN),
    (TokenInvalidSignatureError("Signature verification failed"), 422, "Signature verification failed", PLAIN),
    (TokenInvalidAudienceError("Invalid audience"), 422, "Invalid audience", PLAIN),
    (TokenInvalidIssuerError("Invalid issuer"), 422, "Invalid issuer", PLAIN),
    (CSRFError("x"), 401, "CSRF double submit does not match", PLAIN),
    (MissingTokenError("x"), 401, "Token Error", PLAIN),
    (MissingCSRFTokenError("raised by the application"), 401, "raised by the application", PLAIN),
    (TokenTypeError("x"), 401, "Bad token type", PLAIN),
    (AccessTokenRequiredError("x"), 401, "Access token required", PLAIN),
    (RefreshTokenRequiredError("x"), 401, "Refresh token required", PLAIN),
    (
        LoginTypeMismatchError("staff", "user"),
        401,
        "Token type mismatch: expected 'staff', got 'user'",
        PLAIN | {"expected_type", "actual_type"},
    ),
    (RevokedTokenError("x"), 401, "Invalid token", PLAIN),
    (TokenRequiredError("x"), 401, "Token required", PLAIN),
    (FreshTokenRequiredError("x"), 401, "Fresh token required", PLAIN),
    (InsufficientScopeError(["a"], ["b"], message="no"), 403, "no", PLAIN),
    (PolicyDeniedError("no"), 403, "no", PLAIN),
    (PolicyEvaluationError("x"), 500, "Policy evaluation failed", PLAIN),
    (SessionRevoked("x"), 401, "Session has been revoked", PLAIN),
]

# Errors that AuthX does not have answer as they do otherwise.
UNKNOWN = [
    (InvalidRequestError("x"), 400, "request_invalid"),
    (InvalidCredentialsError("x"), 401, "credentials_invalid"),
    (AccountUnavailableError("x"), 401, "account_unavailable"),
    (SessionNotFoundError("x"), 404, "session_not_found"),
    (StoreUnavailableError("x"), 503, "auth_unavailable"),
    (CSRFOriginError("x"), 403, "csrf_origin"),
    (RefreshReusedError("x"), 401, "refresh_reused"),
]


def raising(error, **fields):
    app = FastAPI()
    make_auth(**{"JWT_ERROR_STATUS": "authx"} | fields).handle_errors(app)

    @app.get("/p")
    async def fail():
        raise error

    return app


def name_of(value):
    return type(value).__name__ if isinstance(value, Exception) else ""


@pytest.mark.parametrize(("error", "status", "message", "keys"), KNOWN, ids=name_of)
def test_an_error_that_authx_has_is_answered_as_there(error, status, message, keys):
    answer = knock(raising(error))
    assert (answer.status, answer.json["message"]) == (status, message)
    assert answer.json["error_type"] == type(error).__name__
    assert set(answer.json) == keys


@pytest.mark.parametrize(("error", "status", "code"), UNKNOWN, ids=name_of)
def test_an_error_that_authx_does_not_have_keeps_its_own_form(error, status, code):
    answer = knock(raising(error))
    assert (answer.status, answer.json.get("code")) == (status, code)
    assert set(answer.json) == PLAIN | {"code", "action"}


def test_too_many_requests_are_answered_with_the_time_to_wait():
    answer = knock(raising(RateLimitExceeded(30)))
    assert (answer.status, answer.get("Retry-After")) == (429, "30")
    assert answer.json["retry_after"] == 30
    assert "code" not in answer.json
    assert "action" not in answer.json


@pytest.mark.parametrize(
    ("error", "challenge"),
    [
        (TokenExpiredError("x"), 'error="invalid_token", error_description="The access token expired"'),
        (FreshTokenRequiredError("x"), 'error="insufficient_user_authentication"'),
        (InsufficientScopeError(["a"]), 'error="insufficient_scope", scope="a"'),
    ],
    ids=name_of,
)
def test_the_challenge_stays(error, challenge):
    assert knock(raising(error)).get("WWW-Authenticate") == f'Bearer realm="authx", {challenge}'


def test_the_key_of_the_message_is_obeyed():
    assert set(knock(raising(JWTDecodeError("x"), JWT_ERROR_MESSAGE_KEY="detail")).json) == {"detail", "error_type"}


@pytest.fixture
def door():
    auth = make_auth(JWT_ERROR_STATUS="authx", JWT_TOKEN_LOCATION=["headers", "cookies"])
    app = FastAPI()
    auth.handle_errors(app)

    @app.post("/p", dependencies=[Depends(auth.access_token_required)])
    async def protected():
        return "open"

    @app.post("/r", dependencies=[Depends(auth.refresh_token_required)])
    async def refresh():
        return "open"

    return app, auth


def test_a_missing_csrf_value_is_a_missing_token(door):
    app, auth = door
    answer = knock(app, method="POST", headers=[cookies(access_token_cookie=auth.create_access_token("alice"))])
    assert answer.status == 401
    assert answer.json == {"message": "Token Error", "error_type": "MissingTokenError"}


def test_another_csrf_value_is_a_csrf_error(door):
    app, auth = door
    headers = [cookies(access_token_cookie=auth.create_access_token("alice")), ("X-CSRF-TOKEN", "another")]
    answer = knock(app, method="POST", headers=headers)
    assert answer.status == 401
    assert answer.json == {"message": "CSRF double submit does not match", "error_type": "CSRFError"}


def test_cookies_are_cleared_by_the_same_rules(door):
    app, _ = door
    assert len(knock(app, "/r", "POST", [authorization("garbage")]).cookies) == 4
    assert knock(app, "/p", "POST", [authorization("garbage")]).cookies == []


def test_a_foreign_origin_is_answered_in_its_own_form():
    auth = make_auth(
        JWT_ERROR_STATUS="authx",
        JWT_TOKEN_LOCATION=["cookies"],
        JWT_CSRF_TRUSTED_ORIGINS=["https://front.example"],
    )
    app, token = FastAPI(), auth.create_access_token("alice")

    @app.post("/p", dependencies=[Depends(auth.access_token_required)])
    async def protected():
        return "open"

    headers = [
        cookies(access_token_cookie=token),
        ("X-CSRF-TOKEN", claims_of(token)["csrf"]),
        ("Origin", "https://evil.example"),
    ]
    answer = knock(app, method="POST", headers=headers)
    assert (answer.status, answer.json.get("code")) == (403, "csrf_origin")


def test_an_expired_token_is_unprocessable():
    clock = Clock()
    auth = make_auth(clock, JWT_ERROR_STATUS="authx")
    app, token = FastAPI(), auth.create_access_token("alice")

    @app.get("/p", dependencies=[Depends(auth.access_token_required)])
    async def protected():
        return "open"

    clock.now += 3600
    answer = knock(app, headers=[authorization(token)])
    assert answer.status == 422
    assert answer.json == {"message": "Token has expired", "error_type": "TokenExpiredError"}
