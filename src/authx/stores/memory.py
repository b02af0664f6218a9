"""`memory://`: sessions that end with the process; for tests, and for applications of one process."""

import asyncio
import logging
import multiprocessing
from dataclasses import replace
from heapq import heappop, heappush
from threading import Lock

from authx.core.ids import is_session_id_of, session_created_at
from authx.core.session import Cutoff, Revocation, Rotation, Session, kills
from authx.exceptions import BadConfigurationError
from authx.stores.notifier import Notifier
from authx.stores.numbered import Numbers
from authx.stores.protocol import Revocations, Sessions
from authx.stores.rows import KEEP_REVOCATIONS, KEEP_SESSIONS, is_live, later, subject_cutoff

__all__ = ["MemoryStore", "from_url"]

_logger = logging.getLogger("authx")


def from_url(url: str, prefix: str) -> "MemoryStore":  # noqa: ARG001 - there are no names to begin
    """Make a store of its own, as `open_store` does: no two hold the same sessions."""
    if url.partition("://")[2].strip("/"):
        raise BadConfigurationError("The store URL memory:// takes nothing after it")
    return MemoryStore()


class MemoryStore:
    """Sessions in this process, on whichever of its event loops and threads; every call is one step."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._notifier = Notifier()
        self._numbers = Numbers()
        self._sessions: dict[str, Session] = {}
        self._of_subject: dict[str, dict[str, None]] = {}
        self._cutoffs: dict[str, Cutoff] = {}
        self._everyone: int | None = None
        # In the order of numbers: what is revoked again moves to the end.
        self._revocations: dict[tuple[str, str], tuple[int, Revocation]] = {}
        self._newest = 0
        # When to look at what: a session may have been refreshed since, a revocation repeated.
        self._sessions_due: list[tuple[int, str]] = []
        self._revocations_due: list[tuple[int, str, str]] = []
        self._namespaces: dict[str, MemoryStore] = {}

    def namespace(self, name: str) -> "MemoryStore":
        """Find the store of that name in this one, which holds it. See `NamespacedStore.namespace`."""
        with self._lock:
            return self._namespaces.setdefault(name, MemoryStore())

    async def open(self) -> None:
        """Warn where this process is one of several: each of them would have sessions of its own."""
        if multiprocessing.parent_process() is not None:
            _logger.warning(
                "memory:// keeps sessions in one process, and this is one of several; use sqlite:///auth.db, or run one"
            )

    async def close(self) -> None:
        """Do nothing: the sessions stay, for an application that is started again in the same process."""

    async def create_schema(self) -> None:
        """Do nothing: there is no schema."""

    async def create(self, session: Session) -> bool:
        """Insert a session if its id is not taken. See `Store.create`."""
        with self._lock:
            if session.sid in self._sessions:
                return False
            self._insert(session)
            return True

    async def get(self, sid: str, sub: str | None = None) -> tuple[Session | None, Cutoff | None]:
        """Read a session and its subject's cutoff. See `Store.get`."""
        with self._lock:
            session = self._sessions.get(sid)
            if sub is None:
                sub = None if session is None else session.sub
            return session, self._cutoff_of(sub)

    async def list(self, sub: str, now: int, limit: int = 100) -> Sessions:
        """List a subject's live sessions, newest first. See `Store.list`."""
        with self._lock:
            cutoff = self._cutoff_of(sub)
            live = [
                session for sid in self._of_subject.get(sub, ()) if is_live(session := self._sessions[sid], cutoff, now)
            ]
        live.sort(key=lambda session: (session.created_at, session.sid), reverse=True)
        return live[:limit]

    async def advance(self, rotation: Rotation) -> Session | None:
        """Move a session forward by one compare-and-swap. See `Store.advance`."""
        with self._lock:
            session = self._sessions.get(rotation.sid)
            if (
                session is None
                or session.sub != rotation.sub
                or session.generation != rotation.from_generation
                or not is_live(session, self._cutoff_of(rotation.sub), rotation.at)
            ):
                return None
            moved = self._sessions[rotation.sid] = replace(
                session,
                generation=rotation.to_generation,
                rotated_at=rotation.at,
                expires_at=later(session.expires_at, rotation.expires_at),
                ip=rotation.ip,
                user_agent=rotation.user_agent,
                retry_hash=rotation.retry_hash,
            )
            return moved

    async def revoke(self, revocation: Revocation) -> Revocation:
        """End something, and notify all that wait. See `Store.revoke`."""
        with self._lock:
            stored = replace(revocation, spared=None)
            if revocation.kind == "session":
                self._end_session(revocation)
            elif revocation.kind == "subject":
                cutoff = self._cut_off(revocation)
                stored = replace(revocation, at=cutoff.at, spared=cutoff.spared)
            elif revocation.kind == "everyone":
                self._everyone = max(revocation.at, self._everyone or 0)
                stored = replace(stored, at=self._everyone)
            self._note(stored)
        self._notifier.notify()
        return stored

    async def revocations(self, cursor: str) -> tuple[Revocations, str]:
        """List what was revoked since a cursor. See `Store.revocations`."""
        known = self._numbers.number(cursor)
        listed: Revocations = []
        with self._lock:
            for number, revocation in reversed(self._revocations.values()):
                if number <= known:
                    break
                listed.append(revocation)
            return listed[::-1], self._numbers.cursor(self._newest)

    async def count_live(self, now: int) -> tuple[int, str]:
        """Count the revocations that still matter. See `Store.count_live`."""
        with self._lock:
            count = sum(one.until is None or one.until > now for _, one in self._revocations.values())
            return count, self._numbers.cursor(self._newest)

    async def wait(self, cursor: str, timeout: float) -> None:  # noqa: ASYNC109 - it may end early, never fail
        """Wait until there may be something after a cursor. See `Store.wait`."""
        with self._notifier.subscribe() as notified:
            if self._numbers.number(cursor) == self._newest:
                await asyncio.wait([notified], timeout=timeout)

    async def prune(self, now: int, limit: int) -> int:
        """Delete some of what no token can need any more. See `Store.prune`."""
        deleted = 0
        with self._lock:
            while deleted < limit and self._sessions_due and self._sessions_due[0][0] < now - KEEP_SESSIONS:
                _, sid = heappop(self._sessions_due)
                deleted += self._prune_session(sid, now - KEEP_SESSIONS)
            while deleted < limit and self._revocations_due and self._revocations_due[0][0] < now - KEEP_REVOCATIONS:
                _, kind, key = heappop(self._revocations_due)
                deleted += self._prune_revocation(kind, key, now - KEEP_REVOCATIONS)
        return deleted

    def _insert(self, session: Session) -> None:
        self._sessions[session.sid] = session
        self._of_subject.setdefault(session.sub, {})[session.sid] = None
        if session.expires_at is not None:
            heappush(self._sessions_due, (session.expires_at, session.sid))

    def _cutoff_of(self, sub: str | None) -> Cutoff | None:
        own = None if sub is None else self._cutoffs.get(sub)
        return subject_cutoff("", own.at if own else None, own.spared if own else None, self._everyone)

    def _end_session(self, revocation: Revocation) -> None:
        session = self._sessions.get(revocation.key)
        if session is None:
            created_at = session_created_at(revocation.key)
            self._insert(
                Session(
                    sid=revocation.key,
                    sub=revocation.sub or "",
                    generation=0,
                    created_at=created_at,
                    rotated_at=created_at,
                    expires_at=revocation.expires_at,
                    revoked_at=revocation.at,
                    revoked_reason=revocation.reason,
                )
            )
            return
        if session.revoked_at is None:
            session = replace(session, revoked_at=revocation.at, revoked_reason=revocation.reason)
        expires_at = later(session.expires_at, revocation.expires_at)
        self._sessions[session.sid] = replace(session, expires_at=expires_at)

    def _cut_off(self, revocation: Revocation) -> Cutoff:
        sub, spared = revocation.key, revocation.spared
        stored = self._cutoffs.get(sub)
        newest = max((self._sessions[sid].created_at + 1 for sid in self._of_subject.get(sub, ())), default=0)
        if spared is not None and not self._lives(spared, sub):
            spared = None
        cutoff = Cutoff(at=max(revocation.at, newest, stored.at if stored else 0), spared=spared)
        self._cutoffs[sub] = cutoff
        return cutoff

    def _lives(self, sid: str, sub: str) -> bool:
        if not is_session_id_of(sid, sub):
            return False
        # A session without a row is one that was never refreshed.
        session = self._sessions.get(sid)
        return (session is None or (session.sub == sub and session.revoked_at is None)) and not kills(
            self._cutoff_of(sub), sid, session_created_at(sid)
        )

    def _note(self, revocation: Revocation) -> None:
        entry = revocation.kind, revocation.key
        before = self._revocations.pop(entry, None)
        if before is not None:
            revocation = replace(revocation, until=later(before[1].until, revocation.until))
        self._newest += 1
        self._revocations[entry] = self._newest, revocation
        # One place in the queue for each, however often it is repeated: `_prune_revocation` moves it on.
        if before is None and revocation.until is not None and revocation.kind != "everyone":
            heappush(self._revocations_due, (revocation.until, *entry))

    def _prune_session(self, sid: str, before: int) -> bool:
        session = self._sessions.get(sid)
        if session is None or session.expires_at is None:
            return False
        if session.expires_at >= before:
            heappush(self._sessions_due, (session.expires_at, sid))
            return False
        del self._sessions[sid]
        of_subject = self._of_subject[session.sub]
        del of_subject[sid]
        if not of_subject:
            del self._of_subject[session.sub]
        return True

    def _prune_revocation(self, kind: str, key: str, before: int) -> bool:
        noted = self._revocations.get((kind, key))
        if noted is None or noted[1].until is None:
            return False
        if noted[1].until >= before:
            heappush(self._revocations_due, (noted[1].until, kind, key))
            return False
        del self._revocations[kind, key]
        return True
