"""The store that a command works on, while the application that uses it may be running."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, Final, TypeVar

import typer

from authx.cli.mistakes import settings_of_environment
from authx.cli.output import Failure
from authx.cli.target import one
from authx.config import AuthXConfig
from authx.exceptions import BadConfigurationError, StoreUnavailableError
from authx.sessions.events import Events
from authx.sessions.observed import observe
from authx.sessions.service import Sessions
from authx.sessions.settings import SessionSettings
from authx.settings.clock import timestamp
from authx.stores import Store, namespace_of, open_store
from authx.stores.memory import MemoryStore
from authx.tokens.issuer import SessionIds

__all__ = ["DEFAULT_PREFIX", "Auth", "LoginType", "Place", "Prefix", "StoreURL", "operate", "run"]

_Result = TypeVar("_Result")
DEFAULT_PREFIX: Final[str] = AuthXConfig.model_fields["JWT_STORE_PREFIX"].default

# Compose passes an empty variable where one is not set.
StoreURL = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        envvar="JWT_STORE_URL",
        callback=lambda url: (url or "").strip() or None,
        help="The session store.",
        show_default=False,
    ),
]
Prefix = Annotated[
    str,
    typer.Option(
        "--prefix",
        metavar="TEXT",
        envvar="JWT_STORE_PREFIX",
        callback=lambda prefix: prefix.strip() or DEFAULT_PREFIX,
        help="Begins the names of its tables.",
    ),
]
LoginType = Annotated[
    str | None,
    typer.Option(
        "--login-type",
        metavar="TEXT",
        help="The login_type of the application's AuthX, if it has one: each has sessions of its own.",
        show_default=False,
    ),
]
Auth = Annotated[
    str | None,
    typer.Option(
        "--auth",
        metavar="MODULE:NAME",
        help="The application's AuthX: its store and its settings.",
        show_default=False,
    ),
]

# How long a revocation is kept where the application's own settings are not known. Its processes need it as long as
# its access tokens live, and those end with their session: after 90 days by default.
_KEEP: Final = timedelta(days=90)
_MARGIN: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Place:
    """Which store to work on: by URL, prefix and login type, or that of an instance, as `module:attribute`."""

    url: str | None = field(repr=False)
    prefix: str
    login_type: str | None
    auth: str | None


def run(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine that uses a store, and turn the store's errors into failures."""
    try:
        return asyncio.run(work)
    except StoreUnavailableError as error:
        raise Failure(f"the session store does not answer: {error}", 1) from None
    except BadConfigurationError as error:
        raise Failure(f"the session store cannot be used: {error} (are --store and --prefix right?)") from None


@asynccontextmanager
async def operate(place: Place) -> AsyncIterator[Sessions]:
    """Open a store that an application uses, and close it afterwards; do not create one."""
    sessions = _of_instance(place.auth, place) if place.auth is not None else _of_url(place)
    _require_lasting(sessions.store.store)
    try:
        await sessions.open()
        yield sessions
    finally:
        await sessions.close()


def _of_instance(name: str, place: Place) -> Sessions:
    auth = one(name)
    if place.login_type is not None and place.login_type != auth.login_type:
        raise Failure(
            f"{name} has the login_type {auth.login_type!r}: leave --login-type out, or name another instance"
        )
    sessions = auth._runtime.sessions
    if sessions is None:
        raise Failure(f"{name} has no session store: AuthX(config, store=...) or JWT_STORE_URL names one")
    return sessions


def _of_url(place: Place) -> Sessions:
    url = place.url
    if not url:
        raise Failure("which session store? Give --store URL, JWT_STORE_URL in the environment, or --auth module:name")
    keep = int(longest_life().total_seconds() * 1000)
    return Sessions(
        observe(namespace_of(open_store(url, place.prefix), place.login_type), timestamp),
        # A row that is written for a session without one stays for good, for nobody knows here how long the session's
        # refresh token lives.
        SessionSettings(grace=0, max_age=None, window=keep, create_schema=False, poll_interval=60.0),
        Events(),
        SessionIds(),
        timestamp,
    )


def longest_life() -> timedelta:
    """Return how long a revocation has to be kept: longer than an access token of any application lives.

    90 days, or more where the environment has longer lifetimes, and a margin.
    """
    config = settings_of_environment()
    leeway = timedelta(seconds=config.JWT_DECODE_LEEWAY or 0)
    lives = (config.JWT_ACCESS_TOKEN_EXPIRES, config.JWT_SESSION_MAX_AGE)
    return max([_KEEP, *(life for life in lives if life is not None)]) + leeway + _MARGIN


def _require_lasting(store: Store) -> None:
    """Refuse a store that only its process can see, and one that does not exist yet."""
    if isinstance(store, MemoryStore):
        raise Failure("memory:// keeps sessions inside of the application's process: no command can reach them")
    path = getattr(store, "path", None)
    if path is not None and not path.exists():
        raise Failure(f"there is no file {path}: has the application been started, and is this its folder?")
