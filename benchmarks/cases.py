"""What can be measured: one case, and the module interface that offers cases."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

Facts = Mapping[str, int]


class CaseError(Exception):
    """A case did not do what it claims to measure."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to time.

    Args:
        name: unique among the cases of one process.
        subject: whose code it is.
        title: what it does, as the tables show it.
        check: runs it once with every answer inspected; returns what was counted on the way.
        chunk: runs it the given number of times and returns the nanoseconds that took.
        baseline: name of the case of the same process whose time is subtracted or divided by.
        rival: name of the case of the other process that it is compared with.
    """

    name: str
    subject: str
    title: str
    check: Callable[[], Awaitable[Facts]]
    chunk: Callable[[int], Awaitable[int]]
    baseline: str | None = None
    rival: str | None = None


class CaseModule(Protocol):
    """A module that offers cases; it is imported in the environment it belongs to."""

    def cases(self) -> Iterable[Case]:
        """Builds applications, keys and tokens, and returns what can be timed."""
        ...
