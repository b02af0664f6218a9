"""Every error's answer, from one handler on the root class."""

import logging
import re
import time
from collections.abc import MutableMapping
from typing import Any, Final

import orjson
from fastapi import FastAPI
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Scope
from starlette.websockets import WebSocket, WebSocketState

from authx.exceptions import (
    AuthXException,
    InsufficientScopeError,
    JWTDecodeError,
    LoginTypeMismatchError,
    MissingCSRFTokenError,
    MissingTokenError,
    RateLimitExceeded,
    StoreUnavailableError,
    TokensTooLargeError,
)
from authx.http.cookie_delivery import send_cookies
from authx.http.middleware import surround_middleware
from authx.http.openapi import describe_errors

__all__ = ["ErrorAnswers", "install_handler"]

_SCOPE_TOKEN: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_logger = logging.getLogger("authx")
# Seconds after which the same text is worth another line in the log.
_NOTE_AGAIN: Final = 10.0
_UNAUTHORIZED: Final = 401
_POLICY_VIOLATION: Final = 1008


def install_handler(connection: HTTPConnection) -> None:
    """See to it that this application answers errors, also if nobody called `handle_errors`.

    Called when the first error is about to be raised, never on success. A handler of the application's
    own, for the root class or a child, goes first.
    """
    handlers = connection.scope.get("starlette.exception_handlers")
    if handlers is not None:
        handlers[0].setdefault(AuthXException, _answer_of_source)


async def _answer_of_source(connection: HTTPConnection, error: Exception) -> Response | None:
    """Answer with the messages and settings of the instance that raised the error."""
    return await ErrorAnswers().answer(connection, error)


class ErrorAnswers:
    """Messages and answers; `AuthX` and `AuthManager` are made of it.

    The attributes `MSG_<class name>` replace the message of that class, for all instances or for one.
    Where one is `None` the exception's own text is used, or its `client_message` where that says too much.
    """

    MSG_TokenError: str | None = "Token Error"
    MSG_MissingTokenError: str | None = "Missing JWT in request"
    MSG_MissingCSRFTokenError: str | None = None
    MSG_TokenTypeError: str | None = "Bad token type"
    MSG_RevokedTokenError: str | None = "Invalid token"
    MSG_TokenRequiredError: str | None = "Token required"
    MSG_FreshTokenRequiredError: str | None = "Fresh token required"
    MSG_AccessTokenRequiredError: str | None = "Access token required"
    MSG_RefreshTokenRequiredError: str | None = "Refresh token required"
    MSG_CSRFError: str | None = "CSRF double submit does not match"
    MSG_JWTDecodeError: str | None = "Invalid Token"
    MSG_InsufficientScopeError: str | None = None
    MSG_LoginTypeMismatchError: str | None = None
    MSG_PolicyDeniedError: str | None = None
    MSG_PolicyEvaluationError: str | None = "Policy evaluation failed"
    MSG_SessionRevoked: str | None = "Session has been revoked"
    MSG_StoreUnavailableError: str | None = None

    def handle_errors(self, app: FastAPI) -> None:
        """Answer this library's errors in an application, bring its cookies through, describe both.

        Registers one exception handler on the root class, unless the application has its own, for routes
        and for the application's middleware; adds a layer that carries cookies to the answer whatever a route
        returns; and adds the errors of protected routes to the application's OpenAPI document.

        Args:
            app: The application. May be called again, and by several instances.
        """
        handlers: MutableMapping[Any, Any] = app.exception_handlers
        handlers.setdefault(AuthXException, self.answer)
        surround_middleware(app)
        describe_errors(app)

    def ensure_request_exception_handlers(self, request: Request) -> None:
        """Answer this library's errors in the application that serves a request.

        Args:
            request: The request.
        """
        handlers = request.scope.get("starlette.exception_handlers")
        if handlers is not None:
            handlers[0].setdefault(AuthXException, self.answer)

    async def answer(self, connection: HTTPConnection, error: Exception) -> Response | None:
        """Answer an error: the exception handler.

        Args:
            connection: The request or WebSocket.
            error: The error.

        Returns:
            The answer; `None` if the connection was a WebSocket that has been closed instead.

        Raises:
            AuthXException: The error itself, if it is not for clients.
        """
        if not isinstance(error, AuthXException) or error.status is None:
            raise error
        if isinstance(error, StoreUnavailableError):
            _outage_log.note(error)
        source = error.evidence.source if error.evidence is not None else self
        responder = source if isinstance(source, ErrorAnswers) else self
        response = responder._respond(connection.scope, error)
        if not isinstance(connection, WebSocket):
            return response
        if connection.application_state is WebSocketState.DISCONNECTED:
            return None
        if connection.application_state is not WebSocketState.CONNECTING:
            await connection.close(_POLICY_VIOLATION, error.code)
            return None
        if "websocket.http.response" not in connection.scope.get("extensions", {}):
            await connection.close(_POLICY_VIOLATION, error.code)
            return None
        # Older versions of Starlette drop what a handler returns for a WebSocket.
        await connection.send_denial_response(response)
        return None

    def _respond(self, scope: Scope, error: AuthXException) -> Response:  # noqa: ARG002 - for those with cookies
        return respond(error, self.message(error), realm="authx")

    def message(self, error: AuthXException) -> str:
        """Choose the message for people.

        Args:
            error: The error.

        Returns:
            The message.
        """
        kind = type(error)
        if kind is MissingTokenError:
            return self.MSG_TokenError or str(error)
        own = getattr(self, f"MSG_{kind.__name__}", None)
        if own is not None:
            return str(own)
        if kind.__module__ != AuthXException.__module__:
            # A child that the application made: the message of the class it refines.
            for parent in kind.__mro__[1:]:
                text = getattr(self, f"MSG_{parent.__name__}", None)
                if text is not None and parent is not JWTDecodeError:
                    return str(text)
        return error.client_message or str(error) or (kind.__doc__ or kind.__name__).partition("\n")[0]


class _OutageLog:
    """Says in the log what clients are not told of a store that fails: once in a while, not at each request."""

    def __init__(self) -> None:
        self._noted: tuple[str, float] | None = None

    def note(self, error: StoreUnavailableError) -> None:
        text, now = str(error), time.monotonic()
        if self._noted is None or self._noted[0] != text or now - self._noted[1] >= _NOTE_AGAIN:
            self._noted = text, now
            _logger.warning("a request was answered with 503, the session store is not available: %s", text)


_outage_log: Final = _OutageLog()


def respond(
    error: AuthXException,
    message: str,
    *,
    realm: str,
    message_key: str = "message",
    as_authx: bool = False,
    token_error: str | None = None,
    deletions: list[bytes] | None = None,
) -> Response:
    """Write the answer to an error."""
    refused_refresh = error.evidence is not None and error.evidence.required == "refresh"
    error_type = type(error).__name__
    status = error.status or 500
    as_authx = as_authx and error.authx_status is not None
    if as_authx:
        status = error.authx_status or status
        if isinstance(error, MissingCSRFTokenError) and error.evidence is not None:
            error_type, message = MissingTokenError.__name__, token_error or message
    text = message.encode("utf-8", "replace").decode()
    body: dict[str, Any] = {message_key: text, "error_type": error_type}
    if not as_authx:
        body["code"] = (refused_refresh and error.refresh_code) or error.code
        body["action"] = _action(error, refused_refresh=refused_refresh)
    body.update(_details(error))
    headers = {"Cache-Control": "no-store"}
    challenge = _challenge(error, realm, refused_refresh=refused_refresh)
    if challenge is not None:
        headers["WWW-Authenticate"] = challenge
    if isinstance(error, RateLimitExceeded | StoreUnavailableError | TokensTooLargeError):
        headers["Retry-After"] = str(error.retry_after)
    response = Response(orjson.dumps(body), status, headers, media_type="application/json")
    if deletions:
        # They take the place of whatever the request has set before it failed.
        send_cookies(response, deletions, on_error=True)
    return response


def _action(error: AuthXException, *, refused_refresh: bool) -> str:
    if refused_refresh and error.action == "refresh":
        return "login"
    if type(error) is MissingTokenError and not refused_refresh and error.evidence is not None:
        return "refresh" if error.evidence.refresh_cookie else "login"
    return error.action


def _details(error: AuthXException) -> dict[str, Any]:
    if isinstance(error, LoginTypeMismatchError):
        return {"expected_type": error.expected_type, "actual_type": error.actual_type}
    return {"retry_after": error.retry_after} if isinstance(error, RateLimitExceeded) else {}


def _challenge(error: AuthXException, realm: str, *, refused_refresh: bool) -> str | None:
    """Write the challenge of RFC 6750 section 3; its texts are constants, no input is echoed."""
    code = error.challenge
    if code is None and error.status != _UNAUTHORIZED:
        return None
    parts = [f'Bearer realm="{realm}"']
    if code is None and refused_refresh and isinstance(error, MissingTokenError):
        code = "invalid_token"
    if code is not None:
        parts.append(f'error="{code}"')
    description = error.description
    if description is not None:
        described = description.replace("access", "refresh") if refused_refresh else description
        parts.append(f'error_description="{described}"')
    if isinstance(error, InsufficientScopeError):
        scope = " ".join(scope for scope in error.required if _SCOPE_TOKEN.fullmatch(scope))
        if scope:
            parts.append(f'scope="{scope}"')
    return ", ".join(parts)
