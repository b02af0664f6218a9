"""The live revocations, in dictionaries: asked by every request, changed by one task."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from authx.core.session import Revocation
from authx.core.strict_json import JSONObject

__all__ = ["Revoked"]

_MINUTE: Final = 60_000


class Revoked:
    """What is revoked and may still concern an access token.

    Values are numbers and short texts, one dictionary entry each, so that a hundred thousand of them
    cost little: sessions and tokens hold the second they can be forgotten, cutoffs their moment in the
    form in which a session's id begins, which sorts as text.

    Args:
        window: Milliseconds after a cutoff within which access tokens from before it are still alive.
    """

    __slots__ = (
        "_buckets",
        "_window",
        "cutoffs",
        "everyone",
        "everyone_at",
        "sessions",
        "spared",
        "tokens",
    )

    def __init__(self, window: int) -> None:
        self._window = window
        self._buckets: dict[int, list[tuple[Callable[[str, int], None], str]]] = {}
        self.sessions: dict[str, float] = {}
        self.tokens: dict[str, float] = {}
        self.cutoffs: dict[str, str] = {}
        self.spared: dict[str, str] = {}
        self.everyone = ""
        self.everyone_at = 0

    def has_session(self, claims: JSONObject) -> bool:
        """Tell whether the session of a token was ended.

        Args:
            claims: Verified claims.

        Returns:
            Whether it was. Tokens of other issuers have no session; their time of issue stands in for it.
        """
        sid: Any = claims.get("sid")
        sub: Any = claims["sub"]
        if sid is None:
            issued = head_of(int(float(str(claims["iat"])) * 1000))
            return issued < self.everyone or issued < self.cutoffs.get(sub, "")
        if sid in self.sessions:
            return True
        head: str = sid[:13]
        if head < self.everyone:
            return True
        cutoff = self.cutoffs.get(sub)
        return cutoff is not None and head < cutoff and self.spared.get(sub) != sid

    def __len__(self) -> int:
        """Tell how many revocations are held."""
        return len(self.sessions) + len(self.tokens) + len(self.cutoffs) + bool(self.everyone)

    def apply(self, revocations: Iterable[Revocation], now: int) -> None:
        """Take in revocations.

        Args:
            revocations: In the order of the store; repeating one changes nothing.
            now: Milliseconds since 1970.
        """
        for one in revocations:
            if one.kind == "everyone":
                if one.at > self.everyone_at:
                    self.everyone_at, self.everyone = one.at, head_of(one.at)
            elif one.until is not None and one.until <= now:
                continue
            elif one.kind == "subject":
                self._cut_off(one)
            elif one.kind == "session":
                self._hold(self.sessions, self._forget_session, one)
            else:
                self._hold(self.tokens, self._forget_token, one)

    def _cut_off(self, one: Revocation) -> None:
        head = head_of(one.at)
        if head < self.cutoffs.get(one.key, ""):
            return
        self.cutoffs[one.key] = head
        if one.spared is None:
            self.spared.pop(one.key, None)
        else:
            self.spared[one.key] = one.spared
        self._remind(one.at + self._window, self._forget_cutoff, one.key)

    def _hold(self, held: dict[str, float], forget: Callable[[str, int], None], one: Revocation) -> None:
        if one.until is None:
            held[one.key] = float("inf")
        elif one.until / 1000 > held.get(one.key, 0.0):
            held[one.key] = one.until / 1000
            self._remind(one.until, forget, one.key)

    def _remind(self, moment: int, forget: Callable[[str, int], None], key: str) -> None:
        self._buckets.setdefault(moment // _MINUTE, []).append((forget, key))

    def forget(self, now: int, limit: int) -> bool:
        """Drop some of what can concern no token any more.

        Args:
            now: Milliseconds since 1970.
            limit: How many at most, so that no request waits for a sweep.

        Returns:
            Whether there is more to drop.
        """
        for minute in sorted(self._buckets):
            if (minute + 1) * _MINUTE > now:
                return False
            bucket = self._buckets[minute]
            while bucket and limit > 0:
                forget, key = bucket.pop()
                forget(key, now)
                limit -= 1
            if bucket:
                return True
            del self._buckets[minute]
        return False

    def _forget_session(self, key: str, now: int) -> None:
        if self.sessions.get(key, 0.0) * 1000 <= now:
            self.sessions.pop(key, None)

    def _forget_token(self, key: str, now: int) -> None:
        if self.tokens.get(key, 0.0) * 1000 <= now:
            self.tokens.pop(key, None)

    def _forget_cutoff(self, key: str, now: int) -> None:
        head = self.cutoffs.get(key)
        if head is not None and moment_of(head) + self._window <= now:
            del self.cutoffs[key]
            self.spared.pop(key, None)


def head_of(moment: int) -> str:
    """Write a moment as a session's id of that moment begins.

    Args:
        moment: Milliseconds since 1970.

    Returns:
        13 characters that sort as the moments do.
    """
    digits = f"{moment:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def moment_of(head: str) -> int:
    """Read the moment that a session's id begins with.

    Args:
        head: 13 characters.

    Returns:
        Milliseconds since 1970.
    """
    return int(head.replace("-", ""), 16)
