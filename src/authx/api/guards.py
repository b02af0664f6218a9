"""The public names that are dependencies, or make them."""

import weakref
from collections.abc import Sequence
from typing import Annotated, Any, Generic

from fastapi.security import SecurityScopes
from starlette.websockets import WebSocket

from authx.api.instance import Instance
from authx.core.scopes import require_scope_names
from authx.http.guards import NO_SCOPES, Guard, make_guard
from authx.http.injections import Injection, NotADependency, SubjectGuard, TokenFinder, make_subject_guard
from authx.http.ratelimit import LimitedGuard, LimitedGuards
from authx.http.requirement import Requirement
from authx.schema import TokenPayload
from authx.types import RateLimitKeyFunc, T, TokenLocation, TokenType

__all__ = ["GuardMethods"]


def _uncalled(call: str) -> NotADependency:
    name = call.partition("(")[0]
    return NotADependency(
        f"auth.{name} makes a dependency and is not one, so Depends(auth.{name}) would check nothing. "
        f"Write Depends(auth.{call})."
    )


class GuardMethods(Instance, Generic[T]):
    """Dependencies, and what FastAPI wants as a default: `payload: TokenPayload = auth.ACCESS_REQUIRED`."""

    # A guard lives as long as a route holds it; one made for a single request does not stay.
    _guards: "weakref.WeakValueDictionary[Requirement, Guard]"
    _limited: LimitedGuards
    _subject: SubjectGuard[T] | None
    _finders: dict[TokenType, TokenFinder]

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
            guard = self._guards[requirement] = make_guard(self._holder, requirement)
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

    async def _ws_auth_required(
        self, websocket: WebSocket, security_scopes: SecurityScopes = NO_SCOPES
    ) -> TokenPayload:
        """Verify the access token of a WebSocket's handshake; AuthX's guides call it by this name."""
        return await self.access_token_required(websocket, security_scopes)

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
