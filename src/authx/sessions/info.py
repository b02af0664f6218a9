"""Listing, making and ending sessions without a request: for pages of an application, and for its operators."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from authx.core.ids import session_created_at
from authx.core.session import Session, is_sound
from authx.jose.json_object import dump_object
from authx.schema import SessionInfo
from authx.sessions.lifecycle import SessionEngine
from authx.sessions.service import Client, Sessions
from authx.stores import InvalidRowError
from authx.tokens.issuer import SessionIds
from authx.tokens.presented import read_refresh_token
from authx.tokens.verifier import Verifier

__all__ = ["SessionAdmin", "device_text", "session_info"]

_NOBODY: Final = Client()
_MAX_DEVICE_BYTES: Final = 2048


class SessionAdmin:
    """What can be done with sessions besides refreshing them.

    Args:
        engine: The engine of the store.
        ids: Makes session ids.
        clock: Seconds since 1970.
    """

    def __init__(self, engine: SessionEngine, ids: SessionIds, clock: Callable[[], float]) -> None:
        self._engine: Final = engine
        self._ids: Final = ids
        self._clock: Final = clock

    async def _sessions(self) -> Sessions:
        await self._engine.ensure()
        return self._engine.sessions

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _cutoff_now(self) -> int:
        """A moment after every session that this process has made."""
        return max(self._now(), self._ids.newest + 1)

    async def revoke_session(self, session_id: str) -> None:
        """End a session; see `AuthX.revoke_session`."""
        sessions = await self._sessions()
        await sessions.end_session(session_id, now=self._now())
        await sessions.tell("session_revoked", session_id=session_id, client=_NOBODY)

    async def revoke_subject(self, uid: str, spared: str | None) -> None:
        """End everything a subject holds; see `AuthX.revoke_all_sessions`."""
        sessions = await self._sessions()
        await sessions.end_subject(uid, now=self._cutoff_now(), spared=spared)
        await sessions.tell("subject_revoked", uid=uid, session_id=spared, client=_NOBODY)

    async def revoke_everyone(self) -> None:
        """End every session of everybody."""
        sessions = await self._sessions()
        await sessions.end_everyone(now=self._cutoff_now())
        await sessions.tell("subject_revoked", client=_NOBODY)

    async def revoke_token(self, token: bytes, verifier: Verifier) -> None:
        """End one access token, or the session of a refresh token; see `AuthX.revoke_token`."""
        claims = verifier.read(token)
        use = read_refresh_token(token, claims, self._clock()).use
        sessions, sub, sid = await self._sessions(), use.presented.sub, use.presented.sid
        if use.expires_at is not None and use.expires_at + sessions.settings.leeway <= use.now:
            return
        if claims.get("type") == "refresh":
            await sessions.end_session(sid, sub=sub, now=use.now, expires_at=use.expires_at)
            await sessions.tell("session_revoked", uid=sub, session_id=sid, client=_NOBODY)
        else:
            await sessions.end_token(str(claims["jti"]), now=use.now, expires_at=use.expires_at)
            await sessions.tell("token_revoked", uid=sub, session_id=sid, client=_NOBODY)

    async def list(self, uid: str) -> "list[SessionInfo]":
        """List a subject's live sessions, newest first, at most 100."""
        sessions, now = await self._sessions(), self._now()
        rows = await sessions.store.list(uid, now)
        shown = (_shown(row, now) for row in rows if sessions.is_live(row, None, now))
        return [info for info in shown if info is not None]

    async def get(self, session_id: str) -> SessionInfo | None:
        """Find a session, also one that was ended."""
        sessions, now = await self._sessions(), self._now()
        try:
            row, cutoff = await sessions.store.get(session_id)
        except InvalidRowError:
            return None
        if row is None:
            return None
        info = _shown(row, now)
        if info is not None:
            info.is_active = info.is_active and sessions.is_live(row, cutoff, now)
        return info

    async def new_sid(self, uid: str, now: int) -> str:
        """Make a session id that is later than every cutoff the store has for its subject.

        Args:
            uid: The subject.
            now: The present moment, in milliseconds.

        Returns:
            The id.
        """
        sid = self._ids.make(uid, now)
        cutoff = await (await self._sessions()).newest_cutoff(sid, uid)
        return sid if cutoff <= session_created_at(sid) else self._ids.make(uid, now, cutoff)

    async def create(self, uid: str, client: Client, device: Mapping[str, Any] | None) -> SessionInfo:
        """Write a session of generation 0, without tokens; see `AuthX.create_session`."""
        sessions, now, note = await self._sessions(), self._now(), device_text(device)
        sid = await self.new_sid(uid, now)
        row = Session(
            sid=sid,
            sub=uid,
            generation=0,
            created_at=session_created_at(sid),
            rotated_at=now,
            expires_at=sessions.last_second_of(session_created_at(sid)),
            ip=client.ip,
            user_agent=client.user_agent,
            device=note,
        )
        await sessions.begin(row)
        return session_info(row, now)


def session_info(row: Session, now: int) -> SessionInfo:
    """Show a row as a session.

    Args:
        row: The row.
        now: The present moment, in milliseconds.

    Returns:
        The session.
    """
    ended = row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now)
    return SessionInfo(
        session_id=row.sid,
        uid=row.sub,
        created_at=_moment(row.created_at),
        last_active=_moment(row.rotated_at),
        ip_address=row.ip,
        user_agent=row.user_agent,
        device_info=None if row.device is None else json.loads(row.device),
        is_active=not ended,
        expires_at=None if row.expires_at is None else _moment(row.expires_at),
    )


def _shown(row: Session, now: int) -> SessionInfo | None:
    """Show a row; nothing where somebody else wrote what cannot be shown."""
    if not is_sound(row):
        return None
    try:
        return session_info(row, now)
    except ValueError:
        return None


def device_text(device: Mapping[str, Any] | None) -> str | None:
    """Write what an application notes about a device.

    Args:
        device: A mapping that fits into JSON.

    Returns:
        JSON text; `None` for nothing.

    Raises:
        ValueError: It is longer than 2 KiB.
        TypeError: It does not fit into JSON.
    """
    if device is None:
        return None
    text = dump_object(dict(device))
    if len(text) > _MAX_DEVICE_BYTES:
        raise ValueError(f"device_info has {len(text)} bytes as JSON; {_MAX_DEVICE_BYTES} are kept")
    return text.decode()


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
