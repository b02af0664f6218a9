"""Setting and deleting the library's cookies on any response."""

import logging
from collections.abc import Iterable, Iterator
from math import ceil
from typing import Final

from starlette.responses import Response
from starlette.types import Scope

from authx.core.csrf import same_value
from authx.exceptions import CSRFOriginError, InvalidRequestError, JWTDecodeError
from authx.http.authenticate import Gate
from authx.http.cookie_delivery import current_scope, send_cookies
from authx.http.headers import read_cookie
from authx.jose import jws
from authx.jose.json_object import JSONObject
from authx.token import to_bytes
from authx.tokens.issuer import Issued
from authx.types import TokenType

__all__ = ["CookieWriter"]

_logger = logging.getLogger("authx")
_BOTH: Final[tuple[TokenType, ...]] = ("access", "refresh")


class CookieWriter:
    """Writes one instance's cookies.

    Args:
        gate: The instance's gate.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate: Final = gate

    def set(self, kind: TokenType, token: str, response: Response, max_age: int | None, scope: Scope | None) -> None:
        """Set a token's cookie, and the one with its CSRF value.

        Args:
            kind: `access` or `refresh`.
            token: A token of this instance; its signature is checked, its times and audience are not.
            response: The response to write to.
            max_age: Seconds to keep them; `None` as configured.
            scope: The request's ASGI scope, if known.

        Raises:
            JWTDecodeError: Not a token of this instance.
            TypeError: It is not a `str`.
            ValueError: It is a token of the other type or of another login type, or its cookie would be too
                large for browsers.
            CSRFOriginError: Origins are checked, and a page of another origin made the request.
        """
        if not isinstance(token, str):
            raise TypeError(f"set_{kind}_cookies takes a token, which is a str, not {type(token).__name__}")
        wiring = self._gate.wiring
        claims = jws.decode(to_bytes(token), wiring.verifier.ring)
        if self._gate.login_type is not None and claims.get("login_type") != self._gate.login_type:
            raise ValueError(f"set_{kind}_cookies takes tokens of the login type {self._gate.login_type!r} here")
        actual = claims.get("type")
        if actual != kind:
            hint = f"; use set_{actual}_cookies for it" if actual in ("access", "refresh") else ""
            raise ValueError(f"set_{kind}_cookies takes {kind} tokens, and this token's type is {actual!r}{hint}")
        scope = scope or current_scope()
        if scope is not None:
            self.refuse_foreign(scope, kind)
        csrf = claims.get("csrf")
        lines = wiring.cookies[kind].headers(
            token,
            csrf if isinstance(csrf, str) else "",
            max_age=self._max_age(claims) if max_age is None else max_age,
            secure=wiring.secure(scope["scheme"] if scope else None),
        )
        # Where this request proved itself with a refresh token, the new tokens replace it: even an error's
        # answer has to carry them.
        rotated = scope is not None and self._gate.accepted(scope, "refresh")
        send_cookies(response, lines, on_error=rotated)

    def lines(self, kind: TokenType, issued: Issued, scope: Scope, kept_until: int | None) -> list[bytes]:
        """Write the `Set-Cookie` lines of a token that has just been made.

        Args:
            kind: `access` or `refresh`.
            issued: The token.
            scope: The request's ASGI scope.
            kept_until: Seconds since 1970 at which cookies that follow a token's life end.

        Returns:
            The header values.

        Raises:
            ValueError: The cookie would be too large for browsers.
        """
        wiring = self._gate.wiring
        return wiring.cookies[kind].headers(
            issued.token,
            issued.csrf,
            max_age=self._max_age({"exp": kept_until}),
            secure=wiring.secure(scope["scheme"]),
        )

    def _max_age(self, claims: JSONObject) -> int | None:
        config = self._gate.config
        if config.JWT_COOKIE_MAX_AGE is not None:
            return config.JWT_COOKIE_MAX_AGE
        expires = claims.get("exp")
        if config.JWT_SESSION_COOKIE or not isinstance(expires, int | float):
            return None
        return max(0, ceil(expires - self._gate.clock()))

    def unset(self, kinds: Iterable[TokenType], response: Response, scope: Scope | None) -> None:
        """Delete cookies because the application says so, but not for a page of another origin without proof.

        Args:
            kinds: The types whose cookies go.
            response: The response to write to.
            scope: The request's ASGI scope, if known.
        """
        scope = scope or current_scope()
        if scope is not None and self._is_foreign(scope) and not self._may_delete(scope):
            _logger.warning(
                "Cookies were not deleted: a page of another origin made the request, and sent no CSRF value. If the "
                "page is yours, let it send the CSRF value, or add its origin to JWT_CSRF_TRUSTED_ORIGINS."
            )
            return
        send_cookies(response, self._deletions(kinds, scope), on_error=True)

    def unset_all(self, response: Response, scope: Scope) -> None:
        """Delete all cookies where a request may have that; else leave the response as it is.

        Args:
            response: The response to write to.
            scope: The request's ASGI scope.
        """
        lines = self.deletions(scope)
        if lines:
            send_cookies(response, lines, on_error=True)

    def deletions(self, scope: Scope) -> list[bytes]:
        """Write the `Set-Cookie` lines that delete all cookies.

        Args:
            scope: The request's ASGI scope.

        Returns:
            The header values; none if the request may not delete any.
        """
        return self._deletions(_BOTH, scope) if self._may_delete(scope) else []

    def _deletions(self, kinds: Iterable[TokenType], scope: Scope | None) -> list[bytes]:
        wiring = self._gate.wiring
        secure = wiring.secure(scope["scheme"] if scope else None)
        return [line for kind in kinds for line in wiring.cookies[kind].deletions(secure=secure)]

    # What a request has to prove before it changes the browser's cookies

    def refuse_foreign(self, scope: Scope, kind: TokenType) -> None:
        """Refuse to set cookies for a page of another origin, where origins are checked.

        The page could sign the browser in as somebody else (login CSRF).

        Args:
            scope: The request's ASGI scope.
            kind: The type of token, for the error.

        Raises:
            CSRFOriginError: The request changes something, and is foreign.
        """
        origins = self._gate.wiring.origins
        if not origins.configured or not self._changes(scope):
            return
        try:
            origins.refuse_foreign(scope)
        except CSRFOriginError as error:
            self._gate.blame(error, None, kind, ends_cookies=False)
            raise

    def _is_foreign(self, scope: Scope) -> bool:
        return self._gate.wiring.origins.is_foreign(scope)

    def _changes(self, scope: Scope) -> bool:
        return scope.get("method") in self._gate.config.JWT_CSRF_METHODS

    def _may_delete(self, scope: Scope) -> bool:
        """Return whether a request proves that one of our pages made it, or shows no sign of another one."""
        wiring, config = self._gate.wiring, self._gate.config
        changes = self._changes(scope)
        if changes and wiring.origins.configured and self._is_foreign(scope):
            return False
        tokens = list(self._cookie_claims(scope))
        if not tokens:
            return not self._is_foreign(scope)
        if not config.JWT_COOKIE_CSRF_PROTECT:
            return True
        sent = [wiring.cookie_places[kind].sent_csrf(scope) for kind in _BOTH]
        if any(same_value(str(claims.get("csrf") or ""), value) for claims in tokens for value in sent if value):
            return True
        # A browser sends the cookies along with a link on another site too.
        return not changes and not self._is_foreign(scope)

    def _cookie_claims(self, scope: Scope) -> Iterator[JSONObject]:
        """Read the tokens of this instance in a request's cookies, whatever their age."""
        wiring = self._gate.wiring
        for kind in _BOTH:
            try:
                token = read_cookie(scope, wiring.cookies[kind].token.name.encode("latin-1"))
                if token is not None and len(token) <= wiring.max_token_bytes:
                    yield wiring.verifier.read(token)
            except (InvalidRequestError, JWTDecodeError):
                continue
