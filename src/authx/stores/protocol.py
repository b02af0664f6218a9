"""What a store does, whichever it is."""

from typing import Protocol, TypeAlias, runtime_checkable

from authx.core.session import Cutoff, Revocation, Rotation, Session

__all__ = ["InvalidRowError", "NamespacedStore", "Revocations", "Sessions", "Store"]


# `list` is a method below, so the type is named out here.
Sessions: TypeAlias = list[Session]
Revocations: TypeAlias = list[Revocation]


class Store(Protocol):
    """What a store does. All times are milliseconds since 1970.

    Every method raises `authx.exceptions.StoreUnavailableError` where the store does not answer in time or
    cannot be reached. Errors of use are other exceptions.
    """

    async def open(self) -> None:
        """Connect, on the running event loop. Nothing is opened before.

        Raises:
            StoreUnavailableError: The server cannot be reached now.
            BadConfigurationError: It refuses us, or its schema is newer than this library.
        """
        ...

    async def close(self) -> None:
        """Close every connection, thread and task; closing twice, or before opening, does nothing."""
        ...

    async def create_schema(self) -> None:
        """Create what the store needs, where it is not there yet; safe when several processes do so at once.

        It also brings a schema of an earlier version up to date.
        """
        ...

    async def create(self, session: Session) -> bool:
        """Insert a session if its id is not taken; durable when it returns.

        Args:
            session: The row.

        Returns:
            False if there is a row of that id; it is left as it is.
        """
        ...

    async def get(self, sid: str, sub: str | None = None) -> tuple[Session | None, Cutoff | None]:
        """Read a session and its subject's cutoff, in one round trip.

        Args:
            sid: The session's id.
            sub: The subject whose cutoff is wanted; by default the row's own.

        Returns:
            The row and the cutoff, each `None` where there is none.

        Raises:
            InvalidRowError: The row, or the cutoff, is not one that this library can have written.
        """
        ...

    async def list(self, sub: str, now: int, limit: int = 100) -> Sessions:
        """List a subject's live sessions, newest first.

        Args:
            sub: The subject.
            now: The current time: expired sessions are left out, as are revoked ones and those that the
                subject's cutoff ends.
            limit: How many at most.

        Returns:
            The rows, without those that this library cannot have written.
        """
        ...

    async def advance(self, rotation: Rotation) -> Session | None:
        """Move a session forward by one compare-and-swap, in one round trip.

        It happens if the row is there, is the subject's, has `from_generation`, is not revoked, has not
        expired at `at`, and is not ended by the subject's cutoff. The new `expires_at` is the later of the
        row's and the one given, where `None` is the latest of all. `retry_hash`, `ip` and `user_agent` replace
        those of the row. A crash of the database may lose the step, which costs nothing: the next refresh
        heals it.

        Args:
            rotation: The step.

        Returns:
            The new row, or `None` if any condition failed.

        Raises:
            InvalidRowError: The row is not one that this library can have written.
        """
        ...

    async def revoke(self, revocation: Revocation) -> Revocation:
        """End something, durably when it returns, and notify every process. It can be repeated.

        `session`: marks the row, if it is live; where there is no row, writes one that is revoked (with
        generation 0, `created_at` from the id, and the revocation's `sub` and `expires_at`). The new `expires_at`
        of a row, live or revoked, is the later of its own and the revocation's, where `None` is the latest of all:
        so the row outlives every token of the session, and pruning undoes no revocation.
        `subject`: sets the subject's cutoff to the latest of `at`, the stored cutoff, and one millisecond after
        the newest session the store has of the subject; in one step. `spared` is recorded if it is a
        session of the subject that is neither revoked nor ended by the stored cutoff; otherwise, and
        where it is `None`, nothing is spared any more.
        `everyone`: sets the cutoff of all subjects to the later of `at` and the stored one.
        `token`: notes the `jti` until `until`.

        Args:
            revocation: What ends.

        Returns:
            It, with the `at` and `spared` that were stored.
        """
        ...

    async def revocations(self, cursor: str) -> tuple[Revocations, str]:
        """List what was revoked, in the order of commits; no revocation can ever appear before one listed.

        Args:
            cursor: What an earlier call returned; empty for everything that is kept. A cursor the store cannot
                make sense of any more counts as empty.

        Returns:
            Everything after the cursor, and the cursor of its end. An empty cursor always lists the cutoff of
            everyone too.
        """
        ...

    async def count_live(self, now: int) -> tuple[int, str]:
        """Count the revocations that still matter, so that a reader knows whether it has them all.

        Args:
            now: The current time; those whose `until` is not later are not counted.

        Returns:
            How many distinct (`kind`, `key`) there are, and the cursor of the newest.
        """
        ...

    async def wait(self, cursor: str, timeout: float) -> None:  # noqa: ASYNC109 - it may end early, never fail
        """Wait until there may be something after a cursor.

        A revocation that is made through this object ends the wait at once. A store that is not notified of those of
        other processes polls for them when this is called, so a reader calls it again and again.

        Args:
            cursor: What `revocations` returned.
            timeout: Seconds after which to return in any case; `JWT_REVOCATION_POLL_INTERVAL` where the feed follows.
        """
        ...

    async def prune(self, now: int, limit: int) -> int:
        """Delete some of what no token can need any more, without blocking other calls for long.

        Rows of sessions whose `expires_at` is more than a day before `now`, and revocations whose
        `until` is more than a minute before it. Cutoffs are never deleted.

        Args:
            now: The current time.
            limit: How many at most.

        Returns:
            How many were deleted.
        """
        ...


@runtime_checkable
class NamespacedStore(Protocol):
    """What a store needs besides `Store` where an instance of AuthX has a login type."""

    def namespace(self, name: str) -> Store:
        """Make a store at the same place whose sessions, cutoffs and revocations are its own.

        Nothing that is written through one of them is seen, counted, pruned or announced by another. Nothing is
        opened yet: the store that is returned is opened and closed, and gets its schema, on its own.

        Args:
            name: The login type: any text. Each text has a namespace of its own, in every process the same one;
                names that differ only in case are different.

        Returns:
            The store, which has namespaces too.
        """
        ...


class InvalidRowError(Exception):
    """A session's row holds what no session can hold: something else wrote it.

    Args:
        sid: The session's id.
    """

    def __init__(self, sid: str) -> None:
        super().__init__(f"the row of session {sid} is not one of this library's")
        self.sid = sid
