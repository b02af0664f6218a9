"""How sessions live, and how a process follows their revocations."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["RevocationCheck", "SessionSettings"]

RevocationCheck: TypeAlias = Literal["feed", "store", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """How sessions live.

    Attributes:
        grace: Milliseconds for which the immediate predecessor of a refresh token is answered again; 0 for never.
        max_age: Milliseconds that a session lasts at most; `None` for no bound.
        window: Milliseconds that an access token lives at most, and some.
        leeway: Milliseconds after its end for which a token is still accepted.
        check: How access tokens are checked for revocation.
        create_schema: Whether the store's tables are created where they are missing.
        poll_interval: Seconds between two looks at a store that does not notify.
        max_staleness: Seconds after which a silent store makes requests fail; `None`: never.
    """

    grace: int
    max_age: int | None
    window: int
    leeway: int = 0
    check: RevocationCheck = "feed"
    create_schema: bool = True
    poll_interval: float = 1.0
    max_staleness: float | None = None

    def last_second(self, created_at: int) -> int | None:
        """Compute the end of a session's absolute age, in whole seconds as milliseconds; `None` where it has none."""
        return None if self.max_age is None else (created_at + self.max_age) // 1000 * 1000
