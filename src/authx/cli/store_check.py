"""Findings about the session store: whether it answers, and whether its clock agrees."""

import asyncio
import os
from collections.abc import Callable
from typing import Final, Protocol, runtime_checkable

from authx.cli.output import masked
from authx.cli.target import capture_log
from authx.exceptions import BadConfigurationError, StoreUnavailableError
from authx.settings.clock import timestamp
from authx.settings.feature import duration
from authx.settings.finding import Finding, Severity
from authx.settings.lifetimes import CLOCK_SKEW
from authx.stores import Store

__all__ = ["HasClock", "clock_finding", "store_findings", "unusable"]

_PATIENCE: Final = 15.0
_RISKY: Final = 2.0
_LOOKS: Final = 3


@runtime_checkable
class HasClock(Protocol):
    """A store on a machine of its own, with a clock of its own."""

    async def now(self) -> int:
        """Return the clock's time, in milliseconds since 1970."""
        ...


def unusable(error: BadConfigurationError) -> Finding:
    """Return the finding for a store that can never work as it is configured."""
    return Finding(
        "error",
        "store-unusable",
        masked(str(error)),
        "The application does not start, or answers 503 to every request that needs the store.",
        "as the message says",
    )


async def store_findings(
    store: Store, *, creates_schema: bool, clock: Callable[[], float] = timestamp
) -> list[Finding]:
    """Open a store, look at it, and close it, without creating or writing anything; `clock` is this host's."""
    path = getattr(store, "path", None)
    if path is not None and not path.exists():
        folder = path.resolve().parent
        if folder.is_dir() and os.access(folder, os.W_OK):
            return [_without_tables(f"There is no file {path} yet.", creates_schema=creates_schema)]
        return [
            unusable(BadConfigurationError(f"{path.name} cannot be made: {folder} is no folder that can be written to"))
        ]
    try:
        with capture_log() as logged:
            found = await _look_at(store, creates_schema=creates_schema, clock=clock)
        return [*map(_logged, logged), *found]
    finally:
        await store.close()


async def _look_at(store: Store, *, creates_schema: bool, clock: Callable[[], float]) -> list[Finding]:
    found: list[Finding] = []
    try:
        async with asyncio.timeout(_PATIENCE):
            await store.open()
            if isinstance(store, HasClock) and (skew := clock_finding(await _difference(store, clock))) is not None:
                found.append(skew)
            try:
                await store.count_live(int(clock() * 1000))
            except BadConfigurationError:
                found.append(
                    _without_tables("The store has no tables of this prefix yet.", creates_schema=creates_schema)
                )
    except BadConfigurationError as error:
        found.append(unusable(error))
    except (StoreUnavailableError, TimeoutError) as error:
        found.append(_silent(str(error) or f"no answer within {duration(_PATIENCE)}"))
    except Exception as error:  # noqa: BLE001 - a store of somebody else's may raise anything
        found.append(_silent(f"{type(error).__name__}: {error}"))
    return found


async def _difference(store: HasClock, clock: Callable[[], float]) -> float:
    """Return by how many seconds the store's clock is ahead, at least; the time of the round trip does not count."""
    smallest = float("inf")
    for _ in range(_LOOKS):
        before = clock()
        there = await store.now() / 1000
        after = clock()
        away = there - after if there > after else there - before if there < before else 0.0
        smallest = min(smallest, away, key=abs)
    return smallest


def clock_finding(ahead: float) -> Finding | None:
    """Return the finding for a store's clock that is ahead of this host's by seconds, or behind, if that matters."""
    if abs(ahead) < _RISKY:
        return None
    severity: Severity = "error" if abs(ahead) >= CLOCK_SKEW else "warning"
    return Finding(
        severity,
        "clock-skew",
        f"The store's clock is {duration(ahead)} {'ahead of' if ahead > 0 else 'behind'} this host's.",
        "One of them is wrong. Where the clocks of hosts differ, a token of one counts as expired, or as issued in the "
        "future, at another: beyond 10 seconds it is refused.",
        "let NTP set the clocks of both hosts; see `timedatectl`",
    )


def _silent(reason: str) -> Finding:
    return Finding(
        "error",
        "store-silent",
        f"The store does not answer: {masked(reason)}.",
        "Login, refresh and logout answer 503, and after half a minute so does every protected route.",
        "start it, or correct JWT_STORE_URL",
    )


def _without_tables(what: str, *, creates_schema: bool) -> Finding:
    if creates_schema:
        return Finding(
            "info",
            "store-new",
            what,
            "The application makes what is missing when it starts.",
            "nothing; or `authx schema` for migrations of your own",
        )
    return Finding(
        "error",
        "store-tables",
        f"{what} JWT_STORE_CREATE_SCHEMA is off, so the application does not make them.",
        "Every request that needs the store fails.",
        "run what `authx schema sqlite` or `authx schema postgresql` prints",
    )


def _logged(message: str) -> Finding:
    return Finding(
        "warning",
        "store-setup",
        masked(message),
        "The store said so when it was opened; the application logs the same at each start.",
        "as the message says",
    )
