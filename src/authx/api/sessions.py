"""The public methods of `AuthX` for sessions. Each hands over to the part that does the work."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from authx.api.instance import Expiry, Instance
from authx.core.ids import is_session_id, is_session_id_of, require_session_id
from authx.http.cookie_delivery import mark_private
from authx.schema import SessionInfo, SessionTokens
from authx.token import to_bytes, to_subject
from authx.tokens.issuer import LoginDetails
from authx.types import UID, SessionStoreProtocol, StringOrSequence

if TYPE_CHECKING:
    from authx.http.endpoints import Endpoints
    from authx.sessions.service import Sessions

__all__ = ["SessionMethods"]

_Listener = TypeVar("_Listener", bound=Callable[..., Any])


class SessionMethods(Instance):
    """Login, refresh, logout and revocation."""

    _foreign_store: SessionStoreProtocol | None = None

    @property
    def _endpoints(self) -> "Endpoints":
        # Only applications with a store pay for importing it.
        from authx.http.endpoints import Endpoints

        return Endpoints(self._holder.current or self._holder.get())

    @property
    def _own_sessions(self) -> "Sessions":
        return self._endpoints.sessions

    async def login(
        self,
        uid: UID,
        request: Request,
        response: Response,
        *,
        fresh: bool = True,
        data: Mapping[str, Any] | None = None,
        scopes: Sequence[str] | None = None,
        audience: StringOrSequence | None = None,
        headers: Mapping[str, Any] | None = None,
        access_expiry: Expiry = None,
        refresh_expiry: Expiry = None,
        device_info: Mapping[str, Any] | None = None,
    ) -> SessionTokens:
        """Begin a session, and end the one that the request carries.

        Sets cookies where cookies are a location.

        Args:
            uid: The subject: a `str`, `int` or `uuid.UUID` whose text has 1 to 255 characters.
            request: The request.
            response: The response that FastAPI will complete.
            fresh: Whether the user has just proved who they are; for the access token.
            data: Further claims of both tokens, kept by every refresh.
            scopes: What both tokens allow.
            audience: `aud` of both; as configured by default.
            headers: Further members of both JOSE headers.
            access_expiry: When the access token ends.
            refresh_expiry: When the refresh token ends; its length is that of every successor.
            device_info: What to note about the device: at most 2 KiB of JSON.

        Returns:
            The tokens; return them from the route.

        Raises:
            StoreUnavailableError: The store does not answer; nothing began.
            BadConfigurationError: The instance has no store, or no signing key.
            TypeError: `data` sets a reserved claim, or `uid` has a wrong type.
            ValueError: An argument cannot be part of a token or a row.
        """
        return await self._endpoints.login(
            to_subject(uid),
            request,
            response,
            LoginDetails(fresh, data, scopes, audience, headers, access_expiry, refresh_expiry, device_info),
        )

    async def refresh(self, request: Request, response: Response) -> SessionTokens:
        """Exchange a request's refresh token for a new pair (RFC 6749 section 6, RFC 9700 section 4.14.2).

        A token that was exchanged within the grace period is answered with the same successor again.

        Args:
            request: The request.
            response: The response that FastAPI will complete.

        Returns:
            The tokens; return them from the route.

        Raises:
            MissingTokenError: The request carries no refresh token.
            RefreshReusedError: It was used before; its session has been ended.
            SessionRevoked: Its session was ended.
            TokenExpiredError: It, or its session, is over.
            JWTDecodeError: Not a token of ours, or of no session.
            AccountUnavailableError: The subject getter does not find its subject any more.
            StoreUnavailableError: The store does not answer; nothing was consumed.
        """
        return await self._endpoints.refresh(request, response)

    async def logout(self, request: Request, response: Response) -> None:
        """End the sessions of all tokens in a request, and delete the cookies.

        Tokens that have expired count; a request without any token is answered all the same.

        Args:
            request: The request.
            response: The response that FastAPI will complete.

        Raises:
            CSRFError: Only cookies prove who asks, and none of their CSRF values came along.
            StoreUnavailableError: The store does not answer; cookies stay, so that it can be repeated.
        """
        await self._endpoints.logout(request, response)

    async def revoke_session(self, session_id: str) -> None:
        """End a session: its refresh token, and every access token of it.

        Args:
            session_id: The session's id, as in a payload's `sid` or a session's `session_id`.

        Raises:
            StoreUnavailableError: The store does not answer.
            TypeError: `session_id` is not a `str`.
            ValueError: `session_id` cannot be the id of a session in this store; nothing was ended. A store set with
                `set_session_store` has ids of its own, and takes any.
        """
        if self._foreign_store is not None:
            await self._foreign_store.delete(session_id)
            if not is_session_id(session_id):
                return
        sessions = self._runtime.sessions
        if sessions is not None:
            await sessions.end(require_session_id(session_id, "session_id"))

    async def revoke_all_sessions(self, uid: UID, except_session: str | None = None) -> None:
        """End everything a subject holds: sessions, and tokens of sessions that have no row yet.

        Args:
            uid: The subject: a `str`, `int` or `uuid.UUID`.
            except_session: The id of one session that lives on: "log out my other devices".

        Raises:
            StoreUnavailableError: The store does not answer.
            TypeError: An argument has a wrong type; nothing was ended.
            ValueError: `uid` cannot be a subject, or `except_session` is not a session of it; nothing was ended.
        """
        sub, kept = to_subject(uid), except_session
        if kept is not None:
            if self._foreign_store is None:
                kept = require_session_id(kept, "except_session", sub)
            elif not is_session_id_of(kept, sub):
                # An id of the other store: no session here has it.
                kept = None
        if self._foreign_store is not None:
            await self._foreign_store.delete_all_by_user(sub)
        sessions = self._runtime.sessions
        if sessions is not None:
            await sessions.end_subject(sub, kept)

    async def revoke_everyone(self) -> None:
        """End every session of everybody.

        Raises:
            BadConfigurationError: The instance has no store.
            StoreUnavailableError: The store does not answer.
        """
        await self._own_sessions.end_everyone()

    async def revoke_token(self, token: str) -> None:
        """End one access token; of a refresh token its session (RFC 7009 section 2.1).

        Args:
            token: The compact token; one that has expired has no effect.

        Raises:
            JWTDecodeError: Not a token of ours.
            BadConfigurationError: The instance has no store.
            StoreUnavailableError: The store does not answer.
        """
        from authx.tokens.presented import present

        sessions, compact = self._own_sessions, to_bytes(token)
        await sessions.end_token(present(compact, self._runtime.verifier.read(compact)))

    async def list_sessions(self, uid: UID) -> list[SessionInfo]:
        """List a subject's live sessions, newest first, at most 100.

        Args:
            uid: The subject: a `str`, `int` or `uuid.UUID`.

        Returns:
            The sessions; none where the instance has no store.

        Raises:
            StoreUnavailableError: The store does not answer.
            TypeError: `uid` has a wrong type.
            ValueError: `uid` cannot be a subject.
        """
        sub = to_subject(uid)
        mark_private()
        if self._foreign_store is not None:
            return await self._foreign_store.list_by_user(sub)
        sessions = self._runtime.sessions
        return [] if sessions is None else await sessions.list(sub)

    async def get_session(self, session_id: str) -> SessionInfo | None:
        """Find a session, also one that was ended.

        Args:
            session_id: The session's id; it may come from a client.

        Returns:
            The session; `None` if there is no such session, also where no session can have that id.

        Raises:
            StoreUnavailableError: The store does not answer.
            TypeError: `session_id` is not a `str`.
        """
        mark_private()
        if self._foreign_store is not None:
            return await self._foreign_store.get(session_id)
        if not isinstance(session_id, str):
            raise TypeError(f"session_id must be a str, not {type(session_id).__name__}")
        sessions = self._runtime.sessions
        return None if sessions is None or not is_session_id(session_id) else await sessions.get(session_id)

    async def create_session(
        self, uid: UID, request: Request | None = None, device_info: Mapping[str, Any] | None = None
    ) -> SessionInfo:
        """Write a session without tokens; tie tokens to it with `sid=`.

        Args:
            uid: The subject: a `str`, `int` or `uuid.UUID`.
            request: Where address and user agent are taken from.
            device_info: What to note about the device: at most 2 KiB of JSON.

        Returns:
            The session; where the instance has no store it is written nowhere.

        Raises:
            StoreUnavailableError: The store does not answer.
            TypeError: `uid` has a wrong type.
            ValueError: An argument cannot be part of a row.
        """
        sub = to_subject(uid)
        sessions = self._runtime.sessions
        if self._foreign_store is None and sessions is not None:
            # Only applications with a store pay for importing these.
            from authx.http.requester import requester_of
            from authx.sessions.info import device_text
            from authx.sessions.requester import NOBODY

            requester = NOBODY if request is None else requester_of(request)
            return await sessions.create(sub, requester, device_text(device_info))
        address = None if request is None or request.client is None else request.client.host
        session = SessionInfo(
            uid=sub,
            ip_address=address,
            user_agent=None if request is None else request.headers.get("user-agent"),
            device_info=None if device_info is None else dict(device_info),
        )
        if self._foreign_store is not None:
            await self._foreign_store.create(session)
        return session

    def set_session_store(self, store: SessionStoreProtocol) -> None:
        """Send the session calls to a store written for AuthX; revoking also reaches this library's own.

        Args:
            store: An object with AuthX's six methods.
        """
        self._foreign_store = store

    def on(self, event: str, callback: _Listener | None = None) -> Any:
        """Register a function to be told of security events; usable as a decorator.

        Args:
            event: The name of an event: see `authx.sessions.events.EVENTS`.
            callback: Takes a `SecurityEvent`; sync or async. What it raises is logged and breaks nothing.

        Returns:
            The callback, or a decorator.

        Raises:
            TypeError: `event` is not a `str`, or the callback cannot be called.
            ValueError: There is no such event.
        """
        from authx.sessions.events import require_event

        require_event(event)
        if callback is not None:
            self._holder.events.add(event, callback)
            return callback

        def register(listener: _Listener) -> _Listener:
            self._holder.events.add(event, listener)
            return listener

        return register

    async def open(self) -> None:
        """Open the store, outside of an application's lifespan: in a script, a worker, a test.

        Raises:
            BadConfigurationError: The instance has no store, or the store can never work as configured.
            StoreUnavailableError: The store does not answer.
        """
        await self._own_sessions.open()

    async def close(self) -> None:
        """Close the store; closing twice, or without a store, does nothing."""
        if self._runtime.sessions is not None:
            await self._runtime.sessions.close()
