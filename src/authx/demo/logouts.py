"""Which sessions have been ended by logout: a blocklist in memory."""

from collections.abc import Callable
from datetime import timedelta
from math import inf
from typing import Final

from authx.token import decode_token

__all__ = ["Logouts"]


class Logouts:
    """Ended sessions, each kept until no token of it can be good any more.

    Naming sessions, not tokens, ends every token of a login with whichever of them came along.

    Args:
        longest_life: The longest that a token lives; `None` keeps every entry.
        clock: Seconds since 1970.
    """

    def __init__(self, longest_life: timedelta | None, clock: Callable[[], float]) -> None:
        self._keep_for: Final = inf if longest_life is None else longest_life.total_seconds()
        self._clock: Final = clock
        # In the order of their expiry, for all are kept equally long.
        self._expires: Final[dict[str, float]] = {}

    def end(self, session: str) -> None:
        """End a session.

        Args:
            session: Its id, the claim `sid` of its tokens.
        """
        now = self._clock()
        while self._expires and (oldest := next(iter(self._expires))) and self._expires[oldest] <= now:
            del self._expires[oldest]
        self._expires.setdefault(session, now + self._keep_for)

    def __contains__(self, token: str) -> bool:
        # The blocklist is asked only about tokens whose signature was found good.
        return decode_token(token, key="", verify=False).get("sid") in self._expires

    def __len__(self) -> int:
        return len(self._expires)
