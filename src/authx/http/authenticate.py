"""The pipe that every access check and every refresh goes through; `authenticate_text` is for who cannot wait.

Find the token, verify it, ask whether it was revoked, ask the application, check what the route requires. Each step
takes what the one before it returned.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from starlette.requests import HTTPConnection
from starlette.types import Scope

from authx.core.claims import check_fresh, check_scopes, wrong_type
from authx.core.csrf import same_value
from authx.exceptions import (
    AuthXException,
    BadConfigurationError,
    CSRFError,
    Evidence,
    InsufficientScopeError,
    InvalidRequestError,
    JWTDecodeError,
    MissingCSRFTokenError,
    MissingTokenError,
    RevokedTokenError,
)
from authx.http.errors import install_handler
from authx.http.headers import read_cookie
from authx.http.locations import UNCLEAR, Found, Location
from authx.http.request_state import RequestState, state_of
from authx.http.requirement import Requirement
from authx.http.runtime import Runtime
from authx.jose import jws
from authx.tokens.verifier import Verified
from authx.types import TokenLocation, TokenType

__all__ = [
    "Authenticated",
    "attach_evidence",
    "authenticate",
    "authenticate_text",
    "emit_csrf_failure",
    "find_subject",
    "is_blocked",
    "locate",
    "require_short",
]

# A scope that is one of these came from a str that FastAPI split into letters.
_SEPARATORS: Final = frozenset(":._-/ ")
_SEPARATORS_OF_TOKENS: Final = (b" ", b"\t", b",")


# A request's token, and what it says.
Authenticated: TypeAlias = tuple[bytes, Verified]


async def authenticate(
    runtime: Runtime, connection: HTTPConnection, requirement: Requirement, now: float, declared: Sequence[str] = ()
) -> Authenticated:
    """Authenticate a request or WebSocket."""
    scope, kind = connection.scope, requirement.kind
    try:
        # The usual form takes one glance at the headers; anything else, or a route with its own locations, a search.
        glanced = None
        if requirement.locations is None:
            for place in runtime.configured[kind]:
                glanced = place.glance(scope, requirement.verify_csrf)
                if glanced is not None:
                    break
        if glanced is None or glanced is UNCLEAR:
            glanced = await _search(runtime, connection, requirement)
        token, csrf = glanced
        if len(token) > runtime.max_token_bytes:
            require_short(runtime, token)
        state: RequestState | None = scope.get(runtime.state_key)
        known = None if state is None else state.known(token, connection, now)
        try:
            verified = runtime.verifier.verify(token, now) if known is None else known
        except JWTDecodeError as error:
            token, csrf = await _search_again(runtime, connection, requirement, token, error)
            verified = runtime.verifier.verify(token, now)
        if requirement.verify_type and verified.kind != kind:
            raise wrong_type(kind)
        if known is None and (
            runtime.hooks.blocklist is not None
            or verified.kind != "access"
            or not runtime.remembers_tokens
            or (runtime.sessions is not None and not runtime.sessions.clears(verified, now))
        ):
            await _refuse_revoked(runtime, scope, token, verified, now)
        if declared or requirement.asks_more:
            _require(verified, requirement, csrf, declared)
        elif csrf is not None and not same_value(str(verified.claims.get("csrf") or ""), csrf):
            raise CSRFError("CSRF double submit does not match")
    except AuthXException as error:
        await emit_csrf_failure(runtime, error, connection)
        attach_evidence(runtime, error, connection, kind)
        raise
    return token, verified


def authenticate_text(runtime: Runtime, found: Found, requirement: Requirement, now: float) -> Verified:
    """Authenticate a token that was found before, without waiting for anything.

    A blocklist is asked if it answers without waiting: a sync function that may run on the event loop.
    """
    token = found.token
    require_short(runtime, token)
    verified = runtime.verifier.verify(token, now)
    if requirement.verify_type and verified.kind != requirement.kind:
        raise wrong_type(requirement.kind)
    if runtime.sessions is not None and verified.kind != "refresh":
        runtime.sessions.check_without_waiting(verified, now)
    blocklist = runtime.hooks.blocklist
    if blocklist is not None and blocklist.answers_at_once:
        texts = jws.spellings(token, runtime.verifier.ring)
        if any(blocklist.ask_at_once(text.decode("ascii")) for text in texts):
            raise RevokedTokenError("Token has been revoked")
    _require(verified, requirement, None if found.csrf_exempt else found.csrf or "", ())
    return verified


async def _search(runtime: Runtime, connection: HTTPConnection, requirement: Requirement) -> tuple[bytes, str | None]:
    found = await locate(runtime, connection, requirement.kind, requirement.locations, requirement.verify_csrf)
    return found.token, None if found.csrf_exempt else found.csrf or ""


async def _search_again(
    runtime: Runtime, connection: HTTPConnection, requirement: Requirement, token: bytes, error: JWTDecodeError
) -> tuple[bytes, str | None]:
    """Search for the token where what stands at its place is more than one; else, what was wrong with it stays."""
    if any(separator in token for separator in _SEPARATORS_OF_TOKENS):
        return await _search(runtime, connection, requirement)
    raise error


async def locate(
    runtime: Runtime,
    connection: HTTPConnection,
    kind: TokenType,
    names: Sequence[TokenLocation] | None = None,
    verify_csrf: bool | None = None,
) -> Found:
    """Find a request's token, unverified, at the named locations in order, or at those that are configured."""
    places = runtime.configured[kind] if names is None else [runtime.locations[kind][name] for name in names]

    def could_pass(token: bytes) -> bool:
        """Tell whether signature, times and shape of a token are good, before a body is read for its sake."""
        if len(token) > runtime.max_token_bytes:
            return False
        try:
            runtime.verifier.verify(token, runtime.clock())
        except AuthXException:
            return False
        return True

    without_csrf, bad = None, None
    for place in places:
        try:
            if place.reads_body:
                found = await place.find_in_body(connection, verify_csrf, could_pass)
            else:
                found = place.find(connection.scope, verify_csrf)
        except MissingCSRFTokenError as error:
            without_csrf = error
            continue
        if found is not None:
            if found.csrf_exempt or found.csrf is not None:
                return found
            bad = bad or found
    if bad is not None:
        return bad
    raise without_csrf or _missing(kind, places)


def require_short(runtime: Runtime, token: bytes) -> None:
    """Refuse a token that is longer than any of ours, before anything of it is looked at."""
    if len(token) > runtime.max_token_bytes:
        raise InvalidRequestError(f"The token is longer than {runtime.max_token_bytes} bytes.")


async def _refuse_revoked(runtime: Runtime, scope: Scope, token: bytes, verified: Verified, now: float) -> None:
    """Ask whether a token was revoked, and note what took a question to others."""
    sessions, asked = runtime.sessions, verified.kind == "refresh"
    if sessions is not None and not asked and not sessions.clears(verified, now):
        await sessions.check(verified)
        asked = True
    if runtime.hooks.blocklist is not None:
        if await is_blocked(runtime, token):
            raise RevokedTokenError("Token has been revoked")
        asked = True
    if asked or not runtime.remembers_tokens:
        state_of(scope, runtime.state_key, now).add(token, verified, now)


def _require(verified: Verified, requirement: Requirement, csrf: str | None, declared: Sequence[str]) -> None:
    """Check what the route requires of a good token, and the CSRF value where its request needs one."""
    if requirement.verify_fresh:
        check_fresh(verified.claims)
    if csrf is not None and not same_value(str(verified.claims.get("csrf") or ""), csrf):
        raise CSRFError("CSRF double submit does not match")
    if requirement.scopes is None and not declared:
        return
    try:
        if requirement.scopes is not None:
            check_scopes(verified.claims, requirement.scopes, requirement.all_scopes)
        check_scopes(verified.claims, declared, all_required=True)
    except InsufficientScopeError as error:
        _explain_letters(error, declared)
        raise


async def is_blocked(runtime: Runtime, token: bytes, **more: Any) -> bool:
    """Ask the application whether a verified token is revoked, in every spelling that it has."""
    blocklist = runtime.hooks.blocklist
    if blocklist is not None:
        for text in jws.spellings(token, runtime.verifier.ring):
            if await blocklist(text.decode("ascii"), **more):
                return True
    return False


async def find_subject(runtime: Runtime, sub: str) -> Any:
    """Ask the application for a token's subject; `None` where it answers `None` or `False`: no such user."""
    getter = runtime.hooks.subject_getter
    if getter is None:
        raise AttributeError("Model callback not set: register one with set_subject_getter")
    subject = await getter(sub)
    return None if subject is False else subject


async def emit_csrf_failure(runtime: Runtime, error: AuthXException, connection: HTTPConnection) -> None:
    """Emit an event for a request that another site's page may have made."""
    if not isinstance(error, CSRFError | MissingCSRFTokenError):
        return
    # Only who needs events pays for importing them.
    from authx.http.requester import requester_of
    from authx.sessions.events import SecurityEvent

    requester = requester_of(connection)
    at = datetime.fromtimestamp(runtime.clock(), UTC)
    await runtime.events().emit(
        SecurityEvent(event="csrf_failed", at=at, ip_address=requester.ip, user_agent=requester.user_agent)
    )


def attach_evidence(
    runtime: Runtime,
    error: AuthXException,
    connection: HTTPConnection | None,
    kind: TokenType,
    *,
    ends_cookies: bool = True,
) -> None:
    """Note on an error where it came from, and see to it that it will be answered."""
    if error.evidence is None:
        error.evidence = Evidence(runtime.source, kind, _has_refresh_cookie(runtime, connection), ends_cookies)
    if error.login_type is None and not isinstance(error, MissingTokenError):
        error.login_type = runtime.login_type
    if connection is not None:
        install_handler(connection)


def _has_refresh_cookie(runtime: Runtime, connection: HTTPConnection | None) -> bool:
    if connection is None or not runtime.uses_cookies:
        return False
    names = (runtime.config.JWT_REFRESH_COOKIE_NAME, runtime.config.JWT_REFRESH_CSRF_COOKIE_NAME)
    try:
        return any(read_cookie(connection.scope, name.encode("latin-1")) for name in names)
    except InvalidRequestError:
        return True


def _missing(kind: TokenType, places: Sequence[Location]) -> MissingTokenError:
    return MissingTokenError(*[f"Missing {kind} token: {place.label}" for place in places])


def _explain_letters(error: InsufficientScopeError, scopes: Sequence[str]) -> None:
    """Say what is wrong with `Security(..., scopes="posts:read")`, which FastAPI takes apart into letters."""
    if any(scope in _SEPARATORS for scope in scopes):
        raise BadConfigurationError(
            f"A route requires the scopes {', '.join(map(repr, scopes))}: scopes= of Security(...) was a str, which "
            'FastAPI splits into letters. Write a list: scopes=["posts:read"].'
        )
    if len(scopes) > 1 and all(len(scope) == 1 for scope in scopes):
        error.args = (f"{error}. If the route declares scopes= as a str, write a list: FastAPI splits a str.",)
