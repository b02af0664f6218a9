"""Ending sessions and tokens: in the store, and at once in this process."""

from authx.core.ids import session_created_at
from authx.core.session import Revocation
from authx.sessions.lifecycle import Lifecycle
from authx.stores import InvalidRowError
from authx.stores.rows import later

__all__ = ["Revoking"]


class Revoking(Lifecycle):
    """Writes revocations; times are milliseconds since 1970. Nothing is opened, and no event is emitted, here."""

    async def revoke_session(
        self,
        sid: str,
        *,
        now: int,
        sub: str | None = None,
        reason: str = "revoked",
        expires_at: int | None = None,
    ) -> None:
        """End a session: its refresh token, and every access token of it; `expires_at` is that of the token at hand."""
        # The row has to outlive every token of the session: without an absolute age nobody knows how long they live.
        last_second = self.settings.last_second(session_created_at(sid))
        end = None if last_second is None else max(last_second, expires_at or 0)
        if self.feed.holds_session(sid) and await self._is_over(sid, sub, end):
            return
        until = now + self.settings.window
        await self._revoke(
            Revocation(kind="session", key=sid, at=now, until=until, reason=reason, sub=sub, expires_at=end)
        )

    async def _is_over(self, sid: str, sub: str | None, end: int | None) -> bool:
        """Return whether ending a session again would change nothing of its row."""
        try:
            row, _ = await self.store.get(sid, sub)
        except InvalidRowError:
            return False
        return row is not None and row.revoked_at is not None and later(row.expires_at, end) == row.expires_at

    async def revoke_subject(self, sub: str, *, now: int, kept: str | None) -> None:
        """End every session of a subject, but one perhaps."""
        until = now + self.settings.window
        await self._revoke(Revocation(kind="subject", key=sub, at=now, until=until, sub=sub, spared=kept))

    async def revoke_everyone(self, *, now: int) -> None:
        """End every session there is."""
        await self._revoke(Revocation(kind="everyone", key="", at=now, until=None))

    async def revoke_token(self, jti: str, *, now: int, expires_at: int | None) -> None:
        """End one access token, until it is no longer accepted anyway: its own end and the leeway."""
        until = None if expires_at is None else expires_at + self.settings.leeway
        if not self.feed.holds_token(jti, until):
            await self._revoke(Revocation(kind="token", key=jti, at=now, until=until))

    async def _revoke(self, revocation: Revocation) -> None:
        stored = await self.store.revoke(revocation)
        # In force here at once; other processes read it within a moment.
        self.feed.apply(stored)
