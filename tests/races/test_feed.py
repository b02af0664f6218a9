"""What one server revokes, the others refuse: how soon, and what they do when they cannot know."""

import asyncio
import time

import pytest
from tests.races.machines import Machine, running
from tests.races.places import SERVERS
from tests.stores.servers import Node
from tests.support.waiting import SOON, until

REVOCATIONS = 50
STALENESS = 2.0


def describe(kind: str, delays: list[float]) -> str:
    ordered = sorted(1000 * delay for delay in delays)
    middle, late = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    return (
        f"revocations in force in another process, {kind}: p50 {middle:.0f} ms, p99 {late:.0f} ms, "
        f"max {ordered[-1]:.0f} ms, of {len(ordered)}"
    )


async def answers(machine: Machine, token: str, status: int) -> bool:
    """Tell whether a protected route answers with a status."""
    answer = await machine.ask("GET", "/protected", token)
    assert answer.status in {200, 503}, answer
    return answer.status == status


def test_a_revocation_is_soon_in_force_in_another_process(place, machines, tell, request):
    here, there = machines[:2]

    async def delay_of(number: int, token: str) -> float:
        # Spread over the intervals at which somebody may look.
        await asyncio.sleep(number * 0.037)
        assert await there.is_in(token)
        assert (await here.ask("POST", "/auth/logout", token)).status == 200
        revoked = time.monotonic()
        while await there.is_in(token):
            assert time.monotonic() - revoked < SOON
            # The others' requests come in between.
            await asyncio.sleep(0.004)
        return time.monotonic() - revoked

    async def scenario():
        logins = await asyncio.gather(*(here.log_in(f"left-{number}") for number in range(REVOCATIONS)))
        tokens = [login.body["access_token"] for login in logins]
        return await asyncio.gather(*(delay_of(number, token) for number, token in enumerate(tokens)))

    delays = asyncio.run(scenario())
    tell(describe(request.node.callspec.params["place"], delays))


@pytest.mark.parametrize("what", ["session", "everything of a user", "a token alone"])
def test_every_kind_of_revocation_reaches_every_process(machines, what):
    async def scenario():
        body = (await machines[0].log_in("target")).body
        token = body["access_token"]
        if what == "session":
            (session,) = [one for one in (await machines[0].ask("GET", "/auth/sessions", token)).body if one["current"]]
            answer = await machines[1].ask("DELETE", f"/auth/sessions/{session['session_id']}", token)
            assert answer.status == 204
        elif what == "everything of a user":
            assert (await machines[1].ask("POST", "/auth/logout/all", token)).status == 200
        else:
            assert (await machines[1].ask("POST", "/revoke", token)).status == 200

        async def is_out():
            return not any([await machine.is_in(token) for machine in machines])

        await until(is_out, "the end of the session", within=SOON)
        again = await machines[2].refresh(body["refresh_token"])
        assert again.status == (200 if what == "a token alone" else 401)

    asyncio.run(scenario())


def test_a_server_that_starts_later_knows_what_was_revoked_before(place, machines):
    async def scenario():
        token = (await machines[0].log_in("gone")).body["access_token"]
        assert (await machines[0].ask("POST", "/auth/logout", token)).status == 200
        with running(1, {"JWT_STORE_URL": place.url}) as (late,):
            assert not await late.is_in(token)

    asyncio.run(scenario())


@pytest.mark.parametrize("place", SERVERS, indirect=True, scope="session")
def test_protected_routes_answer_503_when_the_store_has_been_silent_for_too_long(place):
    settings = {"JWT_STORE_URL": place.url, "JWT_REVOCATION_MAX_STALENESS": str(STALENESS)}

    async def scenario(machine):
        token = (await machine.log_in("waiting")).body["access_token"]
        stopped = time.monotonic()
        place.stop()
        try:
            await until(lambda: answers(machine, token, 503), "the refusal")
            # The last news may have come up to one look before the stop.
            assert time.monotonic() - stopped > STALENESS - 1
            answer = await machine.ask("GET", "/protected", token)
            assert int(answer.headers["retry-after"][0]) >= 1
            assert answer.body["action"] == "retry"
        finally:
            place.start()
        await until(lambda: answers(machine, token, 200), "the end of the outage")

    with running(1, settings) as (machine,):
        asyncio.run(scenario(machine))


@pytest.mark.parametrize("place", ["redis"], indirect=True, scope="session")
def test_a_store_that_hangs_counts_as_one_that_is_silent(place):
    settings = {"JWT_STORE_URL": place.url, "JWT_REVOCATION_MAX_STALENESS": str(STALENESS)}
    assert isinstance(place, Node)

    async def scenario(machine):
        token = (await machine.log_in("hanging")).body["access_token"]
        place.freeze()
        try:
            await until(lambda: answers(machine, token, 503), "the refusal")
        finally:
            place.thaw()
        await until(lambda: answers(machine, token, 200), "the end of the outage")

    with running(1, settings) as (machine,):
        asyncio.run(scenario(machine))
