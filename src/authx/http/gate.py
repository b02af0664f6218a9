"""What every request passes: find the token, verify it, ask the application, note the evidence.

One `Gate` belongs to one `AuthX`. What it finds out about a token in a request it keeps on the ASGI
scope, so that three dependencies on one route verify and ask once.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import Scope

from authx.config import AuthXConfig
from authx.core import checks
from authx.core.csrf import same_value
from authx.core.strict_json import JSONObject
from authx.exceptions import (
    AuthXException,
    CSRFError,
    Evidence,
    InvalidRequestError,
    MissingCSRFTokenError,
    MissingTokenError,
    RevokedTokenError,
)
from authx.http.callbacks import Callback
from authx.http.errors import install_handler
from authx.http.locations import Found, Location, read_cookie
from authx.http.requirement import Requirement
from authx.http.wiring import Wiring, wire
from authx.keyring import short_secret_warning
from authx.types import TokenLocation, TokenType

__all__ = ["Gate"]

_logger = logging.getLogger("authx")


class _Seen:
    """What one gate found out about one request.

    Attributes:
        found: The token found, by what decided the search.
        claims: The claims of verified tokens, by token and by the type they were accepted as.
    """

    __slots__ = ("claims", "found")

    def __init__(self) -> None:
        self.found: dict[tuple[object, ...], Found] = {}
        self.claims: dict[tuple[bytes, TokenType | None], JSONObject] = {}


class Gate:
    """Finds and verifies tokens in requests, for one instance.

    Args:
        config: The settings.
        login_type: The instance's login type, if it has one.
        clock: Seconds since 1970.
        source: The instance, for the answers to its errors.
    """

    def __init__(self, config: AuthXConfig, login_type: str | None, clock: Callable[[], float], source: object) -> None:
        self.config = config
        self.login_type = login_type
        self.clock: Final = clock
        self.blocklist: Callback | None = None
        self._source = source
        self._scope_key: Final = f"authx.seen.{id(self):x}"
        self._wiring: Wiring | None = None

    @property
    def wiring(self) -> Wiring:
        """What is derived from the settings, made at first use and again when a setting changed.

        Raises:
            BadConfigurationError: The settings cannot work.
        """
        return self._wiring or self._wire()

    def _wire(self) -> Wiring:
        self._wiring = wiring = wire(self.config, self.login_type)
        return wiring

    def forget(self) -> None:
        """Throw away what was derived from the settings."""
        self._wiring = None

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
            InvalidRequestError: There are two, or it is too long.
            KeyError: A location's name is unknown.
        """
        wiring = self.wiring
        places = wiring.configured[kind] if locations is None else self._places(wiring, kind, locations)
        without_csrf: MissingCSRFTokenError | None = None
        for place in places:
            try:
                found = await place.find(connection, verify_csrf)
            except MissingCSRFTokenError as error:
                without_csrf = error
                continue
            if found is not None:
                if len(found.token) > wiring.max_token_bytes:
                    raise InvalidRequestError(f"the token is longer than {wiring.max_token_bytes} bytes")
                return found
        if without_csrf is not None:
            raise without_csrf
        raise MissingTokenError(*[f"no {kind} token in {place.name}" for place in places])

    @staticmethod
    def _places(wiring: Wiring, kind: TokenType, names: Sequence[TokenLocation]) -> list[Location]:
        return [wiring.locations[kind][name] for name in names]

    async def admit(self, connection: HTTPConnection, requirement: Requirement) -> JSONObject:
        """Verify a request's token against a route's requirement.

        Args:
            connection: The request or WebSocket.
            requirement: What the route asks for.

        Returns:
            The token's claims; shared, so copy what you hand out.

        Raises:
            AuthXException: What is wrong, with its evidence.
        """
        scope = connection.scope
        try:
            seen: _Seen | None = scope.get(self._scope_key)
            if seen is None:
                seen = scope[self._scope_key] = _Seen()
            found = seen.found.get(requirement.search)
            if found is None:
                found = seen.found[requirement.search] = await self.find(
                    connection, requirement.kind, requirement.locations, requirement.verify_csrf
                )
            key = (found.token, requirement.kind if requirement.verify_type else None)
            claims = seen.claims.get(key)
            if claims is None:
                claims = seen.claims[key] = await self._verify(found.token, requirement)
            if requirement.verify_fresh:
                checks.fresh(claims)
            if not found.csrf_exempt:
                self._check_csrf(claims, found)
            if requirement.scopes is not None:
                checks.scopes(claims, requirement.scopes, requirement.all_scopes)
        except AuthXException as error:
            self.blame(error, connection, requirement.kind)
            raise
        return claims

    async def _verify(self, token: bytes, requirement: Requirement) -> JSONObject:
        claims = (self._wiring or self._wire()).verifier.verify(token, self.clock())
        if requirement.verify_type:
            checks.token_type(claims, requirement.kind)
        if self.blocklist is not None and await self.blocklist(token.decode("ascii")):
            raise RevokedTokenError("Token has been revoked")
        return claims

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
        seen: _Seen | None = scope.get(self._scope_key)
        return seen is not None and any(accepted_as == kind for _, accepted_as in seen.claims)

    def blame(self, error: AuthXException, connection: HTTPConnection | None, kind: TokenType) -> None:
        """Note on an error where it came from, and see to it that it will be answered.

        Args:
            error: The error about to be raised.
            connection: The request it concerns, if known.
            kind: The type of token that was required.
        """
        if error.evidence is None:
            error.evidence = Evidence(self._source, kind, self._has_refresh_cookie(connection))
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
