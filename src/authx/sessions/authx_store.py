"""A session store as AuthX 1.7 has it, in memory: for applications that were written with one."""

from typing import Any

from authx.schema import SessionInfo

__all__ = ["InMemorySessionStore"]


class InMemorySessionStore:
    """Keeps what `AuthX.create_session` makes, in this process; it has AuthX's six methods.

    It is a list and nothing more: tokens know nothing of it. Sessions that end tokens are kept by the
    stores of `authx.stores`.
    """

    def __init__(self) -> None:
        self._sessions: dict[str, SessionInfo] = {}

    async def create(self, session: SessionInfo) -> None:
        """Keep a session."""
        self._sessions[session.session_id] = session

    async def get(self, session_id: str) -> SessionInfo | None:
        """Find a session, an inactive one too."""
        return self._sessions.get(session_id)

    async def update(self, session_id: str, **kwargs: Any) -> None:
        """Change fields of a session; unknown ids and unknown fields are ignored."""
        session = self._sessions.get(session_id)
        if session is not None:
            known = {name: value for name, value in kwargs.items() if name in SessionInfo.model_fields}
            self._sessions[session_id] = session.model_copy(update=known)

    async def delete(self, session_id: str) -> None:
        """Forget a session; unknown ids are ignored."""
        self._sessions.pop(session_id, None)

    async def list_by_user(self, uid: str) -> list[SessionInfo]:
        """List a user's active sessions."""
        return [session for session in self._sessions.values() if session.uid == uid and session.is_active]

    async def delete_all_by_user(self, uid: str) -> None:
        """Forget all sessions of a user."""
        for session in [one for one in self._sessions.values() if one.uid == uid]:
            del self._sessions[session.session_id]
