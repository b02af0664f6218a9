"""Setting and deleting the library's cookies on any response."""

import logging
from collections.abc import Iterable, Iterator
from math import ceil

from starlette.responses import Response
from starlette.types import Scope

from authx.core.csrf import same_value
from authx.exceptions import CSRFOriginError, InvalidRequestError, JWTDecodeError
from authx.http.authenticate import attach_evidence
from authx.http.cookie_delivery import current_scope, send_cookies
from authx.http.headers import read_cookie
from authx.http.request_state import RequestState
from authx.http.runtime import Runtime
from authx.jose import jws
from authx.jose.json_object import JSONObject
from authx.token import to_bytes
from authx.types import TOKEN_TYPES, TokenType

__all__ = [
    "cookie_lines",
    "deletions",
    "refuse_foreign",
    "set_cookies",
    "unset_all_cookies",
    "unset_cookies",
]

_logger = logging.getLogger("authx")


def set_cookies(
    runtime: Runtime,
    kind: TokenType,
    token: str,
    response: Response,
    max_age: int | None = None,
    scope: Scope | None = None,
) -> None:
    """Set a token's cookie, and the one with its CSRF value, for as many seconds as given or configured.

    The token's signature is checked; its times and audience are not.
    """
    if not isinstance(token, str):
        raise TypeError(f"set_{kind}_cookies takes a token, which is a str, not {type(token).__name__}")
    claims = jws.decode(to_bytes(token), runtime.verifier.ring)
    if runtime.login_type is not None and claims.get("login_type") != runtime.login_type:
        raise ValueError(f"set_{kind}_cookies takes tokens of the login type {runtime.login_type!r} here")
    actual = claims.get("type")
    if actual != kind:
        hint = f"; use set_{actual}_cookies for it" if actual in TOKEN_TYPES else ""
        raise ValueError(f"set_{kind}_cookies takes {kind} tokens, and this token's type is {actual!r}{hint}")
    scope = scope or current_scope()
    if scope is not None:
        refuse_foreign(runtime, scope, kind)
    csrf, expires = claims.get("csrf"), claims.get("exp")
    if max_age is None:
        max_age = _max_age(runtime, expires if isinstance(expires, int | float) else None)
    lines = runtime.cookies[kind].headers(
        token,
        csrf if isinstance(csrf, str) else "",
        max_age=max_age,
        secure=_secure(runtime, scope),
    )
    # Where this request proved itself with a refresh token, the new tokens replace it: even an error's answer has to
    # carry them.
    state: RequestState | None = None if scope is None else scope.get(runtime.state_key)
    send_cookies(response, lines, on_error=state is not None and state.has("refresh"))


def cookie_lines(
    runtime: Runtime, kind: TokenType, token: str, csrf: str, scope: Scope, kept_until: int | None
) -> list[bytes]:
    """Write the `Set-Cookie` lines of a new token; those that follow a token's life end at `kept_until`, in seconds."""
    return runtime.cookies[kind].headers(
        token, csrf, max_age=_max_age(runtime, kept_until), secure=_secure(runtime, scope)
    )


def _max_age(runtime: Runtime, expires: float | None) -> int | None:
    config = runtime.config
    if config.JWT_COOKIE_MAX_AGE is not None:
        return config.JWT_COOKIE_MAX_AGE
    if config.JWT_SESSION_COOKIE or expires is None:
        return None
    return max(0, ceil(expires - runtime.clock()))


def _secure(runtime: Runtime, scope: Scope | None) -> bool:
    """Return whether cookies are to be Secure: the setting, or what the request's scheme says where it is `auto`."""
    setting = runtime.config.JWT_COOKIE_SECURE
    return (scope is None or scope["scheme"] != "http") if setting == "auto" else setting


def unset_cookies(runtime: Runtime, kinds: Iterable[TokenType], response: Response, scope: Scope | None = None) -> None:
    """Delete cookies because the application says so, but not for a page of another origin without proof."""
    scope = scope or current_scope()
    if scope is not None and runtime.origins.is_foreign(scope) and not _may_delete(runtime, scope):
        _logger.warning(
            "Cookies were not deleted: a page of another origin made the request, and sent no CSRF value. If the "
            "page is yours, let it send the CSRF value, or add its origin to JWT_CSRF_TRUSTED_ORIGINS."
        )
        return
    send_cookies(response, _deletions(runtime, kinds, scope), on_error=True)


def unset_all_cookies(runtime: Runtime, response: Response, scope: Scope) -> None:
    """Delete all cookies where a request may have that; else leave the response as it is."""
    lines = deletions(runtime, scope)
    if lines:
        send_cookies(response, lines, on_error=True)


def deletions(runtime: Runtime, scope: Scope) -> list[bytes]:
    """Write the `Set-Cookie` lines that delete all cookies; none if the request may not delete any."""
    return _deletions(runtime, TOKEN_TYPES, scope) if _may_delete(runtime, scope) else []


def _deletions(runtime: Runtime, kinds: Iterable[TokenType], scope: Scope | None) -> list[bytes]:
    secure = _secure(runtime, scope)
    return [line for kind in kinds for line in runtime.cookies[kind].deletions(secure=secure)]


# What a request has to prove before it changes the browser's cookies


def refuse_foreign(runtime: Runtime, scope: Scope, kind: TokenType) -> None:
    """Refuse to set cookies for a page of another origin, where origins are checked.

    The page could sign the browser in as somebody else (login CSRF).
    """
    if not runtime.origins.configured or not _changes(runtime, scope):
        return
    try:
        runtime.origins.refuse_foreign(scope)
    except CSRFOriginError as error:
        attach_evidence(runtime, error, None, kind, ends_cookies=False)
        raise


def _changes(runtime: Runtime, scope: Scope) -> bool:
    return scope.get("method") in runtime.config.JWT_CSRF_METHODS


def _may_delete(runtime: Runtime, scope: Scope) -> bool:
    """Return whether a request proves that one of our pages made it, or shows no sign of another one."""
    changes, is_foreign = _changes(runtime, scope), runtime.origins.is_foreign(scope)
    if changes and runtime.origins.configured and is_foreign:
        return False
    tokens = list(_cookie_claims(runtime, scope))
    if not tokens:
        return not is_foreign
    if not runtime.config.JWT_COOKIE_CSRF_PROTECT:
        return True
    sent = [runtime.cookie_places[kind].sent_csrf(scope) for kind in TOKEN_TYPES]
    if any(same_value(str(claims.get("csrf") or ""), value) for claims in tokens for value in sent if value):
        return True
    # A browser sends the cookies along with a link on another site too.
    return not changes and not is_foreign


def _cookie_claims(runtime: Runtime, scope: Scope) -> Iterator[JSONObject]:
    """Read the tokens of this instance in a request's cookies, whatever their age."""
    for kind in TOKEN_TYPES:
        try:
            token = read_cookie(scope, runtime.cookies[kind].token.name.encode("latin-1"))
            if token is not None and len(token) <= runtime.max_token_bytes:
                yield runtime.verifier.read(token)
        except (InvalidRequestError, JWTDecodeError):
            continue
