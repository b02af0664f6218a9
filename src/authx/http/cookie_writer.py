"""Setting and deleting the library's cookies on any response."""

from collections.abc import Iterable
from math import ceil
from typing import Final

from starlette.responses import Response
from starlette.types import Scope

from authx.core import codec
from authx.core.strict_json import JSONObject
from authx.http.credentials import current_scope, send_cookies
from authx.http.gate import Gate
from authx.issuer import Issued
from authx.token import to_bytes
from authx.types import TokenType

__all__ = ["CookieWriter"]


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
            ValueError: It is a token of the other type, or its cookie would be too large for browsers.
        """
        wiring = self._gate.wiring
        claims = codec.decode(to_bytes(token), wiring.verifier.ring)
        actual = claims.get("type")
        if actual != kind:
            hint = f"; use set_{actual}_cookies for it" if actual in ("access", "refresh") else ""
            raise ValueError(f"set_{kind}_cookies takes {kind} tokens, and this token's type is {actual!r}{hint}")
        scope = scope or current_scope()
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

    def write(
        self,
        kind: TokenType,
        issued: Issued,
        response: Response,
        scope: Scope,
        kept_until: int | None,
        *,
        on_error: bool,
    ) -> None:
        """Set the cookies of a token that has just been made.

        Args:
            kind: `access` or `refresh`.
            issued: The token.
            response: The response to write to.
            scope: The request's ASGI scope.
            kept_until: Seconds since 1970 at which cookies that follow a token's life end.
            on_error: Whether an error's answer carries them too.

        Raises:
            ValueError: The cookie would be too large for browsers.
        """
        wiring = self._gate.wiring
        lines = wiring.cookies[kind].headers(
            issued.token,
            issued.csrf,
            max_age=self._max_age({"exp": kept_until}),
            secure=wiring.secure(scope["scheme"]),
        )
        send_cookies(response, lines, on_error=on_error)

    def _max_age(self, claims: JSONObject) -> int | None:
        config = self._gate.config
        if config.JWT_COOKIE_MAX_AGE is not None:
            return config.JWT_COOKIE_MAX_AGE
        expires = claims.get("exp")
        if config.JWT_SESSION_COOKIE or not isinstance(expires, int | float):
            return None
        return max(0, ceil(expires - self._gate.clock()))

    def unset(self, kinds: Iterable[TokenType], response: Response, scope: Scope | None) -> None:
        """Delete cookies.

        Args:
            kinds: The types whose cookies go.
            response: The response to write to.
            scope: The request's ASGI scope, if known.
        """
        send_cookies(response, self.deletions(kinds, scope or current_scope()), on_error=True)

    def deletions(self, kinds: Iterable[TokenType], scope: Scope | None) -> list[bytes]:
        """Write the `Set-Cookie` lines that delete cookies.

        Args:
            kinds: The types whose cookies go.
            scope: The request's ASGI scope, if known.

        Returns:
            The header values.
        """
        wiring = self._gate.wiring
        secure = wiring.secure(scope["scheme"] if scope else None)
        return [line for kind in kinds for line in wiring.cookies[kind].deletions(secure=secure)]
