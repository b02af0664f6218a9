"""Whether an access token was revoked."""

from asyncio import get_running_loop
from typing import Any

from authx.core.ids import session_created_at
from authx.core.session import kills
from authx.exceptions import SessionRevoked, StoreUnavailableError
from authx.sessions.lifecycle import Lifecycle
from authx.stores import InvalidRowError
from authx.tokens.verifier import Verified

__all__ = ["AccessChecks"]


class AccessChecks(Lifecycle):
    """The checks of access tokens: dictionary look-ups, and a question to the store where those cannot answer."""

    def clears(self, verified: Verified, now: float) -> bool:
        """Tell at once whether an access token is certainly not revoked; False means that `check` has to find out."""
        check = self.settings.check
        if check != "feed":
            return check == "none"
        # Nothing is looked up in a feed that another event loop keeps current.
        follower = self._latest
        return follower is not None and follower.loop is get_running_loop() and follower.feed.clears(verified, now)

    async def check(self, verified: Verified) -> None:
        """Refuse an access token that was revoked."""
        check = self.settings.check
        if check == "none":
            return
        feed = await self.open()
        if check == "store":
            await feed.catch_up()
        feed.check(verified.claims)
        asked_at = self.clock()
        if check == "store" or not feed.covers(verified, asked_at):
            await self._ask_store(verified)
            # What is revoked from then on comes by the feed.
            verified.known_at = max(verified.known_at, asked_at)

    def check_without_waiting(self, verified: Verified, now: float) -> None:
        """As `check`, for a caller that cannot wait: where the feed cannot answer, nothing is accepted."""
        if self.settings.check == "none":
            return
        feed = self.feed
        if not feed.loaded:
            raise StoreUnavailableError(
                "the session store is not open yet, and verify_token cannot wait for it: call handle_errors(app), or "
                "await auth.open() before"
            )
        feed.check(verified.claims)
        if not feed.covers(verified, now):
            raise StoreUnavailableError(
                "the session store has to be asked about this token, and verify_token cannot wait for it: depend on "
                "auth.access_token_required"
            )

    async def _ask_store(self, verified: Verified) -> None:
        claims: Any = verified.claims
        sid, sub = str(claims.get("sid") or ""), str(claims["sub"])
        try:
            row, cutoff = await self.store.get(sid, sub)
        except InvalidRowError:
            await self.emit("row_invalid", uid=sub, session_id=sid or None)
            raise SessionRevoked("Session has been revoked") from None
        created_at = session_created_at(sid) if sid else int(claims["iat"] * 1000)
        if (row is not None and row.revoked_at is not None) or kills(cutoff, sid, created_at):
            raise SessionRevoked("Session has been revoked")
