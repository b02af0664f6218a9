"""What breaks: a server, the store, the disk's memory. Nobody who follows the protocol is logged out by any of it."""

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.races.machines import Machine, events, running
from tests.races.people import Person, all_refreshing, log_in_all, total
from tests.races.places import SERVERS, Place, Server
from tests.races.wire import Answer, claims_of
from tests.stores.servers import Node
from tests.support import processes
from tests.support.waiting import SOON, until

CROWD = 20
on_servers = pytest.mark.parametrize("place", SERVERS, indirect=True, scope="session")
in_a_file = pytest.mark.parametrize("place", ["sqlite"], indirect=True, scope="session")
on_redis = pytest.mark.parametrize("place", ["redis"], indirect=True, scope="session")


@pytest.fixture(scope="module")
def machines(place: Place) -> Iterator[list[Machine]]:
    """Two servers that take tokens from headers and from cookies."""
    settings = {
        "JWT_STORE_URL": place.url,
        "JWT_TOKEN_LOCATION": '["headers", "cookies"]',
        "JWT_COOKIE_SECURE": "false",
    }
    with running(2, settings) as two:
        yield two


def stop(place: Server) -> None:
    place.stop()


def crash(place: Server) -> None:
    if isinstance(place, Node):
        place.kill()
    else:
        place.crash()


@contextmanager
def away(place: Server) -> Iterator[None]:
    """Have a store stopped for as long as the context lasts."""
    place.stop()
    try:
        yield
    finally:
        place.start()


async def is_back(machines: Sequence[Machine], token: str) -> None:
    """Wait until every machine reaches its store again."""

    async def are_back() -> bool:
        answers = [await machine.ask("POST", "/by-hand", token) for machine in machines]
        return all(answer.status != 503 for answer in answers)

    await until(are_back, "the return of the store")


def check_unavailable(answer: Answer) -> None:
    assert answer.status == 503, answer
    assert answer.body["action"] == "retry"
    assert int(answer.headers["retry-after"][0]) >= 1
    assert "set-cookie" not in answer.headers


def test_a_server_that_is_killed_amid_refreshes_logs_nobody_out(place, machines):
    async def scenario():
        with running(1, {"JWT_STORE_URL": place.url}) as (victim,):
            people = await log_in_all(CROWD, [victim, machines[0], victim, machines[1], victim])
            before = await events(machines)
            async with all_refreshing(people):
                await until(lambda: total(people)["refreshed"] > CROWD, "the refreshes before")
                victim.kill()
                await until(lambda: total(people)["lost"] >= CROWD / 2, "the lost answers")
                enough = total(people)["refreshed"] + 2 * CROWD
                await until(lambda: total(people)["refreshed"] > enough, "the refreshes after")
        assert (await events(machines) - before)["refresh_reused"] == 0

    asyncio.run(scenario())


@on_servers
def test_while_the_store_is_away_answers_are_503_and_afterwards_everybody_is_still_logged_in(place, machines):
    async def scenario():
        people = await log_in_all(CROWD, machines)
        body = people[0]
        cookies = (await machines[0].log_in("browser")).cookies
        browser = {
            "cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
            "x-csrf-token": cookies["csrf_refresh_token"],
        }
        with away(place):
            credentials = {"username": "late", "password": "late"}
            for machine in machines:
                for answer in await asyncio.gather(
                    machine.ask("POST", "/auth/login", body=credentials),
                    machine.ask("POST", "/auth/refresh", body.refresh_token),
                    machine.ask("POST", "/auth/refresh", headers=browser),
                    machine.ask("POST", "/by-hand", body.refresh_token),
                    machine.ask("POST", "/auth/logout", body.access_token),
                    machine.ask("POST", "/auth/logout", headers=browser),
                    machine.ask("POST", "/auth/logout/all", body.access_token),
                    machine.ask("GET", "/auth/sessions", body.access_token),
                ):
                    check_unavailable(answer)
                # What needs no store goes on, for as long as the last revocations heard of can be trusted.
                assert await machine.is_in(body.access_token)
        await is_back(machines, body.refresh_token)
        for person in people:
            await person.refresh()
        assert (await machines[1].ask("POST", "/auth/refresh", headers=browser)).status == 200
        assert total(people) == {"refreshed": CROWD}

    asyncio.run(scenario())


@on_servers
@pytest.mark.parametrize("how", ["stopped", "crashed"])
def test_a_store_that_restarts_under_load_logs_nobody_out(place, machines, how):
    async def scenario():
        people = await log_in_all(CROWD, machines)
        before = await events(machines)
        async with all_refreshing(people):
            await until(lambda: total(people)["refreshed"] > CROWD, "the refreshes before")
            await asyncio.to_thread(crash if how == "crashed" else stop, place)
            await until(lambda: total(people)["unavailable"] >= CROWD, "the outage")
            await asyncio.to_thread(place.start)
            enough = {person: person.happened["refreshed"] + 3 for person in people}

            async def all_went_on() -> bool:
                return all(person.happened["refreshed"] >= count for person, count in enough.items())

            await until(all_went_on, "the refreshes after")
        assert total(people)["lost"] == 0
        assert (await events(machines) - before)["refresh_reused"] == 0

    asyncio.run(scenario())


@on_servers
def test_what_was_begun_and_what_was_ended_survives_a_crash_that_follows_at_once(place, machines):
    async def scenario():
        ended = (await machines[0].log_in("ended")).body
        begun = (await machines[1].log_in("begun")).body
        assert (await machines[0].ask("POST", "/auth/logout", ended["refresh_token"])).status == 200
        crash(place)
        place.start()
        await is_back(machines, begun["refresh_token"])
        for machine in machines:
            refused = await machine.refresh(ended["refresh_token"])
            assert (refused.status, refused.code) == (401, "session_revoked")
            assert await machine.is_in(begun["access_token"])

        async def is_out() -> bool:
            return not any([await machine.is_in(ended["access_token"]) for machine in machines])

        # Whoever had not heard of it before the crash hears of it when it reaches the store again.
        await until(is_out, "the end of the session", within=SOON)
        assert (await machines[0].refresh(begun["refresh_token"])).status == 200

    asyncio.run(scenario())


@on_redis
def test_clients_go_on_after_a_failover_that_lost_the_last_rotations(place, machines, tmp_path):
    async def scenario():
        people = await log_in_all(5, machines)
        ended = (await machines[0].log_in("ended")).body
        assert (await machines[0].ask("POST", "/auth/logout", ended["refresh_token"])).status == 200
        files = place.folder / "appendonlydir"
        # An orderly stop writes everything to the disk; that state is what the failover falls back to.
        place.stop()
        shutil.copytree(files, tmp_path / "older")
        place.start()
        await is_back(machines, people[0].refresh_token)
        generations = 4
        for person in people:
            for _ in range(generations):
                await person.refresh()
        before = await events(machines)
        place.kill()
        shutil.rmtree(files)
        shutil.copytree(tmp_path / "older", files)
        place.start()
        await is_back(machines, people[0].refresh_token)
        for person in people:
            was = claims_of(person.refresh_token)["gen"]
            await person.refresh()
            assert claims_of(person.refresh_token)["gen"] == was + 1
            await person.refresh()
            assert await machines[0].is_in(person.access_token)
        happened = await events(machines) - before
        assert (happened["store_rollback"], happened["refresh_reused"]) == (len(people), 0)
        for machine in machines:
            assert not await machine.is_in(ended["access_token"])

    asyncio.run(scenario())


@on_servers
def test_the_grace_period_stands_still_while_the_store_is_away(place):
    # Away for longer than the grace period: whoever lost an answer just before may repeat it just afterwards.
    settings = {"JWT_STORE_URL": place.url, "JWT_REFRESH_GRACE_PERIOD": "5"}

    async def scenario(machines):
        token = (await machines[0].log_in("patient")).body["refresh_token"]
        successor = (await machines[0].refresh(token)).body["refresh_token"]
        with away(place):
            end = time.monotonic() + 7
            while time.monotonic() < end:
                check_unavailable(await machines[0].refresh(token))
                await asyncio.sleep(0.1)
        for machine in machines:
            lost = Person("patient", [machine])
            lost.refresh_token = token
            await lost.refresh()
            assert lost.refresh_token == successor

    with running(2, settings) as machines:
        asyncio.run(scenario(machines))


@contextmanager
def locked_by_another_process(path: Path) -> Iterator[None]:
    """Hold the write lock of a database file for as long as the context lasts."""
    program = f"""
import sqlite3, sys
connection = sqlite3.connect({str(path)!r}, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""
    command = [sys.executable, "-c", program]
    with processes.running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        yield
        other.communicate()


@in_a_file
def test_refreshes_wait_for_a_file_that_another_process_locks(place, machines):
    async def scenario():
        people = await log_in_all(CROWD, machines)
        with locked_by_another_process(place.path):
            refreshes = [asyncio.create_task(person.refresh()) for person in people]
            # Who does not write is not held up.
            for _ in range(20):
                assert await machines[0].is_in(people[0].access_token)
                await asyncio.sleep(0.02)
            assert not any(refresh.done() for refresh in refreshes)
        await asyncio.gather(*refreshes)
        assert total(people) == {"refreshed": CROWD}

    asyncio.run(scenario())
