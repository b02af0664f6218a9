"""The live revocations, in dictionaries: asked by every request, changed by one task."""

from collections.abc import Iterable
from math import inf
from typing import Any, Final

from authx.core.session import Revocation
from authx.core.strict_json import JSONObject

__all__ = ["Revoked", "head_of", "minute_of", "moment_of"]

_MINUTE: Final = 60_000
_SESSIONS, _TOKENS, _CUTOFFS = range(3)


class Revoked:
    """What is revoked and may still concern an access token.

    Values are numbers and short texts, one dictionary entry each, so that a hundred thousand of them
    cost little: sessions and tokens hold the moment they can be forgotten, cutoffs their moment in the
    form in which a session's id begins, which sorts as text.

    Args:
        window: Milliseconds after a cutoff within which access tokens from before it are still alive.
    """

    __slots__ = ("_ending", "_window", "cutoffs", "everyone", "everyone_at", "sessions", "spared", "tokens")

    def __init__(self, window: int) -> None:
        self._window = window
        # Minute -> what may be forgotten with it: sessions, tokens, cutoffs.
        self._ending: dict[int, tuple[list[str], list[str], list[str]]] = {}
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
                self._hold(self.sessions, _SESSIONS, one)
            else:
                self._hold(self.tokens, _TOKENS, one)

    def _cut_off(self, one: Revocation) -> None:
        head = head_of(one.at)
        if head < self.cutoffs.get(one.key, ""):
            return
        self.cutoffs[one.key] = head
        if one.spared is None:
            self.spared.pop(one.key, None)
        else:
            self.spared[one.key] = one.spared
        self._remind(one.at + self._window, _CUTOFFS, one.key)

    def _hold(self, held: dict[str, float], kind: int, one: Revocation) -> None:
        if one.until is None:
            held[one.key] = inf
        elif one.until > held.get(one.key, 0.0):
            held[one.key] = float(one.until)
            self._remind(one.until, kind, one.key)

    def _remind(self, moment: int, kind: int, key: str) -> None:
        minute = minute_of(moment)
        ending = self._ending.get(minute)
        if ending is None:
            ending = self._ending[minute] = ([], [], [])
        ending[kind].append(key)

    def forget(self, now: int, limit: int) -> bool:
        """Drop some of what can concern no token any more.

        Args:
            now: Milliseconds since 1970.
            limit: How many at most, so that no request waits for a sweep.

        Returns:
            Whether there is more to drop.
        """
        present = minute_of(now)
        for minute in sorted(self._ending):
            if minute >= present:
                return False
            for kind, keys in enumerate(self._ending[minute]):
                while keys and limit > 0:
                    self._drop(kind, keys.pop(), present)
                    limit -= 1
            if any(self._ending[minute]):
                return True
            del self._ending[minute]
        return False

    def _drop(self, kind: int, key: str, present: int) -> None:
        """Drop one, unless it was revoked again since, and then ends later."""
        if kind == _CUTOFFS:
            head = self.cutoffs.get(key)
            if head is not None and moment_of(head) + self._window < present:
                del self.cutoffs[key]
                self.spared.pop(key, None)
            return
        held = self.sessions if kind == _SESSIONS else self.tokens
        if held.get(key, inf) < present:
            del held[key]


def minute_of(moment: int) -> int:
    """Find the beginning of a moment's minute.

    Args:
        moment: Milliseconds since 1970.

    Returns:
        Milliseconds since 1970.
    """
    return moment - moment % _MINUTE


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
