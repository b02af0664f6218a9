"""`AuthX`: the one object an application makes. Each public name hands over to the part that does the work."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, TypeVar, overload

from fastapi import APIRouter, FastAPI
from fastapi.security import SecurityScopes
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope
from starlette.websockets import WebSocket

from authx.api.sessions import SessionMethods
from authx.config import AuthXConfig
from authx.core.claims import check_fresh, check_token_type
from authx.core.scopes import require_scope_names
from authx.dependencies import AuthXDependency
from authx.exceptions import AuthXException, InvalidRequestError, MissingTokenError
from authx.http.authenticate import Gate
from authx.http.cookie_delivery import mark_private
from authx.http.cookies import CookieWriter
from authx.http.errors import ErrorAnswers, respond
from authx.http.guards import NO_SCOPES, Guard, make_guard
from authx.http.hooks import Callback
from authx.http.injections import Injection, NotADependency, SubjectGuard, TokenFinder, make_subject_guard
from authx.http.lifespan import follow_lifespan
from authx.http.ratelimit import LimitedGuard, LimitedGuards
from authx.http.requirement import Requirement
from authx.schema import RequestToken, TokenPayload, TokenResponse
from authx.settings.clock import timestamp
from authx.token import to_bytes
from authx.tokens.issuer import TokenRequest
from authx.types import UID, RateLimitKeyFunc, StringOrSequence, T, TokenLocation, TokenType

if TYPE_CHECKING:
    from authx.http.router import Authenticate
    from authx.stores import Store

__all__ = ["AuthX"]

_F = TypeVar("_F", bound=Callable[..., Any])
_DECORATE: Final = object()

_BOTH: tuple[TokenType, ...] = ("access", "refresh")


_VERIFY: Final = NotADependency(
    "auth.verify_token works inside a route: as a dependency it would take the token from the request's body. "
    "Write Depends(auth.access_token_required)."
)


def _uncalled(call: str) -> NotADependency:
    name = call.partition("(")[0]
    return NotADependency(
        f"auth.{name} makes a dependency and is not one, so Depends(auth.{name}) would check nothing. "
        f"Write Depends(auth.{call})."
    )


_Expiry = datetime | timedelta | float | None


class AuthX(SessionMethods, ErrorAnswers, Generic[T]):
    """Access and refresh tokens for a FastAPI application.

    Args:
        config: The settings; by default read from the environment, anew for each instance.
        model: The class of subjects, as a hint for people and type checkers.
        login_type: The name of this kind of login, where an application has several. Its tokens carry it, its
            sessions have a namespace of their own in the store, and tokens with another one, or with none, are
            refused. Without one, the tokens of every login type are accepted.
        store: A session store or its URL; `JWT_STORE_URL` by default. Without one, tokens are checked by
            their signature and the application's own blocklist alone.
        clock: Returns the time in seconds since 1970; `None` reads the system's clock.

    Raises:
        BadConfigurationError: The settings cannot work. A missing key is reported when the application
            starts (see `handle_errors`), or at its first use.
    """

    def __init__(
        self,
        config: AuthXConfig | None = None,
        model: type[T] | None = None,
        login_type: str | None = None,
        *,
        store: "Store | str | None" = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.model: type[T] | dict[str, Any] = {} if model is None else model
        self._gate = Gate(config or AuthXConfig(), login_type, clock or timestamp, self, store)
        self._cookies = CookieWriter(self._gate)
        self._applications: list[weakref.ref[FastAPI]] = []
        # A guard lives as long as a route holds it; one made for a single request does not stay.
        self._guards: weakref.WeakValueDictionary[Requirement, Guard] = weakref.WeakValueDictionary()
        self._limited = LimitedGuards()
        self._subject: SubjectGuard[T] | None = None
        self._finders = {kind: TokenFinder(self._gate, kind) for kind in _BOTH}
        self._follow(self._gate.config)

    # Settings

    @property
    def config(self) -> AuthXConfig:
        """The settings."""
        return self._gate.config

    def load_config(self, config: AuthXConfig) -> None:
        """Replace the settings; what is derived from them is made again.

        Args:
            config: The settings. Dependencies used after this obey them; the OpenAPI schemes of those
                already in routes stay as they were.

        Raises:
            BadConfigurationError: The settings cannot work.
        """
        former = self._gate.config
        self._gate.config = config
        try:
            self._follow(config)
        except AuthXException:
            self._gate.config = former
            self._gate.forget()
            raise

    def _follow(self, config: AuthXConfig) -> None:
        """Look at the settings now, so that a mistake shows at start-up, and after each assignment."""
        self._gate.forget()
        self._gate.warn()
        _ = self._gate.wiring
        config.watch(self._gate.forget)

    def handle_errors(self, app: FastAPI) -> None:
        """As `ErrorAnswers.handle_errors`; the settings are checked when the application starts.

        Start-up fails with a `BadConfigurationError` if the settings cannot work or no key is set. Load them
        before the application starts, or in its lifespan. A store is opened and closed with the application.

        Args:
            app: The application. May be called again, and by several instances.
        """
        super().handle_errors(app)
        if not any(known() is app for known in self._applications):
            self._applications.append(weakref.ref(app))
            follow_lifespan(app, start=self._start, check=self._check, stop=self.close)

    async def _start(self) -> None:
        if self._gate.engine is not None:
            await self._gate.engine.ensure()

    async def _check(self) -> None:
        """Start with the settings that the application's own start-up has loaded, if they can work."""
        self._gate.require_key()
        await self._start()

    @property
    def login_type(self) -> str | None:
        """The name of this kind of login; its tokens carry it as `login_type`."""
        return self._gate.login_type

    @login_type.setter
    def login_type(self, login_type: str | None) -> None:
        self._gate.login_type = login_type
        self._gate.forget()

    def _now(self) -> float:
        # A call deeper than the method that asks: freezegun leaves the first calls of a thread, where FastAPI runs
        # plain functions, with the real time.
        return self._gate.clock()

    # Making tokens

    def create_access_token(
        self,
        uid: UID,
        fresh: bool = False,
        headers: Mapping[str, Any] | None = None,
        expiry: _Expiry = None,
        data: Mapping[str, Any] | None = None,
        audience: StringOrSequence | None = None,
        scopes: Sequence[str] | None = None,
        *,
        sid: str | None = None,
    ) -> str:
        """Make an access token.

        Args:
            uid: The subject: a `str`, `int` or `uuid.UUID` whose text has 1 to 255 characters.
            fresh: Whether the user has just proved who they are.
            headers: Further members of the JOSE header, such as `kid`.
            expiry: When it ends: a moment or a time from now; as configured by default.
            data: Further claims. Claims with an argument or a setting of their own are refused.
            audience: `aud`; as configured by default, empty for none.
            scopes: What it allows; no such claim by default.
            sid: The session it belongs to, from a payload's `sid`; one of its own by default.

        Returns:
            The compact token (RFC 7519).

        Raises:
            BadConfigurationError: The signing key is missing.
            TypeError: `data` sets a reserved claim, or `uid` has a wrong type.
            ValueError: An argument cannot be part of a token.
        """
        mark_private()
        request = TokenRequest(
            uid=uid,
            fresh=fresh,
            headers=headers,
            expiry=expiry,
            data=data,
            audience=audience,
            scopes=scopes,
            sid=sid,
        )
        return self._gate.wiring.issuer.access_token(request, self._now()).token

    def create_refresh_token(
        self,
        uid: UID,
        headers: Mapping[str, Any] | None = None,
        expiry: _Expiry = None,
        data: Mapping[str, Any] | None = None,
        audience: StringOrSequence | None = None,
        scopes: Sequence[str] | None = None,
        *,
        fresh: bool = False,  # noqa: ARG002 - AuthX ignores it too
    ) -> str:
        """Make the first refresh token of a new session.

        Args:
            uid: The subject: a `str`, `int` or `uuid.UUID` whose text has 1 to 255 characters.
            headers: Further members of the JOSE header.
            expiry: When it ends: a moment or a time from now; as configured by default.
            data: Further claims. Claims with an argument or a setting of their own are refused.
            audience: `aud`; as configured by default, empty for none.
            scopes: What it allows; no such claim by default.
            fresh: Accepted without effect: refresh tokens are never fresh.

        Returns:
            The compact token.

        Raises:
            BadConfigurationError: The signing key is missing.
            TypeError: `data` sets a reserved claim, or `uid` has a wrong type.
            ValueError: An argument cannot be part of a token.
        """
        mark_private()
        request = TokenRequest(uid=uid, headers=headers, expiry=expiry, data=data, audience=audience, scopes=scopes)
        return self._gate.wiring.issuer.refresh_token(request, self._now()).token

    def create_token_pair(
        self,
        uid: UID,
        fresh: bool = False,
        headers: Mapping[str, Any] | None = None,
        access_expiry: _Expiry = None,
        refresh_expiry: _Expiry = None,
        data: Mapping[str, Any] | None = None,
        audience: StringOrSequence | None = None,
        access_scopes: Sequence[str] | None = None,
        refresh_scopes: Sequence[str] | None = None,
    ) -> TokenResponse:
        """Make an access and a refresh token of one new session.

        Args:
            uid: The subject: a `str`, `int` or `uuid.UUID` whose text has 1 to 255 characters.
            fresh: Whether the user has just proved who they are; for the access token.
            headers: Further members of both JOSE headers.
            access_expiry: When the access token ends.
            refresh_expiry: When the refresh token ends.
            data: Further claims of both.
            audience: `aud` of both.
            access_scopes: What the access token allows.
            refresh_scopes: What the refresh token allows.

        Returns:
            The pair, in the form of RFC 6749 section 5.1.

        Raises:
            BadConfigurationError: The signing key is missing.
            TypeError: `data` sets a reserved claim, or `uid` has a wrong type.
            ValueError: An argument cannot be part of a token.
        """
        mark_private()
        issuer, now = self._gate.wiring.issuer, self._now()
        sid, csrf = issuer.new_session(uid, now), issuer.new_csrf()
        access = TokenRequest(
            uid=uid,
            fresh=fresh,
            headers=headers,
            expiry=access_expiry,
            data=data,
            audience=audience,
            scopes=access_scopes,
            sid=sid,
            csrf=csrf or None,
        )
        refresh = TokenRequest(
            uid=uid,
            headers=headers,
            expiry=refresh_expiry,
            data=data,
            audience=audience,
            scopes=refresh_scopes,
            sid=sid,
            csrf=csrf,
        )
        return TokenResponse(
            access_token=issuer.access_token(access, now).token,
            refresh_token=issuer.refresh_token(refresh, now).token,
        )

    # Reading tokens

    async def get_access_token_from_request(
        self, request: Request, locations: Sequence[TokenLocation] | None = None
    ) -> RequestToken:
        """Find a request's access token; nothing about it is verified.

        Args:
            request: The request.
            locations: Where to look, in order; as configured by default.

        Returns:
            The token.

        Raises:
            MissingTokenError: There is none.
            InvalidRequestError: There are two, or it is too long.
            KeyError: A location's name is unknown.
        """
        return await self._finders["access"].find(request, locations)

    async def get_refresh_token_from_request(
        self, request: Request, locations: Sequence[TokenLocation] | None = None
    ) -> RequestToken:
        """Find a request's refresh token; see `get_access_token_from_request`."""
        return await self._finders["refresh"].find(request, locations)

    async def get_token_from_request(
        self,
        request: Request,
        type: TokenType = "access",  # noqa: A002 - the argument's name is AuthX's
        optional: bool = True,
        locations: Sequence[TokenLocation] | None = None,
    ) -> RequestToken | None:
        """Find a request's token, if it has one; nothing about it is verified.

        Args:
            request: The request.
            type: `access` or `refresh`.
            optional: Whether there may be none.
            locations: Where to look, in order; as configured by default.

        Returns:
            The token, or `None`.

        Raises:
            MissingTokenError: There is none and `optional` is False.
            InvalidRequestError: There are two, or it is too long.
            KeyError: A location's name is unknown.
        """
        try:
            return await self._finders[type].find(request, locations)
        except MissingTokenError:
            if optional:
                return None
            raise

    def verify_token(
        self,
        token: Annotated[RequestToken, _VERIFY],
        verify_type: bool = True,
        verify_fresh: bool = False,
        verify_csrf: bool = True,
    ) -> TokenPayload:
        """Verify a token found in a request.

        With a store, what its revocation feed knows counts. The blocklist is not asked: it may have to wait.

        Args:
            token: The token.
            verify_type: Whether it must be of the type it was looked for as.
            verify_fresh: Whether it must be fresh.
            verify_csrf: Whether a cookie's token must come with its CSRF value, where its request needs one.

        Returns:
            The payload.

        Raises:
            JWTDecodeError: Or a child of it that says what is wrong.
            TokenTypeError: It is of the other type.
            LoginTypeMismatchError: The instance has a login type, and the token has another one or none.
            FreshTokenRequiredError: It is not fresh.
            CSRFError: The CSRF value is missing or another one.
            SessionRevoked: Its session was ended.
            InvalidRequestError: It is too long.
        """
        try:
            wiring = self._gate.wiring
            raw = to_bytes(token.token)
            if len(raw) > wiring.max_token_bytes:
                raise InvalidRequestError(f"The token is longer than {wiring.max_token_bytes} bytes.")
            verified = wiring.verifier.verify(raw, self._now())
            if verify_type:
                check_token_type(verified.claims, token.type)
            if verify_fresh:
                check_fresh(verified.claims)
            if verify_csrf:
                token.check_csrf(verified.claims.get("csrf"))
            if self._gate.engine is not None and verified.kind != "refresh":
                self._gate.engine.admit_if_loaded(verified.claims)
        except AuthXException as error:
            self._gate.blame(error, None, token.type, ends_cookies=False)
            raise
        return verified.payload()

    # Dependencies

    def token_required(
        self,
        type: Annotated[TokenType, _uncalled("token_required()")] = "access",  # noqa: A002 - AuthX's name
        verify_type: bool = True,
        verify_fresh: bool = False,
        verify_csrf: bool | None = None,
        locations: Sequence[TokenLocation] | None = None,
    ) -> Guard:
        """Make a dependency that lets a request pass with a good token and gives its payload.

        The same arguments give the same object, so it can be a key of `app.dependency_overrides`.

        Args:
            type: `access` or `refresh`.
            verify_type: Whether the token must say it is of that type.
            verify_fresh: Whether it must be fresh.
            verify_csrf: Whether a cookie needs its CSRF value; by default on `JWT_CSRF_METHODS`.
            locations: Where to look, in order; as configured by default.

        Returns:
            The dependency, for routes and WebSocket routes.

        Raises:
            ValueError: A type or location that does not exist.
        """
        return self._guard(
            Requirement(
                kind=type,
                verify_type=verify_type,
                verify_fresh=verify_fresh,
                verify_csrf=verify_csrf,
                locations=None if locations is None else tuple(locations),
            )
        )

    def scopes_required(
        self,
        *scopes: Annotated[str, _uncalled('scopes_required("posts:read")')],
        all_required: bool = True,
        verify_type: bool = True,
        verify_fresh: bool = False,
        verify_csrf: bool | None = None,
        locations: Sequence[TokenLocation] | None = None,
    ) -> Guard:
        """Make a dependency that also asks for scopes; see `token_required`.

        Args:
            *scopes: The scopes, each an argument of its own; one ending in `:*` in the token covers all below it.
                None asks for an access token alone, as in AuthX.
            all_required: Whether all of them are needed, or any one.
            verify_type: Whether the token must be an access token.
            verify_fresh: Whether it must be fresh.
            verify_csrf: Whether a cookie needs its CSRF value; by default on `JWT_CSRF_METHODS`.
            locations: Where to look, in order; as configured by default.

        Returns:
            The dependency.

        Raises:
            TypeError: A scope is not a `str`: a list, for example.
            ValueError: An empty scope, or a location that does not exist.
        """
        names = require_scope_names(scopes, "scopes_required")
        if "" in names:
            raise ValueError("scopes_required needs the names of scopes, and one of these is empty")
        return self._guard(
            Requirement(
                verify_type=verify_type,
                verify_fresh=verify_fresh,
                verify_csrf=verify_csrf,
                locations=None if locations is None else tuple(locations),
                scopes=names,
                all_scopes=all_required,
            )
        )

    def rate_limited(
        self,
        max_requests: Annotated[int, _uncalled("rate_limited()")] = 10,
        window: int = 60,
        key_func: RateLimitKeyFunc | None = None,
    ) -> LimitedGuard:
        """Make a dependency that counts requests first and then asks for an access token.

        The same arguments have the same counts, also where it is made inside a route. Functions from the same
        place in the code count together: a lambda in a route, or what a factory makes. Let them return keys that
        differ where requests are to be counted apart.

        Args:
            max_requests: How many requests a key may make in a window.
            window: Length of the window in seconds.
            key_func: Names the key a request is counted under, sync or async; the client's address by default.

        Returns:
            The dependency; it gives the token's payload.

        Raises:
            BadConfigurationError: The limits make no sense.
            TypeError: `key_func` cannot be called.
        """
        return self._limited.get(max_requests, window, key_func, self.access_token_required)

    def _guard(self, requirement: Requirement) -> Guard:
        guard = self._guards.get(requirement)
        if guard is None:
            guard = self._guards[requirement] = make_guard(self._gate, requirement)
        return guard

    @property
    def access_token_required(self) -> Guard:
        """The dependency that asks for an access token."""
        return self.token_required()

    @property
    def refresh_token_required(self) -> Guard:
        """The dependency that asks for a refresh token."""
        return self.token_required(type="refresh")

    @property
    def fresh_token_required(self) -> Guard:
        """The dependency that asks for a fresh access token."""
        return self.token_required(verify_fresh=True)

    @property
    def get_current_subject(self) -> SubjectGuard[T]:
        """The dependency, and coroutine function of a request, that finds the subject of its access token."""
        if self._subject is None:
            self._subject = make_subject_guard(self.access_token_required)
        return self._subject

    def get_dependency(self, request: Request, response: Response) -> AuthXDependency[T]:
        """Bundle this instance with a request and its response.

        Args:
            request: The request.
            response: The response that FastAPI will complete.

        Returns:
            The bundle.
        """
        return AuthXDependency(self, request, response)

    async def _bundle(self, request: Request, response: Response) -> AuthXDependency[T]:
        return self.get_dependency(request, response)

    async def _ws_auth_required(
        self, websocket: WebSocket, security_scopes: SecurityScopes = NO_SCOPES
    ) -> TokenPayload:
        """Verify the access token of a WebSocket's handshake; AuthX's guides call it by this name."""
        return await self.access_token_required(websocket, security_scopes)

    # Each is what FastAPI wants as a default: `payload: TokenPayload = auth.ACCESS_REQUIRED`.

    @property
    def ACCESS_REQUIRED(self) -> Any:  # noqa: N802
        """`Depends(access_token_required)`: injects a `TokenPayload`."""
        return Injection(self.access_token_required)

    @property
    def REFRESH_REQUIRED(self) -> Any:  # noqa: N802
        """`Depends(refresh_token_required)`: injects a `TokenPayload`."""
        return Injection(self.refresh_token_required)

    @property
    def FRESH_REQUIRED(self) -> Any:  # noqa: N802
        """`Depends(fresh_token_required)`: injects a `TokenPayload`."""
        return Injection(self.fresh_token_required)

    @property
    def WS_AUTH_REQUIRED(self) -> Any:  # noqa: N802
        """`Depends(access_token_required)`, by the name that AuthX has for WebSocket routes."""
        return Injection(self.access_token_required)

    @property
    def ACCESS_TOKEN(self) -> Any:  # noqa: N802
        """Injects the request's access token, unverified, or `None`."""
        return Injection(self._finders["access"])

    @property
    def REFRESH_TOKEN(self) -> Any:  # noqa: N802
        """Injects the request's refresh token, unverified, or `None`."""
        return Injection(self._finders["refresh"])

    @property
    def CURRENT_SUBJECT(self) -> Any:  # noqa: N802
        """Injects what the subject getter answers for the request's access token."""
        return Injection(self.get_current_subject)

    @property
    def BUNDLE(self) -> Any:  # noqa: N802
        """Injects an `AuthXDependency`."""
        return Injection(self._bundle)

    @property
    def DEPENDENCY(self) -> Any:  # noqa: N802
        """The same as `BUNDLE`."""
        return Injection(self._bundle)

    def router(
        self,
        authenticate: "Authenticate",
        *,
        prefix: str = "",
        tags: Sequence[str] = ("auth",),
        dependencies: Sequence[Any] = (),
        paths: Mapping[str, str] | None = None,
    ) -> APIRouter:
        """Make a router with login, refresh, logout, and the caller's sessions; it needs a store.

        Args:
            authenticate: Takes user name and password, sync or async. Returns the user's id (a `str`, `int` or
                `uuid.UUID`), or `None` or `False` where they do not match; any other answer, `True` for
                example, is a `TypeError`. Let it take the same time for unknown users: hash a dummy.
            prefix: Begins every path.
            tags: Tags in the OpenAPI document.
            dependencies: Dependencies of every route: `Depends(...)`.
            paths: Other paths, by name: `login`, `refresh`, `logout`, `logout_all`, `sessions`, `session`,
                and `client` for the browser client, a JavaScript module.

        Returns:
            The router, for `app.include_router`.

        Raises:
            ValueError: A name in `paths` is unknown.
            TypeError: `authenticate` cannot be called.
        """
        from authx.http.router import make_router

        return make_router(self, authenticate, prefix=prefix, tags=tags, dependencies=dependencies, paths=paths)

    # The application's own functions

    @overload
    def set_token_blocklist(self, callback: _F, *, inline: bool = False) -> _F: ...

    @overload
    def set_token_blocklist(self, callback: None, *, inline: bool = False) -> None: ...

    @overload
    def set_token_blocklist(self, *, inline: bool = False) -> Callable[[_F], _F]: ...

    def set_token_blocklist(self, callback: Any = _DECORATE, *, inline: bool = False) -> Any:
        """Register the function that says whether a token is revoked; usable as a decorator.

        It is asked after signature, times and type were checked, once a request.

        Args:
            callback: Takes the compact token; sync or async. `None` asks nobody.
            inline: Whether a sync function runs on the event loop instead of in a thread.

        Returns:
            The callback.

        Raises:
            TypeError: The callback cannot be called.
        """
        if callback is _DECORATE:
            return partial(self.set_token_blocklist, inline=inline)
        self._gate.blocklist = None if callback is None else Callback(callback, inline=inline)
        return callback

    @overload
    def set_subject_getter(self, callback: _F, *, inline: bool = False) -> _F: ...

    @overload
    def set_subject_getter(self, callback: None, *, inline: bool = False) -> None: ...

    @overload
    def set_subject_getter(self, *, inline: bool = False) -> Callable[[_F], _F]: ...

    def set_subject_getter(self, callback: Any = _DECORATE, *, inline: bool = False) -> Any:
        """Register the function that finds the subject of a token; usable as a decorator.

        Args:
            callback: Takes `sub`; sync or async. Returns the subject, or `None` or `False` where there is none.
                `None` unsets it.
            inline: Whether a sync function runs on the event loop instead of in a thread.

        Returns:
            The callback.

        Raises:
            TypeError: The callback cannot be called.
        """
        if callback is _DECORATE:
            return partial(self.set_subject_getter, inline=inline)
        self._gate.subject_getter = None if callback is None else Callback(callback, inline=inline)
        return callback

    @overload
    def set_claims_getter(self, callback: _F, *, inline: bool = False) -> _F: ...

    @overload
    def set_claims_getter(self, callback: None, *, inline: bool = False) -> None: ...

    @overload
    def set_claims_getter(self, *, inline: bool = False) -> Callable[[_F], _F]: ...

    def set_claims_getter(self, callback: Any = _DECORATE, *, inline: bool = False) -> Any:
        """Register the function that gives new access tokens fresh claims at a refresh; usable as a decorator.

        Args:
            callback: Takes the uid and the refresh token's payload, sync or async; returns claims that
                replace those of the refresh token, `scopes` its scopes, or `None`. `None` unsets it.
            inline: Whether a sync function runs on the event loop instead of in a thread.

        Returns:
            The callback.

        Raises:
            TypeError: The callback cannot be called.
        """
        if callback is _DECORATE:
            return partial(self.set_claims_getter, inline=inline)
        self._gate.claims_getter = None if callback is None else Callback(callback, inline=inline)
        return callback

    # AuthX's names for two of them.
    set_callback_token_blocklist = set_token_blocklist
    set_callback_get_model_instance = set_subject_getter

    @property
    def callback_is_token_in_blocklist(self) -> Callable[..., Any] | None:
        """The function that says whether a token is revoked."""
        return None if self._gate.blocklist is None else self._gate.blocklist.function

    @property
    def callback_get_model_instance(self) -> Callable[..., Any] | None:
        """The function that finds a subject."""
        getter = self._gate.subject_getter
        return None if getter is None else getter.function

    @property
    def is_token_callback_set(self) -> bool:
        """Whether a function says which tokens are revoked."""
        return self._gate.blocklist is not None

    @property
    def is_model_callback_set(self) -> bool:
        """Whether a function finds subjects."""
        return self._gate.subject_getter is not None

    async def is_token_in_blocklist(self, token: str | None, **kwargs: Any) -> bool:
        """Ask the application whether a token is revoked.

        Args:
            token: The compact token.
            **kwargs: Passed on to the callback.

        Returns:
            Its answer; False where there is no token or nobody to ask.
        """
        if self._gate.blocklist is None or token is None:
            return False
        if not token.isascii():
            return bool(await self._gate.blocklist(token, **kwargs))
        return await self._gate.is_blocked(token.encode("ascii"), **kwargs)

    # Cookies

    def set_access_cookies(self, token: str, response: Response, max_age: int | None = None) -> None:
        """Set the access cookie, and the one with its CSRF value.

        Args:
            token: An access token of this instance.
            response: Any response; the cookies reach the client also if the route returns another one,
                where `handle_errors` was called.
            max_age: Seconds to keep them; as configured by default.

        Raises:
            JWTDecodeError: Not a token of this instance.
            TypeError: It is not a `str`.
            ValueError: It is not an access token, or the cookie would be larger than browsers keep.
        """
        self._cookies.set("access", token, response, max_age, None)

    def set_refresh_cookies(self, token: str, response: Response, max_age: int | None = None) -> None:
        """Set the refresh cookie, and the one with its CSRF value; see `set_access_cookies`."""
        self._cookies.set("refresh", token, response, max_age, None)

    def unset_access_cookies(self, response: Response) -> None:
        """Delete the access cookie, and the one with its CSRF value.

        Args:
            response: Any response.
        """
        self._cookies.unset(("access",), response, None)

    def unset_refresh_cookies(self, response: Response) -> None:
        """Delete the refresh cookie, and the one with its CSRF value.

        Args:
            response: Any response.
        """
        self._cookies.unset(("refresh",), response, None)

    def unset_cookies(self, response: Response) -> None:
        """Delete all cookies of this library.

        Args:
            response: Any response.
        """
        self._cookies.unset(_BOTH, response, None)

    # Errors

    def _respond(self, scope: Scope, error: AuthXException) -> Response:
        config = self.config
        evidence = error.evidence
        ends = (
            error.clears_cookies and evidence is not None and evidence.required == "refresh" and evidence.ends_cookies
        )
        return respond(
            error,
            self.message(error),
            realm=config.JWT_REALM,
            message_key=self._message_key(),
            as_authx=config.JWT_ERROR_STATUS == "authx",
            token_error=self.MSG_TokenError,
            deletions=self._cookies.deletions(scope) if ends and self._gate.wiring.uses_cookies else None,
        )

    def _message_key(self) -> str:
        """AuthX never read its own default, so only a key that was set replaces `message`."""
        config = self.config
        is_set = "JWT_ERROR_MESSAGE_KEY" in config.model_fields_set
        return config.JWT_ERROR_MESSAGE_KEY if is_set else "message"
