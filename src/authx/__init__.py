"""Access and refresh tokens for FastAPI: fast to check, strict, and honest users stay logged in."""

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
from authx.main import AuthX
from authx.manager import AuthManager
from authx.policy import PolicyCondition, PolicyContext, PolicyDecision, PolicyEngine, PolicyRule
from authx.ratelimit import RateLimiter
from authx.schema import RequestToken, SessionInfo, TokenPayload, TokenResponse

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
