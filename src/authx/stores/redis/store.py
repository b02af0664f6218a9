"""Sessions in Redis or Valkey, one server or a cluster.

Every call is one Lua script over keys of one hash slot (`scripts.lua`), so it happens in one step and one
round trip. The slot of a session follows from its id alone: the last four hex digits of an id are a hash
of its subject, and they are the hash tag. With the prefix `authx_`:

| key | holds |
|---|---|
| `authx_{ab12}s:<session>` | a hash: the row |
| `authx_{ab12}c` | a hash: the cutoff of each subject with this tag |
| `authx_{ab12}i:<SHA-256 of the subject>` | a sorted set: the subject's sessions by creation |
| `authx_{feed}` | a stream: the live revocations, one entry for each thing revoked |
| `authx_{feed}e`, `authx_{feed}u` | where the entry of a thing is, and until when it matters |
| `authx_{feed}a`, `authx_{feed}v` | the cutoff of everyone; the version of this layout |

The cutoff of everyone ends sessions as a subject's own does. One server looks at it in every script. In a
cluster it may live on another server than the row: `get` asks both at once, and `advance` goes by what this
process read within the last quarter of a second, or, while that server does not answer, half a minute.

Rows go by their time to live, a day after their last token, never sooner and never for being revoked; the
index of a subject goes with the last of its rows. Entries of the feed are deleted by `prune`. Cutoffs stay.

**What a crash can do.** A row and the feed are different slots, and may be different servers, so a
revocation is two steps. A caller is told of it after both, and where the servers append, after both are on
the disk; whoever was not told repeats it, and a repetition does both steps again.

- `session`: the feed first, then the row. The library itself revokes a session whose refresh token was
  used twice, and does so only as long as the row lives. The other order could leave a revoked row that
  nobody revokes again, and access tokens that nobody hears about.
- `subject`: the row first, since only the step that stores a cutoff knows its moment, then the feed with
  exactly what was stored. Between the two no session of the subject can be refreshed any more; what a crash
  leaves are access tokens, until they expire or the call is repeated. Announcing a moment beforehand is no
  way out: it would have to guess, and where it spared the wrong session, or none, it would log out somebody
  whom the call spares. Two calls may be announced in another order than they were stored. So each cutoff
  has a version, drawn in the step that stores it, and the feed takes no older one after a newer.
- `everyone` and `token` are one step in the feed's slot.

The feed's stream is one key, so the order of its ids is the order of its commits. What is revoked again gets
a new entry, and the old one goes: readers that saw the old one see the new one, later.

**A server that starts again, or another that takes its place,** may have lost the end of the stream, and may
go on with ids that a reader believes to have behind it. A cursor therefore names the run of the server that
issued it. A cursor of another run, or one beyond the end, counts as empty: the reader loads all that is live.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from importlib import resources
from time import monotonic
from typing import Final, TypeAlias, cast

from redis import exceptions as errors

from authx.core.ids import is_session_id, session_created_at, subject_hash
from authx.core.session import Cutoff, Revocation, RevocationKind, Rotation, Session, kills
from authx.exceptions import BadConfigurationError, StoreUnavailableError
from authx.stores import InvalidRowError, masked_url
from authx.stores.per_loop import PerLoop
from authx.stores.prefixes import namespace_prefix, require_prefix
from authx.stores.redis.wire import Argument, Client, Reply, Script, UnreadableRowError, Wire, borrow, connect_to
from authx.stores.rows import subject_cutoff

__all__ = ["RedisStore", "from_url"]

# `list` is a method below, so its types are named out here.
Sessions: TypeAlias = list[Session]
Revocations: TypeAlias = list[Revocation]
Sids: TypeAlias = list[str]
Replies: TypeAlias = list[Reply]
Fields: TypeAlias = dict[str, str]

_log = logging.getLogger("authx")

_LAYOUT: Final = 1
_CURSOR: Final = re.compile(r"(\w*):(\d{1,20}-\d{1,20})")
_CUTOFF: Final = re.compile(r"\d{1,20} (\d{1,16}) (\S*)")
_KINDS: Final[dict[str, RevocationKind]] = {
    "session": "session",
    "subject": "subject",
    "everyone": "everyone",
    "token": "token",
}
_PAGE: Final = 1000  # entries of the feed in one reply
_SLICE: Final = 1.0  # seconds a reader blocks at a time
_PAUSE: Final = 0.25  # seconds between looks where a reader cannot block
_FRESH: Final = 0.25  # seconds for which what was read of another server counts as known
_STALE: Final = 30.0  # and for how long while that server does not answer
_MINUTE_MS: Final = 60_000


def _scripts() -> dict[str, Script]:
    text = resources.files("authx.stores.redis").joinpath("scripts.lua").read_text("utf-8")
    prelude, *parts = re.split(r"^-- script: (\w+)\n", text, flags=re.MULTILINE)
    return {name: Script(prelude + body) for name, body in zip(parts[::2], parts[1::2], strict=True)}


_SCRIPTS: Final = _scripts()


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
        self._feed = f"{prefix}{{feed}}"
        self._entries, self._untils, self._everyone, self._version = (f"{self._feed}{end}" for end in "euav")
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
        found = _text(await wire.run(_SCRIPTS["version"], (self._version,), ("",)))
        if found and (not found.isdigit() or int(found) > _LAYOUT):
            raise BadConfigurationError(
                f"The Redis server {wire.where} holds sessions of a newer version of this library: "
                "upgrade this one, or set JWT_STORE_PREFIX"
            )
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
        """Let go of every connection of ours. See `Store.close`."""
        await self._opened.close()

    async def create_schema(self) -> None:
        """Note the version of the layout of the keys; there is nothing else to create. See `Store.create_schema`."""
        wire = await self._wire()
        await wire.run(_SCRIPTS["version"], (self._version,), (str(_LAYOUT),))

    async def create(self, session: Session) -> bool:
        """Insert a session. See `Store.create`.

        Raises:
            ValueError: The session's id is not one of its subject's.
        """
        digest = _digest(session.sub)
        if not is_session_id(session.sid) or session.sid[32:] != digest[:4]:
            raise ValueError("the session's id is not one of its subject's")
        row, index = self._row(session.sid), self._index(digest)
        expires = _number(session.expires_at)
        head = (session.sid, session.created_at, session.rotated_at, expires)
        fields = _row_of(session)
        wire = await self._wire()
        reply = _list(
            await wire.run(_SCRIPTS["create"], (row, index), ("", *head, *fields), repeated=("1", *head, *fields))
        )
        if reply[0] != 1:
            return False
        await wire.settle(self._settling(session.sid))
        if len(reply) > 1:
            # Rows that went by their time to live are still in a long index: look at a few of the oldest.
            oldest = [_text(sid) for sid in reply[1:]]
            with contextlib.suppress(StoreUnavailableError):
                await self._rows(wire, index, oldest)
        return True

    async def get(self, sid: str, sub: str | None = None) -> tuple[Session | None, Cutoff | None]:
        """Read a session and its subject's cutoff. See `Store.get`.

        Raises:
            InvalidRowError: The row, or the cutoff, makes no sense.
        """
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
            return _session(sid, row), _cutoff(own, everyone)
        except (UnreadableRowError, ValueError):
            pass
        # Not in the handler: what was wrong with a row may quote it.
        raise InvalidRowError(sid)

    async def _read(self, wire: Wire, sid: str, sub: str | None) -> Replies:
        keys = (self._row(sid), self._cutoffs(sid[32:]))
        whose = "" if sub is None else f"={sub}"
        if wire.whole:
            return _list(await wire.run(_SCRIPTS["get"], (*keys, self._everyone), ("", whose)))
        found, everyone = await asyncio.gather(wire.run(_SCRIPTS["get"], keys, ("0", whose)), self._read_everyone(wire))
        return [*_list(found)[:2], everyone.encode()]

    async def _no_row(self, wire: Wire) -> Replies:
        return [[], None, (await self._read_everyone(wire)).encode()]

    async def _read_cutoff(self, wire: Wire, sub: str) -> Reply:
        digest = _digest(sub)
        keys, argument = await self._known(wire)
        keys = (self._index(digest), self._cutoffs(digest[:4]), *keys)
        return _list(await wire.run(_SCRIPTS["index"], keys, (argument, sub, 1, 0)))[1]

    async def list(self, sub: str, now: int, limit: int = 100) -> Sessions:
        """List a subject's live sessions, newest first. See `Store.list`."""
        wire = await self._wire()
        digest = _digest(sub)
        index, cutoffs = self._index(digest), self._cutoffs(digest[:4])
        found: Sessions = []
        first = 0
        while len(found) < limit:
            page = min(limit, 100)
            keys, argument = await self._known(wire)
            keys = (index, cutoffs, *keys)
            answer = _list(await wire.run(_SCRIPTS["index"], keys, (argument, sub, first, first + page - 1)))
            try:
                cutoff = _cutoff(answer[1], answer[2])
            except ValueError:
                # As `advance` sees it: a cutoff that cannot be read ends everything.
                return []
            sids = [_text(sid) for sid in _list(answer[0])]
            gone, rows = await self._rows(wire, index, sids) if sids else (0, [])
            for sid, row in zip(sids, rows, strict=True):
                with contextlib.suppress(ValueError):
                    session = _session(sid, row)
                    if session is not None and session.sub == sub and _lives(session, cutoff, now):
                        found.append(session)
            if len(sids) < page:
                break
            first += len(sids) - gone
        return found[:limit]

    async def _rows(self, wire: Wire, index: str, sids: Sids) -> tuple[int, Replies]:
        keys = (index, *(self._row(sid) for sid in sids))
        gone, rows = _list(await wire.run(_SCRIPTS["rows"], keys, sids))
        return cast("int", gone), _list(rows)

    async def advance(self, rotation: Rotation) -> Session | None:
        """Move a session forward by one compare-and-swap; a row that makes no sense stays. See `Store.advance`."""
        one, sid = rotation, rotation.sid
        digest = _digest(one.sub)
        if not is_session_id(sid) or sid[32:] != digest[:4]:
            return None
        wire = await self._wire()
        more, everyone = await self._known(wire)
        keys = (self._row(sid), self._cutoffs(digest[:4]), self._index(digest), *more)
        arguments = (
            everyone,
            sid,
            session_created_at(sid),
            one.sub,
            one.from_generation,
            one.to_generation,
            one.at,
            _number(one.expires_at),
            _optional(one.ip),
            _optional(one.user_agent),
            one.retry_hash or "",
        )
        reply = await wire.run(_SCRIPTS["advance"], keys, arguments)
        if reply is None:
            return None
        try:
            created, expires, device = cast("list[bytes | None]", reply)
            return Session(
                sid=sid,
                sub=one.sub,
                generation=one.to_generation,
                created_at=int(created or b""),
                rotated_at=one.at,
                expires_at=None if expires is None else int(expires),
                ip=one.ip,
                user_agent=one.user_agent,
                device=None if device is None else device.decode(),
                retry_hash=one.retry_hash,
            )
        except ValueError:
            # What is wrong with the row comes out when it is read.
            return None

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
        at = await self._announce(wire, revocation)
        if revocation.kind == "everyone":
            self._seen, self._seen_at = str(at), monotonic()
        await wire.settle(self._settling(None))
        return replace(revocation, at=at)

    async def _revoke_session(self, revocation: Revocation) -> Revocation:
        sid, sub = revocation.key, revocation.sub
        if not is_session_id(sid):
            raise ValueError("this is no session id")
        wire = await self._wire()
        digest = None if sub is None else _digest(sub)
        keys = (self._row(sid),) if digest is None or digest[:4] != sid[32:] else (self._row(sid), self._index(digest))
        arguments = (
            sid,
            session_created_at(sid),
            revocation.at,
            _sane(revocation.reason),
            sub or "",
            _number(revocation.expires_at),
        )
        await self._announce(wire, revocation)
        await wire.run(_SCRIPTS["mark"], keys, arguments)
        await wire.settle(self._settling(None), self._settling(sid))
        return revocation

    async def _revoke_subject(self, revocation: Revocation) -> Revocation:
        sub, spared = revocation.key, revocation.spared
        digest = _digest(sub)
        if spared is None or not is_session_id(spared) or spared[32:] != digest[:4]:
            spared = None
        wire = await self._wire()
        index = self._index(digest)
        more, everyone = await self._known(wire, age=0)
        keys = (self._cutoffs(digest[:4]), index, index if spared is None else self._row(spared), *more)
        created = 0 if spared is None else session_created_at(spared)
        arguments = (everyone, sub, revocation.at, spared or "", created)
        version, at, kept = (_text(part) for part in _list(await wire.run(_SCRIPTS["cut"], keys, arguments)))
        stored = replace(revocation, at=int(at), spared=kept or None)
        await self._announce(wire, stored, version)
        await wire.settle(self._settling(None), self._settling(digest[:4]))
        return stored

    async def _announce(self, wire: Wire, revocation: Revocation, version: str = "0") -> int:
        fields: list[Argument] = []
        for name, value in (
            ("reason", _sane(revocation.reason)),
            ("sub", revocation.sub),
            ("spared", revocation.spared),
        ):
            if value is not None:
                fields += (name, value)
        head = (revocation.kind, revocation.key, revocation.at, _number(revocation.until), version)
        keys = (self._feed, self._entries, self._untils, self._everyone)
        return int(_text(await wire.run(_SCRIPTS["announce"], keys, (*head, *fields))))

    async def revocations(self, cursor: str) -> tuple[Revocations, str]:
        """List what was revoked. See `Store.revocations`."""
        wire = await self._wire()
        found: Revocations = []
        while True:
            run, last = _position(cursor)
            answer = _list(await wire.run(_SCRIPTS["read"], (self._feed,), (run, last, _PAGE)))
            now_run, newest, entries = _text(answer[0]), _text(answer[1]), _list(answer[2])
            if now_run != run:
                # From the beginning: what was read of another run is not what this one holds.
                found.clear()
            ids = []
            for entry in entries:
                entry_id, pairs = _list(entry)
                ids.append(_text(entry_id))
                with contextlib.suppress(ValueError, KeyError):
                    found.append(_revocation(_fields(pairs)))
            cursor = f"{now_run}:{ids[-1] if len(ids) == _PAGE else newest}"
            if len(ids) < _PAGE:
                return found, cursor

    async def count_live(self, now: int) -> tuple[int, str]:
        """Count the revocations that still matter. See `Store.count_live`."""
        wire = await self._wire()
        count, run, newest = _list(await wire.run(_SCRIPTS["count_live"], (self._untils, self._feed), (now,)))
        return cast("int", count), f"{_text(run)}:{_text(newest)}"

    async def wait(self, cursor: str, timeout: float) -> None:  # noqa: ASYNC109 - it may end early, never fail
        """Wait until there may be something after a cursor. See `Store.wait`.

        It blocks on a connection of its own. Where it cannot, it returns after a quarter of a second, as
        there may be something: so readers go on, by looking.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        wire = await self._wire()
        last = _position(cursor)[1] or "0-0"
        while (left := min(end - loop.time(), _SLICE)) > 0:
            milliseconds = max(1, int(left * 1000))
            command = ("XREAD", "COUNT", 1, "BLOCK", milliseconds, "STREAMS", self._feed, last)
            try:
                if await wire.block(self._feed, command, left + 1.0):
                    return
            except (errors.RedisError, errors.RedisClusterException, TimeoutError, OSError):
                await asyncio.sleep(max(0.0, min(end - loop.time(), _PAUSE)))
                return

    async def prune(self, now: int, limit: int) -> int:
        """Delete entries of the feed that matter no more. Rows go by their time to live. See `Store.prune`."""
        wire = await self._wire()
        keys = (self._feed, self._entries, self._untils)
        deleted = 0
        while deleted < limit:
            some = min(limit - deleted, _PAGE)
            done = cast("int", await wire.run(_SCRIPTS["prune"], keys, (now - _MINUTE_MS, some)))
            deleted += done
            if done < some:
                break
        return deleted

    async def now(self) -> int:
        """Read the server's clock, to compare with this host's. Of a cluster, that of one of its servers.

        Returns:
            Milliseconds since 1970.

        Raises:
            StoreUnavailableError: The server does not answer.
        """
        wire = await self._wire()
        return int(_text(await wire.run(_SCRIPTS["now"], (self._version,), ())))

    async def _start(self) -> Wire:
        return self._make()

    async def _wire(self) -> Wire:
        return self._opened.here() or await self._opened.get()

    async def _known(self, wire: Wire, age: float = _FRESH) -> tuple[tuple[str, ...], str]:
        # The key by which a script sees the cutoff of everyone, or that cutoff.
        if wire.whole:
            return (self._everyone,), ""
        return (), await self._read_everyone(wire, age)

    async def _read_everyone(self, wire: Wire, age: float = 0) -> str:
        now = monotonic()
        if now - self._asked_at > age or now - self._seen_at > _STALE:
            self._asked_at = now
            try:
                self._seen = _text(await wire.run(_SCRIPTS["everyone"], (self._everyone,), ()))
                self._seen_at = monotonic()
            except StoreUnavailableError:
                # While that server is gone nobody moves the cutoff, so the sessions of the others go on for a while.
                if now - self._seen_at > _STALE:
                    raise
        return self._seen

    def _row(self, sid: str) -> str:
        return f"{self._prefix}{{{sid[32:]}}}s:{sid}"

    def _cutoffs(self, tag: str) -> str:
        return f"{self._prefix}{{{tag}}}c"

    def _index(self, digest: str) -> str:
        return f"{self._prefix}{{{digest[:4]}}}i:{digest}"

    def _settling(self, sid_or_tag: str | None) -> str:
        # A key that is written only to be waited for.
        return f"{self._feed}w" if sid_or_tag is None else f"{self._prefix}{{{sid_or_tag[-4:]}}}w"


def from_url(url: str, prefix: str) -> RedisStore:
    """Make the store that a URL names. Nothing is opened yet.

    Args:
        url: `redis://`, `rediss://`, `redis+cluster://` or `rediss+cluster://`. Options in its query:
            `client_name`, `db`, `max_connections`, `password`, `socket_keepalive`, `username`, and with TLS
            `ssl_ca_certs`, `ssl_ca_data`, `ssl_cert_reqs`, `ssl_certfile`, `ssl_check_hostname`, `ssl_keyfile`.
        prefix: Begins the names of the keys.

    Returns:
        The store.

    Raises:
        BadConfigurationError: The URL makes no sense.
    """
    return RedisStore(url, prefix=prefix)


async def _none() -> None:
    return None


def _digest(sub: str) -> str:
    # Its first four digits are the subject's hash in session ids; the rest keeps odd characters out of keys.
    return sha256(sub.encode()).hexdigest()


def _lives(session: Session, cutoff: Cutoff | None, now: int) -> bool:
    if session.revoked_at is not None or kills(cutoff, session.sid, session.created_at):
        return False
    return session.expires_at is None or session.expires_at > now


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _sane(text: str) -> bytes:
    # What only describes a session must not make storing it fail.
    return text.encode("utf-8", "replace")


def _optional(text: str | None) -> bytes:
    return b"" if text is None else b"=" + _sane(text)


def _row_of(session: Session) -> list[Argument]:
    fields: list[Argument] = ["sub", session.sub, "generation", session.generation]
    for name in ("created_at", "rotated_at", "expires_at", "revoked_at"):
        if (moment := cast("int | None", getattr(session, name))) is not None:
            fields += (name, moment)
    for name in ("revoked_reason", "ip", "user_agent", "device", "retry_hash"):
        if (text := cast("str | None", getattr(session, name))) is not None:
            fields += (name, _sane(text))
    return fields


def _text(reply: Reply) -> str:
    if reply is None:
        return ""
    if not isinstance(reply, bytes):
        raise BadConfigurationError("The Redis server answers in a form that is not understood")
    return reply.decode()


def _list(reply: Reply) -> list[Reply]:
    if not isinstance(reply, list):
        raise BadConfigurationError("The Redis server answers in a form that is not understood")
    return reply


def _fields(reply: Reply) -> Fields:
    parts = [_text(part) for part in _list(reply)]
    if len(parts) % 2:
        raise ValueError("no pairs")
    return dict(_pairs(parts))


def _pairs(parts: list[str]) -> Iterator[tuple[str, str]]:
    return zip(parts[::2], parts[1::2], strict=True)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 16:
        raise ValueError("no count")
    return int(text)


def _moment(fields: Fields, name: str) -> int | None:
    text = fields.get(name)
    return None if text is None else _count(text)


def _session(sid: str, reply: Reply) -> Session | None:
    fields = _fields(reply)
    if not fields:
        return None
    try:
        return Session(
            sid=sid,
            sub=fields["sub"],
            generation=_count(fields["generation"]),
            created_at=_count(fields["created_at"]),
            rotated_at=_count(fields["rotated_at"]),
            expires_at=_moment(fields, "expires_at"),
            revoked_at=_moment(fields, "revoked_at"),
            revoked_reason=fields.get("revoked_reason"),
            ip=fields.get("ip"),
            user_agent=fields.get("user_agent"),
            device=fields.get("device"),
            retry_hash=fields.get("retry_hash"),
        )
    except KeyError:
        raise ValueError("fields are missing") from None


def _cutoff(own: Reply, everyone: Reply) -> Cutoff | None:
    match = None if own is None else _CUTOFF.fullmatch(_text(own))
    if own is not None and match is None:
        raise ValueError("no cutoff")
    at, spared = (int(match[1]), match[2]) if match else (None, None)
    return subject_cutoff(at, spared or None, _count(_text(everyone)) or None)


def _revocation(fields: Fields) -> Revocation:
    return Revocation(
        kind=_KINDS[fields["kind"]],
        key=fields["key"],
        at=_count(fields["at"]),
        until=_moment(fields, "until"),
        reason=fields.get("reason", "revoked"),
        sub=fields.get("sub"),
        spared=fields.get("spared"),
    )


def _position(cursor: str) -> tuple[str, str]:
    match = _CURSOR.fullmatch(cursor)
    return (match[1], match[2]) if match else ("", "")
