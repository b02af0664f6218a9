"""What tests look at inside an instance where no public name shows it: the only place that knows its private names."""

from typing import Any

from authx import AuthX

__all__ = [
    "callbacks_of",
    "feed_of",
    "known_limits_of",
    "outages_of",
    "parts_of",
    "revoked_of",
    "sessions_of",
    "set_store",
    "verifier_of",
]


def sessions_of(auth: AuthX[Any]) -> Any:
    """What works on the store; made anew when a setting changes."""
    return auth._runtime.sessions


def feed_of(auth: AuthX[Any]) -> Any:
    """The revocation feed of this process."""
    return sessions_of(auth).feed


def revoked_of(auth: AuthX[Any]) -> Any:
    """The revocations that the feed remembers."""
    return feed_of(auth)._revoked


def outages_of(auth: AuthX[Any]) -> Any:
    """The outages of the store that this process has seen."""
    return sessions_of(auth).store.outages


def verifier_of(auth: AuthX[Any]) -> Any:
    """What verifies tokens."""
    return auth._runtime.verifier


def callbacks_of(auth: AuthX[Any]) -> list[Any]:
    """The functions that are registered."""
    hooks = auth._runtime.hooks
    callbacks = (hooks.blocklist, hooks.subject_getter, hooks.claims_getter)
    return [callback.function for callback in callbacks if callback is not None]


def known_limits_of(auth: AuthX[Any]) -> int:
    """How many rate limits the instance remembers."""
    return len(auth._limited._known)


def parts_of(auth: AuthX[Any]) -> list[Any]:
    """The instance and what it made of its settings, each with what its attributes hold."""
    return [auth, auth._holder, vars(auth._holder), auth._runtime, auth._runtime.issuer, verifier_of(auth)]


def set_store(auth: AuthX[Any], url: str) -> None:
    """Replace the store, as where it was configured by its URL."""
    auth.config.JWT_STORE_URL = url
    auth._holder._store = None
