"""What a route asks of a request's token, as one value that can be a dictionary's key."""

from dataclasses import dataclass, field
from typing import get_args

from authx.types import TokenLocation, TokenType

__all__ = ["Requirement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a dependency asks for.

    Attributes:
        kind: The type of token to look for.
        verify_type: Whether the token must say it is of that type.
        verify_fresh: Whether it must be fresh.
        verify_csrf: Whether a cookie needs its CSRF value; `None`: as the method demands.
        locations: Where to look, in order; `None` as configured.
        scopes: The scopes it must have; `None` if none are asked for.
        all_scopes: Whether all of them are needed, or any one.
        asks_more: Whether a good token of the type is not enough.
    """

    kind: TokenType = "access"
    verify_type: bool = True
    verify_fresh: bool = False
    verify_csrf: bool | None = None
    locations: tuple[TokenLocation, ...] | None = None
    scopes: tuple[str, ...] | None = None
    all_scopes: bool = True
    asks_more: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what does not exist."""
        if self.kind not in get_args(TokenType):
            raise ValueError(f"{self.kind!r} is no token type; use 'access' or 'refresh'")
        for location in self.locations or ():
            if location not in get_args(TokenLocation):
                raise ValueError(f"{location!r} is no token location; use headers, cookies, json or query")
        object.__setattr__(self, "asks_more", self.verify_fresh or self.scopes is not None)
