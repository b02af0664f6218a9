"""What went wrong between a store and its Redis server, in this library's words and without a word of what was sent."""

import re
from typing import Final

from redis import exceptions as errors

from authx.exceptions import AuthXException, BadConfigurationError, StoreUnavailableError

__all__ = ["DRIVER_ERRORS", "UnreadableRowError", "part_of_a_cluster", "translated"]

# What redis-py raises where a server does not do its work.
DRIVER_ERRORS: Final = (errors.RedisError, errors.RedisClusterException, TimeoutError, OSError)
# The code of an error reply that passes by itself, wherever an old server puts it in the text.
_PASSING: Final = re.compile(r"\b(BUSY|LOADING|MASTERDOWN|MISCONF|NOREPLICAS|OOM|READONLY|TRYAGAIN|UNBLOCKED)\b")
_PASSING_ERRORS: Final = (
    errors.AskError,
    errors.ClusterDownError,
    errors.OutOfMemoryError,
    errors.ReadOnlyError,
    errors.TryAgainError,
)


class UnreadableRowError(Exception):
    """A script met a row that makes no sense. It never leaves the store."""


def translated(error: Exception, where: str) -> AuthXException | UnreadableRowError:
    """Return the error to raise for one of the driver; nothing that was sent is in it."""
    cause = error.__cause__
    if isinstance(error, errors.RedisClusterException) and isinstance(cause, Exception):
        # What went wrong with the last server that the client tried.
        error = cause
    if isinstance(error, errors.AuthenticationError | errors.AuthorizationError):
        return _not_let_in(where)
    if isinstance(error, errors.NoPermissionError):
        return BadConfigurationError(
            f"The Redis server {where} does not permit what the store needs: scripts, hashes, sorted sets and "
            "streams, on keys that begin with JWT_STORE_PREFIX"
        )
    if isinstance(error, errors.MovedError | errors.ClusterCrossSlotError):
        return part_of_a_cluster(where)
    if isinstance(error, errors.RedisClusterException) and "mode is not enabled" in str(error):
        return BadConfigurationError(f"The Redis server {where} is no cluster: use redis://")
    if isinstance(error, errors.InvalidResponse | errors.DataError):
        return BadConfigurationError(f"what answers at {where} does not speak Redis's protocol")
    if isinstance(error, errors.ResponseError) and not isinstance(error, _PASSING_ERRORS):
        return _refusal(str(error), where)
    return StoreUnavailableError(f"The Redis server {where} is not available ({_reason(error)})")


def _not_let_in(where: str) -> BadConfigurationError:
    return BadConfigurationError(f"The Redis server {where} refuses the user name or password")


def part_of_a_cluster(where: str) -> BadConfigurationError:
    """Return the error for a single server that belongs to a cluster."""
    return BadConfigurationError(f"The Redis server {where} is part of a cluster: use redis+cluster://")


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError | errors.TimeoutError):
        return "no answer in time"
    # What the operating system or TLS said, where it was one of them: nothing that was sent is in it.
    origin = error.__context__
    return origin.strerror if isinstance(origin, OSError) and origin.strerror else type(error).__name__


def _refusal(text: str, where: str) -> AuthXException | UnreadableRowError:
    # The text is never shown: a refused command is quoted in it, and HELLO holds the password.
    if "AUTHXROW" in text:
        return UnreadableRowError()
    passing = _PASSING.search(text)
    if passing is not None:
        return StoreUnavailableError(f"The Redis server {where} is not available ({passing[0]})")
    if "unauthenticated" in text:
        # A command that is too long to be accepted from just anybody.
        return _not_let_in(where)
    if "WRONGTYPE" in text:
        return BadConfigurationError(
            f"The Redis server {where} has keys of another kind under the store's names: set JWT_STORE_PREFIX"
        )
    if "unknown command" in text.lower():
        return BadConfigurationError(f"The Redis server {where} lacks a command that the store needs")
    if "invalid DB index" in text or "DB index is out of range" in text:
        return BadConfigurationError(f"The Redis server {where} has no database of that number")
    return BadConfigurationError(f"The Redis server {where} refuses what the store asks of it")
