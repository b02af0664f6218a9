"""What a request costs the store, counted in statements."""

import asyncio

import pytest
from tests.races.inside import log_in, make_auth, refresh, request
from tests.races.statements import watching
from tests.support.patience import let_stores_take_their_time

from authx import AuthX
from authx.schema import TokenPayload

STAMPEDE = 100


async def check_access(auth: AuthX, token: str) -> TokenPayload:
    return await auth.access_token_required(request(token))


async def refresh_all_at_once(auth: AuthX, token: str) -> set[str]:
    tokens = await asyncio.gather(*(refresh(auth, token) for _ in range(STAMPEDE)))
    return {each.refresh_token for each in tokens}


@pytest.fixture
def scene(place, monkeypatch):
    """Runs a scenario with an instance that has warmed up, and a count of what reaches its store."""

    let_stores_take_their_time(monkeypatch)

    def run(scenario):
        async def whole():
            async with watching(place, monkeypatch) as watch:
                auth = make_auth(watch.url)
                await auth.open()
                try:
                    # Every connection of the store has opened and prepared what it needs.
                    await refresh_all_at_once(auth, auth.create_refresh_token("warm"))
                    await scenario(auth, watch.count)
                finally:
                    await auth.close()

        asyncio.run(whole())

    return run


def test_a_refresh_is_one_round_trip(scene):
    async def scenario(auth, count):
        tokens = await log_in(auth, "one")

        async def refresh_twenty_times():
            nonlocal tokens
            for _ in range(20):
                tokens = await refresh(auth, tokens.refresh_token)

        asked = await count(refresh_twenty_times)
        assert len(asked) == 20, asked

    scene(scenario)


def test_a_refresh_whose_answer_got_lost_is_two_round_trips(scene):
    async def scenario(auth, count):
        token = (await log_in(auth, "lost")).refresh_token
        await refresh(auth, token)
        asked = await count(lambda: refresh(auth, token))
        assert len(asked) == 2, asked

    scene(scenario)


def test_checking_an_access_token_asks_the_store_nothing(scene):
    async def scenario(auth, count):
        token = (await log_in(auth, "access")).access_token
        assert (await check_access(auth, token)).sub == "access"
        asked = await count(lambda: check_access(auth, token))
        assert asked == []

    scene(scenario)


def test_beginning_a_session_without_a_row_asks_the_store_nothing(scene):
    async def scenario(auth, count):
        async def begin():
            auth.create_token_pair("pair")

        assert await count(begin) == []

    scene(scenario)


@pytest.mark.parametrize("begun", ["with a row", "without a row"])
def test_a_stampede_costs_at_most_three_times_as_much_as_its_refreshes_one_by_one(scene, begun):
    async def scenario(auth, count):
        async def new() -> str:
            if begun == "with a row":
                return (await log_in(auth, "stampede")).refresh_token
            return auth.create_refresh_token("stampede")

        token = await new()
        alone = len(await count(lambda: refresh(auth, token)))
        token = await new()
        successors = set()

        async def stampede():
            successors.update(await refresh_all_at_once(auth, token))

        asked = await count(stampede)
        assert len(successors) == 1
        assert len(asked) <= 3 * STAMPEDE * alone

    scene(scenario)
