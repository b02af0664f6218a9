"""Logging in, refreshing and logging out on a session store, from any route."""

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
from authx.core.rotation import Verdict
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
from authx.http.authenticate import Gate
from authx.http.cookie_delivery import mark_private, send_cookies
from authx.http.cookies import CookieWriter
from authx.http.locations import Found
from authx.http.requester import client_of
from authx.http.requirement import Requirement
from authx.http.runtime import location_names
from authx.jose.json_object import JSONObject
from authx.schema import SessionInfo, SessionTokens, TokenPayload
from authx.sessions.info import SessionAdmin, device_text
from authx.sessions.lifecycle import SessionEngine
from authx.sessions.service import Client, Sessions
from authx.tokens.issuer import Issued, LoginDetails, TokenRequest
from authx.tokens.presented import Refreshable, read_refresh_token
from authx.types import TokenType

__all__ = ["SessionCalls"]

_BOTH: Final[tuple[TokenType, ...]] = ("access", "refresh")
_REFRESH: Final = Requirement(kind="refresh")
_logger: Final = logging.getLogger("authx")
# How long a login that failed may take to end what it has begun.
_UNDO_SECONDS: Final = 2.0


class _Carried(NamedTuple):
    """A token of ours that a request carries, whatever its age.

    Attributes:
        found: Where and how.
        claims: Its claims; its signature is good.
    """

    found: Found
    claims: JSONObject

    def __repr__(self) -> str:
        return f"_Carried(found={self.found!r})"


class _Answer(NamedTuple):
    """What a login or a refresh gives to the client, complete.

    Attributes:
        tokens: The body.
        cookies: `Set-Cookie` lines.
    """

    tokens: SessionTokens
    cookies: Sequence[bytes]

    def __repr__(self) -> str:
        return f"_Answer(tokens={self.tokens!r})"


class SessionCalls:
    """The calls of one instance that need a session store.

    Args:
        gate: The instance's gate; its engine is the store's.
        cookies: Writes the instance's cookies.
    """

    def __init__(self, gate: Gate, cookies: CookieWriter) -> None:
        self._gate: Final = gate
        self._cookies: Final = cookies

    def _engine(self) -> SessionEngine:
        engine = self._gate.engine
        if engine is None:
            raise BadConfigurationError(
                "this call needs a session store: AuthX(config, store='sqlite:///auth.db'), or set JWT_STORE_URL"
            )
        return engine

    async def engine(self) -> SessionEngine:
        """Find the running engine; start it if this is the first call on this event loop.

        Raises:
            BadConfigurationError: The instance has no store.
            StoreUnavailableError: The store does not answer.
        """
        engine = self._engine()
        await engine.ensure()
        return engine

    def _now(self) -> int:
        return int(self._gate.clock() * 1000)

    async def create(self, uid: str, request: Request | None, device: Mapping[str, Any] | None) -> SessionInfo:
        """Write a session without tokens; see `AuthX.create_session`."""
        return await self.admin.create(uid, Client() if request is None else client_of(request), device)

    @property
    def admin(self) -> SessionAdmin:
        """What can be done with sessions without a request.

        Raises:
            BadConfigurationError: The instance has no store.
        """
        return SessionAdmin(self._engine(), self._gate.ids, self._gate.clock)

    async def login(self, uid: str, request: Request, response: Response, details: LoginDetails) -> SessionTokens:
        """Begin a session; see `AuthX.login`."""
        try:
            await self.refuse_foreign(request)
            sessions = (await self.engine()).sessions
            carried = await self._carried(request)
            client, now = client_of(request), self._now()
            row, access, refresh = await self._prepare(sessions, uid, details, client, now)
            answer = self._answer(access, refresh, request, now)
            # From here on nothing fails but the store: the answer is known to be good.
            await self._replace(sessions, row, carried, client)
        except AuthXException as error:
            self._gate.blame(error, request, "access")
            raise
        await sessions.tell("login", uid=uid, session_id=row.sid, client=client)
        return _send(answer, response, on_error=False)

    async def refuse_foreign(self, request: Request) -> None:
        """Refuse a login that a page of another origin sends, where it would set cookies and origins are checked.

        Raises:
            CSRFOriginError: It is one.
        """
        if not self._gate.wiring.uses_cookies:
            return
        try:
            self._cookies.refuse_foreign(request.scope, "access")
        except CSRFOriginError as error:
            await self._gate.tell_of(error, request)
            raise

    async def _replace(self, sessions: Sessions, row: Session, carried: Sequence[_Carried], client: Client) -> None:
        """Write a new session's row, then end what the request carries; if either fails, leave no new session."""
        try:
            await sessions.begin(row)
            await self._end_carried(sessions, carried, row.rotated_at, client, reason="login")
        except BaseException:
            # Nobody will get its tokens, also where the request is cancelled. The store may fail again; then the row
            # is never used.
            with suppress(Exception), move_on_after(_UNDO_SECONDS, shield=True):
                await sessions.end_session(row.sid, sub=row.sub, reason="login_failed", now=row.rotated_at)
            raise

    async def _prepare(
        self, sessions: Sessions, uid: str, details: LoginDetails, client: Client, now: int
    ) -> tuple[Session, Issued, Issued]:
        """Make a session's row and tokens; nothing is written."""
        issuer = self._gate.wiring.issuer
        device = device_text(details.device_info)
        sid = await self.admin.new_sid(uid, now)
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
        end = sessions.last_second_of(created_at) if refresh.expires_at is None else refresh.expires_at * 1000
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
            expires_at=None if refresh.expires_at is None else refresh.expires_at * 1000,
            ip=client.ip,
            user_agent=client.user_agent,
            device=device,
        )
        return row, access, refresh

    async def refresh(self, request: Request, response: Response) -> SessionTokens:
        """Exchange a request's refresh token; see `AuthX.refresh`."""
        try:
            sessions = (await self.engine()).sessions
            verified = await self._gate.admit(request, _REFRESH)
            token = self._gate.token_of(request.scope, verified)
            presented = read_refresh_token(
                token, verified.claims, self._gate.moment(request.scope), self._gate.retry_key(request.scope)
            )
            client = client_of(request)
            await self._refuse_foreign_link(request)
            more = await self._ask_application(sessions, presented, verified.payload(), client)
            forecast = sessions.forecast(presented.use)
            answer = self._renew(sessions, presented, forecast, more, request)
            # From here on nothing fails but the store: the answer to what is consumed is known to be good.
            rotated = await sessions.rotate(presented.use, client)
            if not _same_successor(rotated.row, forecast):
                answer = self._renew(sessions, presented, rotated.row, more, request)
        except AuthXException as error:
            self._gate.blame(error, request, "refresh")
            raise
        if rotated.verdict is not Verdict.REPLAY:
            await sessions.tell("refresh", uid=rotated.row.sub, session_id=rotated.row.sid, client=client)
        return _send(answer, response, on_error=True)

    async def _refuse_foreign_link(self, request: Request) -> None:
        """Refuse to set cookies for a token in the address of another site's link or form (login CSRF)."""
        wiring = self._gate.wiring
        if "query" not in location_names(wiring.config, "refresh") or not wiring.uses_cookies:
            return
        if wiring.locations["refresh"]["query"].find(request.scope, None) is None:
            return
        try:
            wiring.origins.refuse_foreign(request.scope)
        except CSRFOriginError as error:
            await self._gate.tell_of(error, request)
            raise

    def _renew(
        self,
        sessions: Sessions,
        presented: Refreshable,
        row: Session,
        more: Mapping[str, Any] | None,
        request: Request,
    ) -> _Answer:
        """Make the answer to a refresh, as a row determines it."""
        issuer = self._gate.wiring.issuer
        last = sessions.last_second_of(presented.use.presented.created_at)
        refresh = presented.successor(row, last, issuer)
        end = last if refresh.expires_at is None else refresh.expires_at * 1000
        access = presented.access_token(issuer, last_second=end, more=more)
        return self._answer(access, refresh, request, presented.use.now)

    async def _ask_application(
        self, sessions: Sessions, presented: Refreshable, payload: TokenPayload, client: Client
    ) -> Mapping[str, Any] | None:
        """Ask whether the user still exists, and for fresh claims; before anything is consumed."""
        sub = presented.use.presented.sub
        if self._gate.subject_getter is not None and await self._gate.find_subject(sub) is None:
            use = presented.use
            await sessions.end_session(
                use.presented.sid, sub=sub, reason="account", now=use.now, expires_at=use.expires_at
            )
            await sessions.tell("session_revoked", uid=sub, session_id=use.presented.sid, client=client)
            raise AccountUnavailableError("the account of this token is not available")
        if self._gate.claims_getter is None:
            return None
        more = await self._gate.claims_getter(sub, payload)
        if more is not None and not isinstance(more, Mapping):
            raise TypeError("the claims getter must return a mapping or None")
        if more is not None:
            presented.check_more(self._gate.wiring.issuer, more)
        return more

    def _answer(self, access: Issued, refresh: Issued, request: Request, now: int) -> _Answer:
        """Put the tokens where they travel: into cookies, into the body, or both.

        Raises:
            TokensTooLargeError: They do not fit there.
        """
        wiring = self._gate.wiring
        only_in_cookies = set()
        cookies: list[bytes] = []
        issued = {"access": access, "refresh": refresh}
        for kind in _BOTH:
            names = location_names(wiring.config, kind)
            if len(issued[kind].token) > wiring.max_token_bytes:
                raise _too_large(
                    f"the {kind} token has {len(issued[kind].token)} bytes, and JWT_MAX_TOKEN_BYTES is "
                    f"{wiring.max_token_bytes}"
                )
            if "cookies" in names:
                # The access cookie lives as long as the refresh cookie, so that a lapsed token still arrives
                # and is answered with "refresh".
                try:
                    cookies += self._cookies.lines(kind, issued[kind], request.scope, refresh.expires_at)
                except ValueError as error:
                    raise _too_large(str(error)) from None
                if set(names) == {"cookies"}:
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

    async def tell_failed_login(self, request: Request) -> None:
        """Tell that somebody tried a wrong user name or password."""
        await (await self.engine()).sessions.tell("login_failed", client=client_of(request))

    async def logout(self, request: Request, response: Response) -> None:
        """End the sessions of every token in a request; see `AuthX.logout`."""
        try:
            carried = await self._carried(request)
            await self._check_csrf(request, carried)
            if carried:
                sessions = (await self.engine()).sessions
                await self._end_carried(sessions, carried, self._now(), client_of(request), reason="logout")
        except AuthXException as error:
            await self._gate.tell_of(error, request)
            self._gate.blame(error, request, "access")
            raise
        self._cookies.unset_all(response, request.scope)

    def unset_cookies(self, response: Response, request: Request) -> None:
        """Delete the cookies of a request that was let in, if it may have that."""
        self._cookies.unset_all(response, request.scope)

    async def _end_carried(
        self, sessions: Sessions, carried: Sequence[_Carried], now: int, client: Client, *, reason: str
    ) -> None:
        """End the session of each token; a foreign access token, which has none, by itself."""
        ended: set[str] = set()
        for one in carried:
            presented = read_refresh_token(one.found.token, one.claims, now / 1000)
            sid, sub = presented.use.presented.sid, presented.use.presented.sub
            is_refresh = one.claims.get("type") == "refresh"
            if "sid" not in one.claims and not is_refresh:
                await sessions.end_token(str(one.claims["jti"]), now=now, expires_at=presented.use.expires_at)
                continue
            # Two tokens of one session may end at different times, and its row outlives both.
            end = presented.use.expires_at
            await sessions.end_session(sid, sub=sub, reason=reason, now=now, expires_at=end)
            if sid not in ended:
                ended.add(sid)
                if reason == "logout":
                    await sessions.tell("logout", uid=sub, session_id=sid, client=client)

    async def _carried(self, request: Request) -> list[_Carried]:
        """Find every token of ours in a request; signatures are checked, expiry and generation are not."""
        wiring = self._gate.wiring
        carried: dict[bytes, _Carried] = {}
        for kind in _BOTH:
            for place in wiring.configured[kind]:
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
        wiring = self._gate.wiring
        if len(token) > wiring.max_token_bytes:
            return None
        try:
            return wiring.verifier.read(token)
        except JWTDecodeError:
            return None

    def _is_ours(self, token: bytes) -> bool:
        return self._read(token) is not None

    async def _check_csrf(self, request: Request, carried: Sequence[_Carried]) -> None:
        """Where cookies prove who asks, one of their CSRF values has to come along."""
        config = self._gate.config
        in_cookies = [one for one in carried if one.found.location == "cookies"]
        if not in_cookies:
            return
        if not config.JWT_COOKIE_CSRF_PROTECT or request.method not in config.JWT_CSRF_METHODS:
            return
        values = []
        for kind in _BOTH:
            place = self._gate.wiring.cookie_places[kind]
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


def _same_successor(row: Session, other: Session) -> bool:
    return (row.generation, row.rotated_at, row.expires_at) == (other.generation, other.rotated_at, other.expires_at)


def _send(answer: _Answer, response: Response, *, on_error: bool) -> SessionTokens:
    mark_private()
    if answer.cookies:
        send_cookies(response, answer.cookies, on_error=on_error)
    response.headers["Cache-Control"] = "no-store"
    return answer.tokens


def _too_large(reason: str) -> TokensTooLargeError:
    _logger.error("New tokens cannot be sent, so nothing was begun or consumed: %s.", reason)
    return TokensTooLargeError("The server cannot sign you in at the moment. Try again later.")
