"""Access and refresh tokens for FastAPI: fast to check, strict, and honest users stay logged in."""

from authx.config import AuthXConfig
from authx.dependencies import AuthXDependency
from authx.main import AuthX
from authx.schema import RequestToken, SessionInfo, TokenPayload, TokenResponse

__all__ = [
    "AuthX",
    "AuthXConfig",
    "AuthXDependency",
    "RequestToken",
    "SessionInfo",
    "TokenPayload",
    "TokenResponse",
]
__version__ = "0.1.0"
