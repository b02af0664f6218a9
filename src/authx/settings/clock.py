"""The system's clocks, read through the module `time` at each call, so that freezegun reaches them."""

import time

__all__ = ["monotonic", "timestamp"]


def timestamp() -> float:
    """Return the system's time in seconds since 1970."""
    return time.time()


def monotonic() -> float:
    """Return seconds that only ever grow."""
    return time.monotonic()
