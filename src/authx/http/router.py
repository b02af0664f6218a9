"""The ready-made router: login, refresh, logout, and the caller's sessions."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple, TypeAlias

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from authx.exceptions import (
    AuthXException,
    InvalidCredentialsError,
    InvalidRequestError,
    SessionNotFoundError,
)
from authx.http.authenticate import attach_evidence
from authx.http.body import read_body
from authx.http.browser_client import answer_with_client
from authx.http.cookies import unset_all_cookies
from authx.http.headers import is_json
from authx.http.hooks import Callback
from authx.jose.json_object import load_object
from authx.schema import ErrorBody, SessionInfo, SessionTokens, TokenPayload
from authx.token import to_subject
from authx.types import UID

if TYPE_CHECKING:
    from authx.main import AuthX

__all__ = ["Authenticate", "Message", "make_router"]

# `False` is as good as `None`; `True` names nobody.
_Answer: TypeAlias = UID | Literal[False] | None
Authenticate: TypeAlias = Callable[[str, str], _Answer | Awaitable[_Answer]]

_PATHS: Final[dict[str, str]] = {
    "login": "/login",
    "refresh": "/refresh",
    "logout": "/logout",
    "logout_all": "/logout/all",
    "sessions": "/sessions",
    "session": "/sessions/{session_id}",
    "client": "/client.js",
}
_MAX_BODY_BYTES: Final = 16_384
_LOGIN_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["username", "password"],
                    "properties": {
                        "username": {"type": "string", "title": "Username"},
                        "password": {"type": "string", "title": "Password", "format": "password"},
                    },
                }
            }
        },
    }
}
_DESCRIPTIONS: Final[dict[int, str]] = {
    400: "The request is broken",
    401: "Not logged in, or not any more",
    403: "The CSRF value is missing or wrong, or the request comes from a page of another origin",
    404: "The caller has no such session",
    503: "The session store does not answer; try again",
}


class Message(BaseModel):
    """An answer for people.

    Attributes:
        message: What happened.
    """

    message: str


class _Credentials(NamedTuple):
    username: str
    password: str

    def __repr__(self) -> str:
        return f"_Credentials(username={self.username!r})"


def make_router(
    auth: "AuthX[Any]",
    authenticate: Authenticate,
    *,
    prefix: str = "",
    tags: Sequence[str] = ("auth",),
    dependencies: Sequence[Any] = (),
    paths: Mapping[str, str] | None = None,
) -> APIRouter:
    """Make the router; see `AuthX.router`."""
    unknown = set(paths or ()) - set(_PATHS)
    if unknown:
        raise ValueError(f"paths names {', '.join(sorted(unknown))}; there are {', '.join(_PATHS)}")
    routes = _Routes(auth, authenticate)
    router = APIRouter(prefix=prefix, tags=list(tags), dependencies=list(dependencies))
    routes.add_to(router, {**_PATHS, **(paths or {})})
    return router


class _Routes:
    """The routes of one instance."""

    def __init__(self, auth: "AuthX[Any]", authenticate: Authenticate) -> None:
        self._auth = auth
        self._authenticate = Callback(authenticate, for_strangers=True)

    def add_to(self, router: APIRouter, paths: Mapping[str, str]) -> None:
        """Add the routes to a router."""
        caller = Depends(self._auth.access_token_required)
        auth = self._auth
        runtime = auth._runtime
        checks_origin = runtime.uses_cookies and runtime.origins.configured

        @router.post(
            paths["login"],
            response_model=SessionTokens,
            responses=_answers(400, 401, *(403,) * checks_origin, 503),
            openapi_extra=_LOGIN_BODY,
            summary="Log in",
        )
        async def login(request: Request, response: Response) -> SessionTokens:
            return await self._login(request, response)

        @router.post(
            paths["refresh"],
            response_model=SessionTokens,
            responses=_answers(400, 401, 403, 503),
            summary="Exchange the refresh token",
        )
        async def refresh(request: Request, response: Response) -> SessionTokens:
            return await auth.refresh(request, response)

        @router.post(paths["logout"], responses=_answers(400, 403, 503), summary="End this session")
        async def logout(request: Request, response: Response) -> Message:
            _no_store(response)
            await auth.logout(request, response)
            return Message(message="Logged out")

        @router.post(paths["logout_all"], responses=_answers(400, 401, 403, 503), summary="End all sessions")
        async def logout_all(
            request: Request,
            response: Response,
            payload: Annotated[TokenPayload, caller],
            keep_current: Annotated[bool, Query(description="Whether this session lives on")] = False,
        ) -> Message:
            _no_store(response)
            if keep_current and payload.sid is None:
                raise self._with_evidence(
                    InvalidRequestError(
                        "keep_current needs an access token that belongs to a session, and this one does not. Sign in "
                        "again, or leave keep_current out to sign out everywhere."
                    ),
                    request,
                )
            await auth.revoke_all_sessions(payload.sub, payload.sid if keep_current else None)
            if keep_current:
                return Message(message="Logged out everywhere else")
            unset_all_cookies(auth._runtime, response, request.scope)
            return Message(message="Logged out everywhere")

        @router.get(paths["sessions"], responses=_answers(400, 401, 503), summary="The caller's sessions")
        async def sessions(response: Response, payload: Annotated[TokenPayload, caller]) -> list[SessionInfo]:
            _no_store(response)
            return [_seen_by(payload, session) for session in await auth.list_sessions(payload.sub)]

        @router.delete(
            paths["session"],
            status_code=204,
            responses=_answers(400, 401, 403, 404, 503),
            summary="End one of the caller's sessions",
        )
        async def revoke(
            request: Request,
            response: Response,
            session_id: Annotated[str, Path()],
            payload: Annotated[TokenPayload, caller],
        ) -> None:
            _no_store(response)
            await self._revoke(request, session_id, payload)

        # A file for browsers, and no part of the interface that a generated client would have.
        @router.get(paths["client"], include_in_schema=False)
        async def client(request: Request) -> Response:
            return answer_with_client(request, auth.config, paths)

    async def _login(self, request: Request, response: Response) -> SessionTokens:
        auth = self._auth
        try:
            await auth._endpoints.refuse_foreign(request)
            credentials = await _read_credentials(request)
            answer = await self._authenticate(credentials.username, credentials.password)
            # The empty name that the client sent, handed back, is no mistake of the application.
            uid = None if answer == credentials.username == "" else _user_of(answer)
            if uid is None:
                await auth._endpoints.emit_failed_login(request)
                raise InvalidCredentialsError("User name or password is wrong")
        except AuthXException as error:
            attach_evidence(self._auth._runtime, error, request, "access")
            raise
        return await auth.login(uid, request, response)

    async def _revoke(self, request: Request, session_id: str, payload: TokenPayload) -> None:
        session = await self._auth.get_session(session_id)
        # Another user's session is as unknown as one that does not exist.
        if session is None or session.uid != payload.sub or not session.is_active:
            raise self._with_evidence(SessionNotFoundError("There is no such session"), request)
        await self._auth.revoke_session(session_id)

    def _with_evidence(self, error: AuthXException, request: Request) -> AuthXException:
        attach_evidence(self._auth._runtime, error, request, "access")
        return error


def _no_store(response: Response) -> None:
    """Keep an answer about a user's sessions out of caches."""
    response.headers["Cache-Control"] = "no-store"


def _user_of(answer: object) -> str | None:
    """Read what `authenticate` answered."""
    if answer is None or answer is False:
        return None
    if answer != "":
        try:
            return to_subject(answer)
        except ValueError:
            return None
        except TypeError:
            pass
    given = "an empty str" if isinstance(answer, str) else f"a value of type {type(answer).__name__}"
    raise TypeError(
        f"authenticate returned {given}, so nobody was logged in: return the user's id (a str that is not empty, "
        "an int or a uuid.UUID), or None for wrong credentials"
    )


def _seen_by(payload: TokenPayload, session: SessionInfo) -> SessionInfo:
    session.current = session.session_id == payload.sid
    return session


def _answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": ErrorBody, "description": _DESCRIPTIONS[status]} for status in statuses}


async def _read_credentials(request: Request) -> _Credentials:
    """Read a login's body; a JSON content type keeps forms of other sites out (they cannot send it unasked)."""
    if not is_json(request.scope):
        raise InvalidRequestError("Send the credentials as JSON (Content-Type: application/json).")
    try:
        fields = load_object(await read_body(request, _MAX_BODY_BYTES))
    except (ValueError, RecursionError):
        raise InvalidRequestError("The request body is not a readable JSON object.") from None
    username, password = fields.get("username"), fields.get("password")
    if not isinstance(username, str) or not isinstance(password, str):
        raise InvalidRequestError('Send "username" and "password" in the JSON body, both as strings.')
    return _Credentials(username, password)
