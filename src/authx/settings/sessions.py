"""The session store, how long its sessions last, and how access tokens are checked against it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from authx.settings.csrf import CSRFSettings
from authx.settings.feature import MASKED, Duration, OptionalDuration, duration, is_header_name, is_none
from authx.settings.finding import Finding, StoreKind
from authx.settings.keys import KeySettings
from authx.settings.lifetimes import LifetimeSettings

__all__ = ["SessionSettings", "contradictions", "findings"]

_MAX_GRACE: Final = timedelta(minutes=5)
_LONG_GRACE: Final = timedelta(minutes=1)
# Headers of requests whose value is something else.
_TAKEN_HEADERS: Final = frozenset(
    {"authorization", "content-length", "content-type", "cookie", "host", "origin", "referer", "user-agent"}
)
_SQLITE: Final = "JWT_STORE_URL=sqlite:///auth.db"


def _header_or_none(value: object) -> object:
    # In the environment None is a text, as it is for every other setting; no header is called so.
    return None if isinstance(value, str) and is_none(value) else value


class SessionSettings(CSRFSettings, LifetimeSettings, KeySettings):
    """Sessions."""

    JWT_STORE_URL: Annotated[str | None, MASKED] = Field(
        default=None, description="The session store; AuthX(store=...) goes first. None: no store."
    )
    JWT_STORE_PREFIX: str = Field(default="authx_", description="Begins the names of the store's tables or keys.")
    JWT_STORE_CREATE_SCHEMA: bool = Field(
        default=True, description="Whether the store's tables are created at start-up where they are missing."
    )
    JWT_SESSION_MAX_AGE: OptionalDuration = Field(
        default=timedelta(days=90), description="How long a session lasts at most, with a store; None: no bound."
    )
    JWT_REFRESH_GRACE_PERIOD: Duration = Field(
        default=timedelta(seconds=30),
        description="How long a rotated refresh token is answered again with its successor; 0: never.",
    )
    JWT_RETRY_KEY_HEADER: Annotated[str | None, BeforeValidator(_header_or_none)] = Field(
        default="Idempotency-Key",
        description="Header with the key that marks all attempts at one refresh; None: such keys are ignored.",
    )
    JWT_REVOCATION_CHECK: Literal["feed", "store", "none"] = Field(
        default="feed", description="How access tokens are checked for revocation, with a store."
    )
    JWT_REVOCATION_POLL_INTERVAL: Duration = Field(
        default=timedelta(seconds=0.5), description="How often a store without notifications is polled."
    )
    JWT_REVOCATION_MAX_STALENESS: OptionalDuration = Field(
        default=timedelta(seconds=30),
        description="How long the store may be silent before protected routes answer 503; None: forever.",
    )
    JWT_SESSION_TRACKING: bool = Field(
        default=False, description="Accepted for AuthX applications; a store tracks sessions by itself."
    )
    JWT_SESSION_UPDATE_LAST_ACTIVE: bool = Field(
        default=True, description="Accepted for AuthX applications; each refresh updates it by itself."
    )


def contradictions(settings: SessionSettings) -> Iterator[str]:
    """Yield what cannot work."""
    if settings.JWT_RETRY_KEY_HEADER is not None:
        yield from _retry_key_contradictions(settings, settings.JWT_RETRY_KEY_HEADER)
    if not timedelta(0) <= settings.JWT_REFRESH_GRACE_PERIOD <= _MAX_GRACE:
        yield "JWT_REFRESH_GRACE_PERIOD must be from 0 to 5 minutes: within it a stolen token can be used unseen"
    if settings.JWT_SESSION_MAX_AGE is not None and timedelta(0) >= settings.JWT_SESSION_MAX_AGE:
        yield "JWT_SESSION_MAX_AGE must be longer than 0; None is no bound"
    if timedelta(0) >= settings.JWT_REVOCATION_POLL_INTERVAL:
        yield "JWT_REVOCATION_POLL_INTERVAL must be longer than 0"
    staleness = settings.JWT_REVOCATION_MAX_STALENESS
    if staleness is not None and staleness <= 2 * settings.JWT_REVOCATION_POLL_INTERVAL:
        yield "JWT_REVOCATION_MAX_STALENESS must be longer than two JWT_REVOCATION_POLL_INTERVAL; None is no bound"


def _retry_key_contradictions(settings: SessionSettings, header: str) -> Iterator[str]:
    if not is_header_name(header):
        yield "JWT_RETRY_KEY_HEADER is no header name: use letters, digits and -; None ignores retry keys"
    for field in ("JWT_HEADER_NAME", "JWT_ACCESS_CSRF_HEADER_NAME", "JWT_REFRESH_CSRF_HEADER_NAME"):
        if getattr(settings, field).lower() == header.lower():
            yield f"JWT_RETRY_KEY_HEADER is {field} too: one header cannot carry both values"
    if header.lower() in _TAKEN_HEADERS:
        yield f"JWT_RETRY_KEY_HEADER={header!r} has a meaning of its own: name a header that nothing else uses"


def findings(settings: SessionSettings, store: StoreKind, workers: int) -> Iterator[Finding]:
    """Yield what `authx check` says of sessions: where they are kept, how long, and what a logout does."""
    if store == "none":
        yield Finding(
            "info",
            "store-none",
            "There is no session store.",
            "A logout only deletes cookies: tokens work until they expire, and stolen ones are not detected.",
            _SQLITE,
        )
        return
    yield from _age_findings(settings)
    yield from _grace_findings(settings.JWT_REFRESH_GRACE_PERIOD)
    if store == "memory" and workers > 1:
        yield Finding(
            "error",
            "memory-workers",
            f"The store is memory://, and {workers} processes serve the application.",
            "Each has sessions of its own: refreshes fail in all but one, and a logout ends nothing in the others.",
            _SQLITE,
        )
    elif store == "memory" and (settings.JWT_SECRET_KEY or settings.JWT_PRIVATE_KEY):
        yield Finding(
            "warning",
            "memory-forgets",
            "The store is memory://: sessions and revocations end with the process.",
            "The keys do not, so a restart brings access tokens back that were revoked.",
            _SQLITE,
        )
    if settings.JWT_REVOCATION_CHECK == "none":
        yield Finding(
            "warning",
            "revocation-off",
            'JWT_REVOCATION_CHECK is "none": access tokens of ended sessions are not refused.',
            "A logout takes effect when the access token expires.",
            "JWT_REVOCATION_CHECK=feed",
        )
    elif settings.JWT_REVOCATION_MAX_STALENESS is None:
        yield Finding(
            "info",
            "staleness-unbounded",
            "JWT_REVOCATION_MAX_STALENESS is None: requests are served however long the store has been silent.",
            "A process that has lost its store does not notice revocations.",
            "JWT_REVOCATION_MAX_STALENESS=30",
        )


def _age_findings(settings: SessionSettings) -> Iterator[Finding]:
    refresh, age = settings.JWT_REFRESH_TOKEN_EXPIRES, settings.JWT_SESSION_MAX_AGE
    if age is None:
        yield Finding(
            "info",
            "session-endless",
            "JWT_SESSION_MAX_AGE is None: a session lasts as long as it is refreshed.",
            "Neither a user nor a thief is ever asked for the password again.",
            f"JWT_SESSION_MAX_AGE={90 * 86_400}",
        )
    elif refresh is not None and refresh > age:
        yield Finding(
            "warning",
            "refresh-outlives-session",
            f"Refresh tokens live for {duration(refresh)}, and a session lasts for {duration(age)} at most.",
            "The longer of the two has no effect: every token is cut to its session's end.",
            f"JWT_REFRESH_TOKEN_EXPIRES={int(age.total_seconds())}",
        )


def _grace_findings(grace: timedelta) -> Iterator[Finding]:
    if not grace:
        yield Finding(
            "warning",
            "grace-off",
            "JWT_REFRESH_GRACE_PERIOD is 0: a refresh token counts once, except for attempts with the same retry key.",
            "Without a key, two tabs that refresh at the same time, or one lost response, sign the user out.",
            "JWT_REFRESH_GRACE_PERIOD=30",
        )
    elif grace > _LONG_GRACE:
        yield Finding(
            "warning",
            "grace-long",
            f"JWT_REFRESH_GRACE_PERIOD is {duration(grace)}.",
            "During that time, a stolen refresh token works beside the user's own, and no session ends.",
            "JWT_REFRESH_GRACE_PERIOD=30",
        )
