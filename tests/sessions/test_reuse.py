"""Older tokens, newer tokens, and races that are lost too often."""

import asyncio
from dataclasses import replace

import pytest
from tests.sessions.world import DAY, GRACE, sid_of
from tests.support.tokens import bearer, claims_of

from authx.stores import open_store

pytestmark = pytest.mark.anyio


async def rotated(world, times, uid="alice"):
    """All refresh tokens of a session, oldest first, and its last access token."""
    tokens = await world.login(uid)
    chain = [tokens["refresh_token"]]
    for _ in range(times):
        world.clock.advance(60)
        tokens = await world.refreshed(chain[-1])
        chain.append(tokens["refresh_token"])
    return chain, tokens["access_token"]


@pytest.mark.parametrize("age", [1, 2, 5])
async def test_an_older_token_is_refused_and_ends_its_session(world, age):
    chain, access = await rotated(world, 5)
    world.clock.advance(GRACE + 1)
    answer = await world.refresh(chain[-1 - age])
    assert (answer.status_code, answer.json()["code"], answer.json()["action"]) == (401, "refresh_reused", "login")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert (await world.refresh(chain[-1])).json()["code"] == "session_revoked"
    assert await world.knock(access) == 401


async def test_the_row_says_why_it_was_ended(world):
    chain, _ = await rotated(world, 3)
    await world.refresh(chain[0])
    row = await world.row(chain[0])
    assert (row.revoked_reason, row.revoked_at, row.generation) == ("reused", int(world.clock.now * 1000), 4)


async def test_reuse_ends_exactly_one_session(world):
    chain, _ = await rotated(world, 2)
    other, access = await rotated(world, 2)
    foreign, _ = await rotated(world, 2, "bob")
    await world.refresh(chain[0])
    assert await world.knock(access) == 200
    assert (await world.refresh(other[-1])).status_code == 200
    assert (await world.refresh(foreign[-1])).status_code == 200


async def test_reuse_is_told_once_with_the_distance(world):
    chain, _ = await rotated(world, 3)
    world.told.clear()
    await world.refresh(chain[0])
    (event,) = world.told
    assert (event.event, event.uid, event.session_id, event.distance) == (
        "refresh_reused",
        "alice",
        sid_of(chain[0]),
        3,
    )
    await world.refresh(chain[0])
    assert [event.event for event in world.told] == ["refresh_reused"]


async def test_reuse_clears_all_four_cookies(site):
    body = await site.login()
    old = dict(site.http.cookies)
    for _ in range(2):
        await site.http.post("/auth/refresh", headers={"X-CSRF-TOKEN": body["refresh_csrf_token"]})
    site.http.cookies.clear()
    answer = await site.http.post(
        "/auth/refresh",
        headers={
            "X-CSRF-TOKEN": body["refresh_csrf_token"],
            "Cookie": f"refresh_token_cookie={old['refresh_token_cookie']}",
        },
    )
    assert answer.json()["code"] == "refresh_reused"
    lines = answer.headers.get_list("set-cookie")
    assert len(lines) == 4
    assert all("Max-Age=0" in line for line in lines)


async def test_a_revoked_session_keeps_the_cookies(site):
    body = await site.login()
    await site.auth.revoke_all_sessions("alice")
    answer = await site.http.post("/auth/refresh", headers={"X-CSRF-TOKEN": body["refresh_csrf_token"]})
    assert answer.json()["code"] == "session_revoked"
    assert "set-cookie" not in answer.headers


async def test_reuse_that_cannot_be_stored_gives_503_and_is_noticed_again(world):
    chain, access = await rotated(world, 2)
    world.store.fail("revoke")
    assert (await world.refresh(chain[0])).status_code == 503
    assert (await world.refresh(chain[0])).json()["code"] == "refresh_reused"
    assert await world.knock(access) == 401


async def test_reuse_ends_the_session_whatever_its_generation_is_by_then(world):
    chain, _ = await rotated(world, 2)
    answers = await asyncio.gather(world.refresh(chain[0]), *(world.refresh(chain[-1]) for _ in range(5)))
    assert answers[0].status_code == 401
    newest = {answer.json()["refresh_token"] for answer in answers[1:] if answer.status_code == 200}
    for token in {chain[-1], *newest}:
        assert (await world.refresh(token)).json()["code"] == "session_revoked"


async def forget(world, sid):
    """Lets the store lose a row, past every date that would keep it."""
    row = await world.row(sid)
    assert await world.store.store.prune(row.expires_at + 2 * DAY * 1000, 100) >= 1
    assert (await world.store.store.get(sid_of(sid)))[0] is None
    return row


async def lose(world, token, generation):
    """Brings back an older row, as a restored backup would."""
    row = await forget(world, token)
    assert await world.store.store.create(replace(row, generation=generation, rotated_at=row.rotated_at - 60_000))


@pytest.mark.parametrize("lost", [1, 2, 3])
async def test_a_token_newer_than_the_row_passes(world, lost):
    chain, _ = await rotated(world, 4)
    newest = claims_of(chain[-1])["gen"]
    await lose(world, chain[0], newest - lost)
    world.told.clear()
    tokens = await world.refreshed(chain[-1])
    assert claims_of(tokens["refresh_token"])["gen"] == newest + 1 == (await world.row(chain[0])).generation
    assert await world.knock(tokens["access_token"]) == 200


async def test_a_lost_rotation_is_told_with_the_distance(world):
    chain, _ = await rotated(world, 4)
    await lose(world, chain[0], claims_of(chain[-1])["gen"] - 2)
    world.told.clear()
    await world.refreshed(chain[-1])
    assert next((event.event, event.distance) for event in world.told) == ("store_rollback", -2)


async def test_after_a_lost_rotation_the_session_goes_on_as_ever(world):
    chain, _ = await rotated(world, 4)
    await lose(world, chain[0], 2)
    successor = (await world.refreshed(chain[-1]))["refresh_token"]
    world.clock.advance(10)
    assert (await world.refreshed(chain[-1]))["refresh_token"] == successor
    assert (await world.refresh(successor)).status_code == 200
    assert (await world.refresh(chain[1])).json()["code"] == "refresh_reused"


async def test_many_at_once_with_a_token_newer_than_the_row_get_one_successor(world):
    chain, _ = await rotated(world, 4)
    await lose(world, chain[0], 2)
    answers = await asyncio.gather(*(world.refresh(chain[-1]) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1


async def test_a_token_of_a_generation_without_any_row_is_unknown(world):
    # Absence is no way to revoke, and no way to be trusted either.
    chain, _ = await rotated(world, 1)
    await forget(world, chain[0])
    answer = await world.refresh(chain[-1])
    assert (answer.status_code, answer.json()["code"]) == (401, "refresh_invalid")
    assert (await world.store.store.get(sid_of(chain[-1])))[0] is None


class _Racing:
    """A store where somebody else always wins the swap and then gives way again."""

    def __init__(self, store, losses):
        self._store = store
        self.losses = losses

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def advance(self, rotation):
        if self.losses > 0:
            self.losses -= 1
            return None
        return await self._store.advance(rotation)


@pytest.mark.parametrize(("losses", "status"), [(1, 200), (7, 200), (8, 503), (20, 503)])
async def test_eight_lost_races_are_the_last(make_world, store_url, losses, status):
    racing = _Racing(open_store(store_url), 0)
    world = await make_world(store=racing)
    token = (await world.login())["refresh_token"]
    racing.losses = losses
    answer = await world.refresh(token)
    assert answer.status_code == status
    racing.losses = 0
    assert (await world.refresh(token)).status_code == 200


async def test_refresh_tokens_are_no_access_tokens_and_the_reverse(world):
    tokens = await world.login()
    answer = await world.http.get("/door", headers=bearer(tokens["refresh_token"]))
    assert answer.json()["code"] == "token_wrong_type"
    answer = await world.refresh(tokens["access_token"])
    assert answer.json()["code"] == "token_wrong_type"
    assert "set-cookie" not in answer.headers
    assert (await world.refresh(tokens["refresh_token"])).status_code == 200
