"""The Redis store on a real cluster of three servers: slots that differ, slots that move, servers that go."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import redis
import redis.asyncio
from redis.crc import key_slot
from tests.stores.servers import Node, a_cluster, a_node, a_replica, until_whole
from tests.support.waiting import PATIENCE, SOON, until, wait_until

from authx.core.ids import session_id
from authx.core.session import Cutoff, Revocation, Rotation, Session
from authx.exceptions import BadConfigurationError, StoreUnavailableError
from authx.stores.redis import RedisStore
from authx.stores.redis import store as redis_store
from authx.testing.contract import MakeStore, StoreContract

pytestmark = pytest.mark.anyio

DAY = 86_400_000
HOUR = 3_600_000
NOW = int(time.time() * 1000)
SUBJECTS = [f"user{number}" for number in range(30)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[Node]]:
    with a_cluster() as nodes:
        yield nodes


@pytest.fixture
async def store(nodes: list[Node]) -> AsyncIterator[RedisStore]:
    async with opened(nodes) as store:
        yield store


@pytest.fixture(autouse=True)
def nothing_stored(nodes: list[Node]) -> Iterator[None]:
    yield
    for node in nodes:
        with node.client() as admin:
            admin.flushall()


@asynccontextmanager
async def opened(nodes: list[Node]) -> AsyncIterator[RedisStore]:
    store = RedisStore(cluster_url(nodes[0]))
    try:
        await store.open()
        await store.create_schema()
        yield store
    finally:
        await store.close()


class TestContract(StoreContract):
    deletes_sessions_itself = True

    @pytest.fixture
    def make_store(self, nodes: list[Node]) -> MakeStore:
        return lambda: RedisStore(cluster_url(nodes[0]), prefix="mine_")


def cluster_url(node: Node) -> str:
    return node.url.replace("redis://", "redis+cluster://")


def a_session(sub: str) -> Session:
    return Session(
        sid=session_id(sub, NOW, os.urandom(8)),
        sub=sub,
        generation=1,
        created_at=NOW,
        rotated_at=NOW,
        expires_at=NOW + 30 * DAY,
    )


async def advanced(store: RedisStore, row: Session) -> Session | None:
    return await store.advance(
        Rotation(
            sid=row.sid,
            sub=row.sub,
            from_generation=row.generation,
            to_generation=row.generation + 1,
            at=NOW + 1,
            expires_at=row.expires_at,
        )
    )


async def is_moved_on(store: RedisStore, row: Session) -> None:
    """Move a session on, as a client does whose answer got lost."""

    async def moves() -> bool:
        try:
            if await advanced(store, row):
                return True
            found, _ = await store.get(row.sid, row.sub)
        except StoreUnavailableError:
            return False
        return found is not None and found.generation == row.generation + 1

    await until(moves, "the rotation")


def end_of(row: Session) -> Revocation:
    return Revocation(kind="session", key=row.sid, at=NOW, until=NOW + HOUR, sub=row.sub)


def cut_of(sub: str, spared: str | None = None) -> Revocation:
    return Revocation(kind="subject", key=sub, at=NOW, until=NOW + HOUR, sub=sub, spared=spared)


def everyone(at: int) -> Revocation:
    return Revocation(kind="everyone", key="", at=at, until=None)


def owner_of(nodes: list[Node], slot: int) -> Node:
    with nodes[0].client() as admin:
        for first, last, (_, port, *_) in admin.execute_command("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                (found,) = (node for node in nodes if node.port == port)
                return found
    raise AssertionError("the slot has no owner")


def slot_of(row: Session) -> int:
    return key_slot(f"{{{row.sid[32:]}}}".encode())


def calls(nodes: list[Node]) -> dict[str, int]:
    found: dict[str, int] = {}
    for node in nodes:
        with node.client() as admin:
            for name, numbers in admin.info("commandstats").items():
                found[name] = found.get(name, 0) + numbers["calls"]
    return found


def blocked_clients(nodes: list[Node]) -> int:
    """Count who waits for an entry of a feed."""
    count = 0
    for node in nodes:
        with node.client() as admin:
            count += admin.info("clients")["blocked_clients"]
    return count


async def test_subjects_all_over_the_cluster_are_served(store: RedisStore, nodes: list[Node]) -> None:
    rows = [a_session(sub) for sub in SUBJECTS]
    assert all(await asyncio.gather(*(store.create(row) for row in rows)))
    moved = await asyncio.gather(*(advanced(store, row) for row in rows))
    assert [await store.get(row.sid) for row in rows] == [(row, None) for row in moved]
    assert [await store.list(row.sub, NOW) for row in rows] == [[row] for row in moved]
    assert len({owner_of(nodes, slot_of(row)).port for row in rows}) == 3


async def test_revocations_of_all_subjects_are_in_one_feed(store: RedisStore, nodes: list[Node]) -> None:
    rows = [a_session(sub) for sub in SUBJECTS]
    for row in rows:
        await store.create(row)
    made = [await store.revoke(end_of(row)) for row in rows[:10]]
    made += [await store.revoke(cut_of(row.sub, spared=row.sid)) for row in rows[10:20]]
    made.append(await store.revoke(everyone(NOW - DAY)))
    async with opened(nodes) as reader:
        listed, cursor = await reader.revocations("")
        assert listed == made
        assert await reader.count_live(NOW) == (21, cursor)
    assert [one.spared for one in made[10:20]] == [row.sid for row in rows[10:20]]


async def test_the_keys_of_each_subject_are_in_one_slot(store: RedisStore, nodes: list[Node]) -> None:
    for sub in SUBJECTS[:5]:
        row = a_session(sub)
        await store.create(row)
        await advanced(store, row)
        await store.revoke(end_of(row))
        await store.revoke(cut_of(sub))
    slots: dict[str, set[int]] = {}
    for node in nodes:
        with node.client() as admin:
            for key in admin.scan_iter("authx_*"):
                tag = key.partition(b"{")[2].partition(b"}")[0].decode()
                slots.setdefault(tag, set()).add(key_slot(key))
    assert len(slots) == 6
    assert all(len(found) == 1 for found in slots.values())


async def test_a_rotation_is_one_script(store: RedisStore, nodes: list[Node], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [a_session(sub) for sub in SUBJECTS]
    for row in rows:
        await store.create(row)
    # Each quarter of a second somebody looks for the cutoff of everyone; that quarter never ends here.
    stopped = time.monotonic()
    monkeypatch.setattr(redis_store, "monotonic", lambda: stopped)
    assert await advanced(store, rows[0])
    before = calls(nodes)
    for row in rows[1:]:
        assert await advanced(store, row)
    after = calls(nodes)
    scripts = sum(after.get(f"cmdstat_{name}", 0) - before.get(f"cmdstat_{name}", 0) for name in ("evalsha", "eval"))
    # One each; and twice where a server of the three meets the script for the first time.
    assert 29 <= scripts <= 29 + 2


async def test_the_cutoff_of_everyone_counts_on_all_servers(
    store: RedisStore, nodes: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [a_session(sub) for sub in SUBJECTS]
    for row in rows:
        await store.create(row)
    async with opened(nodes) as other:
        assert await advanced(other, rows[0])
        await store.revoke(everyone(NOW + 1))
        assert all(await asyncio.gather(*(_is_over(store, row) for row in rows[1:])))
        # The other process knows of it when it looks, and otherwise within a moment.
        assert await other.get(rows[1].sid) == (rows[1], Cutoff(at=NOW + 1))
        assert await other.get(rows[1].sid, SUBJECTS[2]) == (rows[1], Cutoff(at=NOW + 1))
        monkeypatch.setattr(redis_store, "monotonic", lambda: time.monotonic() + 0.3)
        assert all(await asyncio.gather(*(_is_over(other, row) for row in rows[1:])))
        assert await other.list(rows[1].sub, NOW) == []
        assert (await other.revoke(cut_of(rows[1].sub, spared=rows[1].sid))).spared is None


async def _is_over(store: RedisStore, row: Session) -> bool:
    return await advanced(store, row) is None


async def test_a_revocation_wakes_a_waiting_reader(store: RedisStore, nodes: list[Node]) -> None:
    async with opened(nodes) as reader:
        _, cursor = await reader.revocations("")
        for number in range(10):
            waiting = asyncio.create_task(reader.wait(cursor, 3600))
            await until(lambda: blocked_clients(nodes) == 1, "the reader's wait")
            assert not waiting.done()
            await store.revoke(Revocation(kind="token", key=str(number), at=NOW, until=None))
            async with asyncio.timeout(PATIENCE):
                await waiting
            _, cursor = await reader.revocations(cursor)


async def test_a_cancelled_wait_leaves_the_store_as_it_was(store: RedisStore, nodes: list[Node]) -> None:
    _, cursor = await store.revocations("")
    for _ in range(5):
        waiting = asyncio.create_task(store.wait(cursor, 3600))
        await until(lambda: blocked_clients(nodes) == 1, "the reader's wait")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await store.revocations(cursor) == ([], cursor)


async def test_a_slot_on_the_move_is_unavailable_until_it_has_arrived(store: RedisStore, nodes: list[Node]) -> None:
    row = a_session("mover")
    await store.create(row)
    slot = slot_of(row)
    source = owner_of(nodes, slot)
    target = next(node for node in nodes if node is not source)
    with source.client() as old, target.client() as new:
        old_id, new_id = (client.execute_command("CLUSTER", "MYID").decode() for client in (old, new))
        new.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", old_id)
        old.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", new_id)
        # Scripts have several keys, and no server may run one while it cannot tell where each of them is.
        with pytest.raises(StoreUnavailableError):
            await store.get(row.sid)
        for key in old.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100):
            old.execute_command("MIGRATE", target.host, target.port, key, 0, 5000)
        for client in (new, old):
            client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", new_id)
        moved = await advanced(store, row)
        assert moved is not None
        again = await advanced(store, moved)
        assert await store.get(row.sid) == (again, None)
        assert await store.create(a_session("mover"))
        assert len(await store.list("mover", NOW)) == 2


async def test_a_feed_that_moves_to_another_server_is_read_from_the_beginning(
    store: RedisStore, nodes: list[Node]
) -> None:
    made = [await store.revoke(end_of(a_session(sub))) for sub in SUBJECTS[:3]]
    _, cursor = await store.revocations("")
    slot = key_slot(b"authx_{feed}")
    source = owner_of(nodes, slot)
    target = next(node for node in nodes if node is not source)
    with source.client() as old, target.client() as new:
        old_id, new_id = (client.execute_command("CLUSTER", "MYID").decode() for client in (old, new))
        new.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", old_id)
        old.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", new_id)
        for key in old.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100):
            old.execute_command("MIGRATE", target.host, target.port, key, 0, 5000)
        for client in (new, old):
            client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", new_id)
        waiting = asyncio.create_task(store.wait(cursor, 5))
        listed, cursor = await store.revocations(cursor)
        assert listed == made
        await waiting
        waiting = asyncio.create_task(store.wait(cursor, 3600))
        await until(lambda: blocked_clients(nodes) == 1, "the reader's wait")
        last = await store.revoke(everyone(NOW))
        async with asyncio.timeout(PATIENCE):
            await waiting
        assert (await store.revocations(cursor))[0] == [last]


async def test_a_server_that_is_gone_makes_its_share_unavailable_until_it_is_back() -> None:
    with a_cluster() as nodes:
        async with opened(nodes) as store:
            rows = [a_session(sub) for sub in SUBJECTS]
            for row in rows:
                await store.create(row)
            for node in nodes:
                with node.client() as admin:
                    admin.config_set("cluster-require-full-coverage", "no")
            gone = owner_of(nodes, key_slot(b"authx_{feed}"))
            lost = {row.sid for row in rows if owner_of(nodes, slot_of(row)) is gone}
            with gone.client() as admin:
                admin.save()
            gone.kill()
            # Sessions on the other servers go on.
            for row in rows:
                if row.sid in lost:
                    with pytest.raises(StoreUnavailableError):
                        await advanced(store, row)
                else:
                    assert (await store.get(row.sid))[0] == row
            with pytest.raises(StoreUnavailableError):
                await store.revoke(everyone(NOW))
            gone.start()

            async def all_are_back() -> bool:
                try:
                    return [await store.get(row.sid) for row in rows] == [(row, None) for row in rows]
                except StoreUnavailableError:
                    return False

            await until(all_are_back, "the return of the sessions")
            assert all(await asyncio.gather(*(advanced(store, row) for row in rows)))


async def test_a_replica_that_takes_over_goes_on_where_it_was() -> None:
    with a_cluster() as nodes:
        gone = owner_of(nodes, key_slot(b"authx_{feed}"))
        with a_replica(gone, nodes) as replica:
            async with opened(nodes) as store:
                rows = [a_session(sub) for sub in SUBJECTS]
                for row in rows:
                    await store.create(row)
                made = [await store.revoke(end_of(a_session(sub))) for sub in SUBJECTS[:3]]
                _, cursor = await store.revocations("")
                with replica.client() as admin, gone.client() as primary:
                    written = primary.info("replication")["master_repl_offset"]
                    wait_until(lambda: admin.info("replication")["slave_repl_offset"] >= written, "the replication")
                    gone.kill()
                    waiting = asyncio.create_task(store.wait(cursor, 3600))
                    admin.execute_command("CLUSTER", "FAILOVER", "TAKEOVER")
                async with asyncio.timeout(PATIENCE):
                    await waiting

                async def goes_on() -> bool:
                    try:
                        assert all(await asyncio.gather(*(_is_whole(store, row) for row in rows)))
                        assert (await store.revocations(cursor))[0] == made
                        last = await store.revoke(everyone(NOW - DAY))
                        assert (await store.revocations(""))[0] == [*made, last]
                    except StoreUnavailableError:
                        return False
                    return True

                await until(goes_on, "the takeover")


async def _is_whole(store: RedisStore, row: Session) -> bool:
    return (await store.get(row.sid))[0] == row


async def test_a_server_that_froze_holds_up_its_share_only(nodes: list[Node], store: RedisStore) -> None:
    rows = [a_session(sub) for sub in SUBJECTS]
    for row in rows:
        await store.create(row)
    feed = owner_of(nodes, key_slot(b"authx_{feed}"))
    frozen = next(node for node in nodes if node is not feed)
    held = [row for row in rows if owner_of(nodes, slot_of(row)) is frozen]
    free = [row for row in rows if row not in held]
    frozen.freeze()
    try:
        async with asyncio.timeout(SOON):
            with pytest.raises(StoreUnavailableError):
                await advanced(store, held[0])
        # On a busy machine an answer may take longer than a store waits for it, so it is asked for again.
        await asyncio.gather(*(is_moved_on(store, row) for row in free[:3]))
    finally:
        frozen.thaw()
    until_whole(nodes)
    await asyncio.gather(*(is_moved_on(store, row) for row in (*held[1:], *free[3:])))


async def test_what_was_told_survives_killed_servers_that_append() -> None:
    with a_cluster(appendonly=True) as nodes:
        async with opened(nodes) as store:
            rows = [a_session(sub) for sub in SUBJECTS[:6]]
            for row in rows:
                await store.create(row)
            made = [await store.revoke(end_of(row)) for row in rows[:3]]
            stored = await store.revoke(cut_of(rows[5].sub))
            waits = calls(nodes)["cmdstat_waitaof"]
            assert 6 + 3 + 1 <= waits <= 6 + 2 * 3 + 2
            for node in nodes:
                node.kill()
            for node in nodes:
                node.start()
            until_whole(nodes)
        async with opened(nodes) as store:
            assert (await store.revocations(""))[0] == [*made, stored]
            for row in rows:
                found, cutoff = await store.get(row.sid)
                assert found is not None
                assert (found.revoked_at is not None) == (row in rows[:3])
                assert (cutoff is not None) == (row is rows[5])


async def test_a_node_of_a_cluster_is_no_single_server(nodes: list[Node]) -> None:
    row = a_session("somebody")
    stranger = next(node for node in nodes if node is not owner_of(nodes, slot_of(row)))
    store = RedisStore(stranger.url)
    for call in (store.open(), store.create(row), store.get(row.sid)):
        with pytest.raises(BadConfigurationError, match=r"use redis\+cluster://"):
            await call
    await store.close()


async def test_a_cluster_that_is_not_there_is_reported_within_seconds() -> None:
    with a_node() as node:
        url = cluster_url(node).replace("//", "//:hunter2@")
    store = RedisStore(url)
    for call in (store.open(), store.get(a_session("x").sid), store.create(a_session("x"))):
        with pytest.raises(StoreUnavailableError) as caught:
            async with asyncio.timeout(SOON):
                await call
        assert "hunter2" not in str(caught.value)
        assert caught.value.__cause__ is caught.value.__context__ is None
    await store.close()


async def test_a_wrong_password_is_a_mistake_in_the_configuration(nodes: list[Node]) -> None:
    store = RedisStore(cluster_url(nodes[0]).replace("//", "//nobody:hunter2@"))
    for call in (store.open(), store.create(a_session("x"))):
        with pytest.raises(BadConfigurationError, match="user name or password") as caught:
            await call
        assert "hunter2" not in str(caught.value)
        assert caught.value.__cause__ is caught.value.__context__ is None
    await store.close()


@pytest.mark.parametrize("options", [{}, {"decode_responses": True}, {"protocol": 2}])
async def test_the_applications_own_client_is_used_and_never_closed(
    nodes: list[Node], options: dict[str, object]
) -> None:
    async with redis.asyncio.RedisCluster(host=nodes[0].host, port=nodes[0].port, **options) as client:
        store = RedisStore(client=client)
        await store.open()
        await store.create_schema()
        rows = [a_session(sub) for sub in SUBJECTS[:6]]
        for row in rows:
            assert await store.create(row)
            moved = await advanced(store, row)
            assert await store.get(row.sid) == (moved, None)
            assert await store.list(row.sub, NOW) == [moved]
        _, cursor = await store.revocations("")
        waiting = asyncio.create_task(store.wait(cursor, 3600))
        await until(lambda: blocked_clients(nodes) == 1, "the reader's wait")
        await store.revoke(end_of(rows[0]))
        async with asyncio.timeout(PATIENCE):
            await waiting
        assert (await store.revocations(cursor))[0] == [end_of(rows[0])]
        await store.close()
        assert await client.ping()


@pytest.mark.parametrize(("times", "is_served"), [(1, True), (2, False)])
async def test_a_connection_that_the_driver_has_closed_under_itself_is_one_that_was_lost(
    nodes: list[Node], times: int, is_served: bool
) -> None:
    class Closing(redis.asyncio.RedisCluster):
        left = 0

        async def execute_command(self, *args: object, **kwargs: object) -> object:
            if self.left:
                self.left -= 1
                raise AttributeError("'NoneType' object has no attribute 'writelines'")
            return await super().execute_command(*args, **kwargs)

    async with Closing(host=nodes[0].host, port=nodes[0].port) as client:
        store = RedisStore(client=client)
        await store.open()
        client.left = times
        if is_served:
            assert await store.get(a_session("anna").sid) == (None, None)
        else:
            with pytest.raises(StoreUnavailableError):
                await store.get(a_session("anna").sid)
        await store.close()


def test_a_store_works_on_one_event_loop_after_another(nodes: list[Node]) -> None:
    store = RedisStore(cluster_url(nodes[0]))
    row = a_session("looper")

    async def first() -> None:
        assert await store.create(row)

    async def then() -> None:
        waiting = asyncio.create_task(store.wait("", 0.1))
        assert await store.get(row.sid) == (row, None)
        await waiting

    # Warnings are errors here: a connection left open by a loop that is gone would fail this test.
    asyncio.run(first())
    asyncio.run(then())
    asyncio.run(then())
