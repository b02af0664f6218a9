"""The live revocations, in dictionaries: asked by every request, changed by one task."""

from collections.abc import Iterable
from math import inf
from typing import Any, Final

from authx.core.session import Revocation
from authx.jose.json_object import JSONObject

__all__ = ["SHORTEST_WINDOW", "Revoked", "minute_of", "prefix_of", "timestamp_of"]

# Milliseconds for which every process keeps what it revokes, however short its own access tokens live: those of
# another may live longer.
SHORTEST_WINDOW: Final = 16 * 60_000
_MINUTE: Final = 60_000
_SESSIONS, _TOKENS, _CUTOFFS = range(3)


class Revoked:
    """What is revoked and may still concern an access token.

    Values are numbers and short texts, one dictionary entry each, so that a hundred thousand of them
    cost little: sessions and tokens hold the time at which they can be forgotten, cutoffs their own in
    the form in which a session's id begins, which sorts as text.

    It holds what the store keeps, by the store's own `until`, so that the two can be counted and compared.

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
        # Of the cutoffs that can be forgotten at another time than a window after their own.
        self._untils: dict[str, float] = {}
        self.spared: dict[str, str] = {}
        self.everyone = ""
        self.everyone_at = 0

    def ends_session_of(self, claims: JSONObject) -> bool:
        """Return whether a token's session was ended; the time of issue stands in for sessions of other issuers."""
        sid: Any = claims.get("sid")
        sub: Any = claims["sub"]
        if sid is None:
            issued = prefix_of(int(float(str(claims["iat"])) * 1000))
            return issued < self.everyone or issued < self.cutoffs.get(sub, "")
        if sid in self.sessions:
            return True
        prefix: str = sid[:13]
        if prefix < self.everyone:
            return True
        cutoff = self.cutoffs.get(sub)
        return cutoff is not None and prefix < cutoff and self.spared.get(sub) != sid

    def __len__(self) -> int:
        """Tell how many revocations are held."""
        return len(self.sessions) + len(self.tokens) + len(self.cutoffs) + bool(self.everyone)

    def apply(self, revocations: Iterable[Revocation], now: int) -> bool:
        """Take in revocations, in the order of the store; repeating one changes nothing."""
        present, changed = minute_of(now), False
        for one in revocations:
            until = inf if one.until is None else float(one.until)
            if one.kind == "everyone":
                if one.at > self.everyone_at:
                    self.everyone_at, self.everyone = one.at, prefix_of(one.at)
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

    def keeps_another(self, one: Revocation) -> bool:
        """Return whether a cutoff of the same time is held that keeps another session, or none."""
        return self.cutoffs.get(one.key) == prefix_of(one.at) and self.spared.get(one.key) != one.spared

    def _cut_off(self, one: Revocation, until: float) -> bool:
        sub, prefix, before = one.key, prefix_of(one.at), self.cutoffs.get(one.key)
        if before is not None:
            if prefix < before:
                return False
            until = max(until, self._until_of(sub))
        changed = prefix != before or self.spared.get(sub) != one.spared
        self.cutoffs[sub] = prefix
        if one.spared is None:
            self.spared.pop(sub, None)
        else:
            self.spared[sub] = one.spared
        if until == one.at + self._usual:
            self._untils.pop(sub, None)
        else:
            self._untils[sub] = until
        if before is None:
            self._schedule(until, _CUTOFFS, sub)
        return changed

    def _until_of(self, sub: str) -> float:
        until = self._untils.get(sub)
        return timestamp_of(self.cutoffs[sub]) + self._usual if until is None else until

    def _hold(self, held: dict[str, float], kind: int, key: str, until: float) -> bool:
        before = held.get(key)
        if before is None:
            self._schedule(until, kind, key)
        held[key] = until if before is None else max(before, until)
        return before is None

    def _schedule(self, at: float, kind: int, key: str) -> None:
        if at == inf:
            return
        minute = minute_of(int(at))
        ending = self._ending.get(minute)
        if ending is None:
            ending = self._ending[minute] = ([], [], [])
        ending[kind].append(key)

    def forget(self, now: int, limit: int) -> bool:
        """Drop some of what can concern no token any more; return whether there is more to drop."""
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
            self._schedule(until, kind, key)
        elif kind == _CUTOFFS:
            del self.cutoffs[key]
            self._untils.pop(key, None)
            self.spared.pop(key, None)
        else:
            held.pop(key, None)


def minute_of(at: int) -> int:
    """Find the beginning of a minute, in milliseconds."""
    return at - at % _MINUTE


def prefix_of(at: int) -> str:
    """Write a timestamp as the ids of its sessions begin: 13 characters that sort as the timestamps do."""
    digits = f"{at:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def timestamp_of(prefix: str) -> int:
    """Read the timestamp that a session's id begins with."""
    return int(prefix.replace("-", ""), 16)
