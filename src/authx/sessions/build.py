"""From settings to running sessions."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from authx.config import AuthXConfig
from authx.sessions.events import Events
from authx.sessions.lifecycle import Running, SessionEngine
from authx.sessions.observed import observe
from authx.sessions.revoked import SHORTEST_WINDOW
from authx.sessions.service import SessionSettings
from authx.stores import Store, open_store

__all__ = ["build_engine"]

# What an access token without an end counts as, and how far beyond its end the feed looks.
_ENDLESS: Final = timedelta(minutes=15)
_MARGIN: Final = timedelta(seconds=60)
_SHORTEST: Final = timedelta(milliseconds=SHORTEST_WINDOW)


def build_engine(
    config: AuthXConfig,
    store: Store | str,
    login_type: str | None,
    events: Events,
    clock: Callable[[], float],
    former: SessionEngine | None,
) -> SessionEngine:
    """Make the engine of a store; nothing is opened yet.

    Args:
        config: The settings.
        store: The store, or its URL.
        login_type: The login type whose namespace in the store it is, if the instance has one.
        events: Who is told of what happens.
        clock: Seconds since 1970.
        former: The engine in use so far, if any; it stays where nothing that concerns it has changed, and
            its store is taken over where that is the same.

    Returns:
        The engine.

    Raises:
        BadConfigurationError: The store cannot be made, or has no namespaces for login types.
    """
    life = config.JWT_ACCESS_TOKEN_EXPIRES or _ENDLESS
    window = max(life + timedelta(seconds=config.JWT_DECODE_LEEWAY or 0) + _MARGIN, _SHORTEST)
    staleness = config.JWT_REVOCATION_MAX_STALENESS
    settings = SessionSettings(
        grace=_milliseconds(config.JWT_REFRESH_GRACE_PERIOD),
        max_age=None if config.JWT_SESSION_MAX_AGE is None else _milliseconds(config.JWT_SESSION_MAX_AGE),
        window=_milliseconds(window),
        leeway=(config.JWT_DECODE_LEEWAY or 0) * 1000,
    )
    origin = (store, config.JWT_STORE_PREFIX if isinstance(store, str) else "", login_type)
    running = Running(
        check=config.JWT_REVOCATION_CHECK,
        create_schema=config.JWT_STORE_CREATE_SCHEMA,
        poll_interval=config.JWT_REVOCATION_POLL_INTERVAL.total_seconds(),
        max_staleness=None if staleness is None else staleness.total_seconds(),
    )
    same_store = former is not None and former.origin == origin
    if former is not None and same_store and former.is_as(settings, running):
        return former
    if former is not None and same_store:
        opened = former.observed
    else:
        shared = open_store(store, config.JWT_STORE_PREFIX) if isinstance(store, str) else store
        # Instances that share a store object share what is known of its outages.
        observed = observe(shared, clock)
        opened = observed if login_type is None else observed.namespace(login_type)
    return SessionEngine(opened, origin, settings, events, clock, running)


def _milliseconds(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)
