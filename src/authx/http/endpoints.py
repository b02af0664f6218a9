"""Login, refresh and logout on a session store, for one request: what the public calls and the router do."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, NamedTuple

from anyio import move_on_after
from starlette.requests import Request
from starlette.responses import Response

from authx.core.csrf import same_value
from authx.core.ids import session_created_at
from authx.core.rotation import PresentedToken, Verdict
from authx.core.session import Session
from authx.exceptions import (
    AccountUnavailableError,
    AuthXException,
    BadConfigurationError,
    CSRFError,
    CSRFOriginError,
    InvalidRequestError,
    JWTDecodeError,
    MissingCSRFTokenError,
    TokensTooLargeError,
)
from authx.http.authenticate import attach_evidence, authenticate, emit_csrf_failure, find_subject
from authx.http.cookie_delivery import mark_private, send_cookies
from authx.http.cookies import cookie_lines, refuse_foreign, unset_all_cookies
from authx.http.locations import Found
from authx.http.request_state import state_of
from authx.http.requester import requester_of
from authx.http.requirement import Requirement
from authx.http.runtime import Runtime
from authx.jose.json_object import JSONObject
from authx.schema import SessionTokens, TokenPayload
from authx.sessions.info import device_text
from authx.sessions.requester import Requester
from authx.sessions.service import Sessions
from authx.tokens.issuer import Issued, LoginDetails, TokenRequest
from authx.tokens.presented import check_claims, present, renewed_access_token, successor
from authx.types import TOKEN_TYPES, TokenType

__all__ = ["Endpoints"]

_REFRESH: Final = Requirement(kind="refresh")
_logger: Final = logging.getLogger("authx")
# How long a login that failed may take to end what it has begun.
_UNDO_SECONDS: Final = 2.0


class _Carried(NamedTuple):
    """A token of ours that a request carries, whatever its age; its signature is good."""

    found: Found
    claims: JSONObject

    def __repr__(self) -> str:
        return f"_Carried(found={self.found!r})"


class _Answer(NamedTuple):
    """What a login or a refresh gives to the client, complete: the body, and `Set-Cookie` lines."""

    tokens: SessionTokens
    cookies: Sequence[bytes]

    def __repr__(self) -> str:
        return f"_Answer(tokens={self.tokens!r})"


class Endpoints:
    """What one instance does with a request that logs in, refreshes or logs out."""

    def __init__(self, runtime: Runtime) -> None:
        if runtime.sessions is None:
            raise BadConfigurationError(
                "this call needs a session store: AuthX(config, store='sqlite:///auth.db'), or set JWT_STORE_URL"
            )
        self._runtime: Final = runtime
        self.sessions: Final[Sessions] = runtime.sessions

    # Login

    async def login(self, uid: str, request: Request, response: Response, details: LoginDetails) -> SessionTokens:
        """Begin a session; see `AuthX.login`."""
        runtime, sessions = self._runtime, self.sessions
        try:
            await self.refuse_foreign(request)
            await sessions.open()
            carried = await self._carried(request)
            requester, now = requester_of(request), sessions.now()
            row, access, refresh = await self._prepare(uid, details, requester, now)
            answer = self._answer(access, refresh, request, now)
            # From here on nothing fails but the store: the answer is known to be good.
            await self._begin(row, carried, requester)
        except AuthXException as error:
            attach_evidence(runtime, error, request, "access")
            raise
        await sessions.emit("login", requester, uid=uid, session_id=row.sid)
        return _send(answer, response, on_error=False)

    async def refuse_foreign(self, request: Request) -> None:
        """Refuse a login that a page of another origin sends, where it would set cookies and origins are checked."""
        if not self._runtime.uses_cookies:
            return
        try:
            refuse_foreign(self._runtime, request.scope, "access")
        except CSRFOriginError as error:
            await emit_csrf_failure(self._runtime, error, request)
            raise

    async def emit_failed_login(self, request: Request) -> None:
        """Emit that somebody tried a wrong user name or password."""
        await self.sessions.open()
        await self.sessions.emit("login_failed", requester_of(request))

    async def _prepare(
        self, uid: str, details: LoginDetails, requester: Requester, now: int
    ) -> tuple[Session, Issued, Issued]:
        """Make a session's row and tokens; nothing is written."""
        issuer = self._runtime.issuer
        device = device_text(details.device_info)
        sid = await self.sessions.new_sid(uid, now)
        created_at = session_created_at(sid)
        csrf = issuer.new_csrf()
        asked = TokenRequest(
            uid=uid,
            expiry=details.refresh_expiry,
            data=details.data,
            audience=details.audience,
            scopes=details.scopes,
            headers=details.headers,
            sid=sid,
            csrf=csrf,
        )
        refresh = issuer.refresh_token(asked, now / 1000, generation=1)
        expires_at = None if refresh.expires_at is None else refresh.expires_at * 1000
        end = self.sessions.settings.last_second(created_at) if expires_at is None else expires_at
        access = issuer.access_token(
            replace(
                asked,
                expiry=details.access_expiry,
                csrf=csrf or None,
                fresh=details.fresh,
                latest=None if end is None else end // 1000,
            ),
            now / 1000,
        )
        row = Session(
            sid=sid,
            sub=uid,
            generation=1,
            created_at=created_at,
            rotated_at=now,
            expires_at=expires_at,
            ip=requester.ip,
            user_agent=requester.user_agent,
            device=device,
        )
        return row, access, refresh

    async def _begin(self, row: Session, carried: Sequence[_Carried], requester: Requester) -> None:
        """Write a new session's row, then end what the request carries; if either fails, leave no new session."""
        sessions = self.sessions
        try:
            await sessions.begin(row)
            await self._end_carried(carried, row.rotated_at, requester, reason="login")
        except BaseException:
            # Nobody will get its tokens, also where the request is cancelled. The store may fail again; then the row
            # is never used.
            with suppress(Exception), move_on_after(_UNDO_SECONDS, shield=True):
                await sessions.revoke_session(row.sid, sub=row.sub, reason="login_failed", now=row.rotated_at)
            raise

    # Refresh

    async def refresh(self, request: Request, response: Response) -> SessionTokens:
        """Exchange a request's refresh token; see `AuthX.refresh`."""
        runtime, sessions, scope = self._runtime, self.sessions, request.scope
        try:
            await sessions.open()
            asked_at = runtime.clock()
            token, verified = await authenticate(runtime, request, _REFRESH, asked_at)
            state = state_of(scope, runtime.state_key, asked_at)
            # Where a dependency judged the token before, everything in this request happens at that time.
            now = state.refreshed_at(asked_at)
            presented = present(token, verified.claims, state.retry_key(scope, runtime.retry_key_header))
            requester = requester_of(request)
            if runtime.uses_cookies and "query" in runtime.names["refresh"]:
                await self._refuse_foreign_link(request)
            more = None
            if runtime.hooks.subject_getter is not None or runtime.hooks.claims_getter is not None:
                more = await self._ask_application(presented, verified.payload(), requester, now)
            forecast = sessions.forecast(presented, now)
            answer = self._renew(presented, forecast, more, request, now)
            # From here on nothing fails but the store: the answer to what is consumed is known to be good.
            rotated = await sessions.refresh(presented, requester, now)
            row = rotated.row
            if (row.generation, row.rotated_at, row.expires_at) != (
                forecast.generation,
                forecast.rotated_at,
                forecast.expires_at,
            ):
                answer = self._renew(presented, row, more, request, now)
        except AuthXException as error:
            attach_evidence(runtime, error, request, "refresh")
            raise
        if rotated.verdict is not Verdict.REPLAY:
            await sessions.emit("refresh", requester, uid=presented.sub, session_id=presented.sid)
        return _send(answer, response, on_error=True)

    async def _refuse_foreign_link(self, request: Request) -> None:
        """Refuse to set cookies for a token in the address of another site's link or form (login CSRF)."""
        runtime = self._runtime
        if runtime.locations["refresh"]["query"].find(request.scope, None) is None:
            return
        try:
            runtime.origins.refuse_foreign(request.scope)
        except CSRFOriginError as error:
            await emit_csrf_failure(runtime, error, request)
            raise

    async def _ask_application(
        self, presented: PresentedToken, payload: TokenPayload, requester: Requester, now: int
    ) -> Mapping[str, Any] | None:
        """Ask whether the user still exists, and for fresh claims; before anything is consumed."""
        runtime, sessions, sub, sid = self._runtime, self.sessions, presented.sub, presented.sid
        if runtime.hooks.subject_getter is not None and await find_subject(runtime, sub) is None:
            await sessions.revoke_session(sid, sub=sub, reason="account", now=now, expires_at=presented.expires_at)
            await sessions.emit("session_revoked", requester, uid=sub, session_id=sid)
            raise AccountUnavailableError("the account of this token is not available")
        if runtime.hooks.claims_getter is None:
            return None
        more = await runtime.hooks.claims_getter(sub, payload)
        if more is None:
            return None
        if not isinstance(more, Mapping):
            raise TypeError("the claims getter must return a mapping or None")
        check_claims(presented, runtime.issuer, more)
        return more

    def _renew(
        self, presented: PresentedToken, row: Session, more: Mapping[str, Any] | None, request: Request, now: int
    ) -> _Answer:
        """Make the answer to a refresh, as a row determines it."""
        issuer = self._runtime.issuer
        last = self.sessions.settings.last_second(presented.created_at)
        refresh = successor(presented, row, last, issuer)
        end = last if refresh.expires_at is None else refresh.expires_at * 1000
        access = renewed_access_token(presented, issuer, now, last_second=end, more=more)
        return self._answer(access, refresh, request, now)

    # Logout

    async def logout(self, request: Request, response: Response) -> None:
        """End the sessions of every token in a request; see `AuthX.logout`."""
        runtime, sessions = self._runtime, self.sessions
        try:
            carried = await self._carried(request)
            await self._check_csrf(request, carried)
            if carried:
                await sessions.open()
                await self._end_carried(carried, sessions.now(), requester_of(request), reason="logout")
        except AuthXException as error:
            await emit_csrf_failure(runtime, error, request)
            attach_evidence(runtime, error, request, "access")
            raise
        unset_all_cookies(runtime, response, request.scope)

    async def _end_carried(self, carried: Sequence[_Carried], now: int, requester: Requester, *, reason: str) -> None:
        """End the session of each token; a foreign access token, which has none, by itself."""
        sessions, ended = self.sessions, set[str]()
        for one in carried:
            presented = present(one.found.token, one.claims)
            sid, sub, end = presented.sid, presented.sub, presented.expires_at
            if "sid" not in one.claims and one.claims.get("type") != "refresh":
                await sessions.revoke_token(str(one.claims["jti"]), now=now, expires_at=end)
                continue
            # Two tokens of one session may end at different times, and its row outlives both.
            await sessions.revoke_session(sid, sub=sub, reason=reason, now=now, expires_at=end)
            if sid not in ended:
                ended.add(sid)
                if reason == "logout":
                    await sessions.emit("logout", requester, uid=sub, session_id=sid)

    async def _carried(self, request: Request) -> list[_Carried]:
        """Find every token of ours in a request; signatures are checked, expiry and generation are not."""
        carried: dict[bytes, _Carried] = {}
        for kind in TOKEN_TYPES:
            for place in self._runtime.configured[kind]:
                try:
                    found = await place.find_in_body(request, verify_csrf=False, screen=self._is_ours)
                except InvalidRequestError:
                    continue
                if found is None or (found.token in carried and found.location != "cookies"):
                    continue
                claims = self._read(found.token)
                if claims is not None:
                    carried[found.token] = _Carried(found, claims)
        return list(carried.values())

    def _read(self, token: bytes) -> JSONObject | None:
        if len(token) > self._runtime.max_token_bytes:
            return None
        try:
            return self._runtime.verifier.read(token)
        except JWTDecodeError:
            return None

    def _is_ours(self, token: bytes) -> bool:
        return self._read(token) is not None

    async def _check_csrf(self, request: Request, carried: Sequence[_Carried]) -> None:
        """Where cookies prove who asks, one of their CSRF values has to come along."""
        config = self._runtime.config
        in_cookies = [one for one in carried if one.found.location == "cookies"]
        if not in_cookies or not config.JWT_COOKIE_CSRF_PROTECT or request.method not in config.JWT_CSRF_METHODS:
            return
        values = []
        for place in self._runtime.cookie_places.values():
            try:
                found = await place.find_in_body(request, verify_csrf=True, screen=self._is_ours)
            except MissingCSRFTokenError:
                continue
            if found is not None and found.csrf is not None:
                values.append(found.csrf)
        if not values:
            raise MissingCSRFTokenError("Missing CSRF token: logging out with cookies needs one of their CSRF values")
        expected = [str(one.claims.get("csrf") or "") for one in in_cookies]
        if not any(same_value(one, value) for one in expected for value in values):
            raise CSRFError("CSRF double submit does not match")

    # The answer

    def _answer(self, access: Issued, refresh: Issued, request: Request, now: int) -> _Answer:
        """Put the tokens where they travel: into cookies, into the body, or both."""
        runtime = self._runtime
        only_in_cookies = set()
        cookies: list[bytes] = []
        both: tuple[tuple[TokenType, Issued], ...] = (("access", access), ("refresh", refresh))
        for kind, issued in both:
            names = runtime.names[kind]
            if len(issued.token) > runtime.max_token_bytes:
                raise _too_large(
                    f"the {kind} token has {len(issued.token)} bytes, and JWT_MAX_TOKEN_BYTES is "
                    f"{runtime.max_token_bytes}"
                )
            if "cookies" in names:
                # The access cookie lives as long as the refresh cookie, so that a lapsed token still arrives
                # and is answered with "refresh".
                try:
                    cookies += cookie_lines(runtime, kind, issued.token, issued.csrf, request.scope, refresh.expires_at)
                except ValueError as error:
                    raise _too_large(str(error)) from None
                if len(names) == 1:
                    only_in_cookies.add(f"{kind}_token")
        tokens = SessionTokens(
            access_token=access.token,
            refresh_token=refresh.token,
            expires_in=None if access.expires_at is None else max(0, access.expires_at - now // 1000),
            refresh_expires_in=None if refresh.expires_at is None else max(0, refresh.expires_at - now // 1000),
            csrf_token=access.csrf or None,
            refresh_csrf_token=refresh.csrf or None,
        )
        tokens._only_in_cookies = frozenset(only_in_cookies)
        try:
            # All else in the body is ASCII text or a number.
            f"{access.csrf}{refresh.csrf}".encode()
        except UnicodeEncodeError:
            raise _too_large("the CSRF value of the presented token cannot be written as JSON") from None
        return _Answer(tokens, cookies)


def _send(answer: _Answer, response: Response, *, on_error: bool) -> SessionTokens:
    if answer.cookies:
        send_cookies(response, answer.cookies, on_error=on_error)
    else:
        mark_private()
        response.headers["Cache-Control"] = "no-store"
    return answer.tokens


def _too_large(reason: str) -> TokensTooLargeError:
    _logger.error("New tokens cannot be sent, so nothing was begun or consumed: %s.", reason)
    return TokensTooLargeError("The server cannot sign you in at the moment. Try again later.")
