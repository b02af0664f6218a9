"""The outages of a store that one process observed: the grace period stands still during them.

Times are wall-clock milliseconds. A call that fails begins a silence, and the next answer to any call ends it.
A stall is a time during which the event loop was blocked.
"""

from typing import Final

__all__ = ["Outages"]

# Without a shortest length, somebody who makes single statements fail could extend the grace period many times over.
_SHORTEST: Final = 3000
_LIMIT: Final = 32


class Outages:
    """The newest outages, in their order; one counts if it lasts longer than `shortest` milliseconds."""

    def __init__(self, shortest: int = _SHORTEST, limit: int = _LIMIT) -> None:
        self._shortest = shortest
        self._limit = limit
        # Replaced as a whole, so that another thread may read it at any time.
        self._known: tuple[tuple[int, int], ...] = ()
        self._silent_since: int | None = None
        self._last_answer: int | None = None

    @property
    def is_silent(self) -> bool:
        """Whether a call has failed since the last answer."""
        return self._silent_since is not None

    def failed(self, sent_at: int) -> None:
        """Record that the store did not answer a call that was sent at this time."""
        # Other calls may have been answered while this one waited.
        start = sent_at if self._last_answer is None else max(sent_at, self._last_answer)
        self._silent_since = start if self._silent_since is None else min(start, self._silent_since)

    def answered(self, at: int) -> None:
        """Record an answer of the store, before anything is decided by it."""
        since, self._silent_since, self._last_answer = self._silent_since, None, at
        if since is not None:
            self._add(since, at)

    def stalled(self, late: int, at: int) -> None:
        """Record that the event loop was blocked until now, for `late` milliseconds by the monotonic clock."""
        self._add(at - late, at)

    def _add(self, start: int, end: int) -> None:
        if end - start <= self._shortest:
            return
        known = list(self._known)
        # A stall may lie within a silence; time that two outages share counts once.
        while known and start < known[-1][1]:
            last = known.pop()
            start, end = min(start, last[0]), max(end, last[1])
        self._known = (*known, (start, end))[-self._limit :]

    def stood_still(self, since: int, now: int) -> int:
        """Compute how long the outages lasted between two times."""
        return sum(max(0, min(end, now) - max(start, since)) for start, end in self._known)
