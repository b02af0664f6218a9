"""What every request passes: find the token, verify it, ask the application, note the evidence.

One `Gate` belongs to one `AuthX`. What it finds out about a token in a request it keeps on the ASGI
scope, so that three dependencies on one route verify and ask once.
"""

import logging
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import HTTPConnection
from starlette.types import Scope
from starlette.websockets import WebSocket, WebSocketState

from authx.config import AuthXConfig
from authx.core.claims import check_fresh, check_scopes, check_token_type, wrong_type
from authx.core.csrf import same_value
from authx.core.retry_keys import usable_key
from authx.exceptions import (
    AuthXException,
    BadConfigurationError,
    CSRFError,
    Evidence,
    InsufficientScopeError,
    InvalidRequestError,
    MissingCSRFTokenError,
    MissingTokenError,
    RevokedTokenError,
)
from authx.http.errors import install_handler
from authx.http.headers import read_cookie
from authx.http.hooks import Callback
from authx.http.locations import Found, Location
from authx.http.requirement import Requirement
from authx.http.runtime import Wiring, wire
from authx.jose import jws
from authx.jose.json_object import JSONObject
from authx.tokens.configured_keys import short_secret_warning
from authx.tokens.issuer import SessionIds
from authx.tokens.verifier import Verified
from authx.types import TokenLocation, TokenType

if TYPE_CHECKING:
    # Only applications with a store pay for importing it.
    from authx.http.endpoints import SessionCalls
    from authx.sessions.events import Events
    from authx.sessions.lifecycle import SessionEngine
    from authx.stores import Store

__all__ = ["Gate"]

_logger = logging.getLogger("authx")
# How long several dependencies of one request share what one of them found out.
_MEMO_SECONDS: Final = 5.0
# As scopes, letters of a text that was taken apart: no scope is named so.
_SEPARATORS: Final = frozenset(":._-/ ")


class Gate:
    """Finds and verifies tokens in requests, for one instance.

    Args:
        config: The settings.
        login_type: The instance's login type, if it has one.
        clock: Seconds since 1970.
        source: The instance, for the answers to its errors.
        store: A session store or its URL; as configured by default.
    """

    def __init__(
        self,
        config: AuthXConfig,
        login_type: str | None,
        clock: Callable[[], float],
        source: object,
        store: "Store | str | None" = None,
    ) -> None:
        self.config = config
        self.login_type = login_type
        self.clock: Final = clock
        self.blocklist: Callback | None = None
        self.ids: Final = SessionIds()
        self.subject_getter: Callback | None = None
        self.claims_getter: Callback | None = None
        self._store = store
        self._engine: SessionEngine | None = None
        self._source = source
        self._scope_key: Final = f"authx.seen.{id(self):x}"
        self._wiring: Wiring | None = None
        self._lock: Final = RLock()
        self._generation = 0

    @property
    def wiring(self) -> Wiring:
        """What is derived from the settings, made at first use and again when a setting changed.

        Raises:
            BadConfigurationError: The settings cannot work.
        """
        return self._wiring or self._wire()

    def _wire(self) -> Wiring:
        with self._lock:
            while True:
                asked = self._generation
                wiring = self._wire_once()
                # Settings that changed meanwhile, in another thread, must not be lost.
                if asked == self._generation:
                    self._wiring = wiring
                    return wiring

    def _wire_once(self) -> Wiring:
        with_store = self._store is not None or self.config.JWT_STORE_URL is not None
        wiring = wire(self.config, self.login_type, self.ids, with_store=with_store)
        self._engine = self._engine_for(self.config)
        return wiring

    def _engine_for(self, config: AuthXConfig) -> "SessionEngine | None":
        """Keep the engine where nothing that concerns it has changed, else make another one."""
        store = config.JWT_STORE_URL if self._store is None else self._store
        former = self._engine
        if store is None:
            engine = None
        else:
            # Only applications with a store pay for importing what works on it.
            from authx.sessions.build import build_engine

            engine = build_engine(config, store, self.login_type, self.events, self.clock, former)
        if former is not None and former is not engine:
            former.retire(successor=engine)
        self.ids.floor = None if engine is None else engine.feed.newest_cutoff
        return engine

    @property
    def engine(self) -> "SessionEngine | None":
        """What runs on the store; `None` where there is no store.

        Raises:
            BadConfigurationError: The settings cannot work.
        """
        if self._wiring is None:
            self._wire()
        return self._engine

    def forget(self) -> None:
        """Throw away what was derived from the settings."""
        self._generation += 1
        self._wiring = None

    @cached_property
    def session_calls(self) -> "SessionCalls":
        """What works on a store; imported where an application first uses one."""
        from authx.http.cookies import CookieWriter
        from authx.http.endpoints import SessionCalls

        return SessionCalls(self, CookieWriter(self))

    @cached_property
    def events(self) -> "Events":
        """Who is told of what happens; imported where an application first listens, or uses a store."""
        from authx.sessions.events import Events

        return Events()

    def require_key(self) -> None:
        """Refuse settings with which no token could be signed or verified.

        Raises:
            BadConfigurationError: There is no key, or the settings cannot work.
        """
        if not self.wiring.verifier.ring.verifiers:
            raise self.wiring.issuer.missing_key()

    def warn(self) -> None:
        """Say in the log what is dangerous about the settings."""
        warning = short_secret_warning(self.config)
        if warning is not None:
            _logger.warning(warning)

    async def find(
        self,
        connection: HTTPConnection,
        kind: TokenType,
        locations: Sequence[TokenLocation] | None = None,
        verify_csrf: bool | None = None,
    ) -> Found:
        """Find a request's token.

        Args:
            connection: The request or WebSocket.
            kind: `access` or `refresh`.
            locations: Where to look, in order; `None` as configured.
            verify_csrf: Whether a cookie needs its CSRF value; `None`: as the method demands.

        Returns:
            The token, unverified.

        Raises:
            MissingTokenError: There is none.
            MissingCSRFTokenError: There is one in a cookie, without its CSRF value.
            InvalidRequestError: There are two.
            KeyError: A location's name is unknown.
        """
        wiring = self.wiring
        if locations is None:
            places = wiring.configured[kind]
        else:
            places = tuple(wiring.locations[kind][name] for name in locations)
        if any(place.reads_body for place in places):
            return await self._search_all(connection, kind, places, verify_csrf)
        return self._search(connection.scope, kind, places, verify_csrf)

    def limit(self, found: Found) -> None:
        """Refuse a token that is longer than any of ours, before anything of it is looked at.

        Args:
            found: The token.

        Raises:
            InvalidRequestError: It is too long.
        """
        if len(found.token) > self.wiring.max_token_bytes:
            raise _too_long(self.wiring.max_token_bytes)

    def _search(self, scope: Scope, kind: TokenType, places: tuple[Location, ...], verify_csrf: bool | None) -> Found:
        """Look at each place in turn; none of them has to wait."""
        without_csrf = None
        for place in places:
            try:
                found = place.find(scope, verify_csrf)
            except MissingCSRFTokenError as error:
                without_csrf = error
                continue
            if found is not None:
                return found
        raise without_csrf or _missing(kind, places)

    async def _search_all(
        self, connection: HTTPConnection, kind: TokenType, places: tuple[Location, ...], verify_csrf: bool | None
    ) -> Found:
        """Look at each place in turn, the request's body among them."""
        without_csrf, bad = None, None
        for place in places:
            try:
                found = await place.find_in_body(connection, verify_csrf, self._could_pass)
            except MissingCSRFTokenError as error:
                without_csrf = error
                continue
            if found is not None and (found.csrf_exempt or found.csrf is not None):
                return found
            bad = bad or found
        if bad is not None:
            return bad
        raise without_csrf or _missing(kind, places)

    def _could_pass(self, token: bytes) -> bool:
        """Tell whether signature, times and shape of a token are good."""
        wiring = self.wiring
        if len(token) > wiring.max_token_bytes:
            return False
        try:
            wiring.verifier.verify(token, self.clock())
        except AuthXException:
            return False
        return True

    def recall(self, scope: Scope, requirement: Requirement) -> Verified | None:
        """Go the straight way: a token in the header that was verified before, and nobody to ask about it.

        Args:
            scope: The ASGI scope of a request or WebSocket.
            requirement: What the route asks for.

        Returns:
            The verified token; `None` where this is not so, and `admit` has to find out what is.
        """
        wiring = self._wiring
        if wiring is None or self.blocklist is not None or not requirement.is_plain:
            return None
        header = wiring.header_first[requirement.kind]
        token = None if header is None else header.peek(scope)
        if token is None:
            return None
        now = self.clock()
        verified = wiring.verifier.recall(token, now)
        if verified is None or verified.kind != requirement.kind:
            return None
        engine = self._engine
        if engine is not None and (verified.kind != "access" or not engine.clears(verified, now)):
            return None
        if verified.kind == "refresh":
            # Cookies that are set later in this request replace the ones that this token came in.
            scope.setdefault(self._scope_key, {})[token] = verified
        return verified

    async def admit(self, connection: HTTPConnection, requirement: Requirement) -> Verified:
        """Verify a request's token against a route's requirement.

        Args:
            connection: The request or WebSocket.
            requirement: What the route asks for.

        Returns:
            The verified token.

        Raises:
            AuthXException: What is wrong, with its evidence.
        """
        scope = connection.scope
        kind = requirement.kind
        try:
            wiring = self._wiring or self._wire()
            if requirement.locations is None and not wiring.reads_body[kind]:
                found = self._search(scope, kind, wiring.configured[kind], requirement.verify_csrf)
            else:
                found = await self.find(connection, kind, requirement.locations, requirement.verify_csrf)
            token = found.token
            seen: dict[bytes, Verified] | None = scope.get(self._scope_key)
            if seen is not None and self._is_long_ago(connection):
                seen = None
            verified = None if seen is None else seen.get(token)
            if verified is None:
                verified = await self._verify(wiring, token, requirement)
                if seen is None:
                    scope[self._scope_key] = {token: verified}
                    scope[f"{self._scope_key}.since"] = self.clock()
                else:
                    seen[token] = verified
            elif requirement.verify_type:
                check_token_type(verified.claims, kind)
            if requirement.verify_fresh:
                check_fresh(verified.claims)
            if not found.csrf_exempt:
                self._check_csrf(verified.claims, found)
        except AuthXException as error:
            await self.tell_of(error, connection)
            self.blame(error, connection, kind)
            raise
        return verified

    def require_scopes(
        self, connection: HTTPConnection, verified: Verified, requirement: Requirement, declared: Sequence[str]
    ) -> None:
        """Check the scopes of a token that was let pass.

        Args:
            connection: The request or WebSocket.
            verified: What `recall` or `admit` returned.
            requirement: What the dependency asks for.
            declared: The scopes that `Security(..., scopes=[...])` names on all levels of the route.

        Raises:
            InsufficientScopeError: The token does not cover them.
            BadConfigurationError: A route names its scopes as one text.
        """
        try:
            if requirement.scopes is not None:
                check_scopes(verified.claims, requirement.scopes, requirement.all_scopes)
            check_scopes(verified.claims, declared, all_required=True)
        except InsufficientScopeError as error:
            _explain_letters(error, declared)
            self.blame(error, connection, requirement.kind)
            raise

    async def tell_of(self, error: AuthXException, connection: HTTPConnection) -> None:
        """Tell of a request that another site's page may have made.

        Args:
            error: What is wrong with the request.
            connection: The request or WebSocket.
        """
        if not isinstance(error, CSRFError | MissingCSRFTokenError):
            return
        from authx.http.requester import client_of
        from authx.sessions.events import SecurityEvent

        client = client_of(connection)
        at = datetime.fromtimestamp(self.clock(), UTC)
        await self.events.tell(
            SecurityEvent(event="csrf_failed", at=at, ip_address=client.ip, user_agent=client.user_agent)
        )

    def _is_long_ago(self, connection: HTTPConnection) -> bool:
        """A socket or a stream may stay open for hours: what was true at its beginning proves nothing now."""
        if isinstance(connection, WebSocket) and connection.application_state is not WebSocketState.CONNECTING:
            return True
        now = self.clock()
        since: float = connection.scope.setdefault(f"{self._scope_key}.since", now)
        return not 0 <= now - since <= _MEMO_SECONDS

    async def _verify(self, wiring: Wiring, token: bytes, requirement: Requirement) -> Verified:
        if len(token) > wiring.max_token_bytes:
            raise _too_long(wiring.max_token_bytes)
        verified = wiring.verifier.verify(token, self.clock())
        if requirement.verify_type and verified.kind != requirement.kind:
            raise wrong_type(requirement.kind)
        if self._engine is not None and verified.kind != "refresh":
            await self._engine.admit(verified)
        if self.blocklist is not None and await self.is_blocked(token):
            raise RevokedTokenError("Token has been revoked")
        return verified

    async def find_subject(self, sub: str) -> Any:
        """Ask the application for a token's subject.

        Args:
            sub: The token's `sub`.

        Returns:
            The subject; `None` where the answer is `None` or `False`: no such user.

        Raises:
            AttributeError: No subject getter is set.
        """
        if self.subject_getter is None:
            raise AttributeError("Model callback not set: register one with set_subject_getter")
        subject = await self.subject_getter(sub)
        return None if subject is False else subject

    async def is_blocked(self, token: bytes, **more: Any) -> bool:
        """Ask the application whether a verified token is revoked, in every spelling that it has.

        Args:
            token: The compact token; its signature is good.
            **more: Passed on.

        Returns:
            Its answer; False where there is nobody to ask.
        """
        if self.blocklist is None:
            return False
        for text in jws.spellings(token, self.wiring.verifier.ring):
            if await self.blocklist(text.decode("ascii"), **more):
                return True
        return False

    @staticmethod
    def _check_csrf(claims: JSONObject, found: Found) -> None:
        if found.csrf is None or not same_value(str(claims.get("csrf") or ""), found.csrf):
            raise CSRFError("CSRF double submit does not match")

    def accepted(self, scope: Scope, kind: TokenType) -> bool:
        """Tell whether a token of a type was verified earlier in a request.

        Args:
            scope: The request's ASGI scope.
            kind: `access` or `refresh`.

        Returns:
            Whether one was.
        """
        seen: dict[bytes, Verified] = scope.get(self._scope_key, {})
        return any(verified.claims.get("type") == kind for verified in seen.values())

    async def decide(self, connection: HTTPConnection, verified: Verified) -> None:
        """Ask the store what a refresh token is worth, for a route that refreshes by hand.

        Args:
            connection: The request or WebSocket.
            verified: What `admit` returned.

        Raises:
            AuthXException: It is worth nothing; one that was used before has ended its session.
        """
        engine = self.engine
        if engine is None:
            return
        try:
            await engine.ensure()
            token, now = self.token_of(connection.scope, verified), self.moment(connection.scope)
            from authx.http.requester import client_of

            key = self.retry_key(connection.scope)
            await engine.decide(token, verified.claims, now, client_of(connection), key)
        except AuthXException as error:
            self.blame(error, connection, "refresh")
            raise

    def token_of(self, scope: Scope, verified: Verified) -> bytes:
        """Find the text of a token that was verified in a request.

        Args:
            scope: The request's ASGI scope.
            verified: What `admit` returned.

        Returns:
            The compact token.
        """
        seen: dict[bytes, Verified] = scope[self._scope_key]
        return next(token for token, one in seen.items() if one is verified)

    def retry_key(self, scope: Scope) -> bytes:
        """Tell the retry key of a request: the client's, or else one that is drawn for this request alone.

        By the latter, a request recognizes its own rotation if a driver repeats a statement that was committed.

        Args:
            scope: The request's ASGI scope.

        Returns:
            The key.
        """
        name = f"{self._scope_key}.retry_key"
        key: bytes | None = scope.get(name)
        if key is None:
            header = self.wiring.retry_key_header
            sent = () if header is None else (value for name, value in scope["headers"] if name == header)
            key = scope[name] = usable_key(sent) or os.urandom(16)
        return key

    def moment(self, scope: Scope) -> float:
        """Tell the one moment at which everything in a request happens.

        Args:
            scope: The request's ASGI scope.

        Returns:
            Seconds since 1970.
        """
        now: float = scope.setdefault(f"{self._scope_key}.now", self.clock())
        return now

    def blame(
        self, error: AuthXException, connection: HTTPConnection | None, kind: TokenType, *, ends_cookies: bool = True
    ) -> None:
        """Note on an error where it came from, and see to it that it will be answered.

        Args:
            error: The error about to be raised.
            connection: The request it concerns, if known.
            kind: The type of token that was required.
            ends_cookies: Whether it comes from a refresh, whose answer may end the browser's cookies.
        """
        if error.evidence is None:
            error.evidence = Evidence(self._source, kind, self._has_refresh_cookie(connection), ends_cookies)
        if error.login_type is None and not isinstance(error, MissingTokenError):
            error.login_type = self.login_type
        if connection is not None:
            install_handler(connection)

    def _has_refresh_cookie(self, connection: HTTPConnection | None) -> bool:
        if connection is None or not self.wiring.uses_cookies:
            return False
        config = self.config
        names = (config.JWT_REFRESH_COOKIE_NAME, config.JWT_REFRESH_CSRF_COOKIE_NAME)
        try:
            return any(read_cookie(connection.scope, name.encode("latin-1")) for name in names)
        except InvalidRequestError:
            return True


def _missing(kind: TokenType, places: tuple[Location, ...]) -> MissingTokenError:
    return MissingTokenError(*[f"Missing {kind} token: {place.label}" for place in places])


def _explain_letters(error: InsufficientScopeError, scopes: Sequence[str]) -> None:
    """Say what is wrong with `Security(..., scopes="posts:read")`, which FastAPI takes apart into letters.

    Args:
        error: The error about to be raised; its message gets a hint where the scopes may be meant as letters.
        scopes: The scopes that the route declares.

    Raises:
        BadConfigurationError: No scope has such a name.
    """
    if any(scope in _SEPARATORS for scope in scopes):
        raise BadConfigurationError(
            f"A route requires the scopes {', '.join(map(repr, scopes))}: scopes= of Security(...) was a str, which "
            'FastAPI splits into letters. Write a list: scopes=["posts:read"].'
        )
    if len(scopes) > 1 and all(len(scope) == 1 for scope in scopes):
        error.args = (f"{error}. If the route declares scopes= as a str, write a list: FastAPI splits a str.",)


def _too_long(limit: int) -> InvalidRequestError:
    return InvalidRequestError(f"The token is longer than {limit} bytes.")
