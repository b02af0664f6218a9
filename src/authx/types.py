"""Names for the shapes that cross the library's edges."""

from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, get_args
from uuid import UUID

from typing_extensions import TypeVar

if TYPE_CHECKING:
    from starlette.requests import Request

    from authx.schema import SessionInfo

__all__ = [
    "UID",
    "AlgorithmType",
    "AsymmetricAlgorithmType",
    "DateTimeExpression",
    "HTTPMethod",
    "HTTPMethods",
    "ModelCallback",
    "Numeric",
    "ObjectOrSequence",
    "RateLimitKeyFunc",
    "SameSitePolicy",
    "SessionStoreProtocol",
    "StringOrSequence",
    "SymmetricAlgorithmType",
    "T",
    "T_co",
    "TokenCallback",
    "TokenLocation",
    "TokenLocations",
    "TokenType",
]

# An application that does not declare its subject's type gets `Any`.
T = TypeVar("T", default=Any)
T_co = TypeVar("T_co", covariant=True)

Numeric = float | int
ObjectOrSequence: TypeAlias = T | Sequence[T]
StringOrSequence = str | Sequence[str]
# A user id, as applications pass it; tokens and stores hold the text that `str()` makes of it.
UID: TypeAlias = str | int | UUID
DateTimeExpression = datetime | timedelta

SymmetricAlgorithmType = Literal["HS256", "HS384", "HS512"]
AsymmetricAlgorithmType = Literal[
    "ES256", "ES256K", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"
]
AlgorithmType = Literal[SymmetricAlgorithmType, AsymmetricAlgorithmType]

HTTPMethod = Literal["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]
HTTPMethods = Sequence[HTTPMethod]
SameSitePolicy = Literal["lax", "strict", "none"]
TokenType = Literal["access", "refresh"]
TokenLocation = Literal["headers", "cookies", "json", "query"]
TokenLocations = Sequence[TokenLocation]

SYMMETRIC_ALGORITHMS: Final = frozenset(get_args(SymmetricAlgorithmType))
TOKEN_TYPES: Final[tuple[TokenType, ...]] = ("access", "refresh")
_REGISTERED_CLAIMS: Final = frozenset({"sub", "jti", "iat", "exp", "nbf", "iss", "aud"})
# The claims that this library writes or reads.
CLAIMS: Final = _REGISTERED_CLAIMS | {"type", "csrf", "scopes", "fresh", "login_type", "sid", "gen", "cnf"}
# What a repr shows of a secret.
MASK: Final = "**********"


class TokenCallback(Protocol):
    """Answers whether a token is revoked."""

    def __call__(self, token: str, **kwargs: Any) -> bool | Awaitable[bool]:
        """Take the compact token text, return a true value if it is revoked."""
        ...


class ModelCallback(Protocol[T_co]):
    """Finds the subject that a token names."""

    def __call__(self, uid: str, **kwargs: Any) -> T_co | Awaitable[T_co | None] | None:
        """Take the token's `sub`, return the subject or `None`."""
        ...


class RateLimitKeyFunc(Protocol):
    """Names the bucket that a request is counted in."""

    def __call__(self, request: "Request", /) -> str | Awaitable[str]:
        """Take the request, return the bucket's key."""
        ...


class SessionStoreProtocol(Protocol):
    """A session store written for AuthX: the six methods it asks for."""

    async def create(self, session: "SessionInfo") -> None:
        """Keep a session."""
        ...

    async def get(self, session_id: str) -> "SessionInfo | None":
        """Find a session by its id."""
        ...

    async def update(self, session_id: str, **kwargs: Any) -> None:
        """Change fields of a session."""
        ...

    async def delete(self, session_id: str) -> None:
        """End a session."""
        ...

    async def list_by_user(self, uid: str) -> "list[SessionInfo]":
        """List a user's sessions."""
        ...

    async def delete_all_by_user(self, uid: str) -> None:
        """End all sessions of a user."""
        ...
