"""Cases that call one function: the codec's."""

import itertools
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from benchmarks.cases import Case, CaseError, Facts

Argument = TypeVar("Argument")


def micro_case(
    name: str,
    subject: str,
    title: str,
    function: Callable[[Argument], object],
    arguments: Sequence[Argument],
    *,
    accept: Callable[[object], bool],
    refuse: Argument | None = None,
    baseline: str | None = None,
    rival: str | None = None,
) -> Case:
    """Times a function of one argument, going round a ring of arguments.

    Args:
        name: unique among the cases of one process.
        subject: whose code it is.
        title: what it does.
        function: what is timed.
        arguments: walked through in turn, so that no call meets what the last one warmed.
        accept: whether a result is right; asked once for every argument before anything is timed.
        refuse: an argument for which the function must raise or give a result that is not accepted.
        baseline: case of the same process to divide by.
        rival: case of the other process to compare with.
    """
    endless = itertools.cycle(arguments)

    async def check() -> Facts:
        for argument in arguments:
            if not accept(function(argument)):
                raise CaseError(f"{subject}, {name}: a wrong result")
        if refuse is not None:
            try:
                result = function(refuse)
            except Exception:
                return {}
            if accept(result):
                raise CaseError(f"{subject}, {name}: accepted a forged token")
        return {}

    async def chunk(calls: int) -> int:
        clock = time.perf_counter_ns
        started = clock()
        for argument in itertools.islice(endless, calls):
            function(argument)
        return clock() - started

    return Case(name, subject, title, check, chunk, baseline, rival)


def forged(token: str) -> str:
    """The same token with another signature of the same length and alphabet."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{signature[:10]}{'A' if signature[10] != 'A' else 'B'}{signature[11:]}"


def forged_bytes(token: bytes) -> bytes:
    """The same for a token in bytes."""
    return forged(token.decode()).encode()
