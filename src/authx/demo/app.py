"""The demo's routes: log in, refresh, be let in, log out; tokens in the header or in cookies."""

import secrets
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, StringConstraints

from authx import AuthX, AuthXConfig, TokenPayload, __version__
from authx.demo.curl import ADDRESS
from authx.demo.logouts import Logouts
from authx.demo.page import front_page
from authx.demo.users import Users
from authx.exceptions import (
    CSRFError,
    InvalidCredentialsError,
    JWTDecodeError,
    MissingCSRFTokenError,
    MissingTokenError,
    TokenTypeError,
)

__all__ = ["create_app"]

_UNPROCESSABLE: Final = 422
_SECURITY_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


class LoginRequest(BaseModel):
    """What login takes."""

    username: Annotated[str, StringConstraints(max_length=255)]
    password: Annotated[str, StringConstraints(max_length=1024)]


class LoginAnswer(BaseModel):
    """What login answers."""

    access_token: str
    refresh_token: str


class RefreshAnswer(BaseModel):
    """What refresh answers."""

    access_token: str


class Message(BaseModel):
    """A text for people."""

    message: str


def demo_config() -> AuthXConfig:
    """Read the demo's settings: both locations, the rest from the environment, and a secret in any case.

    Returns:
        The settings.

    Raises:
        pydantic.ValidationError: A setting in the environment is of a wrong type.
        BadConfigurationError: The settings contradict each other, or no key can sign.
    """
    config = AuthXConfig(JWT_TOKEN_LOCATION=["headers", "cookies"], JWT_COOKIE_SECURE="auto")
    if config.is_algo_symmetric and not config.JWT_SECRET_KEY:
        config.JWT_SECRET_KEY = secrets.token_urlsafe(48)
    _ = config.private_key  # a demo that cannot sign should not start
    return config


def create_app(
    config: AuthXConfig | None = None, *, address: str = ADDRESS, clock: Callable[[], float] = time.time
) -> FastAPI:
    """Make the demo application.

    Args:
        config: Its settings; see `demo_config` for those by default.
        address: Where it is served, for its front page.
        clock: Seconds since 1970.

    Returns:
        The application.

    Raises:
        pydantic.ValidationError: A setting in the environment is of a wrong type.
        BadConfigurationError: The settings cannot work.
    """
    config = config or demo_config()
    page = front_page(address)
    app = FastAPI(title="authx demo", version=__version__)
    auth: AuthX[str] = AuthX(config, clock=clock)
    auth.handle_errors(app)
    app.add_exception_handler(RequestValidationError, _refuse_body)
    users = Users({"test": "test"})
    logouts = Logouts(_longest_life(config), clock)
    auth.set_token_blocklist(logouts.__contains__, inline=True)

    @app.get("/", include_in_schema=False)
    async def index() -> HTMLResponse:
        return HTMLResponse(page, headers=_SECURITY_HEADERS)

    @app.post("/login")
    def login(data: LoginRequest, response: Response) -> LoginAnswer:
        """Give an access and a refresh token for name and password, as body and as cookies."""
        if not users.accept(data.username, data.password):
            raise InvalidCredentialsError("Invalid credentials")
        pair = auth.create_token_pair(uid=data.username, fresh=True)
        auth.set_access_cookies(pair.access_token, response)
        auth.set_refresh_cookies(pair.refresh_token, response)
        return LoginAnswer(access_token=pair.access_token, refresh_token=pair.refresh_token)

    @app.post("/refresh")
    async def refresh(response: Response, payload: TokenPayload = auth.REFRESH_REQUIRED) -> RefreshAnswer:
        """Give a new access token for a refresh token."""
        access_token = auth.create_access_token(uid=payload.sub, sid=payload.sid)
        auth.set_access_cookies(access_token, response)
        return RefreshAnswer(access_token=access_token)

    @app.get("/protected", dependencies=[auth.ACCESS_REQUIRED])
    async def protected() -> Message:
        """Let in whoever has an access token."""
        return Message(message="You have access")

    @app.post("/logout")
    async def logout(request: Request, response: Response) -> Message:
        """End the session of the tokens that came along, and delete the cookies. No token is no error."""
        for session in await _proven_sessions(auth, request):
            logouts.end(session)
        auth.unset_cookies(response)
        return Message(message="Logged out")

    return app


async def _refuse_body(request: Request, error: Exception) -> Response:  # noqa: ARG001 - the signature is Starlette's
    """Say what is wrong with a body without repeating it: it may hold a password, or text that no answer can."""
    if not isinstance(error, RequestValidationError):
        raise error
    detail = [{name: mistake[name] for name in ("type", "loc", "msg")} for mistake in error.errors()]
    return JSONResponse({"detail": detail}, _UNPROCESSABLE)


def _longest_life(config: AuthXConfig) -> timedelta | None:
    access, refresh = config.JWT_ACCESS_TOKEN_EXPIRES, config.JWT_REFRESH_TOKEN_EXPIRES
    return None if access is None or refresh is None else max(access, refresh)


async def _proven_sessions(auth: AuthX[str], request: Request) -> set[str]:
    """Collect the sessions of a request's good tokens; one that is no longer good has nothing to end.

    Raises:
        CSRFError: There are cookies, and the CSRF value fits none of them.
        MissingCSRFTokenError: There are cookies, and no CSRF value.
        InvalidRequestError: There are two tokens where one is expected.
    """
    sessions: set[str] = set()
    refused: CSRFError | MissingCSRFTokenError | None = None
    for find in (auth.get_access_token_from_request, auth.get_refresh_token_from_request):
        try:
            token = await find(request)
            # A header carries either type.
            payload = auth.verify_token(token, verify_type=token.location == "cookies")
        except (CSRFError, MissingCSRFTokenError) as error:
            refused = error
        except (JWTDecodeError, MissingTokenError, TokenTypeError):
            continue
        else:
            if payload.sid is not None:
                sessions.add(payload.sid)
    if refused is not None and not sessions:
        raise refused
    return sessions
