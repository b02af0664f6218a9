"""The public calls of `AuthX` that concern sessions. Each hands over to the part that does the work."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from authx.core.ids import is_session_id
from authx.http.gate import Gate
from authx.issuer import LoginDetails
from authx.schema import SessionInfo, SessionTokens
from authx.token import to_bytes
from authx.types import SessionStoreProtocol, StringOrSequence

__all__ = ["SessionMethods"]

_Listener = TypeVar("_Listener", bound=Callable[..., Any])
_Expiry = datetime | timedelta | float | None


class SessionMethods:
    """Login, refresh, logout and revocation; `AuthX` is made of it."""

    _gate: Gate
    _foreign_store: SessionStoreProtocol | None = None

    async def login(
        self,
        uid: str,
        request: Request,
        response: Response,
        *,
        fresh: bool = True,
        data: Mapping[str, Any] | None = None,
        scopes: Sequence[str] | None = None,
        audience: StringOrSequence | None = None,
        headers: Mapping[str, Any] | None = None,
        access_expiry: _Expiry = None,
        refresh_expiry: _Expiry = None,
        device_info: Mapping[str, Any] | None = None,
    ) -> SessionTokens:
        """Begin a session, and end the one that the request carries.

        Sets cookies where cookies are a location.

        Args:
            uid: The subject: 1 to 255 characters.
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
            TypeError: `data` sets a reserved claim.
            ValueError: An argument cannot stand in a token or a row.
        """
        return await self._gate.session_calls.login(
            uid,
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
        return await self._gate.session_calls.refresh(request, response)

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
        await self._gate.session_calls.logout(request, response)

    async def revoke_session(self, session_id: str) -> None:
        """End a session: its refresh token, and every access token of it.

        Args:
            session_id: The session's id, as in a payload's `sid`.

        Raises:
            StoreUnavailableError: The store does not answer.
        """
        if self._foreign_store is not None:
            await self._foreign_store.delete(session_id)
        if self._gate.engine is not None and is_session_id(session_id):
            await self._gate.session_calls.admin.revoke_session(session_id)

    async def revoke_all_sessions(self, uid: str, except_session: str | None = None) -> None:
        """End everything a subject holds: sessions, and tokens of sessions that have no row yet.

        Args:
            uid: The subject.
            except_session: The id of one session that lives on: "log out my other devices".

        Raises:
            StoreUnavailableError: The store does not answer.
        """
        if self._foreign_store is not None:
            await self._foreign_store.delete_all_by_user(uid)
        if self._gate.engine is not None:
            await self._gate.session_calls.admin.revoke_subject(uid, except_session)

    async def revoke_everyone(self) -> None:
        """End every session of everybody.

        Raises:
            BadConfigurationError: The instance has no store.
            StoreUnavailableError: The store does not answer.
        """
        await self._gate.session_calls.admin.revoke_everyone()

    async def revoke_token(self, token: str) -> None:
        """End one access token; of a refresh token its session (RFC 7009 section 2.1).

        Args:
            token: The compact token; one that has expired has no effect.

        Raises:
            JWTDecodeError: Not a token of ours.
            BadConfigurationError: The instance has no store.
            StoreUnavailableError: The store does not answer.
        """
        await self._gate.session_calls.admin.revoke_token(to_bytes(token), self._gate.wiring.verifier)

    async def list_sessions(self, uid: str) -> list[SessionInfo]:
        """List a subject's live sessions, newest first, at most 100.

        Args:
            uid: The subject.

        Returns:
            The sessions; none where the instance has no store.

        Raises:
            StoreUnavailableError: The store does not answer.
        """
        if self._foreign_store is not None:
            return await self._foreign_store.list_by_user(uid)
        return [] if self._gate.engine is None else await self._gate.session_calls.admin.list(uid)

    async def get_session(self, session_id: str) -> SessionInfo | None:
        """Find a session, also one that was ended.

        Args:
            session_id: The session's id.

        Returns:
            The session; `None` if there is no row of it.

        Raises:
            StoreUnavailableError: The store does not answer.
        """
        if self._foreign_store is not None:
            return await self._foreign_store.get(session_id)
        if self._gate.engine is None or not is_session_id(session_id):
            return None
        return await self._gate.session_calls.admin.get(session_id)

    async def create_session(
        self, uid: str, request: Request | None = None, device_info: Mapping[str, Any] | None = None
    ) -> SessionInfo:
        """Write a session without tokens; tie tokens to it with `sid=`.

        Args:
            uid: The subject.
            request: Where address and user agent are taken from.
            device_info: What to note about the device: at most 2 KiB of JSON.

        Returns:
            The session; where the instance has no store it is written nowhere.

        Raises:
            StoreUnavailableError: The store does not answer.
            ValueError: An argument cannot stand in a row.
        """
        if self._foreign_store is None and self._gate.engine is not None:
            return await self._gate.session_calls.create(uid, request, device_info)
        address = None if request is None or request.client is None else request.client.host
        session = SessionInfo(
            uid=uid,
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
            ValueError: There is no such event.
        """
        if callback is not None:
            self._gate.events.add(event, callback)
            return callback

        def register(listener: _Listener) -> _Listener:
            self._gate.events.add(event, listener)
            return listener

        return register

    async def open(self) -> None:
        """Open the store, outside of an application's lifespan: in a script, a worker, a test.

        Raises:
            BadConfigurationError: The instance has no store, or the store can never work as configured.
            StoreUnavailableError: The store does not answer.
        """
        await self._gate.session_calls.engine()

    async def close(self) -> None:
        """Close the store; closing twice, or without a store, does nothing."""
        if self._gate.engine is not None:
            await self._gate.engine.stop()
