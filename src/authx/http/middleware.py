"""Errors that are raised outside of routes: in an application's own middleware."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketState

from authx.exceptions import AuthXException
from authx.http.cookie_delivery import CredentialsMiddleware, has_started
from authx.http.hooks import Callback

__all__ = ["ErrorMiddleware", "surround_middleware"]


class ErrorMiddleware:
    """Answers this library's errors of the middleware below, as routes' errors are answered.

    One goes around each middleware of an application, so that the answer passes those further out: without the
    headers of `CORSMiddleware`, a page of another origin could not read it.
    """

    def __init__(self, app: ASGIApp, handlers: Mapping[Any, Callable[..., Any]]) -> None:
        self.app = app
        self._handlers: Final = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "websocket":
            await self._serve_socket(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        except AuthXException as error:
            if scope["type"] != "http" or has_started():
                raise
            response = await self._answer(Request(scope, receive, send), error)
            await response(scope, receive, send)

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = WebSocketState.CONNECTING

        async def watch(message: Message) -> None:
            nonlocal state
            if message["type"] == "websocket.accept":
                state = WebSocketState.CONNECTED
            elif message["type"] in ("websocket.close", "websocket.http.response.start"):
                state = WebSocketState.DISCONNECTED
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except AuthXException as error:
            socket = WebSocket(scope, receive, send)
            socket.application_state = state
            await self._answer(socket, error)

    async def _answer(self, connection: HTTPConnection, error: AuthXException) -> Any:
        """Ask the application's own handler for the error's class or a parent of it, else this library's."""
        handler = next((self._handlers[kind] for kind in type(error).__mro__ if kind in self._handlers), None)
        if handler is None:
            raise error
        return await Callback(handler)(connection, error)


def surround_middleware(app: FastAPI) -> None:
    """Put this library's layers around an application's middleware, whenever that is added."""
    if app.middleware_stack is not None:
        _join_running(app)
        return
    build = app.build_middleware_stack
    if getattr(build, "authx_surrounds", False):
        return

    def surrounded() -> ASGIApp:
        own = app.user_middleware
        layers = [Middleware(CredentialsMiddleware)]
        for entry in own:
            layers += [Middleware(ErrorMiddleware, handlers=app.exception_handlers), entry]
        app.user_middleware = layers
        try:
            return build()
        finally:
            app.user_middleware = own

    surrounded.authx_surrounds = True  # type: ignore[attr-defined]
    app.build_middleware_stack = surrounded  # type: ignore[method-assign]


def _join_running(app: FastAPI) -> None:
    """Take the places in an application that has started already: the outermost layer answers 500 and stays so."""
    layer: Any = app.middleware_stack
    if hasattr(layer, "app") and not isinstance(layer.app, CredentialsMiddleware):
        layer.app = CredentialsMiddleware(layer.app)
        layer = layer.app
        while hasattr(layer, "app") and not isinstance(layer.app, ExceptionMiddleware):
            layer.app = ErrorMiddleware(layer.app, app.exception_handlers)
            layer = layer.app.app
    layer = app.middleware_stack
    while layer is not None:
        if isinstance(layer, ExceptionMiddleware):
            layer.add_exception_handler(AuthXException, app.exception_handlers[AuthXException])
        layer = getattr(layer, "app", None)
