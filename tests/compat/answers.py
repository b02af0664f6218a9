"""What a refused request is answered, in both forms of ``JWT_ERROR_STATUS``."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from httpx2 import Response

Mode = Literal["rfc", "authx"]


@dataclass(frozen=True)
class Refusal:
    """One line of the error contract; a text of ``None`` is free wording."""

    error_type: str
    message: str | None
    status: int
    code: str
    action: str
    error: str | None = "invalid_token"
    authx_status: int = 401
    authx_error_type: str = ""
    authx_message: str | None = None
    known_to_authx: bool = True


@dataclass(frozen=True)
class Check:
    """Compares an answer with a refusal in one mode."""

    mode: Mode

    def __call__(self, response: Response, refusal: Refusal) -> dict[str, Any]:
        body: dict[str, Any] = response.json()
        if self.mode == "authx" and refusal.known_to_authx:
            self._as_authx(response, body, refusal)
        else:
            self._as_rfc(response, body, refusal)
        assert body["message"]
        return body

    def _as_authx(self, response: Response, body: dict[str, Any], refusal: Refusal) -> None:
        assert response.status_code == refusal.authx_status, body
        assert set(body) == {"message", "error_type"}
        assert body["error_type"] == (refusal.authx_error_type or refusal.error_type)
        message = refusal.authx_message or refusal.message
        assert message is None or body["message"] == message

    def _as_rfc(self, response: Response, body: dict[str, Any], refusal: Refusal) -> None:
        assert response.status_code == refusal.status, body
        assert (body["error_type"], body["code"], body["action"]) == (
            refusal.error_type,
            refusal.code,
            refusal.action,
        )
        assert refusal.message is None or body["message"] == refusal.message
        challenge = response.headers.get("WWW-Authenticate", "")
        if refusal.status == 401:
            assert challenge.startswith("Bearer ")
            assert 'realm="authx"' in challenge
        assert refusal.error is None or f'error="{refusal.error}"' in challenge


class MakeConfig(Protocol):
    """Builds a configuration with a secret, in the mode of the test."""

    def __call__(self, **fields: Any) -> Any: ...


class MakeAuth(Protocol):
    """Builds an ``AuthX`` with a secret, in the mode of the test."""

    def __call__(self, **fields: Any) -> Any: ...


class Browse(Protocol):
    """Opens a client with an own cookie jar; redirects are not followed."""

    def __call__(self, app: Any, base_url: str = "https://testserver") -> Any: ...


MISSING = Refusal("MissingTokenError", "Token Error", 401, "token_missing", "login", error=None)
MISSING_BUT_REFRESHABLE = Refusal("MissingTokenError", "Token Error", 401, "token_missing", "refresh", error=None)
REFRESH_MISSING = Refusal("MissingTokenError", "Token Error", 401, "refresh_missing", "login", error=None)
INVALID = Refusal("JWTDecodeError", "Invalid Token", 401, "token_invalid", "login", authx_status=422)
REFRESH_INVALID = Refusal("JWTDecodeError", "Invalid Token", 401, "refresh_invalid", "login", authx_status=422)
EXPIRED = Refusal("TokenExpiredError", "Token has expired", 401, "token_expired", "refresh", authx_status=422)
REFRESH_EXPIRED = Refusal("TokenExpiredError", "Token has expired", 401, "refresh_expired", "login", authx_status=422)
BAD_SIGNATURE = Refusal(
    "TokenInvalidSignatureError",
    "Signature verification failed",
    401,
    "token_invalid",
    "login",
    authx_status=422,
)
BAD_AUDIENCE = Refusal("TokenInvalidAudienceError", "Invalid audience", 401, "token_invalid", "login", authx_status=422)
BAD_ISSUER = Refusal("TokenInvalidIssuerError", "Invalid issuer", 401, "token_invalid", "login", authx_status=422)
NOT_ACCESS = Refusal("AccessTokenRequiredError", "Access token required", 401, "token_wrong_type", "login")
NOT_REFRESH = Refusal("RefreshTokenRequiredError", "Refresh token required", 401, "token_wrong_type", "login")
NOT_FRESH = Refusal(
    "FreshTokenRequiredError",
    "Fresh token required",
    401,
    "fresh_required",
    "reauthenticate",
    error="insufficient_user_authentication",
)
REVOKED = Refusal("RevokedTokenError", "Invalid token", 401, "token_revoked", "login")
CSRF_MISSING = Refusal(
    "MissingCSRFTokenError",
    None,
    403,
    "csrf_missing",
    "csrf",
    error=None,
    authx_error_type="MissingTokenError",
    authx_message="Token Error",
)
CSRF_MISMATCH = Refusal("CSRFError", "CSRF double submit does not match", 403, "csrf_mismatch", "csrf", error=None)
NO_SCOPE = Refusal(
    "InsufficientScopeError",
    None,
    403,
    "insufficient_scope",
    "forbidden",
    error="insufficient_scope",
    authx_status=403,
)
BROKEN_REQUEST = Refusal(
    "InvalidRequestError",
    None,
    400,
    "request_invalid",
    "login",
    error="invalid_request",
    known_to_authx=False,
)
