"""Several servers over one store, and requests that arrive in the same moment."""

import asyncio
import itertools
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack

import pytest
from tests.races.machines import Machine, events, running
from tests.races.places import Place
from tests.races.wire import Answer, Line, claims_of
from tests.support.waiting import SOON, until

from authx.stores import open_store

HERD = 100
# A race is not won every time.
ROUNDS = 4


async def all_at_once(requests: Sequence[tuple[Machine, str, str, str]]) -> list[Answer]:
    """Send requests in the same moment: everybody is connected before the first is sent."""
    lines = await asyncio.gather(*(Line.to(machine.port) for machine, *_ in requests))
    try:
        return await asyncio.gather(
            *(line.ask(method, path, token) for line, (_, method, path, token) in zip(lines, requests, strict=True))
        )
    finally:
        await asyncio.gather(*(line.close() for line in lines))


async def refresh_all_at_once(machines: Sequence[Machine], token: str, count: int = HERD) -> list[Answer]:
    return await all_at_once(
        [(machine, "POST", "/auth/refresh", token) for machine in itertools.islice(itertools.cycle(machines), count)]
    )


async def generation_of(place: Place, token: str) -> int:
    """Read it in the store."""
    store, claims = open_store(place.url), claims_of(token)
    await store.open()
    try:
        row, _ = await store.get(claims["sid"], claims["sub"])
    finally:
        await store.close()
    assert row is not None
    return row.generation


async def check_one_successor(place: Place, machines: Sequence[Machine], token: str) -> None:
    before = await events(machines)
    answers = await refresh_all_at_once(machines, token)
    assert [answer.status for answer in answers] == [200] * HERD, {answer.text for answer in answers}
    (successor,) = {answer.body["refresh_token"] for answer in answers}
    generation = claims_of(token)["gen"] + 1
    assert claims_of(successor)["gen"] == generation
    assert await generation_of(place, token) == generation
    assert await events(machines) - before == {"refresh": 1, "replay": HERD - 1}
    access = {answer.body["access_token"] for answer in answers}
    assert len(access) == HERD
    assert await machines[0].is_in(access.pop())
    after = await machines[1].refresh(successor)
    assert claims_of(after.body["refresh_token"])["gen"] == generation + 1


async def refused(machine: Machine, token: str) -> str:
    """Refresh, and say why not."""
    answer = await machine.refresh(token)
    assert answer.status == 401, answer
    return answer.code


async def check_out_soon(machines: Sequence[Machine], tokens: Iterable[str]) -> None:
    """Make sure that every machine refuses all access tokens soon, and goes on doing so."""

    async def are_out() -> bool:
        return not any(
            await asyncio.gather(*(machine.is_in(token) for machine, token in itertools.product(machines, tokens)))
        )

    await until(are_out, "the end of all sessions", within=SOON)
    assert await are_out()


def test_a_hundred_refreshes_of_one_token_give_one_successor(place, machines):
    async def scenario():
        for _ in range(ROUNDS):
            token = (await machines[0].log_in("herd")).body["refresh_token"]
            await check_one_successor(place, machines, token)

    asyncio.run(scenario())


def test_a_hundred_first_refreshes_of_a_session_without_a_row_give_one_successor(place, machines):
    async def scenario():
        for _ in range(ROUNDS):
            token = (await machines[0].pair("herd")).body["refresh_token"]
            await check_one_successor(place, machines, token)

    asyncio.run(scenario())


def test_a_herd_that_comes_late_with_a_used_token_gets_the_successor_it_already_has(machines):
    async def scenario():
        token = (await machines[0].log_in("late")).body["refresh_token"]
        successor = (await machines[1].refresh(token)).body["refresh_token"]
        answers = await refresh_all_at_once(machines, token)
        assert {answer.status for answer in answers} == {200}
        assert {answer.body["refresh_token"] for answer in answers} == {successor}

    asyncio.run(scenario())


def test_a_herd_with_a_token_of_two_generations_ago_is_refused_and_ends_the_session(machines):
    async def scenario():
        token = newest = (await machines[0].log_in("thief")).body["refresh_token"]
        for _ in range(2):
            newest = (await machines[0].refresh(newest)).body["refresh_token"]
        answers = await refresh_all_at_once(machines, token, 30)
        assert {answer.status for answer in answers} == {401}
        assert {answer.code for answer in answers} <= {"refresh_reused", "session_revoked"}
        assert await refused(machines[2], newest) == "session_revoked"

    asyncio.run(scenario())


@pytest.mark.parametrize("place_in_line", [0, 5, 10, 20])
def test_a_logout_that_races_twenty_refreshes_ends_logged_out(machines, place_in_line):
    async def scenario():
        first = (await machines[0].log_in("leaving")).body
        requests = [(machines[number % 3], "POST", "/auth/refresh", first["refresh_token"]) for number in range(20)]
        requests.insert(place_in_line, (machines[1], "POST", "/auth/logout", first["access_token"]))
        answers = await all_at_once(requests)
        goodbye = answers.pop(place_in_line)
        assert goodbye.status == 200
        # The logout is in the store, so no refresh token is good anywhere from here on.
        lucky = [answer.body for answer in answers if answer.status == 200]
        assert {answer.code for answer in answers if answer.status != 200} <= {"session_revoked"}
        for token in {first["refresh_token"], *(body["refresh_token"] for body in lucky)}:
            assert [await refused(machine, token) for machine in machines] == ["session_revoked"] * 3
        access = [first["access_token"], *(body["access_token"] for body in lucky)]
        await check_out_soon(machines, access)

    asyncio.run(scenario())


def test_two_logouts_everywhere_at_once_end_everything_from_before_and_nothing_from_after(machines):
    async def scenario():
        bodies = [(await machines[number % 3].log_in("everywhere")).body for number in range(5)]
        unwritten = (await machines[0].pair("everywhere")).body
        answers = await all_at_once(
            [
                (machine, "POST", "/auth/logout/all", body["access_token"])
                for machine, body in zip(machines[:2], bodies[:2], strict=True)
            ]
        )
        # The later of the two may be told that its own session has just been ended.
        assert 200 in {answer.status for answer in answers}
        assert {answer.status for answer in answers} <= {200, 401}
        after = [(await machine.log_in("everywhere")).body for machine in machines]
        for body in (*bodies, unwritten):
            assert await refused(machines[2], body["refresh_token"]) == "session_revoked"
        access = [body["access_token"] for body in (*bodies, unwritten)]
        await check_out_soon(machines, access)
        for body in after:
            assert all([await machine.is_in(body["access_token"]) for machine in machines])
            assert (await machines[0].refresh(body["refresh_token"])).status == 200

    asyncio.run(scenario())


def test_two_logouts_everywhere_else_at_once_leave_one_session_at_most(machines):
    async def scenario():
        bodies = [(await machines[number % 3].log_in("elsewhere")).body for number in range(5)]
        answers = await all_at_once(
            [
                (machine, "POST", "/auth/logout/all?keep_current=true", body["access_token"])
                for machine, body in zip(machines[:2], bodies[:2], strict=True)
            ]
        )
        assert 200 in {answer.status for answer in answers}
        alive = [body for body in bodies if (await machines[2].refresh(body["refresh_token"])).status == 200]
        assert len(alive) <= 1
        assert all(body in bodies[:2] for body in alive)

    asyncio.run(scenario())


def test_machines_that_start_at_once_find_one_schema(place):
    with running(3, {"JWT_STORE_URL": place.url, "JWT_STORE_PREFIX": "started_at_once_"}) as machines:

        async def scenario():
            token = (await machines[0].log_in("first")).body["refresh_token"]
            assert (await machines[1].refresh(token)).status == 200

        asyncio.run(scenario())


@pytest.mark.parametrize("place", ["sqlite"], indirect=True, scope="session")
def test_two_workers_of_one_server_are_one(place):
    async def scenario(server: Machine) -> None:
        pair = (await server.log_in("worker")).body
        async with AsyncExitStack() as stack:
            # Each connection is some worker's for as long as it lasts.
            workers: dict[int, Line] = {}

            async def both_work() -> bool:
                lines = await asyncio.gather(*(Line.to(server.port) for _ in range(10)))
                for line in lines:
                    await stack.enter_async_context(line)
                    answer = await line.ask("GET", "/protected", pair["access_token"])
                    workers[answer.body["process"]] = line
                return len(workers) == 2

            await until(both_work, "a connection to each worker")
            answers = await refresh_all_at_once([server], pair["refresh_token"])
            assert {answer.status for answer in answers} == {200}
            assert len({answer.body["refresh_token"] for answer in answers}) == 1
            here, there = workers.values()
            token = answers[0].body["access_token"]
            assert (await here.ask("POST", "/auth/logout", token)).status == 200
            assert (await here.ask("GET", "/protected", token)).status == 401

            async def is_out() -> bool:
                return (await there.ask("GET", "/protected", token)).status == 401

            await until(is_out, "the end of the session", within=SOON)

    with running(1, {"JWT_STORE_URL": place.url}, "--workers", "2") as (server,):
        asyncio.run(scenario(server))
