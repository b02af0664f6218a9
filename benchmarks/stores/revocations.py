"""The revocation check of a protected request, with a hundred thousand live revocations."""

import os
import sqlite3
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import replace

from authx.core.ids import session_id
from authx.core.session import Revocation
from authx.sessions.revoked import Revoked
from authx.stores.sqlite.statements import schema
from benchmarks.apps.authx_routes import HAS_SUBJECT, Auth, access_tokens, make_auth, payload_injected
from benchmarks.asgi import bearer, http_case
from benchmarks.cases import Case, CaseError, Facts
from benchmarks.micro import forged
from benchmarks.stores.rows import DAY, now
from benchmarks.stores.servers import folder, url

LIVE = 100_000
# All remembered, and enough of them that look-ups are not always in the same place.
RING = 512


def sessions(count: int) -> Iterator[str]:
    """Ids of sessions that began within the last minutes."""
    at = now()
    return (session_id(f"user-{n:07}", at - n % 600_000, os.urandom(8)) for n in range(count))


def _bytes_each() -> int:
    at = now()
    revoked = Revoked(DAY)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        # Spread over minutes as logouts are; nothing but what it keeps outlives the generator.
        revoked.apply(
            (
                Revocation(kind="session", key=sid, at=at, until=at + DAY + n * 6)
                for n, sid in enumerate(sessions(LIVE))
            ),
            at,
        )
        return (tracemalloc.get_traced_memory()[0] - before) // LIVE
    finally:
        tracemalloc.stop()


def _fill(path: str) -> None:
    at = now()
    connection = sqlite3.connect(path)
    connection.executescript(schema())
    connection.executemany(
        "INSERT INTO authx_revocations (kind, key, at, until, reason) VALUES ('session', ?, ?, ?, 'logout')",
        ((sid, at, at + DAY) for sid in sessions(LIVE)),
    )
    connection.commit()
    connection.close()


def _protected_case(name: str, title: str, auth: Auth, baseline: str | None) -> Case:
    ring = access_tokens(auth, RING)
    return http_case(
        name,
        "authx",
        title,
        payload_injected(auth),
        "GET",
        "/protected",
        [bearer(token) for token in ring],
        accept=HAS_SUBJECT,
        refuse=bearer(forged(ring[0])),
        baseline=baseline,
    )


def cases() -> Iterable[Case]:
    """The same route without a store, and with one."""
    folder()
    yield _protected_case("access plain", "GET, header HS256, payload injected, no store", make_auth(), None)

    place = url("sqlite", "revocations")
    assert place is not None
    _fill(place.removeprefix("sqlite:///"))
    # Nothing reads the store while other cases are timed, however long that takes.
    auth = make_auth(JWT_STORE_URL=place, JWT_REVOCATION_MAX_STALENESS=None)
    case = _protected_case(
        "access revocations", f"the same with a store and {LIVE:,} live revocations", auth, "access plain"
    )

    async def check() -> Facts:
        facts = await case.check()
        sessions = auth._runtime.sessions
        if sessions is None or len(sessions.feed) != LIVE:
            raise CaseError("authx: the feed does not hold the revocations")
        return {**facts, "bytes": _bytes_each()}

    yield replace(case, check=check)
