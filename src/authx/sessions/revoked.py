"""The live revocations, in dictionaries: asked by every request, changed by one task."""

from collections.abc import Iterable
from math import inf
from typing import Any, Final

from authx.core.session import Revocation
from authx.jose.json_object import JSONObject

__all__ = ["SHORTEST_WINDOW", "Revoked", "head_of", "minute_of", "moment_of"]

# Milliseconds for which every process keeps what it revokes, however short its own access tokens live: those of
# another may live longer.
SHORTEST_WINDOW: Final = 16 * 60_000
_MINUTE: Final = 60_000
_SESSIONS, _TOKENS, _CUTOFFS = range(3)


class Revoked:
    """What is revoked and may still concern an access token.

    Values are numbers and short texts, one dictionary entry each, so that a hundred thousand of them
    cost little: sessions and tokens hold the moment they can be forgotten, cutoffs their moment in the
    form in which a session's id begins, which sorts as text.

    It holds what the store keeps, by the store's own `until`, so that the two can be counted and compared.

    Args:
        window: For how many milliseconds a token that was good then can be answered for.

    Attributes:
        window: As given, or less: as long as the process that revokes for the shortest time keeps what it revokes.
    """

    __slots__ = (
        "_ending",
        "_untils",
        "_usual",
        "cutoffs",
        "everyone",
        "everyone_at",
        "sessions",
        "spared",
        "tokens",
        "window",
    )

    def __init__(self, window: int) -> None:
        self.window = self._usual = window
        # Minute -> what may be forgotten with it: sessions, tokens, cutoffs. Each stands there once.
        self._ending: dict[int, tuple[list[str], list[str], list[str]]] = {}
        self.sessions: dict[str, float] = {}
        self.tokens: dict[str, float] = {}
        self.cutoffs: dict[str, str] = {}
        # Of the cutoffs that can be forgotten at another moment than a window after their own.
        self._untils: dict[str, float] = {}
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

    def apply(self, revocations: Iterable[Revocation], now: int) -> bool:
        """Take in revocations.

        Args:
            revocations: In the order of the store; repeating one changes nothing.
            now: Milliseconds since 1970.

        Returns:
            Whether a token that was cleared before may be revoked now, or has to be asked about elsewhere.
        """
        present, changed = minute_of(now), False
        for one in revocations:
            until = inf if one.until is None else float(one.until)
            if one.kind == "everyone":
                if one.at > self.everyone_at:
                    self.everyone_at, self.everyone = one.at, head_of(one.at)
                    changed = True
                continue
            kept = max(until - one.at, SHORTEST_WINDOW)
            if one.kind != "token" and kept < self.window:
                self.window, changed = int(kept), True
            if until < present:
                continue
            if one.kind == "subject":
                changed |= self._cut_off(one, until)
            elif one.kind == "session":
                changed |= self._hold(self.sessions, _SESSIONS, one.key, until)
            else:
                changed |= self._hold(self.tokens, _TOKENS, one.key, until)
        return changed

    def spares_another(self, one: Revocation) -> bool:
        """Tell whether a cutoff of the same moment is held that spares another session, or none."""
        return self.cutoffs.get(one.key) == head_of(one.at) and self.spared.get(one.key) != one.spared

    def _cut_off(self, one: Revocation, until: float) -> bool:
        sub, head, before = one.key, head_of(one.at), self.cutoffs.get(one.key)
        if before is not None:
            if head < before:
                return False
            until = max(until, self._until_of(sub))
        changed = head != before or self.spared.get(sub) != one.spared
        self.cutoffs[sub] = head
        if one.spared is None:
            self.spared.pop(sub, None)
        else:
            self.spared[sub] = one.spared
        if until == one.at + self._usual:
            self._untils.pop(sub, None)
        else:
            self._untils[sub] = until
        if before is None:
            self._remind(until, _CUTOFFS, sub)
        return changed

    def _until_of(self, sub: str) -> float:
        until = self._untils.get(sub)
        return moment_of(self.cutoffs[sub]) + self._usual if until is None else until

    def _hold(self, held: dict[str, float], kind: int, key: str, until: float) -> bool:
        before = held.get(key)
        if before is None:
            self._remind(until, kind, key)
        held[key] = until if before is None else max(before, until)
        return before is None

    def _remind(self, moment: float, kind: int, key: str) -> None:
        if moment == inf:
            return
        minute = minute_of(int(moment))
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
        held = self.sessions if kind == _SESSIONS else self.tokens
        until = self._until_of(key) if kind == _CUTOFFS else held.get(key, 0)
        if until >= present:
            self._remind(until, kind, key)
        elif kind == _CUTOFFS:
            del self.cutoffs[key]
            self._untils.pop(key, None)
            self.spared.pop(key, None)
        else:
            held.pop(key, None)


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
