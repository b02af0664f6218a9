"""Sessions in Redis or Valkey, one server or a cluster.

Every call is one Lua script over keys of one hash slot (`scripts.lua`), so it happens in one step and one
round trip. What the keys hold is written in `keys.py`.

The cutoff of everyone ends sessions as a subject's own does. One server looks at it in every script. In a
cluster it may live on another server than the row: `get` asks both at once, and `advance` goes by what this
process read within the last quarter of a second, or, while that server does not answer, half a minute.

Rows go by their time to live, a day after their last token, never sooner and never for being revoked; the
index of a subject goes with the last of its rows. Entries of the feed (`feed.py`) are deleted by `prune`. Cutoffs stay.

**What a crash can do.** A row and the feed are different slots, and may be different servers, so a
revocation is two steps. The call returns after both, and where the servers append, after both are on
disk. If it fails, the caller repeats it, and a repetition does both steps again.

- `session`: the feed first, then the row. The library itself revokes a session whose refresh token was
  used twice, and does so only as long as the row lives. The other order could leave a revoked row that
  nobody revokes again, and access tokens that no process learns about.
- `subject`: the row first, since only the step that stores a cutoff knows its time, then the feed with
  exactly what was stored. Between the two no session of the subject can be refreshed any more; what a crash
  leaves are access tokens, until they expire or the call is repeated. The time cannot be announced before:
  it would be a guess, and with the wrong spared session, or none, it would sign out a session that the call
  spares. Two calls may be announced in another order than they were stored. So each cutoff has a version,
  drawn in the step that stores it, and the feed takes no older one after a newer.
- `everyone` and `token` are one step in the feed's slot.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import Final, TypeAlias, cast

from authx.core.ids import is_session_id, session_created_at, subject_hash
from authx.core.session import Cutoff, Revocation, Rotation, Session
from authx.exceptions import BadConfigurationError, StoreUnavailableError
from authx.stores.per_loop import PerLoop
from authx.stores.prefixes import namespace_prefix, require_prefix
from authx.stores.protocol import InvalidRowError, Revocations, Sessions
from authx.stores.redis.connections import Reply
from authx.stores.redis.errors import UnreadableRowError
from authx.stores.redis.feed import Feed
from authx.stores.redis.keys import Keys, digest_of
from authx.stores.redis.replies import cutoff_in, fields_of, items, number, optional, rotated_in, sane, session_in, text
from authx.stores.redis.scripts import SCRIPTS
from authx.stores.redis.url import Client, borrow, connect_to
from authx.stores.redis.wire import Wire
from authx.stores.rows import is_live, known_version
from authx.stores.urls import masked_url

__all__ = ["RedisStore", "from_url"]

# `list` is a method below, so its types are named out here.
Sids: TypeAlias = list[str]
Replies: TypeAlias = list[Reply]

_log = logging.getLogger("authx")

_LAYOUT: Final = 1
_FRESH: Final = 0.25  # seconds for which what was read of another server counts as known
_STALE: Final = 30.0  # and for how long while that server does not answer


def from_url(url: str, prefix: str) -> "RedisStore":
    """Make the store that a URL names, as `open_store` does."""
    return RedisStore(url, prefix=prefix)


class RedisStore:
    """Sessions in Redis 6.2 or later, or Valkey, by redis-py.

    Args:
        url: Where it is: `redis://`, `rediss://`, `redis+cluster://` or `rediss+cluster://`.
        client: The application's own client instead; it has to belong to the running event loop, and is
            never closed here. Its timeouts and retries count: with redis-py's own, a server that is gone is
            noticed late.
        prefix: Begins the names of the keys.

    Raises:
        BadConfigurationError: The URL makes no sense, not exactly one of `url` and `client` is given, or the prefix
            is not safe: braces in it would move keys to other slots of a cluster.
    """

    def __init__(self, url: str | None = None, *, client: Client | None = None, prefix: str = "authx_") -> None:
        self._appends: dict[str, bool] = {}
        self._make: Callable[[], Wire]
        if url is not None and client is None:
            self._make = connect_to(url, self._appends)
            self._name = masked_url(url)
        elif client is not None and url is None:
            self._make = borrow(client, self._appends)
            self._name = f"client={type(client).__qualname__}"
        else:
            raise BadConfigurationError("RedisStore takes either a URL or a client")
        self._url, self._client, self._prefix = url, client, require_prefix(prefix)
        self._keys = Keys(prefix)
        self._feed = Feed(self._keys)
        self._opened: PerLoop[Wire] = PerLoop(self._start, lambda wire: wire.close())
        # In a cluster: the cutoff of everyone, when it was read, and when it was last asked for.
        self._seen, self._seen_at, self._asked_at = "", float("-inf"), float("-inf")

    def __repr__(self) -> str:
        return f"RedisStore({self._name})"

    def namespace(self, name: str) -> "RedisStore":
        """Make a store at the same place, with keys of its own. See `NamespacedStore.namespace`."""
        return RedisStore(self._url, client=self._client, prefix=namespace_prefix(self._prefix, name))

    async def open(self) -> None:
        """Connect, and look at how the servers are set up. See `Store.open`."""
        wire = await self._wire()
        servers = await wire.inspect()
        await self._known(wire)
        found = text(await wire.run(SCRIPTS["version"], (self._keys.version,), ("",)))
        if found:
            known_version(int(found) if found.isdecimal() else found, _LAYOUT, f"The Redis server {wire.where}")
        for info in servers.values():
            policy = re.search(r"^maxmemory_policy:(\S+)", info, re.MULTILINE)
            if policy is None or policy[1] != "noeviction":
                _log.warning(
                    "The Redis server %s %s. A session or a revocation that it drops when memory is short is lost: "
                    "set maxmemory-policy noeviction.",
                    wire.where,
                    f"has maxmemory-policy {policy[1]}" if policy else "does not tell its maxmemory-policy",
                )

    async def close(self) -> None:
        """Close every connection of ours. See `Store.close`."""
        await self._opened.close()

    async def create_schema(self) -> None:
        """Note the version of the layout of the keys; there is nothing else to create. See `Store.create_schema`."""
        wire = await self._wire()
        await wire.run(SCRIPTS["version"], (self._keys.version,), (str(_LAYOUT),))

    async def create(self, session: Session) -> bool:
        """Insert a session. See `Store.create`.

        Raises:
            ValueError: The session's id is not one of its subject's.
        """
        digest = digest_of(session.sub)
        if not is_session_id(session.sid) or session.sid[32:] != digest[:4]:
            raise ValueError("the session's id is not one of its subject's")
        row, index = self._keys.row(session.sid), self._keys.index(digest)
        head = (session.sid, session.created_at, session.rotated_at, number(session.expires_at))
        fields = fields_of(session)
        wire = await self._wire()
        reply = items(
            await wire.run(SCRIPTS["create"], (row, index), ("", *head, *fields), repeated=("1", *head, *fields))
        )
        if reply[0] != 1:
            return False
        await wire.wait_for_disk(self._keys.written(digest[:4]))
        if len(reply) > 1:
            # Rows that went by their time to live are still in a long index: look at a few of the oldest.
            oldest = [text(sid) for sid in reply[1:]]
            with contextlib.suppress(StoreUnavailableError):
                await self._rows(wire, index, oldest)
        return True

    async def get(self, sid: str, sub: str | None = None) -> tuple[Session | None, Cutoff | None]:
        """Read a session and its subject's cutoff. See `Store.get`."""
        wire = await self._wire()
        known = is_session_id(sid)
        try:
            if known and (sub is None or sid[32:] == subject_hash(sub)):
                row, own, everyone = await self._read(wire, sid, sub)
            else:
                # The two live in different slots: this cannot be the subject's session, but it may be somebody's.
                (row, _, everyone), own = await asyncio.gather(
                    self._read(wire, sid, sub) if known else self._no_row(wire),
                    self._read_cutoff(wire, sub) if sub is not None else _none(),
                )
            return session_in(sid, row), cutoff_in(sid, own, everyone)
        except UnreadableRowError:
            pass
        # Not in the handler, so that no error is chained.
        raise InvalidRowError(sid)

    async def _read(self, wire: Wire, sid: str, sub: str | None) -> Replies:
        keys = (self._keys.row(sid), self._keys.cutoffs(sid[32:]))
        whose = "" if sub is None else f"={sub}"
        if wire.is_whole:
            return items(await wire.run(SCRIPTS["get"], (*keys, self._keys.everyone), ("", whose)))
        found, everyone = await asyncio.gather(wire.run(SCRIPTS["get"], keys, ("0", whose)), self._read_everyone(wire))
        return [*items(found)[:2], everyone.encode()]

    async def _no_row(self, wire: Wire) -> Replies:
        return [[], None, (await self._read_everyone(wire)).encode()]

    async def _read_cutoff(self, wire: Wire, sub: str) -> Reply:
        digest = digest_of(sub)
        keys, argument = await self._known(wire)
        keys = (self._keys.index(digest), self._keys.cutoffs(digest[:4]), *keys)
        return items(await wire.run(SCRIPTS["index"], keys, (argument, sub, 1, 0)))[1]

    async def list(self, sub: str, now: int, limit: int = 100) -> Sessions:
        """List a subject's live sessions, newest first. See `Store.list`."""
        wire = await self._wire()
        digest = digest_of(sub)
        index, cutoffs = self._keys.index(digest), self._keys.cutoffs(digest[:4])
        found: Sessions = []
        first = 0
        while len(found) < limit:
            page = min(limit, 100)
            keys, argument = await self._known(wire)
            keys = (index, cutoffs, *keys)
            answer = items(await wire.run(SCRIPTS["index"], keys, (argument, sub, first, first + page - 1)))
            try:
                cutoff = cutoff_in("", answer[1], answer[2])
            except InvalidRowError:
                # As `advance` sees it: a cutoff that cannot be read ends everything.
                return []
            sids = [text(sid) for sid in items(answer[0])]
            gone, rows = await self._rows(wire, index, sids) if sids else (0, [])
            for sid, row in zip(sids, rows, strict=True):
                with contextlib.suppress(InvalidRowError):
                    session = session_in(sid, row)
                    if session is not None and session.sub == sub and is_live(session, cutoff, now):
                        found.append(session)
            if len(sids) < page:
                break
            first += len(sids) - gone
        return found[:limit]

    async def _rows(self, wire: Wire, index: str, sids: Sids) -> tuple[int, Replies]:
        keys = (index, *(self._keys.row(sid) for sid in sids))
        gone, rows = items(await wire.run(SCRIPTS["rows"], keys, sids))
        return cast("int", gone), items(rows)

    async def advance(self, rotation: Rotation) -> Session | None:
        """Move a session forward by one compare-and-swap. See `Store.advance`."""
        one, sid = rotation, rotation.sid
        digest = digest_of(one.sub)
        if not is_session_id(sid) or sid[32:] != digest[:4]:
            return None
        wire = await self._wire()
        more, everyone = await self._known(wire)
        keys = (self._keys.row(sid), self._keys.cutoffs(digest[:4]), self._keys.index(digest), *more)
        arguments = (
            everyone,
            sid,
            session_created_at(sid),
            one.sub,
            one.from_generation,
            one.to_generation,
            one.at,
            number(one.expires_at),
            optional(one.ip),
            optional(one.user_agent),
            one.retry_hash or "",
        )
        reply = await wire.run(SCRIPTS["advance"], keys, arguments)
        return None if reply is None else rotated_in(one, reply)

    async def revoke(self, revocation: Revocation) -> Revocation:
        """End something. See `Store.revoke`, and above for the order of the steps.

        Raises:
            ValueError: The id of the session to end is none.
        """
        if revocation.kind == "subject":
            return await self._revoke_subject(revocation)
        revocation = replace(revocation, spared=None)
        if revocation.kind == "session":
            return await self._revoke_session(revocation)
        wire = await self._wire()
        at = await self._feed.announce(wire, revocation)
        if revocation.kind == "everyone":
            self._seen, self._seen_at = str(at), monotonic()
        await wire.wait_for_disk(self._keys.written())
        return replace(revocation, at=at)

    async def _revoke_session(self, revocation: Revocation) -> Revocation:
        sid, sub = revocation.key, revocation.sub
        if not is_session_id(sid):
            raise ValueError("this is no session id")
        wire = await self._wire()
        digest = None if sub is None else digest_of(sub)
        keys = (
            (self._keys.row(sid),)
            if digest is None or digest[:4] != sid[32:]
            else (self._keys.row(sid), self._keys.index(digest))
        )
        arguments = (
            sid,
            session_created_at(sid),
            revocation.at,
            sane(revocation.reason),
            sub or "",
            number(revocation.expires_at),
        )
        await self._feed.announce(wire, revocation)
        await wire.run(SCRIPTS["mark"], keys, arguments)
        await wire.wait_for_disk(self._keys.written(), self._keys.written(sid[32:]))
        return revocation

    async def _revoke_subject(self, revocation: Revocation) -> Revocation:
        sub, spared = revocation.key, revocation.spared
        digest = digest_of(sub)
        if spared is None or not is_session_id(spared) or spared[32:] != digest[:4]:
            spared = None
        wire = await self._wire()
        index = self._keys.index(digest)
        more, everyone = await self._known(wire, age=0)
        keys = (self._keys.cutoffs(digest[:4]), index, index if spared is None else self._keys.row(spared), *more)
        created = 0 if spared is None else session_created_at(spared)
        arguments = (everyone, sub, revocation.at, spared or "", created)
        version, at, kept = (text(part) for part in items(await wire.run(SCRIPTS["cut"], keys, arguments)))
        stored = replace(revocation, at=int(at), spared=kept or None)
        await self._feed.announce(wire, stored, version)
        await wire.wait_for_disk(self._keys.written(), self._keys.written(digest[:4]))
        return stored

    async def revocations(self, cursor: str) -> tuple[Revocations, str]:
        """List what was revoked. See `Store.revocations`."""
        return await self._feed.read(await self._wire(), cursor)

    async def count_live(self, now: int) -> tuple[int, str]:
        """Count the revocations that still matter. See `Store.count_live`."""
        return await self._feed.count_live(await self._wire(), now)

    async def wait(self, cursor: str, timeout: float) -> None:  # noqa: ASYNC109 - it may end early, never fail
        """Wait until there may be something after a cursor. See `Store.wait`."""
        await self._feed.wait(await self._wire(), cursor, timeout)

    async def prune(self, now: int, limit: int) -> int:
        """Delete entries of the feed that matter no more. Rows go by their time to live. See `Store.prune`."""
        return await self._feed.prune(await self._wire(), now, limit)

    async def now(self) -> int:
        """Read the server's clock, to compare with this host's. Of a cluster, that of one of its servers.

        Returns:
            Milliseconds since 1970.

        Raises:
            StoreUnavailableError: The server does not answer.
        """
        wire = await self._wire()
        return int(text(await wire.run(SCRIPTS["now"], (self._keys.version,), ())))

    async def _start(self) -> Wire:
        return self._make()

    async def _wire(self) -> Wire:
        return self._opened.here() or await self._opened.get()

    async def _known(self, wire: Wire, age: float = _FRESH) -> tuple[tuple[str, ...], str]:
        # The key by which a script sees the cutoff of everyone, or that cutoff.
        if wire.is_whole:
            return (self._keys.everyone,), ""
        return (), await self._read_everyone(wire, age)

    async def _read_everyone(self, wire: Wire, age: float = 0) -> str:
        now = monotonic()
        if now - self._asked_at > age or now - self._seen_at > _STALE:
            self._asked_at = now
            try:
                self._seen = text(await wire.run(SCRIPTS["everyone"], (self._keys.everyone,), ()))
                self._seen_at = monotonic()
            except StoreUnavailableError:
                # While that server is gone nobody moves the cutoff, so the sessions of the others go on for a while.
                if now - self._seen_at > _STALE:
                    raise
        return self._seen


async def _none() -> None:
    return None
