"""Surface: the order of checks, the exception classes, and how they are answered."""

import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from tests.support.tokens import OTHER_SECRET, bearer, forge, forge_access

from authx import AuthX, exceptions
from authx.exceptions import AuthXException, BadConfigurationError

from . import answers
from .answers import (
    BAD_AUDIENCE,
    BAD_ISSUER,
    BAD_SIGNATURE,
    EXPIRED,
    INVALID,
    MISSING,
    NOT_ACCESS,
    NOT_FRESH,
    REFRESH_EXPIRED,
    REFRESH_INVALID,
    REVOKED,
    Refusal,
)

PARENTS = {
    "AuthXException": "Exception",
    "BadConfigurationError": "AuthXException",
    "JWTDecodeError": "AuthXException",
    "TokenExpiredError": "JWTDecodeError",
    "TokenInvalidSignatureError": "JWTDecodeError",
    "TokenInvalidAudienceError": "JWTDecodeError",
    "TokenInvalidIssuerError": "JWTDecodeError",
    "NoAuthorizationError": "AuthXException",
    "CSRFError": "AuthXException",
    "TokenError": "AuthXException",
    "MissingTokenError": "TokenError",
    "MissingCSRFTokenError": "MissingTokenError",
    "TokenTypeError": "TokenError",
    "AccessTokenRequiredError": "TokenTypeError",
    "RefreshTokenRequiredError": "TokenTypeError",
    "LoginTypeMismatchError": "TokenTypeError",
    "RevokedTokenError": "TokenError",
    "TokenRequiredError": "TokenError",
    "FreshTokenRequiredError": "TokenError",
    "InsufficientScopeError": "TokenError",
    "PolicyDeniedError": "TokenError",
    "PolicyEvaluationError": "AuthXException",
    "SessionRevoked": "AuthXException",
    "RateLimitExceeded": "AuthXException",
    "InvalidToken": "Exception",
    "AuthxArgumentDeprecationWarning": "DeprecationWarning",
    "InvalidRequestError": "AuthXException",
    "InvalidCredentialsError": "AuthXException",
    "AccountUnavailableError": "AuthXException",
    "RefreshReusedError": "SessionRevoked",
    "CSRFOriginError": "CSRFError",
    "SessionNotFoundError": "AuthXException",
    "StoreUnavailableError": "AuthXException",
}


@pytest.mark.parametrize(("name", "parent"), PARENTS.items())
def test_an_exception_has_its_parent(name, parent):
    assert parent in [ancestor.__name__ for ancestor in getattr(exceptions, name).__mro__[1:]]


@pytest.mark.parametrize("name", ["AuthXException", "JWTDecodeError", "MissingTokenError", "CSRFError"])
def test_an_exception_keeps_its_arguments_and_login_type(name):
    error = getattr(exceptions, name)("text", login_type="admin")
    assert (error.args, error.login_type, str(error)) == (("text",), "admin", "text")


def test_an_exception_has_no_login_type_by_default():
    assert AuthXException().login_type is None


@pytest.mark.parametrize(("actual", "shown"), [("user", "user"), (None, "unknown")])
def test_a_login_type_mismatch_names_both_types(actual, shown):
    error = exceptions.LoginTypeMismatchError("admin", actual)
    assert (error.expected_type, error.actual_type) == ("admin", actual)
    assert str(error) == f"Token type mismatch: expected 'admin', got '{shown}'"


def test_insufficient_scope_names_both_lists():
    error = exceptions.InsufficientScopeError(["write"], ["read"])
    assert (error.required, error.provided) == (["write"], ["read"])
    assert "write" in str(error)
    assert "read" in str(error)


def test_insufficient_scope_without_scopes_provided_has_an_empty_list():
    assert exceptions.InsufficientScopeError(["write"]).provided == []


def test_a_policy_denial_has_its_reason():
    error = exceptions.PolicyDeniedError()
    assert error.reason == str(error) == "Policy denied access"


def test_a_rate_limit_says_when_to_come_back():
    error = exceptions.RateLimitExceeded(7)
    assert error.retry_after == 7
    assert str(error) == "Rate limit exceeded. Retry after 7 seconds."


@pytest.mark.parametrize("name", ["LoginTypeMismatchError", "InsufficientScopeError"])
def test_a_message_may_be_given(name):
    assert str(getattr(exceptions, name)("x", message="own words")) == "own words"


def test_an_invalid_token_keeps_its_errors():
    assert exceptions.InvalidToken(["a", "b"]).errors == ["a", "b"]


@pytest.fixture
def auth(make_auth):
    return make_auth()


@pytest.fixture
def answer_to(auth, browse):
    """What an application answers when a route raises an exception."""

    def ask(error, asked=auth):
        app = FastAPI()
        asked.handle_errors(app)

        @app.get("/")
        def route():
            raise error

        return browse(app).get("/")

    return ask


RAISED = [
    (exceptions.MissingTokenError("x"), MISSING),
    (exceptions.JWTDecodeError("x"), INVALID),
    (exceptions.TokenExpiredError("Token has expired"), EXPIRED),
    (exceptions.TokenInvalidSignatureError("Signature verification failed"), BAD_SIGNATURE),
    (exceptions.TokenInvalidAudienceError("Invalid audience"), BAD_AUDIENCE),
    (exceptions.TokenInvalidIssuerError("Invalid issuer"), BAD_ISSUER),
    (exceptions.CSRFError("x"), answers.CSRF_MISMATCH),
    (
        exceptions.TokenTypeError("x"),
        Refusal("TokenTypeError", "Bad token type", 401, "token_wrong_type", "login"),
    ),
    (exceptions.AccessTokenRequiredError("x"), NOT_ACCESS),
    (exceptions.RefreshTokenRequiredError("x"), answers.NOT_REFRESH),
    (exceptions.RevokedTokenError("x"), REVOKED),
    (exceptions.FreshTokenRequiredError("x"), NOT_FRESH),
    (exceptions.InsufficientScopeError(["a"]), answers.NO_SCOPE),
    (
        exceptions.SessionRevoked("Session has been revoked"),
        Refusal("SessionRevoked", "Session has been revoked", 401, "session_revoked", "login"),
    ),
]


@pytest.mark.parametrize(("error", "refusal"), RAISED, ids=[type(error).__name__ for error, _ in RAISED])
def test_an_exception_raised_by_a_route_is_answered(answer_to, refused, error, refusal):
    refused(answer_to(error), refusal)


def test_a_missing_csrf_value_raised_by_a_route_keeps_its_words(answer_to, mode):
    answer = answer_to(exceptions.MissingCSRFTokenError("own words"))
    assert (answer.status_code, answer.json()["message"]) == (403 if mode == "rfc" else 401, "own words")


def test_a_required_token_raised_by_a_route_is_answered(answer_to):
    answer = answer_to(exceptions.TokenRequiredError("x"))
    assert (answer.status_code, answer.json()["message"]) == (401, "Token required")


def test_a_login_type_mismatch_is_answered_with_both_types(answer_to):
    answer = answer_to(exceptions.LoginTypeMismatchError("admin"))
    assert answer.status_code == 401
    body = answer.json()
    assert (body["error_type"], body["expected_type"], body["actual_type"]) == (
        "LoginTypeMismatchError",
        "admin",
        None,
    )
    assert body["message"] == "Token type mismatch: expected 'admin', got 'unknown'"


@pytest.mark.usefixtures("refused")
@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (exceptions.PolicyDeniedError("not on Sundays"), 403, "not on Sundays"),
        (exceptions.PolicyEvaluationError("x"), 500, "Policy evaluation failed"),
        (exceptions.RateLimitExceeded(60), 429, "Rate limit exceeded. Retry after 60 seconds."),
    ],
    ids=["policy denied", "policy failed", "rate limit"],
)
def test_an_extended_exception_raised_by_a_route_is_answered(answer_to, error, status, message):
    answer = answer_to(error)
    assert (answer.status_code, answer.json()["message"]) == (status, message)
    assert answer.json()["error_type"] == type(error).__name__


def test_a_rate_limit_is_answered_with_the_time_to_wait(answer_to):
    answer = answer_to(exceptions.RateLimitExceeded(60))
    assert (answer.headers["Retry-After"], answer.json()["retry_after"]) == ("60", 60)


@pytest.mark.parametrize("error", [BadConfigurationError("x"), AuthXException("x")], ids=["bad", "bare"])
def test_an_error_of_the_application_is_not_answered_as_a_refusal(answer_to, error):
    with pytest.raises(type(error)):
        answer_to(error)


@pytest.fixture
def doors(auth, browse):
    """A client with a door for each kind of token."""
    app = FastAPI()
    auth.handle_errors(app)

    @app.get("/access", dependencies=[Depends(auth.access_token_required)])
    @app.get("/fresh", dependencies=[Depends(auth.fresh_token_required)])
    @app.get("/refresh", dependencies=[Depends(auth.refresh_token_required)])
    @app.get("/scoped", dependencies=[Depends(auth.scopes_required("write"))])
    def door():
        return "open"

    return browse(app)


@pytest.mark.parametrize(
    ("token", "refusal"),
    [
        ("garbage", INVALID),
        (forge_access(OTHER_SECRET), BAD_SIGNATURE),
        (forge_access(OTHER_SECRET, exp=1), BAD_SIGNATURE),
        (forge_access(exp=1), EXPIRED),
        (forge_access(aud="other"), BAD_AUDIENCE),
        (forge_access(type="refresh"), NOT_ACCESS),
        (forge_access(exp=1, type="refresh"), EXPIRED),
    ],
    ids=["garbage", "foreign", "foreign and old", "old", "audience", "type", "old and of wrong type"],
)
def test_the_first_thing_wrong_with_a_token_is_reported(doors, refused, token, refusal):
    refused(doors.get("/access", headers=bearer(token)), refusal)


@pytest.mark.parametrize(
    ("token", "refusal"),
    [("garbage", REFRESH_INVALID), (forge_access(type="refresh", exp=1), REFRESH_EXPIRED)],
    ids=["garbage", "old"],
)
def test_a_bad_refresh_token_leads_to_the_login(doors, refused, token, refusal):
    refused(doors.get("/refresh", headers=bearer(token)), refusal)


def test_the_type_is_checked_before_freshness(doors, refused):
    refused(doors.get("/fresh", headers=bearer(forge_access(type="refresh"))), NOT_ACCESS)


def test_another_issuer_is_refused(make_auth, browse, refused):
    auth = make_auth(JWT_DECODE_ISSUER="me")
    app = FastAPI(dependencies=[auth.ACCESS_REQUIRED])
    auth.handle_errors(app)
    app.get("/")(lambda: "open")
    refused(browse(app).get("/", headers=bearer(forge_access(iss="you"))), BAD_ISSUER)


@pytest.mark.parametrize("claim", ["sub", "iat", "jti", "exp"])
def test_a_token_without_a_needed_claim_is_invalid(doors, refused, claim):
    claims = {"sub": "alice", "type": "access", "iat": 1_700_000_000, "jti": "j", "exp": 4_000_000_000}
    del claims[claim]
    refused(doors.get("/access", headers=bearer(forge(claims))), INVALID)


def test_a_token_without_a_type_is_of_the_wrong_type(doors, refused):
    claims = {"sub": "alice", "iat": 1_700_000_000, "jti": "j", "exp": 4_000_000_000}
    refused(doors.get("/access", headers=bearer(forge(claims))), NOT_ACCESS)


def test_garbage_is_not_asked_of_the_blocklist(auth, doors, refused):
    asked = []
    auth.set_token_blocklist(asked.append)
    refused(doors.get("/access", headers=bearer("garbage")), INVALID)
    assert asked == []


def test_revocation_is_reported_before_freshness(auth, doors, refused):
    auth.set_token_blocklist(lambda token: True)
    refused(doors.get("/fresh", headers=bearer(auth.create_access_token("alice"))), REVOKED)


def test_revocation_is_reported_before_scopes(auth, doors, refused):
    auth.set_token_blocklist(lambda token: True)
    refused(doors.get("/scoped", headers=bearer(auth.create_access_token("alice"))), REVOKED)


def test_revocation_is_reported_before_csrf(make_auth, browse, refused):
    auth = make_auth(JWT_TOKEN_LOCATION=["cookies"])
    auth.set_token_blocklist(lambda token: True)
    app = FastAPI(dependencies=[auth.ACCESS_REQUIRED])
    auth.handle_errors(app)
    app.post("/")(lambda: "open")
    client = browse(app)
    client.cookies.set("access_token_cookie", auth.create_access_token("alice"))
    refused(client.post("/", headers={"X-CSRF-TOKEN": "wrong"}), REVOKED)


@pytest.fixture
def unhandled(auth):
    """An application that never called handle_errors."""
    app = FastAPI()

    @app.get("/door", dependencies=[Depends(auth.access_token_required)])
    def door():
        return "open"

    @app.get("/scoped", dependencies=[Depends(auth.scopes_required("write"))])
    def scoped():
        return "open"

    @app.get("/subject")
    def subject(user: object = Depends(auth.get_current_subject)):
        return "open"

    return app


@pytest.mark.parametrize("path", ["door", "scoped", "subject"])
def test_a_dependency_answers_without_handle_errors(unhandled, browse, refused, path):
    refused(browse(unhandled).get(f"/{path}"), MISSING)


def test_a_dependency_answers_every_failure_without_handle_errors(unhandled, browse, refused):
    client = browse(unhandled)
    refused(client.get("/door", headers=bearer("garbage")), INVALID)
    refused(client.get("/door", headers=bearer(forge_access(exp=1))), EXPIRED)
    refused(client.get("/scoped", headers=bearer(forge_access())), answers.NO_SCOPE)


@pytest.mark.usefixtures("refused")
@pytest.mark.parametrize("name", ["MissingTokenError", "TokenError", "AuthXException"])
@pytest.mark.parametrize("installed", [True, False], ids=["handle_errors", "none"])
def test_the_applications_own_handler_wins(auth, unhandled, browse, name, installed):
    @unhandled.exception_handler(getattr(exceptions, name))
    async def explain(request: Request, error: Exception):
        return JSONResponse("own answer", status_code=418)

    if installed:
        auth.handle_errors(unhandled)
    answer = browse(unhandled).get("/door")
    assert (answer.status_code, answer.json()) == (418, "own answer")


def test_handlers_can_be_ensured_for_a_request(auth, browse, refused):
    app = FastAPI()

    @app.get("/")
    async def route(request: Request):
        auth.ensure_request_exception_handlers(request)
        return await auth.get_access_token_from_request(request)

    refused(browse(app).get("/"), MISSING)


MESSAGES = {
    "MSG_TokenError": ("Token Error", exceptions.MissingTokenError("x")),
    "MSG_TokenTypeError": ("Bad token type", exceptions.TokenTypeError("x")),
    "MSG_RevokedTokenError": ("Invalid token", exceptions.RevokedTokenError("x")),
    "MSG_TokenRequiredError": ("Token required", exceptions.TokenRequiredError("x")),
    "MSG_FreshTokenRequiredError": ("Fresh token required", exceptions.FreshTokenRequiredError("x")),
    "MSG_AccessTokenRequiredError": ("Access token required", exceptions.AccessTokenRequiredError("x")),
    "MSG_RefreshTokenRequiredError": ("Refresh token required", exceptions.RefreshTokenRequiredError("x")),
    "MSG_CSRFError": ("CSRF double submit does not match", exceptions.CSRFError("x")),
    "MSG_JWTDecodeError": ("Invalid Token", exceptions.JWTDecodeError("x")),
    "MSG_PolicyEvaluationError": ("Policy evaluation failed", exceptions.PolicyEvaluationError("x")),
    "MSG_MissingCSRFTokenError": (None, exceptions.MissingCSRFTokenError("x")),
    "MSG_InsufficientScopeError": (None, exceptions.InsufficientScopeError(["x"])),
    "MSG_LoginTypeMismatchError": (None, exceptions.LoginTypeMismatchError("x")),
    "MSG_PolicyDeniedError": (None, exceptions.PolicyDeniedError("x")),
}


@pytest.mark.parametrize("name", [*MESSAGES, "MSG_MissingTokenError"])
def test_a_message_has_its_default(name):
    default = "Missing JWT in request" if name == "MSG_MissingTokenError" else MESSAGES[name][0]
    assert getattr(AuthX, name) == default


@pytest.mark.usefixtures("refused")
@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_can_be_replaced_for_one_instance(auth, answer_to, name):
    setattr(auth, name, "own words")
    assert answer_to(MESSAGES[name][1]).json()["message"] == "own words"


def test_a_message_of_a_dependency_can_be_replaced(auth, doors):
    auth.MSG_JWTDecodeError = "own words"
    assert doors.get("/access", headers=bearer("garbage")).json()["message"] == "own words"


def test_a_message_can_be_given_for_a_subclass(auth, answer_to):
    auth.MSG_TokenExpiredError = "own words"
    assert answer_to(exceptions.TokenExpiredError("x")).json()["message"] == "own words"


def test_a_subclass_does_not_take_the_message_of_its_parent(auth, answer_to):
    auth.MSG_JWTDecodeError = "own words"
    assert answer_to(exceptions.TokenExpiredError("Token has expired")).json()["message"] == "Token has expired"


def test_the_key_of_the_message_can_be_renamed(make_auth, answer_to):
    auth = make_auth(JWT_ERROR_MESSAGE_KEY="detail")
    body = answer_to(exceptions.MissingTokenError("x"), auth).json()
    assert body["detail"] == "Token Error"
    assert "message" not in body


def test_the_key_of_the_message_is_not_renamed_by_its_default(auth, answer_to):
    assert auth.config.JWT_ERROR_MESSAGE_KEY == "msg"
    assert "message" in answer_to(exceptions.MissingTokenError("x")).json()


def test_the_realm_is_in_the_challenge(make_auth, answer_to):
    answer = answer_to(exceptions.MissingTokenError("x"), make_auth(JWT_REALM="the shop"))
    assert 'realm="the shop"' in answer.headers["WWW-Authenticate"]


def test_no_credentials_are_challenged_without_an_error(doors):
    assert doors.get("/access").headers["WWW-Authenticate"] == 'Bearer realm="authx"'


def test_an_expired_token_is_challenged_with_a_description(doors):
    challenge = doors.get("/access", headers=bearer(forge_access(exp=1))).headers["WWW-Authenticate"]
    assert 'error="invalid_token"' in challenge
    assert 'error_description="The access token expired"' in challenge


def test_missing_scopes_are_named_in_the_challenge(doors):
    challenge = doors.get("/scoped", headers=bearer(forge_access())).headers["WWW-Authenticate"]
    assert 'scope="write"' in challenge
