"""From settings to sessions on a store."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from authx.config import AuthXConfig
from authx.sessions.events import Events
from authx.sessions.observed import observe
from authx.sessions.revoked import SHORTEST_WINDOW
from authx.sessions.service import Sessions
from authx.sessions.settings import SessionSettings
from authx.stores import Store, open_store
from authx.tokens.issuer import SessionIds

__all__ = ["build_sessions"]

# What an access token without an end counts as, and how far beyond its end the feed looks.
_ENDLESS: Final = timedelta(minutes=15)
_MARGIN: Final = timedelta(seconds=60)
_SHORTEST: Final = timedelta(milliseconds=SHORTEST_WINDOW)


def build_sessions(
    config: AuthXConfig,
    store: Store | str,
    login_type: str | None,
    events: Events,
    ids: SessionIds,
    clock: Callable[[], float],
    former: Sessions | None,
) -> Sessions:
    """Make the sessions of a store; nothing is opened yet.

    The former ones stay where nothing that concerns them has changed, and else their store is taken over where that is
    the same.
    """
    life = config.JWT_ACCESS_TOKEN_EXPIRES or _ENDLESS
    leeway = config.JWT_DECODE_LEEWAY or 0
    staleness = config.JWT_REVOCATION_MAX_STALENESS
    settings = SessionSettings(
        grace=_milliseconds(config.JWT_REFRESH_GRACE_PERIOD),
        max_age=None if config.JWT_SESSION_MAX_AGE is None else _milliseconds(config.JWT_SESSION_MAX_AGE),
        window=_milliseconds(max(life + timedelta(seconds=leeway) + _MARGIN, _SHORTEST)),
        leeway=leeway * 1000,
        check=config.JWT_REVOCATION_CHECK,
        create_schema=config.JWT_STORE_CREATE_SCHEMA,
        poll_interval=config.JWT_REVOCATION_POLL_INTERVAL.total_seconds(),
        max_staleness=None if staleness is None else staleness.total_seconds(),
    )
    origin = (store, config.JWT_STORE_PREFIX if isinstance(store, str) else "", login_type)
    if former is not None and former.origin == origin:
        if former.settings == settings:
            return former
        opened = former.store
    else:
        shared = open_store(store, config.JWT_STORE_PREFIX) if isinstance(store, str) else store
        # Instances that share a store object share what is known of its outages.
        observed = observe(shared, clock)
        opened = observed if login_type is None else observed.namespace(login_type)
    return Sessions(opened, settings, events, ids, clock, origin)


def _milliseconds(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)
