"""The Redis store on one real server: round trips, keys, crashes, restarts, errors. What all stores do is elsewhere."""

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import shutil
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
import redis
import redis.asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis.asyncio.connection import Connection
from redis.crc import key_slot
from starlette.requests import Request
from starlette.responses import Response
from tests.stores.servers import Node, a_node
from tests.support.processes import Port
from tests.support.waiting import PATIENCE, SOON, until

from authx import AuthX, AuthXConfig
from authx.core.ids import session_id
from authx.core.session import Cutoff, Revocation, Rotation, Session
from authx.exceptions import BadConfigurationError, RefreshReusedError, StoreUnavailableError
from authx.stores import InvalidRowError, open_store
from authx.stores.redis import RedisStore, feed
from authx.testing.contract import MakeStore, StoreContract
from authx.token import decode_token

pytestmark = pytest.mark.anyio

DAY = 86_400_000
HOUR = 3_600_000
NOW = int(time.time() * 1000)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server that every test may use, with keys of its own."""
    given = os.environ.get("AUTHX_TEST_REDIS_URL")
    if given:
        yield given
        return
    with a_node() as node:
        yield node.url


@pytest.fixture
def admin(url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(url, decode_responses=True) as client:
        yield client


@pytest.fixture
def prefix(admin: redis.Redis) -> Iterator[str]:
    prefix = f"t{secrets.token_hex(6)}_"
    yield prefix
    for key in admin.scan_iter(f"{prefix}*", count=1000):
        admin.delete(key)


@pytest.fixture
async def store(url: str, prefix: str) -> AsyncIterator[RedisStore]:
    async with opened(url, prefix=prefix) as store:
        yield store


@asynccontextmanager
async def opened(url: str, prefix: str = "authx_") -> AsyncIterator[RedisStore]:
    store = RedisStore(url, prefix=prefix)
    try:
        await store.open()
        await store.create_schema()
        yield store
    finally:
        await store.close()


def a_session(sub: str = "alice", created: int = NOW, **changes: object) -> Session:
    row = Session(
        sid=session_id(sub, created, os.urandom(8)),
        sub=sub,
        generation=1,
        created_at=created,
        rotated_at=created,
        expires_at=created + 30 * DAY,
        ip="192.0.2.7",
        user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        device='{"name":"laptop"}',
    )
    return replace(row, **changes)


async def advanced(store: RedisStore, row: Session, at: int | None = None, **changes: object) -> Session | None:
    rotation = Rotation(
        sid=row.sid,
        sub=row.sub,
        from_generation=row.generation,
        to_generation=row.generation + 1,
        at=row.rotated_at + 1000 if at is None else at,
        expires_at=row.expires_at,
        retry_hash=row.retry_hash,
        ip=row.ip,
        user_agent=row.user_agent,
    )
    return await store.advance(replace(rotation, **changes))


def end_of(row: Session, **changes: object) -> Revocation:
    revocation = Revocation(kind="session", key=row.sid, at=NOW + 5, until=NOW + HOUR, reason="logout", sub=row.sub)
    return replace(revocation, **changes)


def cut_of(sub: str = "alice", **changes: object) -> Revocation:
    return replace(Revocation(kind="subject", key=sub, at=NOW + 5, until=NOW + HOUR, sub=sub), **changes)


def token(number: int = 0, **changes: object) -> Revocation:
    return replace(Revocation(kind="token", key=f"jti-{number}", at=NOW, until=NOW + HOUR), **changes)


def everyone(at: int = NOW) -> Revocation:
    return Revocation(kind="everyone", key="", at=at, until=None)


def keys_of(admin: redis.Redis, prefix: str) -> list[str]:
    return sorted(admin.scan_iter(f"{prefix}*", count=1000))


def key_with(admin: redis.Redis, prefix: str, kind: str) -> str:
    (found,) = (key for key in keys_of(admin, prefix) if key.partition("}")[2].startswith(kind) and "{feed}" not in key)
    return found


class TestContract(StoreContract):
    deletes_sessions_itself = True

    @pytest.fixture
    def make_store(self, url: str, prefix: str) -> MakeStore:
        return lambda: RedisStore(url, prefix=prefix)


class Watch:
    """What clients send to the server, scripts' own calls left out."""

    def __init__(self, admin: redis.Redis) -> None:
        self._monitor = admin.monitor()
        self._admin = admin

    def __enter__(self) -> Self:
        self._monitor.__enter__()
        # A first look, past the greetings of the connection that looks.
        self.names()
        return self

    def __exit__(self, *problem: object) -> None:
        self._monitor.__exit__(*problem)

    def names(self) -> list[str]:
        end = f"end-{secrets.token_hex(4)}"
        self._admin.echo(end)
        found = []
        while True:
            seen = self._monitor.next_command()
            if end in seen["command"]:
                return found
            if seen["client_type"] != "lua":
                found.append(seen["command"].split()[0].upper())


# One step, one round trip


async def test_a_rotation_is_exactly_one_command(store: RedisStore, admin: redis.Redis) -> None:
    row = a_session()
    await store.create(row)
    assert await advanced(store, row)
    with Watch(admin) as watch:
        for generation in range(2, 12):
            assert await advanced(store, replace(row, generation=generation))
        assert watch.names() == ["EVALSHA"] * 10


async def test_a_lookup_is_exactly_one_command(store: RedisStore, admin: redis.Redis) -> None:
    row = a_session()
    await store.create(row)
    await store.get(row.sid)
    with Watch(admin) as watch:
        assert await store.get(row.sid) == (row, None)
        assert await store.get(row.sid, row.sub) == (row, None)
        assert watch.names() == ["EVALSHA"] * 2


async def test_scripts_that_the_server_forgot_are_sent_again_once(store: RedisStore, admin: redis.Redis) -> None:
    row = a_session()
    await store.create(row)
    assert await advanced(store, row)
    admin.script_flush()
    with Watch(admin) as watch:
        assert await advanced(store, replace(row, generation=2))
        assert await advanced(store, replace(row, generation=3))
        assert watch.names() == ["EVALSHA", "EVAL", "EVALSHA"]


async def test_of_many_rotations_from_one_generation_one_succeeds(store: RedisStore) -> None:
    row = a_session()
    await store.create(row)
    results = await asyncio.gather(*(advanced(store, row, at=NOW + i) for i in range(50)))
    assert sum(result is not None for result in results) == 1
    found, _ = await store.get(row.sid)
    assert found is not None
    assert found.generation == 2


async def test_a_session_whose_creation_was_answered_into_nowhere_is_the_callers(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, read = a_session(), Connection.read_response
    lost = []

    async def read_and_lose(connection: Connection, *args: object, **options: object) -> object:
        reply = await read(connection, *args, **options)
        if not lost and isinstance(reply, list):
            lost.append(reply)
            raise redis.ConnectionError("reset by peer")
        return reply

    await store.create(a_session())  # the script is known from here on
    monkeypatch.setattr(Connection, "read_response", read_and_lose)
    assert await store.create(row) is True
    assert lost == [[1]]
    assert await store.create(row) is False
    assert (await store.get(row.sid))[0] == row


async def test_a_session_of_another_content_is_not_the_callers_after_a_lost_connection(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, read = a_session(), Connection.read_response
    await store.create(row)
    lost = []

    async def lose(connection: Connection, *args: object, **options: object) -> object:
        if not lost:
            lost.append(await read(connection, *args, **options))
            raise redis.ConnectionError("reset by peer")
        return await read(connection, *args, **options)

    monkeypatch.setattr(Connection, "read_response", lose)
    assert await store.create(replace(row, ip="198.51.100.1")) is False
    assert lost


@pytest.mark.parametrize("rotations", [0, 1, 3])
async def test_a_refresh_that_the_driver_repeats_after_its_own_commit_is_no_reuse(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch, rotations: int
) -> None:
    config = AuthXConfig(JWT_SECRET_KEY="x7Gq" * 12, JWT_REFRESH_GRACE_PERIOD=timedelta(0))
    auth, read = AuthX(config, store=store), Connection.read_response
    replayed = []
    auth.on("replay", replayed.append)

    async def refreshed(token: str) -> str:
        headers = [(b"authorization", f"Bearer {token}".encode())]
        request = Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers})
        return (await auth.refresh(request, Response())).refresh_token

    token = auth.create_refresh_token("alice")
    await refreshed(auth.create_refresh_token("bob"))
    for _ in range(rotations):
        token = await refreshed(token)
    lost = []

    async def read_and_lose(connection: Connection, *args: object, **options: object) -> object:
        reply = await read(connection, *args, **options)
        # The answer to a script that wrote.
        if not lost and isinstance(reply, list) and reply[0] == (replies[0] if rotations else 1):
            lost.append(reply)
            raise redis.ConnectionError("reset by peer")
        return reply

    sid = decode_token(token, key="", verify=False)["sid"]
    row, _ = await store.get(sid)
    replies = [b"" if row is None else str(row.created_at).encode()]
    monkeypatch.setattr(Connection, "read_response", read_and_lose)
    successor = await refreshed(token)
    assert len(lost) == 1
    monkeypatch.undo()
    assert (await store.get(sid))[0].generation == rotations + 1
    assert [event.cause for event in replayed] == (["retry"] if rotations else [])
    await refreshed(successor)
    with pytest.raises(RefreshReusedError):
        await refreshed(token)
    await auth.close()


# Keys and their lives


async def test_all_keys_of_a_subject_are_in_one_slot_and_the_feed_is_in_another(
    store: RedisStore, admin: redis.Redis, prefix: str
) -> None:
    first, second = a_session("bob"), a_session("bob", NOW + 1)
    await store.create(first)
    await store.create(second)
    await advanced(store, first)
    await store.revoke(end_of(second))
    await store.revoke(cut_of("bob", spared=first.sid))
    await store.revoke(token())
    await store.revoke(everyone(NOW - DAY))
    slots: dict[bool, set[int]] = {True: set(), False: set()}
    for key in keys_of(admin, prefix):
        slots["{feed}" in key].add(key_slot(key.encode()))
    assert len(slots[True]) == len(slots[False]) == 1
    assert slots[True] != slots[False]


@pytest.mark.parametrize("sub", ["bob", "a}b{c", "{feed}", "* ?[x]", "tab\tand\nline", "ü¶😀", "x" * 3000])
async def test_a_subjects_name_is_in_no_key_and_may_be_anything(
    store: RedisStore, admin: redis.Redis, prefix: str, sub: str
) -> None:
    row = a_session(sub)
    assert await store.create(row)
    stored = await store.revoke(cut_of(sub, spared=row.sid))
    assert stored.spared == row.sid
    assert await store.list(sub, NOW) == [row]
    assert await advanced(store, row)
    assert (await store.revocations(""))[0] == [stored]
    digest = sha256(sub.encode()).hexdigest()
    for key in keys_of(admin, prefix):
        rest = key.removeprefix(prefix)
        assert rest.startswith(("{feed}", f"{{{digest[:4]}}}"))
        assert rest.partition("}")[2] in {"c", "e", "u", "v", "", f"i:{digest}", f"s:{row.sid}"}


async def test_a_row_is_kept_a_day_longer_than_its_last_token(
    store: RedisStore, admin: redis.Redis, prefix: str
) -> None:
    row = a_session()
    await store.create(row)
    key = key_with(admin, prefix, "s:")
    assert admin.pexpiretime(key) == NOW + 31 * DAY
    assert await advanced(store, row, expires_at=NOW + 40 * DAY)
    assert admin.pexpiretime(key) == NOW + 41 * DAY


async def test_an_earlier_end_or_a_revocation_does_not_shorten_the_life_of_a_row(
    store: RedisStore, admin: redis.Redis, prefix: str
) -> None:
    row = a_session()
    await store.create(row)
    moved = await advanced(store, row, expires_at=NOW + DAY)
    assert moved is not None
    assert moved.expires_at == row.expires_at
    await store.revoke(end_of(row, expires_at=NOW + DAY))
    await store.revoke(cut_of())
    assert admin.pexpiretime(key_with(admin, prefix, "s:")) == NOW + 31 * DAY


async def test_a_session_without_an_end_is_kept_for_good(store: RedisStore, admin: redis.Redis, prefix: str) -> None:
    await store.create(a_session())
    endless = a_session(expires_at=None)
    await store.create(endless)
    moved = await advanced(store, endless, expires_at=NOW + DAY)
    assert moved is not None
    assert moved.expires_at is None
    assert admin.ttl(f"{prefix}{{{endless.sid[32:]}}}s:{endless.sid}") == -1
    assert admin.ttl(key_with(admin, prefix, "i:")) == -1


async def test_a_session_that_loses_its_end_is_kept_for_good(
    store: RedisStore, admin: redis.Redis, prefix: str
) -> None:
    row = a_session()
    await store.create(row)
    moved = await advanced(store, row, expires_at=None)
    assert moved is not None
    assert moved.expires_at is None
    assert await store.get(row.sid) == (moved, None)
    assert admin.ttl(key_with(admin, prefix, "s:")) == -1
    assert admin.ttl(key_with(admin, prefix, "i:")) == -1


async def test_a_revocation_without_a_row_is_kept_as_long_as_its_tokens(
    store: RedisStore, admin: redis.Redis, prefix: str
) -> None:
    row = a_session()
    await store.revoke(end_of(row, expires_at=NOW + 7 * DAY))
    assert admin.pexpiretime(key_with(admin, prefix, "s:")) == NOW + 8 * DAY


@pytest.mark.parametrize("revoked_before", [False, True])
async def test_a_revocation_keeps_a_row_as_long_as_its_tokens(
    store: RedisStore, admin: redis.Redis, prefix: str, revoked_before: bool
) -> None:
    row = a_session()
    await store.create(row)
    if revoked_before:
        await store.revoke(end_of(row, expires_at=row.expires_at))
    key = key_with(admin, prefix, "s:")
    await store.revoke(end_of(row, expires_at=NOW + 60 * DAY))
    assert admin.pexpiretime(key) == NOW + 61 * DAY
    await store.revoke(end_of(row, expires_at=NOW + 2 * DAY))
    assert admin.pexpiretime(key) == NOW + 61 * DAY
    await store.revoke(end_of(row, expires_at=None))
    assert admin.ttl(key) == -1
    await store.revoke(end_of(row, expires_at=NOW + 90 * DAY))
    assert admin.ttl(key) == -1


async def test_the_index_lives_at_least_as_long_as_every_row(
    store: RedisStore, admin: redis.Redis, prefix: str
) -> None:
    long, short = a_session(), a_session(expires_at=NOW + DAY)
    await store.create(long)
    await store.create(short)
    index = key_with(admin, prefix, "i:")
    assert admin.pexpiretime(index) >= NOW + 31 * DAY
    await advanced(store, short, expires_at=NOW + 60 * DAY)
    assert admin.pexpiretime(index) >= NOW + 61 * DAY
    await store.revoke(cut_of(spared=short.sid))
    assert admin.pexpiretime(index) >= NOW + 61 * DAY


async def test_a_host_whose_clock_is_years_behind_loses_no_row(store: RedisStore) -> None:
    long_ago = NOW - 3000 * DAY
    row = a_session(created=long_ago)
    assert await store.create(row)
    moved = await advanced(store, row)
    assert moved is not None
    assert await store.get(row.sid) == (moved, None)
    assert await store.list("alice", long_ago) == [moved]


async def test_an_index_that_is_gone_comes_back_with_the_next_rotation(
    store: RedisStore, admin: redis.Redis, prefix: str
) -> None:
    row = a_session()
    await store.create(row)
    admin.delete(key_with(admin, prefix, "i:"))
    moved = await advanced(store, row)
    assert await store.list("alice", NOW) == [moved]


async def test_a_long_index_loses_sessions_whose_rows_are_gone(
    store: RedisStore, admin: redis.Redis, prefix: str
) -> None:
    rows = [a_session(created=NOW + i) for i in range(100)]
    for row in rows[:70]:
        await store.create(row)
    for row in rows[:70]:
        admin.delete(f"{prefix}{{{row.sid[32:]}}}s:{row.sid}")
    for row in rows[70:]:
        await store.create(row)
    assert admin.zcard(key_with(admin, prefix, "i:")) <= 64 + 1
    assert len(await store.list("alice", NOW)) == 30


async def test_the_list_finds_the_living_behind_many_dead(store: RedisStore) -> None:
    rows = [a_session(created=NOW + i) for i in range(230)]
    for row in rows:
        await store.create(row)
    for row in rows[4:]:
        await store.revoke(end_of(row))
    assert await store.list("alice", NOW, limit=3) == [rows[3], rows[2], rows[1]]
    assert await store.list("alice", NOW) == [rows[3], rows[2], rows[1], rows[0]]


async def test_a_cutoff_comes_after_the_newest_session_though_it_is_dead_and_out_of_the_list(
    store: RedisStore,
) -> None:
    ahead = a_session(created=NOW + HOUR)
    await store.create(ahead)
    await store.revoke(end_of(ahead))
    assert await store.list("alice", NOW) == []
    assert (await store.revoke(cut_of())).at == NOW + HOUR + 1


async def test_a_cutoff_empties_the_index_but_for_the_spared_session(
    store: RedisStore, admin: redis.Redis, prefix: str
) -> None:
    rows = [a_session(created=NOW + i) for i in range(5)]
    for row in rows:
        await store.create(row)
    await store.revoke(cut_of(spared=rows[2].sid))
    assert admin.zrange(key_with(admin, prefix, "i:"), 0, -1) == [rows[2].sid]
    assert await store.list("alice", NOW) == [rows[2]]


# The feed


async def test_a_revocation_wakes_a_waiting_reader(
    url: str, prefix: str, store: RedisStore, admin: redis.Redis
) -> None:
    async with opened(url, prefix) as reader:
        _, cursor = await reader.revocations("")
        for number in range(20):
            waiting = asyncio.create_task(reader.wait(cursor, 3600))
            await until_blocked(admin)
            assert not waiting.done()
            await store.revoke(token(number))
            async with asyncio.timeout(PATIENCE):
                await waiting
            listed, cursor = await reader.revocations(cursor)
            assert listed == [token(number)]


async def until_blocked(admin: redis.Redis) -> None:
    """Wait until a reader waits at the server."""
    await until(lambda: admin.info("clients")["blocked_clients"], "the reader's wait")


async def test_a_reader_returns_after_its_timeout_though_nothing_happened(store: RedisStore) -> None:
    _, cursor = await store.revocations("")
    begun = time.monotonic()
    async with asyncio.timeout(PATIENCE):
        await store.wait(cursor, 1.3)
    assert time.monotonic() - begun > 1.2


async def test_a_reader_that_is_behind_does_not_wait(store: RedisStore) -> None:
    await store.revoke(token())
    async with asyncio.timeout(PATIENCE):
        await store.wait("", 3600)


async def test_a_cancelled_wait_leaves_nothing_behind(store: RedisStore, admin: redis.Redis) -> None:
    _, cursor = await store.revocations("")
    before = len(admin.client_list())
    for _ in range(20):
        waiting = asyncio.create_task(store.wait(cursor, 3600))
        await until_blocked(admin)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await store.revocations(cursor))[0] == []
    waiting = asyncio.create_task(store.wait(cursor, 3600))
    await until_blocked(admin)
    await store.revoke(token())
    async with asyncio.timeout(PATIENCE):
        await waiting
    await until(lambda: len(admin.client_list()) <= before + 3, "the end of the connections")


async def test_a_cancelled_rotation_does_not_give_its_answer_to_another(store: RedisStore) -> None:
    rows = [a_session(f"user{i}") for i in range(30)]
    for row in rows:
        await store.create(row)
    for row in rows:
        moving = asyncio.create_task(advanced(store, row))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        moving.cancel()
        await asyncio.gather(moving, return_exceptions=True)
        found, _ = await store.get(row.sid)
        assert found is not None
        assert found.sub == row.sub


async def test_two_stores_on_one_server_see_the_same(url: str, prefix: str, store: RedisStore) -> None:
    async with opened(url, prefix) as other:
        row = a_session()
        assert await store.create(row)
        assert not await other.create(row)
        moved = await advanced(other, row)
        assert moved is not None
        assert await store.get(row.sid) == (moved, None)
        made = []
        for number in range(10):
            made.append(await (store, other)[number % 2].revoke(token(number)))
        assert (await store.revocations(""))[0] == (await other.revocations(""))[0] == made
        assert await store.count_live(NOW) == await other.count_live(NOW)


async def test_the_feed_is_read_in_pages_without_a_gap(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [await store.revoke(token(number)) for number in range(25)]
    monkeypatch.setattr(feed, "_PAGE", 10)
    listed, cursor = await store.revocations("")
    assert listed == made
    assert await store.revocations(cursor) == ([], cursor)
    assert await store.count_live(NOW) == (25, cursor)


async def test_what_is_revoked_again_is_listed_once_and_last(store: RedisStore) -> None:
    await store.revoke(token(1))
    await store.revoke(token(2))
    _, cursor = await store.revocations("")
    await store.revoke(token(1))
    assert (await store.revocations(cursor))[0] == [token(1)]
    listed, end = await store.revocations("")
    assert listed == [token(2), token(1)]
    assert await store.count_live(NOW) == (2, end)


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [(NOW + 2, NOW + 1, NOW + 2), (NOW + 1, NOW + 2, NOW + 2), (None, NOW + 2, None), (NOW + 2, None, None)],
    ids=["earlier", "later", "from endless", "to endless"],
)
async def test_a_repetition_never_matters_for_a_shorter_time(
    store: RedisStore, first: int | None, second: int | None, kept: int | None
) -> None:
    await store.revoke(token(until=first))
    await store.revoke(token(until=second))
    assert (await store.revocations(""))[0] == [token(until=kept)]
    assert (await store.count_live(NOW + 1))[0] == 1


async def test_pruning_deletes_a_bounded_number_of_what_matters_no_more(
    store: RedisStore, admin: redis.Redis, prefix: str
) -> None:
    for number in range(10):
        await store.revoke(token(number, until=NOW + number))
    await store.revoke(everyone())
    await store.revoke(Revocation(kind="everyone", key="", at=NOW + 1, until=NOW + 1))
    now = NOW + 60_000 + 8
    assert await store.prune(now, 3) == 3
    assert await store.prune(now, 100) == 5
    assert await store.prune(now, 100) == 0
    listed, cursor = await store.revocations("")
    assert [one.key for one in listed] == ["jti-8", "jti-9", ""]
    assert await store.count_live(0) == (3, cursor)
    assert admin.xlen(f"{prefix}{{feed}}") == admin.hlen(f"{prefix}{{feed}}e") == 3
    assert await store.prune(NOW + 3000 * DAY, 100) == 2
    assert [one.kind for one in (await store.revocations(""))[0]] == ["everyone"]


async def test_cutoffs_are_never_pruned(store: RedisStore) -> None:
    row = a_session()
    stored = await store.revoke(cut_of())
    await store.prune(NOW + 3000 * DAY, 100)
    assert (await store.revocations(""))[0] == []
    assert await store.get(row.sid, "alice") == (None, Cutoff(at=stored.at))


async def test_an_entry_that_makes_no_sense_hides_no_other(store: RedisStore, admin: redis.Redis, prefix: str) -> None:
    await store.revoke(token(1))
    admin.xadd(f"{prefix}{{feed}}", {"kind": "party", "key": "x", "at": "1"})
    admin.xadd(f"{prefix}{{feed}}", {"kind": "token", "at": "soon"})
    await store.revoke(token(2))
    assert (await store.revocations(""))[0] == [token(1), token(2)]


@pytest.mark.parametrize(
    "cursor", ["x", ":", "run:5", "run:5-", "run:5-5", ":5-5", "a b:1-1", "run:" + "9" * 20 + "-1"]
)
async def test_a_cursor_that_makes_no_sense_counts_as_empty(store: RedisStore, cursor: str) -> None:
    await store.revoke(token())
    assert (await store.revocations(cursor))[0] == [token()]


async def test_a_feed_that_was_deleted_is_read_from_the_beginning(
    store: RedisStore, admin: redis.Redis, prefix: str
) -> None:
    await store.revoke(token(1))
    _, cursor = await store.revocations("")
    for key in keys_of(admin, prefix):
        admin.delete(key)
    listed, after = await store.revocations(cursor)
    assert listed == []
    assert after != cursor
    await store.revoke(token(2))
    assert (await store.revocations(after))[0] == [token(2)]


# Steps that belong together


class Halting(RedisStore):
    """Stops between the two steps of a revocation, when told so."""

    gate: asyncio.Event | None = None
    crash = False

    def __init__(self, url: str, *, prefix: str) -> None:
        super().__init__(url, prefix=prefix)
        announce = self._feed.announce

        async def announce_unless_halted(*args: Any) -> int:
            if self.crash:
                raise StoreUnavailableError("the process ended here")
            if self.gate is not None:
                await self.gate.wait()
            return await announce(*args)

        self._feed.announce = announce_unless_halted


async def is_cut_off(store: RedisStore, sid: str) -> bool:
    return (await store.get(sid))[1] is not None


async def test_cutoffs_announced_in_another_order_than_they_were_stored_end_as_stored(
    url: str, prefix: str, store: RedisStore
) -> None:
    kept, other = a_session(), a_session()
    await store.create(kept)
    await store.create(other)
    late = Halting(url, prefix=prefix)
    late.gate = asyncio.Event()
    try:
        # Stored first, with a spared session; announced second.
        early = asyncio.create_task(late.revoke(cut_of(at=NOW + 100, spared=kept.sid)))
        await until(lambda: is_cut_off(store, kept.sid), "the cutoff")
        final = await store.revoke(cut_of(at=NOW + 100))
        late.gate.set()
        assert (await early).spared == kept.sid
    finally:
        await late.close()
    assert final.spared is None
    listed, _ = await store.revocations("")
    assert [(one.at, one.spared) for one in listed] == [(final.at, None)]
    assert (await store.get(kept.sid))[1] == Cutoff(at=final.at)


async def test_many_cutoffs_at_once_leave_feed_and_store_agreed(url: str, prefix: str, store: RedisStore) -> None:
    rows = [a_session(created=NOW + i) for i in range(4)]
    for row in rows:
        await store.create(row)
    async with opened(url, prefix) as other:
        for _ in range(10):
            await asyncio.gather(
                *(
                    (store, other)[i % 2].revoke(cut_of(at=NOW, spared=rows[i % 4].sid if i % 3 else None))
                    for i in range(12)
                )
            )
            ((entry,), _), (_, cutoff) = await store.revocations(""), await store.get(rows[0].sid)
            assert cutoff == Cutoff(at=entry.at, spared=entry.spared)


async def test_a_cutoff_of_which_nobody_was_told_is_whole_once_it_is_repeated(
    url: str, prefix: str, store: RedisStore
) -> None:
    row = a_session()
    await store.create(row)
    crashing = Halting(url, prefix=prefix)
    crashing.crash = True
    try:
        with pytest.raises(StoreUnavailableError):
            await crashing.revoke(cut_of())
    finally:
        await crashing.close()
    # Half done: nothing can be refreshed any more, and no reader has heard of it.
    assert await advanced(store, row) is None
    assert (await store.revocations(""))[0] == []
    stored = await store.revoke(cut_of())
    assert (await store.revocations(""))[0] == [stored]


async def test_a_session_is_announced_before_its_row_is_touched(url: str, prefix: str, store: RedisStore) -> None:
    row = a_session()
    await store.create(row)
    crashing = Halting(url, prefix=prefix)
    crashing.crash = True
    try:
        with pytest.raises(StoreUnavailableError):
            await crashing.revoke(end_of(row))
    finally:
        await crashing.close()
    # Whoever finds the row alive revokes it again.
    assert await store.get(row.sid) == (row, None)
    await store.revoke(end_of(row))
    assert (await store.revocations(""))[0] == [end_of(row)]


async def test_a_repeated_revocation_is_announced_again_and_leaves_the_row_as_it_was(store: RedisStore) -> None:
    row = a_session()
    await store.create(row)
    await store.revoke(end_of(row, expires_at=row.expires_at))
    _, cursor = await store.revocations("")
    await store.revoke(end_of(row, at=NOW + 9, expires_at=row.expires_at, reason="again"))
    assert [one.key for one in (await store.revocations(cursor))[0]] == [row.sid]
    found, _ = await store.get(row.sid)
    assert found == replace(row, revoked_at=NOW + 5, revoked_reason="logout")


# Restarts and lost data


async def test_after_a_restart_without_persistence_an_old_cursor_is_an_empty_one() -> None:
    with a_node() as node:
        async with opened(node.url) as store:
            await store.revoke(token(1))
            _, cursor = await store.revocations("")
            node.stop()
            node.start()
            await store.revoke(token(2))
            await store.revoke(token(3))
            listed, after = await store.revocations(cursor)
            assert listed == [token(2), token(3)]
            assert after.partition(":")[0] != cursor.partition(":")[0]


async def test_a_reader_with_an_old_cursor_misses_nothing_of_a_server_whose_clock_went_back() -> None:
    with a_node() as node:
        async with opened(node.url) as store:
            await store.revoke(token(1))
            run, _, _ = (await store.revocations(""))[1].partition(":")
            future = f"{run}:{NOW + HOUR}-0"
            # Beyond the end in this run of the server, and from another run of it.
            assert (await store.revocations(future))[0] == [token(1)]
            with node.client() as admin:
                admin.execute_command("XSETID", "authx_{feed}", f"{NOW + 2 * HOUR}-0")
            stranger = f"{'0' * 40}:{NOW + HOUR}-0"
            assert (await store.revocations(future))[0] == []
            assert (await store.revocations(stranger))[0] == [token(1)]


async def test_what_was_told_survives_a_killed_server_that_appends() -> None:
    with a_node("--appendonly", "yes") as node:
        async with opened(node.url) as store:
            row, gone = a_session(), a_session()
            with node.client() as admin, Watch(admin) as watch:
                await store.create(row)
                await store.create(gone)
                await store.revoke(end_of(gone))
                stored = await store.revoke(cut_of(at=NOW - DAY, spared=row.sid))
                names = watch.names()
            assert names.count("WAITAOF") == 4
            node.kill()
            node.start()
            assert await store.get(row.sid) == (row, Cutoff(at=stored.at, spared=row.sid))
            assert [one.kind for one in (await store.revocations(""))[0]] == ["session", "subject"]


async def test_a_server_that_does_not_append_is_not_asked_to_wait_for_its_disk(
    store: RedisStore, admin: redis.Redis
) -> None:
    with Watch(admin) as watch:
        await store.create(a_session())
        assert "WAITAOF" not in watch.names()


async def test_a_server_that_stops_appending_is_not_waited_for_any_more() -> None:
    with a_node("--appendonly", "yes") as node:
        async with opened(node.url) as store:
            with node.client() as admin:
                admin.config_set("appendonly", "no")
            assert await store.create(a_session())
            assert await store.create(a_session())


async def test_a_disk_that_does_not_keep_up_makes_the_store_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authx.stores.redis.wire._WAITAOF_MS", 1)
    with a_node("--appendonly", "yes", "--appendfsync", "no") as node:
        async with opened(node.url) as store:
            with pytest.raises(StoreUnavailableError):
                await store.create(a_session())


async def test_rotations_that_a_failover_lost_are_caught_up_with(
    store: RedisStore, admin: redis.Redis, prefix: str
) -> None:
    row = a_session()
    await store.create(row)
    for generation in range(1, 6):
        assert await advanced(store, replace(row, generation=generation))
    # The replica that took over had seen two of the five.
    admin.hset(key_with(admin, prefix, "s:"), "generation", "3")
    assert await advanced(store, replace(row, generation=6)) is None
    found, _ = await store.get(row.sid)
    assert found is not None
    assert found.generation == 3
    healed = await advanced(store, found, to_generation=7)
    assert healed is not None
    assert healed.generation == 7


async def test_a_server_restored_from_an_older_copy_is_read_from_the_beginning() -> None:
    with a_node() as node:
        async with opened(node.url) as store:
            row = a_session()
            await store.create(row)
            first = await store.revoke(token(1))
            with node.client() as admin:
                admin.save()
            shutil.copy(node.folder / "dump.rdb", node.folder / "old.rdb")
            moved = await advanced(store, row)
            await store.revoke(token(2))
            _, cursor = await store.revocations("")
            node.kill()
            node.start("--dbfilename", "old.rdb")
            assert (await store.revocations(cursor))[0] == [first]
            found, _ = await store.get(row.sid)
            assert found == row != moved
            third = await store.revoke(token(3))
            assert (await store.revocations(cursor))[0] == [first, third]


async def test_a_server_that_was_away_is_used_again_without_anything_being_done() -> None:
    with a_node("--appendonly", "yes") as node:
        async with opened(node.url) as store:
            rows = [a_session(f"user{i}") for i in range(20)]
            await asyncio.gather(*(store.create(row) for row in rows))
            node.stop()
            results = await asyncio.gather(*(advanced(store, row) for row in rows), return_exceptions=True)
            assert all(isinstance(result, StoreUnavailableError) for result in results)
            node.start()
            await until(lambda: answers(store), "the return of the server")
            assert all(await asyncio.gather(*(advanced(store, row) for row in rows)))


async def answers(store: RedisStore) -> bool:
    """Tell whether the store answers, which it may not yet where a machine has much to do."""
    try:
        await store.get("")
    except StoreUnavailableError:
        return False
    return True


async def test_connections_that_the_server_closed_are_replaced_without_an_error(
    store: RedisStore, admin: redis.Redis
) -> None:
    rows = [a_session(f"user{i}") for i in range(20)]
    await asyncio.gather(*(store.create(row) for row in rows))
    admin.client_kill_filter(_type="normal", skipme=True)
    assert all(await asyncio.gather(*(advanced(store, row) for row in rows)))
    admin.client_kill_filter(_type="normal", skipme=True)
    assert await store.create(a_session())


async def test_connections_that_wait_for_the_disk_are_replaced_without_an_error() -> None:
    with a_node("--appendonly", "yes") as node:
        async with opened(node.url) as store:
            assert await store.create(a_session())
            with node.client() as admin:
                admin.client_kill_filter(_type="normal", skipme=True)
            assert await store.create(a_session())
            await store.open()


async def test_a_waiting_reader_notices_that_the_server_went_away() -> None:
    with a_node() as node:
        async with opened(node.url) as store:
            _, cursor = await store.revocations("")
            waiting = asyncio.create_task(store.wait(cursor, 3600))
            with node.client() as admin:
                await until_blocked(admin)
            node.kill()
            async with asyncio.timeout(PATIENCE):
                await waiting
                with pytest.raises(StoreUnavailableError):
                    await store.revocations(cursor)


# Servers that are not there, or refuse


async def test_a_server_that_is_not_there_is_reported() -> None:
    with contextlib.closing(Port()) as nobody:
        store = RedisStore(f"redis://:hunter2@127.0.0.1:{nobody.number}")
        for call in (store.open(), store.get(a_session().sid), store.create(a_session()), store.revoke(token())):
            with pytest.raises(StoreUnavailableError) as caught:
                async with asyncio.timeout(SOON):
                    await call
            assert "hunter2" not in str(caught.value)
            assert caught.value.__cause__ is caught.value.__context__ is None
        await store.close()


async def test_a_server_that_accepts_and_never_answers_is_given_up() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        store = RedisStore(f"redis://127.0.0.1:{deaf.getsockname()[1]}")
        async with asyncio.timeout(SOON):
            with pytest.raises(StoreUnavailableError):
                await store.get(a_session().sid)
        await store.close()


async def test_a_server_that_froze_is_used_again_when_it_goes_on() -> None:
    with a_node() as node:
        async with opened(node.url) as store:
            row = a_session()
            await store.create(row)
            node.freeze()
            try:
                results = await asyncio.gather(*(store.get(row.sid) for _ in range(50)), return_exceptions=True)
            finally:
                node.thaw()
            assert all(isinstance(result, StoreUnavailableError) for result in results)
            assert await store.get(row.sid) == (row, None)


@pytest.fixture(scope="module")
def guarded() -> Iterator[Node]:
    with a_node(password="s3cret-of-the-server") as node:
        yield node


@pytest.mark.parametrize("secret", [":wrong-hunter2@", "nobody:wrong-hunter2@", ""])
async def test_a_wrong_or_missing_password_is_a_mistake_in_the_configuration(guarded: Node, secret: str) -> None:
    store = RedisStore(f"redis://{secret}127.0.0.1:{guarded.port}")
    for call in (store.open(), store.get(a_session().sid), store.create(a_session())):
        with pytest.raises(BadConfigurationError, match="refuses the user name or password") as caught:
            await call
        assert "hunter2" not in str(caught.value)
        assert caught.value.__cause__ is caught.value.__context__ is None
    await store.close()


async def test_a_right_password_opens(guarded: Node) -> None:
    async with opened(guarded.url) as store:
        assert await store.create(a_session())
        assert "s3cret" not in repr(store)


async def test_a_user_without_dangerous_commands_can_do_everything(
    guarded: Node, caplog: pytest.LogCaptureFixture
) -> None:
    with guarded.client() as admin:
        admin.execute_command("ACL", "SETUSER", "app", "on", ">pw", "~authx_*", "+@all", "-@dangerous", "-@admin")
    with caplog.at_level(logging.WARNING, "authx"):
        async with opened(f"redis://app:pw@127.0.0.1:{guarded.port}") as store:
            row = a_session()
            assert await store.create(row)
            assert await advanced(store, row)
            await store.revoke(end_of(row))
            listed, cursor = await store.revocations("")
            assert listed == [end_of(row)]
            assert await store.revocations(cursor) == ([], cursor)
            assert await store.count_live(NOW) == (1, cursor)
    assert "does not tell its maxmemory-policy" in caplog.text


async def test_a_user_without_scripts_is_a_mistake_in_the_configuration(guarded: Node) -> None:
    with guarded.client() as admin:
        admin.execute_command("ACL", "SETUSER", "reader", "on", ">pw", "~authx_*", "+@read")
    store = RedisStore(f"redis://reader:pw@127.0.0.1:{guarded.port}")
    with pytest.raises(BadConfigurationError, match="does not permit"):
        await store.open()
    await store.close()


async def test_a_user_who_may_not_touch_the_keys_is_a_mistake_in_the_configuration(guarded: Node) -> None:
    with guarded.client() as admin:
        admin.execute_command("ACL", "SETUSER", "elsewhere", "on", ">pw", "~other_*", "+@all")
    store = RedisStore(f"redis://elsewhere:pw@127.0.0.1:{guarded.port}")
    with pytest.raises(BadConfigurationError, match="does not permit"):
        await store.create(a_session())
    await store.close()


async def test_a_refused_command_is_never_quoted() -> None:
    with a_node("--rename-command", "EVALSHA", "", "--rename-command", "EVAL", "") as node:
        store = RedisStore(node.url)
        row = a_session("a very secret name")
        with pytest.raises(BadConfigurationError, match="lacks a command") as caught:
            await store.create(row)
        assert row.sid not in str(caught.value)
        assert "secret" not in str(caught.value)
        await store.close()


async def test_a_full_server_makes_writing_unavailable_and_reading_not() -> None:
    with a_node() as node:
        async with opened(node.url) as store:
            row = a_session()
            await store.create(row)
            with node.client() as admin:
                admin.config_set("maxmemory", "1")
            with pytest.raises(StoreUnavailableError, match="OutOfMemory"):
                await advanced(store, row)
            with pytest.raises(StoreUnavailableError, match="OutOfMemory"):
                await store.revoke(end_of(row))
            assert await store.get(row.sid) == (row, None)


async def test_a_replica_is_unavailable_and_left_for_the_primary_once_there_is_one() -> None:
    with a_node() as node:
        async with opened(node.url) as store:
            row = a_session()
            await store.create(row)
            with node.client() as admin, contextlib.closing(Port()) as nobody:
                admin.replicaof("127.0.0.1", nobody.number)
                with pytest.raises(StoreUnavailableError, match="ReadOnly"):
                    await advanced(store, row)
                admin.replicaof("NO", "ONE")
            assert await advanced(store, row)


async def test_what_is_no_redis_is_a_mistake_in_the_configuration() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        store = RedisStore(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(BadConfigurationError, match="does not speak"):
            await store.open()
        await store.close()


@pytest.mark.parametrize("kind", ["c", "i:", "e", "u", "a", ""])
async def test_a_key_of_another_kind_is_a_mistake_in_the_configuration(
    store: RedisStore, admin: redis.Redis, prefix: str, kind: str
) -> None:
    row = a_session()
    await store.create(row)
    await store.revoke(cut_of(at=NOW - DAY, spared=row.sid))
    digest = sha256(b"alice").hexdigest()
    name = {"c": f"{{{digest[:4]}}}c", "i:": f"{{{digest[:4]}}}i:{digest}"}.get(kind, f"{{feed}}{kind}")
    admin.delete(prefix + name)
    admin.rpush(prefix + name, "something else")
    with pytest.raises(BadConfigurationError, match="JWT_STORE_PREFIX"):
        await store.revoke(everyone() if kind == "a" else cut_of())


async def test_a_layout_of_a_newer_version_is_refused(url: str, prefix: str, admin: redis.Redis) -> None:
    admin.set(f"{prefix}{{feed}}v", "2")
    store = RedisStore(url, prefix=prefix)
    with pytest.raises(BadConfigurationError, match="newer version"):
        await store.open()
    await store.close()


async def test_the_layout_is_noted_once(url: str, prefix: str, admin: redis.Redis) -> None:
    async with opened(url, prefix) as store:
        await store.create_schema()
    assert admin.get(f"{prefix}{{feed}}v") == "1"
    async with opened(url, prefix):
        pass


async def test_a_policy_that_drops_sessions_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with a_node("--maxmemory-policy", "allkeys-lru") as node, caplog.at_level(logging.WARNING, "authx"):
        async with opened(node.url):
            pass
    assert "allkeys-lru" in caplog.text
    assert "noeviction" in caplog.text


async def test_a_server_that_drops_nothing_is_not_warned_of(
    url: str, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "authx"):
        async with opened(url, prefix):
            pass
    assert caplog.text == ""


# Rows that somebody else wrote


def broken_rows() -> Iterator[tuple[str, object]]:
    def without(field: str) -> object:
        return lambda admin, key: admin.hdel(key, field)

    def with_value(field: str, value: str | bytes) -> object:
        return lambda admin, key: admin.hset(key, field, value)

    for field in ("sub", "generation", "created_at", "rotated_at"):
        yield f"without {field}", without(field)
    for field in ("generation", "created_at", "rotated_at", "expires_at", "revoked_at"):
        yield f"{field} is x", with_value(field, "x")
    for value in ("", "-1", "1.5", "1e3", "0x10", " 7", "nan", "9" * 40, "٣"):
        yield f"expires_at is {value}", with_value("expires_at", value)
    for field in ("sub", "ip", "user_agent", "device"):
        yield f"{field} is no text", with_value(field, b"\xff\xfe")
    yield "a list", lambda admin, key: (admin.delete(key), admin.rpush(key, "x"))
    yield "a text", lambda admin, key: admin.set(key, "x")


BROKEN = dict(broken_rows())


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_row_that_makes_no_sense_is_refused_and_breaks_nothing_else(
    store: RedisStore, admin: redis.Redis, prefix: str, kind: str
) -> None:
    row, other = a_session(), a_session()
    await store.create(row)
    await store.create(other)
    BROKEN[kind](admin, f"{prefix}{{{row.sid[32:]}}}s:{row.sid}")
    with pytest.raises(InvalidRowError) as caught:
        await store.get(row.sid)
    assert caught.value.sid == row.sid
    assert caught.value.__cause__ is caught.value.__context__ is None
    with pytest.raises(InvalidRowError):
        await store.get(row.sid, row.sub)
    assert await store.list("alice", NOW) == [other]
    if kind == "device is no text":
        with pytest.raises(InvalidRowError):
            await advanced(store, row)
    else:
        # A rotation writes these two anew.
        is_mended = kind in {"ip is no text", "user_agent is no text"}
        assert (await advanced(store, row) is not None) == is_mended
    await store.revoke(end_of(row))
    assert await advanced(store, row, from_generation=2) is None
    if kind not in {"sub is no text", "device is no text"}:
        found, _ = await store.get(row.sid)
        assert found is not None
        assert found.revoked_at is not None
    assert (await store.revocations(""))[0] == [end_of(row)]
    stored = await store.revoke(cut_of(spared=other.sid))
    assert stored.spared == other.sid
    assert await advanced(store, other)


@pytest.mark.parametrize("text", ["", "x", "1 2", "1 -2 ", "a b c", b"\xff", "1 2 3 4 5"])
async def test_a_cutoff_that_makes_no_sense_refuses_its_subject_until_it_is_set_again(
    store: RedisStore, admin: redis.Redis, prefix: str, text: str | bytes
) -> None:
    row, digest = a_session(), sha256(b"alice").hexdigest()
    await store.create(row)
    admin.hset(f"{prefix}{{{digest[:4]}}}c", "alice", text)
    assert await advanced(store, row) is None
    assert await store.list("alice", NOW) == []
    with pytest.raises(InvalidRowError):
        await store.get(row.sid)
    stored = await store.revoke(cut_of())
    assert await store.get(row.sid) == (row, Cutoff(at=stored.at))


@pytest.mark.parametrize("sid", ["", "x", "}{", "../..", "a" * 5000, "ü" * 36, "0192f0c1-2345-7abc-8def-0123456789AB"])
async def test_what_is_no_session_id_names_no_row(store: RedisStore, admin: redis.Redis, prefix: str, sid: str) -> None:
    before = keys_of(admin, prefix)
    assert await store.get(sid) == (None, None)
    await store.revoke(everyone(NOW))
    assert await store.get(sid, "alice") == (None, Cutoff(at=NOW))
    assert (
        await store.advance(Rotation(sid=sid, sub="alice", from_generation=0, to_generation=1, at=NOW, expires_at=None))
        is None
    )
    with pytest.raises(ValueError, match="session id"):
        await store.revoke(Revocation(kind="session", key=sid, at=NOW, until=None))
    with pytest.raises(ValueError, match="its subject"):
        await store.create(replace(a_session(), sid=sid))
    assert [key for key in keys_of(admin, prefix) if key not in before] == [
        f"{prefix}{{feed}}{end}" for end in ("", "a", "e", "u")
    ]


async def test_a_process_of_an_older_version_leaves_the_retry_hash_alone(
    store: RedisStore, admin: redis.Redis, prefix: str
) -> None:
    row = a_session()
    await store.create(row)
    await advanced(store, row, retry_hash="ab" * 16)
    # An older script sets the fields that it knows.
    key = f"{prefix}{{{row.sid[32:]}}}s:{row.sid}"
    admin.hset(key, mapping={"generation": 3, "rotated_at": NOW + 2000})
    found, _ = await store.get(row.sid)
    assert found is not None
    assert (found.generation, found.retry_hash) == (3, "ab" * 16)
    # It made a row without one.
    admin.hdel(key, "retry_hash")
    found, _ = await store.get(row.sid)
    assert found is not None
    assert found.retry_hash is None


async def test_a_session_id_of_another_subject_is_refused(store: RedisStore) -> None:
    row = a_session("alice")
    await store.create(row)
    assert (
        await store.advance(
            Rotation(sid=row.sid, sub="bob", from_generation=1, to_generation=2, at=NOW, expires_at=None)
        )
        is None
    )
    with pytest.raises(ValueError, match="its subject"):
        await store.create(replace(row, sub="bob"))
    stored = await store.revoke(cut_of("bob", spared=row.sid))
    assert stored.spared is None
    assert await store.get(row.sid, "bob") == (row, Cutoff(at=stored.at))


async def test_texts_that_only_describe_never_make_storing_fail(store: RedisStore) -> None:
    row = a_session(user_agent="half \ud83d pair", ip=None)
    assert await store.create(row)
    assert await advanced(store, row, user_agent="\ud800")
    found, _ = await store.get(row.sid)
    assert found is not None
    assert found.user_agent == "?"


# Event loops


def test_a_store_works_on_one_event_loop_after_another(url: str, prefix: str) -> None:
    store = RedisStore(url, prefix=prefix)
    row = a_session()

    async def first() -> None:
        await store.open()
        assert await store.create(row)

    async def then() -> None:
        waiting = asyncio.create_task(store.wait("", 0.1))
        assert await store.get(row.sid) == (row, None)
        await waiting

    # Warnings are errors here: a connection left open by a loop that is gone would fail this test.
    asyncio.run(first())
    asyncio.run(then())
    asyncio.run(then())
    asyncio.run(store.close())
    gc.collect()


async def test_closing_twice_or_before_opening_does_nothing(url: str, prefix: str) -> None:
    store = RedisStore(url, prefix=prefix)
    await store.close()
    await store.open()
    await store.close()
    await store.close()
    assert await store.get(a_session().sid) == (None, None)
    await store.close()


def test_nothing_is_opened_at_construction() -> None:
    RedisStore("redis://192.0.2.1")
    RedisStore("redis+cluster://192.0.2.1")
    open_store("rediss://192.0.2.1")


# URLs and clients


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "/0",
        "host:port",
        "host:0",
        "host:99999",
        "host/books",
        "host/0/1",
        "host/-1",
        "host?timeout=1",
        "host?db=x",
        "host?protocol=3",
        "host?ssl_ca_certs=x",
        "host?db=0&db=1",
        "host?max_connections=0",
        "host?max_connections=many",
        "host?socket_timeout=60",
        "host?x",
        "host#1",
        ":hunter2/a@host",
        ":12/hunter2@host",
        ":hunter2#a@host",
        "[::1",
    ],
)
@pytest.mark.parametrize("scheme", ["redis", "redis+cluster"])
def test_a_url_that_makes_no_sense_is_refused_without_its_password(scheme: str, rest: str) -> None:
    with pytest.raises(BadConfigurationError) as caught:
        open_store(f"{scheme}://{rest}")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("rest", ["host/1", "host?db=1"])
def test_a_cluster_has_no_numbered_databases(rest: str) -> None:
    with pytest.raises(BadConfigurationError, match="database"):
        open_store(f"redis+cluster://{rest}")


async def test_a_url_names_a_database_and_options(url: str, prefix: str, admin: redis.Redis) -> None:
    if os.environ.get("AUTHX_TEST_REDIS_URL"):
        pytest.skip("the database of the given URL is its own")
    async with opened(f"{url}/3?client_name=authx-test&max_connections=2", prefix) as store:
        row = a_session()
        await store.create(row)
        await asyncio.gather(*(store.get(row.sid) for _ in range(20)))
        named = [client for client in admin.client_list() if client["name"] == "authx-test"]
        assert 1 <= len(named) <= 3
        assert {client["db"] for client in named} == {"3"}
    assert keys_of(admin, prefix) == []


async def test_a_database_that_does_not_exist_is_a_mistake_in_the_configuration() -> None:
    with a_node() as node:
        store = RedisStore(f"{node.url}/99")
        with pytest.raises(BadConfigurationError, match="no database of that number"):
            await store.open()
        await store.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine that signs itself, and its key beside it."""
    folder, key = tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server of these tests")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "server.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "server.pem"


@asynccontextmanager
async def tls_in_front_of(url: str, certificate: Path) -> AsyncIterator[int]:
    """Take TLS connections, and pass on what comes in them: the server of these tests is built without TLS."""
    target = urlsplit(url)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(target.hostname, target.port)
        await asyncio.gather(carry(reader, there[1]), carry(there[0], writer))

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_tls_is_used_and_the_certificate_is_checked(url: str, prefix: str, certificate: Path) -> None:
    async with tls_in_front_of(url, certificate) as port:
        async with opened(f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate}", prefix) as store:
            row = a_session()
            assert await store.create(row)
            assert await store.get(row.sid) == (row, None)
            await store.wait("", 0.1)
        # An authority that nobody named is not trusted, and a name that is not in the certificate neither.
        for wrong in (f"rediss://127.0.0.1:{port}", f"rediss://localhost:{port}?ssl_ca_certs={certificate}"):
            distrustful = RedisStore(wrong, prefix=prefix)
            with pytest.raises(StoreUnavailableError, match="certificate verify failed"):
                await distrustful.open()
            await distrustful.close()


@pytest.mark.parametrize("option", ["ssl_ca_certs=/nowhere/ca.pem", "ssl_certfile=/nowhere/own.pem"])
async def test_a_tls_file_that_is_missing_is_named_in_time(url: str, option: str) -> None:
    store = RedisStore(f"{url.replace('redis://', 'rediss://')}?{option}")
    with pytest.raises(StoreUnavailableError, match="No such file"):
        await store.open()
    await store.close()


async def test_a_single_server_is_no_cluster(url: str) -> None:
    store = RedisStore(url.replace("redis://", "redis+cluster://"))
    with pytest.raises(BadConfigurationError, match="use redis://"):
        await store.open()
    await store.close()


@pytest.mark.parametrize("options", [{}, {"decode_responses": True}, {"protocol": 2}, {"protocol": 3}])
async def test_the_applications_own_client_is_used_and_never_closed(
    url: str, prefix: str, options: dict[str, object]
) -> None:
    async with redis.asyncio.Redis.from_url(url, **options) as client:
        store = RedisStore(client=client, prefix=prefix)
        await store.open()
        await store.create_schema()
        row = a_session()
        assert await store.create(row)
        moved = await advanced(store, row)
        assert await store.get(row.sid) == (moved, None)
        assert await store.list("alice", NOW) == [moved]
        _, cursor = await store.revocations("")
        waiting = asyncio.create_task(store.wait(cursor, 10))
        await store.revoke(end_of(row))
        await waiting
        assert (await store.revocations(cursor))[0] == [end_of(row)]
        await store.close()
        assert await client.ping()


@pytest.mark.parametrize("client", [object(), redis.Redis(), "redis://host"])
def test_what_is_no_client_is_refused(client: object) -> None:
    with pytest.raises(BadConfigurationError, match=r"redis\.asyncio"):
        RedisStore(client=client)


def test_a_store_takes_a_url_or_a_client() -> None:
    with pytest.raises(BadConfigurationError):
        RedisStore()
    with pytest.raises(BadConfigurationError):
        RedisStore("redis://host", client=redis.asyncio.Redis())


def test_a_store_shows_no_password() -> None:
    assert repr(RedisStore("redis://me:hunter2@host:7000/2")) == "RedisStore(redis://**********@host:7000/2)"


async def test_an_instance_over_a_client_closes_right_after_a_revocation(url, prefix):
    """Python 3.11 loses a cancellation that comes together with the answer of a command of the client."""
    for _ in range(10):
        client = redis.asyncio.Redis.from_url(url)
        auth = AuthX(AuthXConfig(JWT_SECRET_KEY="x7Kq" * 10), store=RedisStore(client=client, prefix=prefix))
        async with asyncio.timeout(PATIENCE):
            info = await auth.create_session("alice")
            await auth.revoke_session(info.session_id)
            await auth.close()
            await client.aclose()
