"""`Sessions`: what can be done with sessions on a store, whether a request asks for it or an operator."""

from authx.core.ids import session_created_at
from authx.core.rotation import PresentedToken
from authx.core.session import Cutoff, Session, kills
from authx.schema import SessionInfo
from authx.sessions.access import AccessChecks
from authx.sessions.info import session_info
from authx.sessions.refreshing import Refreshing
from authx.sessions.requester import Requester
from authx.stores import InvalidRowError

__all__ = ["Sessions"]


class Sessions(Refreshing, AccessChecks):
    """Sessions on one store, and the verbs for them; each file of this package adds those of its topic.

    Every verb of this file, and `check`, opens the store at its first use on an event loop; whoever calls another
    inherited one opens it first. All raise `StoreUnavailableError` where the store does not answer. Times are
    milliseconds since 1970.
    """

    def now(self) -> int:
        """Read the clock, in milliseconds."""
        return int(self.clock() * 1000)

    async def new_sid(self, sub: str, now: int) -> str:
        """Make a session id that is later than every cutoff the store has for its subject."""
        await self.open()
        sid = self.ids.make(sub, now)
        _, cutoff = await self.store.get(sid, sub)
        latest = self.latest_cutoff(cutoff)
        if latest is None or latest.at <= session_created_at(sid):
            return sid
        return self.ids.make(sub, now, latest.at)

    async def begin(self, row: Session) -> bool:
        """Write a new session's row, durably; False if the id is taken."""
        await self.open()
        return await self.store.create(row)

    async def create(self, sub: str, requester: Requester, device: str | None) -> SessionInfo:
        """Write a session of generation 0, without tokens."""
        now = self.now()
        sid = await self.new_sid(sub, now)
        created_at = session_created_at(sid)
        row = Session(
            sid=sid,
            sub=sub,
            generation=0,
            created_at=created_at,
            rotated_at=now,
            expires_at=self.settings.last_second(created_at),
            ip=requester.ip,
            user_agent=requester.user_agent,
            device=device,
        )
        await self.begin(row)
        return session_info(row, now)

    async def end(self, sid: str) -> None:
        """End a session: its refresh token, and every access token of it."""
        await self.open()
        await self.revoke_session(sid, now=self.now())
        await self.emit("session_revoked", session_id=sid)

    async def end_subject(self, sub: str, kept: str | None = None) -> None:
        """End everything a subject holds, except for one session perhaps."""
        await self.open()
        await self.revoke_subject(sub, now=self._cutoff_now(), kept=kept)
        await self.emit("subject_revoked", uid=sub, session_id=kept)

    async def end_everyone(self) -> None:
        """End every session of everybody."""
        await self.open()
        await self.revoke_everyone(now=self._cutoff_now())
        await self.emit("subject_revoked")

    async def end_token(self, presented: PresentedToken) -> None:
        """End an access token, or the session of a refresh token (RFC 7009 section 2.1); an expired one is over."""
        await self.open()
        now, sub, sid, end = self.now(), presented.sub, presented.sid, presented.expires_at
        if end is not None and end + self.settings.leeway <= now:
            return
        if presented.claims.get("type") == "refresh":
            await self.revoke_session(sid, sub=sub, now=now, expires_at=end)
            await self.emit("session_revoked", uid=sub, session_id=sid)
        else:
            await self.revoke_token(str(presented.claims["jti"]), now=now, expires_at=end)
            await self.emit("token_revoked", uid=sub, session_id=sid)

    def _cutoff_now(self) -> int:
        """Choose a timestamp after every session that this process has made."""
        return max(self.now(), self.ids.newest + 1)

    async def list(self, sub: str) -> "list[SessionInfo]":
        """List a subject's live sessions, newest first, at most 100; rows that cannot be shown are left out."""
        await self.open()
        now = self.now()
        shown = []
        for row in await self.store.list(sub, now):
            if self._is_live(row, None, now):
                try:
                    shown.append(session_info(row, now))
                except ValueError:
                    continue
        return shown

    async def get(self, sid: str) -> SessionInfo | None:
        """Find a session, also one that was ended."""
        await self.open()
        now = self.now()
        try:
            row, cutoff = await self.store.get(sid)
            info = None if row is None else session_info(row, now)
        except (InvalidRowError, ValueError):
            return None
        if row is not None and info is not None and not self._is_live(row, cutoff, now):
            info.is_active = False
        return info

    def _is_live(self, row: Session, cutoff: Cutoff | None, now: int) -> bool:
        """Return whether neither its age nor a cutoff ends a session."""
        max_age = self.settings.max_age
        young = max_age is None or row.created_at + max_age > now
        return young and not kills(self.latest_cutoff(cutoff), row.sid, row.created_at)
