"""`AuthX`: the one object an application makes. Its methods are in `authx.api`, by topic."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from authx.api.cookies import CookieMethods
from authx.api.guards import GuardMethods
from authx.api.hooks import HookMethods
from authx.api.sessions import SessionMethods
from authx.api.tokens import TokenMethods
from authx.config import AuthXConfig
from authx.dependencies import AuthXDependency
from authx.exceptions import AuthXException
from authx.http.cookies import deletions
from authx.http.errors import ErrorAnswers, respond
from authx.http.injections import Injection, TokenFinder
from authx.http.lifespan import follow_lifespan
from authx.http.ratelimit import LimitedGuards
from authx.http.runtime import RuntimeHolder, require_key, warn_of_short_secret
from authx.settings.clock import timestamp
from authx.types import TOKEN_TYPES, T

if TYPE_CHECKING:
    from authx.http.router import Authenticate
    from authx.stores import Store

__all__ = ["AuthX"]


class AuthX(TokenMethods, GuardMethods[T], HookMethods, CookieMethods, SessionMethods, ErrorAnswers, Generic[T]):
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
        self._holder = RuntimeHolder(config or AuthXConfig(), login_type, clock or timestamp, self, store)
        self._guards = weakref.WeakValueDictionary()
        self._limited = LimitedGuards()
        self._subject = None
        self._finders = {kind: TokenFinder(self._holder, kind) for kind in TOKEN_TYPES}
        self._take_up(self.config)

    def load_config(self, config: AuthXConfig) -> None:
        """Replace the settings; what is derived from them is made again.

        Args:
            config: The settings. Dependencies used after this obey them; the OpenAPI schemes of those
                already in routes stay as they were.

        Raises:
            BadConfigurationError: The settings cannot work.
        """
        former = self._holder.config
        self._holder.config = config
        try:
            self._take_up(config)
        except AuthXException:
            self._holder.config = former
            self._holder.forget()
            raise

    def _take_up(self, config: AuthXConfig) -> None:
        """Look at the settings now, so that a mistake shows at start-up, and after each assignment."""
        self._holder.forget()
        warn_of_short_secret(config)
        self._holder.get()
        config.watch(self._holder.forget)

    def handle_errors(self, app: FastAPI) -> None:
        """As `ErrorAnswers.handle_errors`; the settings are checked when the application starts.

        Start-up fails with a `BadConfigurationError` if the settings cannot work or no key is set. Load them
        before the application starts, or in its lifespan. A store is opened and closed with the application.

        Args:
            app: The application. May be called again, and by several instances.
        """
        super().handle_errors(app)
        applications = self._holder.applications
        if not any(known() is app for known in applications):
            applications.append(weakref.ref(app))
            follow_lifespan(app, start=self._start, check=self._check, stop=self.close)

    async def _start(self) -> None:
        if self._runtime.sessions is not None:
            await self._runtime.sessions.open()

    async def _check(self) -> None:
        """Start with the settings that the application's own start-up has loaded, if they can work."""
        require_key(self._runtime)
        await self._start()

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

    # Errors

    def _respond(self, scope: Scope, error: AuthXException) -> Response:
        runtime = self._runtime
        config, evidence = runtime.config, error.evidence
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
            deletions=deletions(runtime, scope) if ends and runtime.uses_cookies else None,
        )

    def _message_key(self) -> str:
        """AuthX 1.7 never read its own default, so only a key that was set replaces `message`."""
        config = self.config
        is_set = "JWT_ERROR_MESSAGE_KEY" in config.model_fields_set
        return config.JWT_ERROR_MESSAGE_KEY if is_set else "message"
