"""Everything that can go wrong, a class for each error.

Each class carries a stable `code` for programs, the `action` a front end should take next, the HTTP
status in both status modes, and the `error` of its `WWW-Authenticate` challenge (RFC 6750 section 3.1).
Nothing in this module knows a web framework. It is one file, for all of them form one family.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

__all__ = [
    "AccessTokenRequiredError",
    "AccountUnavailableError",
    "AuthXException",
    "AuthxArgumentDeprecationWarning",
    "BadConfigurationError",
    "CSRFError",
    "CSRFOriginError",
    "Evidence",
    "FreshTokenRequiredError",
    "InsufficientScopeError",
    "InvalidCredentialsError",
    "InvalidRequestError",
    "InvalidToken",
    "JWTDecodeError",
    "LoginTypeMismatchError",
    "MissingCSRFTokenError",
    "MissingTokenError",
    "NoAuthorizationError",
    "PolicyDeniedError",
    "PolicyEvaluationError",
    "RateLimitExceeded",
    "RefreshReusedError",
    "RefreshTokenRequiredError",
    "RevokedTokenError",
    "SessionNotFoundError",
    "SessionRevoked",
    "StoreUnavailableError",
    "TokenError",
    "TokenExpiredError",
    "TokenInvalidAudienceError",
    "TokenInvalidIssuerError",
    "TokenInvalidSignatureError",
    "TokenRequiredError",
    "TokenTypeError",
    "TokensTooLargeError",
]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where an error came from, for the answer to it."""

    # The instance, whose messages and settings make the answer.
    source: object
    required: Literal["access", "refresh"] = "access"
    # Whether the request carried a refresh cookie, and whether the answer may end the browser's cookies.
    refresh_cookie: bool = False
    ends_cookies: bool = True


class AuthXException(Exception):  # noqa: N818 - the name is AuthX's
    """The root of every error of this library.

    Args:
        *args: As for any exception; the first is the message.
        login_type: The login type of the instance that raised it, if it has one.

    Attributes:
        status: HTTP status under `JWT_ERROR_STATUS="rfc"`; `None` means the error is not for clients.
        authx_status: HTTP status under `JWT_ERROR_STATUS="authx"`; `None` where AuthX has no such error.
        code: Stable machine-readable reason.
        refresh_code: The reason where a refresh token was required; `None` where that makes no difference.
        action: What a front end should do: `refresh`, `login`, `retry`, `reauthenticate`, `csrf` or `forbidden`.
        challenge: `error` of the `WWW-Authenticate` header; `None` for a challenge without error, and
            only answers of status 400, 401 and 403 carry one.
        description: `error_description` of the challenge: a constant, never derived from input.
        client_message: What clients are told instead of the error's own text, which may name hosts or files; `None`:
            that text.
        clears_cookies: Whether the error ends the browser's cookies where a refresh token was required.
        evidence: Where it came from; set when it leaves an instance.
    """

    status: ClassVar[int | None] = None
    authx_status: ClassVar[int | None] = None
    code: ClassVar[str] = "auth_error"
    refresh_code: ClassVar[str | None] = None
    action: ClassVar[str] = "login"
    challenge: ClassVar[str | None] = None
    description: ClassVar[str | None] = None
    client_message: ClassVar[str | None] = None
    clears_cookies: ClassVar[bool] = False

    def __init__(self, *args: object, login_type: str | None = None) -> None:
        super().__init__(*args)
        self.login_type = login_type
        self.evidence: Evidence | None = None


class BadConfigurationError(AuthXException):
    """The configuration cannot work; the message says what to change. Never an answer to a client.

    Args:
        *args: A message for each mistake.
    """

    def __str__(self) -> str:
        return "; ".join(map(str, self.args))


class InvalidToken(Exception):  # noqa: N818 - the name is AuthX's
    """A token that does not fit a schema.

    Args:
        errors: What did not fit.
    """

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__(errors)
        self.errors = errors


class AuthxArgumentDeprecationWarning(DeprecationWarning):
    """An argument that is accepted for old callers and has no effect."""


class NoAuthorizationError(AuthXException):
    """Kept for applications that import it; never raised here."""

    status = 401
    code = "token_missing"


class InvalidRequestError(AuthXException):
    """The request itself is broken: an oversized token, two credentials at once, unreadable JSON."""

    status = 400
    code = "request_invalid"
    challenge = "invalid_request"


class InvalidCredentialsError(AuthXException):
    """User name and password do not match."""

    status = 401
    code = "credentials_invalid"


class AccountUnavailableError(AuthXException):
    """The token's subject no longer exists or may not log in."""

    status = 401
    code = "account_unavailable"
    challenge = "invalid_token"
    clears_cookies = True


class _TemporaryError(AuthXException):
    """What a later request may not meet again."""

    status = 503
    code = "auth_unavailable"
    action = "retry"

    def __init__(self, *args: object, retry_after: int = 1, login_type: str | None = None) -> None:
        super().__init__(*args, login_type=login_type)
        self.retry_after = retry_after


class StoreUnavailableError(_TemporaryError):
    """The session store did not answer; nothing was consumed, the same request may be repeated.

    Its text says which store, and what is wrong. It is for the log: clients are told `client_message`.

    Args:
        *args: As for any exception.
        retry_after: Seconds after which a retry makes sense.
        login_type: The login type of the instance that raised it.
    """

    client_message = "Authentication is not available at the moment. Send the same request again."


class TokensTooLargeError(_TemporaryError):
    """The new tokens are too large for their cookies or for `JWT_MAX_TOKEN_BYTES`; nothing began or was consumed.

    Args:
        *args: As for any exception.
        retry_after: Seconds after which a retry makes sense.
        login_type: The login type of the instance that raised it.
    """


class JWTDecodeError(AuthXException):
    """The token is malformed, forged, or its claims cannot be accepted."""

    status = 401
    authx_status = 422
    code = "token_invalid"
    refresh_code = "refresh_invalid"
    challenge = "invalid_token"
    clears_cookies = True


class TokenExpiredError(JWTDecodeError):
    """The token was good and its time is over."""

    code = "token_expired"
    refresh_code = "refresh_expired"
    action = "refresh"
    description = "The access token expired"


class TokenInvalidSignatureError(JWTDecodeError):
    """No configured key made this signature."""


class TokenInvalidAudienceError(JWTDecodeError):
    """The token was issued for somebody else (`aud`)."""


class TokenInvalidIssuerError(JWTDecodeError):
    """The token was issued by somebody else (`iss`)."""


class CSRFError(AuthXException):
    """The value sent by the client is not the one bound to its cookie."""

    status = 403
    authx_status: ClassVar[int | None] = 401
    code = "csrf_mismatch"
    action = "csrf"


class CSRFOriginError(CSRFError):
    """The request was made by a page of another origin."""

    authx_status = None
    code = "csrf_origin"


class TokenError(AuthXException):
    """The root of errors about a token that is missing, of the wrong kind, or no longer good."""


class MissingTokenError(TokenError):
    """The request carries no token where one is required."""

    status = 401
    authx_status = 401
    code = "token_missing"
    refresh_code = "refresh_missing"


class MissingCSRFTokenError(MissingTokenError):
    """The request carries a token cookie but not the CSRF value that goes with it."""

    status = 403
    code = "csrf_missing"
    refresh_code = "csrf_missing"
    action = "csrf"


class TokenTypeError(TokenError):
    """A token of another type than the one required."""

    status = 401
    authx_status = 401
    code = "token_wrong_type"
    challenge = "invalid_token"


class AccessTokenRequiredError(TokenTypeError):
    """An access token is required here."""


class RefreshTokenRequiredError(TokenTypeError):
    """A refresh token is required here."""


class LoginTypeMismatchError(TokenTypeError):
    """A token issued for another kind of login, or for none where one is required.

    Args:
        expected_type: The login type required.
        actual_type: The login type of the token; `None` if it names none.
        message: Replaces the default text.
        login_type: The login type of the instance that raised it.
    """

    code = "token_wrong_login_type"

    def __init__(
        self,
        expected_type: str,
        actual_type: str | None = None,
        message: str | None = None,
        login_type: str | None = None,
    ) -> None:
        self.expected_type = expected_type
        self.actual_type = actual_type
        super().__init__(
            message or f"Token type mismatch: expected '{expected_type}', got '{actual_type or 'unknown'}'",
            login_type=login_type,
        )


class RevokedTokenError(TokenError):
    """This one token was revoked."""

    status = 401
    authx_status = 401
    code = "token_revoked"
    challenge = "invalid_token"


class TokenRequiredError(TokenError):
    """Kept for applications that raise it themselves."""

    status = 401
    authx_status = 401
    code = "token_missing"


class FreshTokenRequiredError(TokenError):
    """The user has to prove who they are again (RFC 9470)."""

    status = 401
    authx_status = 401
    code = "fresh_required"
    action = "reauthenticate"
    challenge = "insufficient_user_authentication"


class InsufficientScopeError(TokenError):
    """The token is good but does not allow this.

    Args:
        required: Scopes the route asks for.
        provided: Scopes the token has.
        message: Replaces the default text.
        login_type: The login type of the instance that raised it.
    """

    status = 403
    authx_status = 403
    code = "insufficient_scope"
    action = "forbidden"
    challenge = "insufficient_scope"

    def __init__(
        self,
        required: Sequence[str],
        provided: Sequence[str] | None = None,
        message: str | None = None,
        login_type: str | None = None,
    ) -> None:
        self.required = list(required)
        self.provided = list(provided or ())
        super().__init__(
            message or f"Missing required scopes: {self.required}. Provided: {self.provided}",
            login_type=login_type,
        )


class PolicyDeniedError(TokenError):
    """A policy rule, or the absence of one, denies the request.

    Args:
        reason: Why, as the rule or the engine states it.
        login_type: The login type of the instance that raised it.
    """

    status = 403
    authx_status = 403
    code = "policy_denied"
    action = "forbidden"

    def __init__(self, reason: str = "Policy denied access", login_type: str | None = None) -> None:
        self.reason = reason
        super().__init__(reason, login_type=login_type)


class PolicyEvaluationError(AuthXException):
    """A policy rule is written wrongly."""

    status = 500
    authx_status = 500
    code = "policy_error"
    action = "forbidden"


class SessionRevoked(AuthXException):
    """The session was ended by logout, by an administrator, or because a refresh token was reused."""

    status = 401
    authx_status: ClassVar[int | None] = 401
    code = "session_revoked"
    challenge = "invalid_token"


class RefreshReusedError(SessionRevoked):
    """This very request presented a refresh token that had been used before; its session has been ended."""

    authx_status = None
    code = "refresh_reused"
    clears_cookies = True


class SessionNotFoundError(AuthXException):
    """The caller has no such session."""

    status = 404
    code = "session_not_found"
    action = "forbidden"


class RateLimitExceeded(AuthXException):
    """Too many requests.

    Args:
        retry_after: Seconds until the next request is allowed.
        message: Replaces the default text.
    """

    status = 429
    authx_status = 429
    code = "rate_limited"
    action = "retry"

    def __init__(self, retry_after: int = 60, message: str | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message or f"Rate limit exceeded. Retry after {retry_after} seconds.")
