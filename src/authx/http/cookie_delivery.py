"""Cookies on their way to the client: written to the response at hand, and never lost after that.

FastAPI drops the headers of the injected `response` when a route returns a response of its own or
raises. So each cookie is also put into a jar that belongs to the request, and the middleware pours into
the answer what it does not already have.
"""

from collections.abc import Awaitable, Iterable
from contextvars import ContextVar
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CredentialsMiddleware", "current_scope", "has_started", "mark_private", "send_cookies"]

_KEY: Final = "authx.jar"
_STARTED: Final = "authx.started"
_COOKIE: Final = b"set-cookie"
_NO_STORE: Final = (b"cache-control", b"no-store")
_FIRST_ERROR_STATUS: Final = 400


class _Jar:
    """What one request's answer has to carry; made when there is something.

    Attributes:
        cookies: `Set-Cookie` lines by what they name, and whether an error's answer carries them too.
    """

    __slots__ = ("cookies",)

    def __init__(self) -> None:
        self.cookies: dict[bytes, tuple[bytes, bool]] = {}

    def pour(self, message: Message) -> None:
        """Complete the start of an answer."""
        failed = message["status"] >= _FIRST_ERROR_STATUS
        headers = []
        for header in message.get("headers", ()):
            name = header[0].lower()
            if name != b"cache-control" and not (name == _COOKIE and _identity(header[1]) in self.cookies):
                headers.append(header)
        for line, on_error in self.cookies.values():
            if on_error or not failed:
                headers.append((_COOKIE, line))
        headers.append(_NO_STORE)
        message["headers"] = headers


# The ASGI scope of the request being answered; its jar is in it under `_KEY`.
_current: ContextVar[Scope | None] = ContextVar("authx_scope", default=None)


class CredentialsMiddleware:
    """Brings cookies that were set or cleared during a request to its answer, whatever the route returned."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or _KEY in scope:
            await self.app(scope, receive, send)
            return
        scope[_KEY] = None

        def pour(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                scope[_STARTED] = True
                jar: _Jar | None = scope[_KEY]
                if jar is not None:
                    jar.pour(message)
            return send(message)

        token = _current.set(scope)
        try:
            await self.app(scope, receive, pour)
        finally:
            _current.reset(token)


def current_scope() -> Scope | None:
    """Find the ASGI scope of the request being answered."""
    return _current.get()


def has_started() -> bool:
    """Return whether the answer to the request at hand has begun, so that no other one can be sent."""
    scope = _current.get()
    return scope is not None and _STARTED in scope


def _jar() -> _Jar | None:
    scope = _current.get()
    if scope is None:
        return None
    jar: _Jar | None = scope[_KEY]
    if jar is None:
        jar = scope[_KEY] = _Jar()
    return jar


def mark_private() -> None:
    """Note that the answer may show a token or a user's sessions, so that no cache keeps it (RFC 6749 section 5.1)."""
    _jar()


def send_cookies(response: Response, lines: Iterable[bytes], *, on_error: bool) -> None:
    """Write `Set-Cookie` lines to a response, and to the answer if that is another one."""
    jar = _jar()
    written: dict[bytes, tuple[bytes, bool]] = {}
    for line in lines:
        written[_identity(line)] = (line, on_error)
    # A later cookie takes the place of an earlier one of its name (RFC 6265 section 4.1.1).
    headers = response.raw_headers
    for index in range(len(headers) - 1, -1, -1):
        name, value = headers[index]
        if name.lower() == _COOKIE and _identity(value) in written:
            del headers[index]
    for line, _ in written.values():
        headers.append((_COOKIE, line))
    if jar is not None:
        jar.cookies.update(written)
    response.headers["Cache-Control"] = "no-store"


def _identity(line: bytes) -> bytes:
    """Name what a later line replaces: the cookie's name, path and domain."""
    identity = line.partition(b"=")[0]
    for part in line.split(b"; ")[1:]:
        if part.startswith((b"Path=", b"Domain=")):
            identity += b"; " + part
    return identity
