"""Access and refresh tokens for FastAPI: fast to check, strict, and honest users stay logged in."""

from typing import TYPE_CHECKING, Any

from authx.config import AuthXConfig
from authx.dependencies import AuthXDependency
from authx.exceptions import (
    InsufficientScopeError,
    JWTDecodeError,
    LoginTypeMismatchError,
    PolicyDeniedError,
    PolicyEvaluationError,
    RateLimitExceeded,
    TokenExpiredError,
    TokenInvalidAudienceError,
    TokenInvalidIssuerError,
    TokenInvalidSignatureError,
)
from authx.http.ratelimit import RateLimiter
from authx.main import AuthX
from authx.schema import RequestToken, SessionInfo, TokenPayload, TokenResponse

if TYPE_CHECKING:
    from authx.manager import AuthManager
    from authx.policy import PolicyCondition, PolicyContext, PolicyDecision, PolicyEngine, PolicyRule

__all__ = [
    "AuthManager",
    "AuthX",
    "AuthXConfig",
    "AuthXDependency",
    "InsufficientScopeError",
    "JWTDecodeError",
    "LoginTypeMismatchError",
    "PolicyCondition",
    "PolicyContext",
    "PolicyDecision",
    "PolicyDeniedError",
    "PolicyEngine",
    "PolicyEvaluationError",
    "PolicyRule",
    "RateLimitExceeded",
    "RateLimiter",
    "RequestToken",
    "SessionInfo",
    "TokenExpiredError",
    "TokenInvalidAudienceError",
    "TokenInvalidIssuerError",
    "TokenInvalidSignatureError",
    "TokenPayload",
    "TokenResponse",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import managers and policies for those who use them; everybody else starts sooner."""
    if name == "AuthManager":
        from authx import manager as module
    elif name.startswith("Policy") and name in __all__:
        from authx import policy as module  # type: ignore[no-redef]
    else:
        raise AttributeError(f"module 'authx' has no attribute {name!r}")
    value = globals()[name] = getattr(module, name)
    return value
