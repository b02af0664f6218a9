"""What the settings of one instance became: made once, and made anew when a setting changes."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from importlib.util import find_spec
from threading import RLock
from typing import TYPE_CHECKING, Final
from weakref import ref

from fastapi import FastAPI

from authx.config import AuthXConfig
from authx.core.cookies import Cookie, CookiePair
from authx.exceptions import BadConfigurationError
from authx.http.hooks import Hooks
from authx.http.locations import CookieLocation, HeaderLocation, JSONLocation, Location, QueryLocation
from authx.http.origins import Origins
from authx.settings.claims import names_in
from authx.settings.keys import missing_key_message, short_secret_warning
from authx.settings.locations import locations_of
from authx.tokens.configured_keys import build_ring
from authx.tokens.issuer import Issuer, SessionIds
from authx.tokens.verifier import Verifier
from authx.types import TOKEN_TYPES, TokenLocation, TokenType

if TYPE_CHECKING:
    # Only applications with a store pay for importing it.
    from authx.sessions.events import Events
    from authx.sessions.service import Sessions
    from authx.stores import Store

__all__ = ["Runtime", "RuntimeHolder", "require_key", "warn_of_short_secret"]

_logger = logging.getLogger("authx")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What the settings of an instance became: values, ready to use, and swapped whole when a setting changes.

    Attributes:
        config: The settings.
        login_type: The instance's login type, if it has one.
        clock: Returns seconds since 1970.
        source: The instance, for the answers to its errors.
        hooks: The application's own functions.
        applications: The applications that `handle_errors` was called with, as weak references.
        events: Who is told of security events.
        sessions: The sessions on the store; `None` where there is no store.
        state_key: The name of what the instance keeps on a request's ASGI scope.
        verifier: Verifies tokens.
        issuer: Makes them.
        names: The names of the locations of each type, in order.
        configured: Those locations.
        locations: Every location by type and name, for calls that name their own.
        cookie_places: The cookie location of each type.
        cookies: The cookies of each type.
        uses_cookies: Whether cookies are a location of any type.
        origins: Whose pages may send cookies.
        max_token_bytes: The longest token looked at.
        remembers_tokens: Whether the verifier remembers the tokens it has seen.
        retry_key_header: The name of the header with the retry key, in lower case; `None`: keys are ignored.
    """

    config: AuthXConfig
    login_type: str | None
    clock: Callable[[], float]
    source: object
    hooks: Hooks
    applications: "list[ref[FastAPI]]"
    events: "Callable[[], Events]"
    sessions: "Sessions | None"
    state_key: str
    verifier: Verifier
    issuer: Issuer
    names: Mapping[TokenType, tuple[TokenLocation, ...]]
    configured: Mapping[TokenType, tuple[Location, ...]]
    locations: Mapping[TokenType, Mapping[TokenLocation, Location]]
    cookie_places: Mapping[TokenType, CookieLocation]
    cookies: Mapping[TokenType, CookiePair]
    uses_cookies: bool
    origins: Origins
    max_token_bytes: int
    remembers_tokens: bool
    retry_key_header: bytes | None


class RuntimeHolder:
    """Holds an instance's runtime, and makes it anew where settings have changed.

    Attributes:
        current: The runtime; `None` where it has to be made first, by `get`.
    """

    def __init__(
        self,
        config: AuthXConfig,
        login_type: str | None,
        clock: Callable[[], float],
        source: object,
        store: "Store | str | None" = None,
    ) -> None:
        self.current: Runtime | None = None
        self.config = config
        self.login_type = login_type
        self.hooks: Final = Hooks()
        self.applications: Final[list[ref[FastAPI]]] = []
        self._clock: Final = clock
        self.source: Final = source
        self._store = store
        self._ids: Final = SessionIds()
        self._sessions: Sessions | None = None
        self._lock: Final = RLock()
        self._generation = 0

    def get(self) -> Runtime:
        """Return the runtime, made at first use and again when a setting has changed."""
        return self.current or self._make()

    def forget(self) -> None:
        """Throw away what was made of the settings."""
        self._generation += 1
        self.current = None

    @cached_property
    def events(self) -> "Events":
        """Who is told of what happens; imported where an application first listens, or uses a store."""
        from authx.sessions.events import Events

        return Events()

    def _make(self) -> Runtime:
        with self._lock:
            while True:
                generation = self._generation
                runtime = self._make_once()
                # Settings that changed meanwhile, in another thread, must not be lost.
                if generation == self._generation:
                    self.current = runtime
                    return runtime

    def _make_once(self) -> Runtime:
        config = self.config
        # A store object has a length, and may be empty.
        store = config.JWT_STORE_URL if self._store is None else self._store
        login_type = self.login_type
        # Settings that cannot work raise here, before anything is made of a store.
        config.check()
        verifier, issuer = _verifier_and_issuer(config, login_type, self._ids, with_store=store is not None)
        origins = Origins(config.JWT_ORIGINS, config.JWT_CSRF_TRUSTED_ORIGINS)
        cookie_places = {kind: _cookie_location(config, kind, origins) for kind in TOKEN_TYPES}
        locations = {kind: _locations(config, kind, cookie_places[kind]) for kind in TOKEN_TYPES}
        names = {kind: tuple(dict.fromkeys(locations_of(config, kind))) for kind in TOKEN_TYPES}
        configured = {kind: tuple(locations[kind][name] for name in names[kind]) for kind in TOKEN_TYPES}
        retry_header = config.JWT_RETRY_KEY_HEADER
        return Runtime(
            config=config,
            login_type=login_type,
            clock=self._clock,
            source=self.source,
            hooks=self.hooks,
            applications=self.applications,
            events=lambda: self.events,
            state_key=f"authx.{id(self):x}",
            verifier=verifier,
            issuer=issuer,
            names=names,
            configured=configured,
            locations=locations,
            cookie_places=cookie_places,
            cookies={kind: _cookies(config, kind) for kind in TOKEN_TYPES},
            uses_cookies=any("cookies" in names[kind] for kind in TOKEN_TYPES),
            origins=origins,
            max_token_bytes=config.JWT_MAX_TOKEN_BYTES,
            remembers_tokens=config.JWT_TOKEN_CACHE_SIZE > 0,
            retry_key_header=None if retry_header is None else retry_header.lower().encode("latin-1"),
            sessions=self._sessions_on(store),
        )

    def _sessions_on(self, store: "Store | str | None") -> "Sessions | None":
        """Keep the sessions where nothing that concerns them has changed, else make others."""
        former, sessions = self._sessions, None
        if store is not None:
            # Only applications with a store pay for importing what works on it.
            from authx.sessions.build import build_sessions

            sessions = build_sessions(self.config, store, self.login_type, self.events, self._ids, self._clock, former)
        if former is not None and former is not sessions:
            former.retire(sessions)
        if sessions is None:
            self._ids.floor = None
        self._sessions = sessions
        return sessions


def require_key(runtime: Runtime) -> None:
    """Refuse settings with which no token could be signed or verified."""
    if not runtime.verifier.ring.verifiers:
        raise runtime.issuer.missing_key()


def warn_of_short_secret(config: AuthXConfig) -> None:
    """Say in the log where a secret is so short that it can be guessed."""
    warning = short_secret_warning(config)
    if warning is not None:
        _logger.warning(warning)


def _verifier_and_issuer(
    config: AuthXConfig, login_type: str | None, ids: SessionIds, *, with_store: bool
) -> tuple[Verifier, Issuer]:
    if config.JWT_CSRF_CHECK_FORM and find_spec("python_multipart") is None:
        raise BadConfigurationError("JWT_CSRF_CHECK_FORM needs python-multipart: pip install 'authx-fastapi[form]'")
    ring = build_ring(config)
    lifetimes: dict[TokenType, timedelta | None] = {
        "access": config.JWT_ACCESS_TOKEN_EXPIRES,
        "refresh": config.JWT_REFRESH_TOKEN_EXPIRES,
    }
    # Without a store, sessions have no absolute age.
    max_age = config.JWT_SESSION_MAX_AGE if with_store else None
    with_cookies = [kind for kind in TOKEN_TYPES if "cookies" in locations_of(config, kind)]
    verifier = Verifier(
        ring,
        leeway=config.JWT_DECODE_LEEWAY or 0,
        issuer=config.JWT_DECODE_ISSUER or None,
        audience=names_in(config.JWT_DECODE_AUDIENCE) or None,
        identity_claim=config.JWT_IDENTITY_CLAIM,
        login_type=login_type,
        checks_login_type=with_store,
        may_lack_exp=[kind for kind, lifetime in lifetimes.items() if lifetime is None],
        max_age=None if max_age is None else max_age.total_seconds(),
        remember=config.JWT_TOKEN_CACHE_SIZE,
    )
    issuer = Issuer(
        signer=ring.signer,
        missing_key_message=missing_key_message(config),
        lifetimes=lifetimes,
        csrf_types=frozenset(with_cookies if config.JWT_COOKIE_CSRF_PROTECT else ()),
        audience=config.JWT_ENCODE_AUDIENCE,
        issuer=config.JWT_ENCODE_ISSUER,
        not_before=config.JWT_ENCODE_NBF,
        identity_claim=config.JWT_IDENTITY_CLAIM,
        login_type=login_type,
        check_content=verifier.check_content,
        ids=ids,
        max_age=max_age,
    )
    return verifier, issuer


def _locations(config: AuthXConfig, kind: TokenType, cookies: CookieLocation) -> dict[TokenLocation, Location]:
    key = config.JWT_REFRESH_JSON_KEY if kind == "refresh" else config.JWT_JSON_KEY
    return {
        "headers": HeaderLocation(config.JWT_HEADER_NAME, config.JWT_HEADER_TYPE),
        "cookies": cookies,
        "json": JSONLocation(key, config.JWT_MAX_BODY_BYTES),
        "query": QueryLocation(config.JWT_QUERY_STRING_NAME),
    }


def _cookie_location(config: AuthXConfig, kind: TokenType, origins: Origins) -> CookieLocation:
    refresh = kind == "refresh"
    field = config.JWT_REFRESH_CSRF_FIELD_NAME if refresh else config.JWT_ACCESS_CSRF_FIELD_NAME
    return CookieLocation(
        config.JWT_REFRESH_COOKIE_NAME if refresh else config.JWT_ACCESS_COOKIE_NAME,
        csrf_cookie=config.JWT_REFRESH_CSRF_COOKIE_NAME if refresh else config.JWT_ACCESS_CSRF_COOKIE_NAME,
        csrf_header=config.JWT_REFRESH_CSRF_HEADER_NAME if refresh else config.JWT_ACCESS_CSRF_HEADER_NAME,
        csrf_field=field if config.JWT_CSRF_CHECK_FORM else None,
        csrf_methods=config.JWT_CSRF_METHODS,
        csrf_protect=config.JWT_COOKIE_CSRF_PROTECT,
        origins=origins,
        body_limit=config.JWT_MAX_BODY_BYTES,
    )


def _cookies(config: AuthXConfig, kind: TokenType) -> CookiePair:
    refresh = kind == "refresh"
    token = Cookie(
        name=config.JWT_REFRESH_COOKIE_NAME if refresh else config.JWT_ACCESS_COOKIE_NAME,
        path=config.JWT_REFRESH_COOKIE_PATH if refresh else config.JWT_ACCESS_COOKIE_PATH,
        domain=config.JWT_COOKIE_DOMAIN,
        same_site=config.JWT_COOKIE_SAMESITE,
        http_only=config.JWT_COOKIE_HTTP_ONLY,
    )
    if not (config.JWT_COOKIE_CSRF_PROTECT and config.JWT_CSRF_IN_COOKIES):
        return CookiePair(token, None)
    csrf = Cookie(
        name=config.JWT_REFRESH_CSRF_COOKIE_NAME if refresh else config.JWT_ACCESS_CSRF_COOKIE_NAME,
        path=config.JWT_REFRESH_CSRF_COOKIE_PATH if refresh else config.JWT_ACCESS_CSRF_COOKIE_PATH,
        domain=config.JWT_COOKIE_DOMAIN,
        same_site=config.JWT_COOKIE_SAMESITE,
        http_only=False,
    )
    return CookiePair(token, csrf)
