"""A client that repeats a refresh with its retry key gets the answer that was lost, however late."""

import asyncio
import logging
from datetime import timedelta

import pytest
from tests.sessions.world import DAY, GRACE, HOME, MAX_AGE, OTHER_SECRET, SECRET, foreign_token, sid_of
from tests.support.tokens import bearer, claims_of

from authx.core.retry_keys import retry_hash
from authx.core.session import Rotation
from authx.testing import Clock

pytestmark = pytest.mark.anyio

K, K2 = "first-key-of-22-letters", "second-key-of-22-letters"
HOUR = 3600


async def refresh(world, token, *keys, path="/auth/refresh", client=None):
    headers = [("Authorization", f"Bearer {token}"), *(("Idempotency-Key", key) for key in keys)]
    return await (client or world.http).post(path, headers=headers)


async def exchanged(world, token, *keys):
    answer = await refresh(world, token, *keys)
    assert answer.status_code == 200, answer.text
    return answer.json()["refresh_token"]


async def code(world, token, *keys):
    return (await refresh(world, token, *keys)).json().get("code", 200)


@pytest.fixture
async def no_grace(make_world):
    return await make_world(JWT_REFRESH_GRACE_PERIOD=timedelta(0))


async def test_an_attempt_is_answered_again_ten_days_later(world):
    token = (await world.login())["refresh_token"]
    successor = await exchanged(world, token, K)
    row = await world.row(token)
    world.clock.advance(10 * DAY)
    world.told.clear()
    assert await exchanged(world, token, K) == successor
    assert await world.row(token) == row
    (event,) = world.told
    assert (event.event, event.cause, event.distance, event.ip_address) == ("replay", "retry", 1, HOME)


@pytest.mark.parametrize("second", [(), (K2,)])
@pytest.mark.parametrize("first", [(), (K,)])
async def test_another_attempt_has_only_the_grace_period(world, first, second):
    token = (await world.login())["refresh_token"]
    successor = await exchanged(world, token, *first)
    world.clock.advance(GRACE)
    world.told.clear()
    assert await exchanged(world, token, *second) == successor
    assert [(event.event, event.cause) for event in world.told] == [("replay", "grace")]
    world.clock.advance(0.001)
    assert await code(world, token, *second) == "refresh_reused"
    assert (await world.row(token)).revoked_reason == "reused"


async def test_without_a_grace_period_only_the_same_attempt_is_answered_again(no_grace):
    token = (await no_grace.login())["refresh_token"]
    successor = await exchanged(no_grace, token, K)
    assert await exchanged(no_grace, token, K) == successor
    assert await code(no_grace, token, K2) == "refresh_reused"


async def test_without_a_grace_period_twenty_attempts_at_once_get_one_successor(no_grace):
    token = (await no_grace.login())["refresh_token"]
    successors = await asyncio.gather(*(exchanged(no_grace, token, K) for _ in range(20)))
    assert len(set(successors)) == 1
    assert (await no_grace.row(token)).generation == 2


async def log_out(world, token):
    await world.http.post("/auth/logout", headers=bearer(token))


async def revoke_session(world, token):
    await world.auth.revoke_session(sid_of(token))


async def revoke_subject(world, token):
    await world.auth.revoke_all_sessions("alice")


async def revoke_everyone(world, token):
    await world.auth.revoke_everyone()


async def reuse(world, token):
    successor = await exchanged(world, token, K)
    await exchanged(world, successor, K2)
    world.clock.advance(GRACE + 1)
    assert await code(world, token, K) == "refresh_reused"


async def delete_account(world, token):
    world.auth.set_subject_getter(lambda uid: None)


@pytest.mark.parametrize("end", [log_out, revoke_session, revoke_subject, revoke_everyone, reuse, delete_account])
async def test_the_key_helps_no_session_that_was_ended(world, end):
    token = (await world.login())["refresh_token"]
    await exchanged(world, token, K)
    world.clock.advance(1)
    await end(world, token)
    answer = await refresh(world, token, K)
    assert (answer.status_code, answer.json()["code"]) in ((401, "session_revoked"), (401, "account_unavailable"))


@pytest.mark.parametrize("life", [20 * DAY, None])
async def test_the_key_helps_no_session_that_is_over(make_world, life):
    world = await make_world(JWT_REFRESH_TOKEN_EXPIRES=life and timedelta(seconds=life))
    token = (await world.login())["refresh_token"]
    await exchanged(world, token, K)
    world.clock.advance(life or MAX_AGE)
    assert await code(world, token, K) == "refresh_expired"


async def test_the_key_helps_nobody_else(world):
    token = (await world.login())["refresh_token"]
    await exchanged(world, token, K)
    row = await world.row(token)
    await world.store.store.advance(
        Rotation(sid=row.sid, sub=row.sub, from_generation=2, to_generation=2, at=row.rotated_at, expires_at=None)
    )
    world.clock.advance(GRACE + 1)
    assert await code(world, token, K) == "refresh_reused"


async def test_the_first_refresh_of_a_session_without_row_is_repeated_alike(world):
    _, token = world.create_pair()
    successor = await exchanged(world, token, K)
    world.clock.advance(HOUR)
    assert await exchanged(world, token, K) == successor
    assert await code(world, token, K2) == "refresh_reused"


async def test_a_token_of_authx_is_exchanged_again_by_its_key(world):
    token = foreign_token(world.clock)
    successor = await exchanged(world, token, K)
    world.clock.advance(HOUR)
    assert await exchanged(world, token, K) == successor
    assert await code(world, token) == "refresh_reused"


async def test_a_rotation_after_the_store_lost_some_is_repeated_alike(world):
    third = await exchanged(world, await exchanged(world, (await world.login())["refresh_token"]))
    row = await world.row(third)
    back = Rotation(
        sid=row.sid, sub=row.sub, from_generation=3, to_generation=1, at=row.rotated_at, expires_at=row.expires_at
    )
    assert await world.store.store.advance(back)
    world.told.clear()
    fourth = await exchanged(world, third, K)
    assert world.names() == ["store_rollback", "refresh"]
    world.clock.advance(HOUR)
    assert await exchanged(world, third, K) == fourth
    assert claims_of(fourth)["gen"] == 4


async def test_a_key_that_an_earlier_rotation_used_is_taken(world):
    first = (await world.login())["refresh_token"]
    second = await exchanged(world, first, K)
    third = await exchanged(world, second, K)
    world.clock.advance(GRACE + 1)
    assert await exchanged(world, second, K) == third
    assert await code(world, first, K) == "refresh_reused"


@pytest.mark.parametrize(
    ("first", "second", "is_used"),
    [
        (["k" * 15], ["k" * 15], False),
        (["k" * 16], ["k" * 16], True),
        (["k" * 128], ["k" * 128], True),
        (["k" * 129], ["k" * 129], False),
        (["k" * 20 + " k"], ["k" * 20 + " k"], False),
        ([("k" * 20 + "é").encode()], [("k" * 20 + "é").encode()], False),
        ([K, K2], [K, K2], False),
        ([K, K], [K], True),
        ([f'"{K}"'], [K], True),
        ([K], [f'"{K}"'], True),
        ([f'"{K}'], [f'"{K}'], False),
        ([""], [""], False),
    ],
)
async def test_a_header_that_cannot_be_used_counts_as_none(world, first, second, is_used):
    token = (await world.login())["refresh_token"]
    await exchanged(world, token, *first)
    world.clock.advance(HOUR)
    assert await code(world, token, *second) == (200 if is_used else "refresh_reused")


async def test_the_header_can_be_renamed(make_world):
    world = await make_world(JWT_RETRY_KEY_HEADER="X-Attempt")
    token = (await world.login())["refresh_token"]
    headers = {**bearer(token), "x-attempt": K, "Idempotency-Key": K2}
    assert (await world.http.post("/auth/refresh", headers=headers)).status_code == 200
    world.clock.advance(HOUR)
    assert (await world.http.post("/auth/refresh", headers={**bearer(token), "X-ATTEMPT": K})).status_code == 200
    assert await code(world, token, K2) == "refresh_reused"


async def test_keys_are_ignored_where_they_are_turned_off(make_world):
    world = await make_world(JWT_RETRY_KEY_HEADER=None)
    token = (await world.login())["refresh_token"]
    await exchanged(world, token, K)
    world.clock.advance(GRACE + 1)
    assert await code(world, token, K) == "refresh_reused"


async def test_the_same_claims_are_signed_by_a_new_key(make_process):
    clock = Clock()
    before = await make_process(clock=clock)
    token = (await before.login())["refresh_token"]
    successor = await exchanged(before, token, K)
    after = await make_process(clock=clock, JWT_SECRET_KEY=OTHER_SECRET, JWT_PREVIOUS_SECRET_KEY=SECRET)
    clock.advance(HOUR)
    again = await exchanged(after, token, K)
    assert again != successor
    assert claims_of(again) == claims_of(successor)


async def test_another_process_knows_the_attempt(make_process):
    here, there = await make_process(), await make_process()
    token = (await here.login())["refresh_token"]
    successor = await exchanged(here, token, K)
    there.clock.now = here.clock.now + DAY
    assert await exchanged(there, token, K) == successor


async def test_an_answer_that_was_lost_after_the_commit_is_given_again_at_any_time(no_grace):
    token = (await no_grace.login())["refresh_token"]
    no_grace.store.fail("advance", after_commit=True)
    assert (await refresh(no_grace, token, K)).status_code == 503
    no_grace.clock.advance(DAY)
    assert claims_of(await exchanged(no_grace, token, K))["gen"] == 2
    assert await code(no_grace, token) == "refresh_reused"


@pytest.mark.parametrize("key", [(), (K,)])
async def test_a_route_that_refreshes_by_hand_and_then_by_the_library_is_one_attempt(no_grace, key):
    token = (await no_grace.login())["refresh_token"]
    no_grace.store.fail("advance", after_commit=True)
    assert (await refresh(no_grace, token, *key, path="/both")).status_code == 503
    answer = await refresh(no_grace, token, *key, path="/both")
    assert answer.status_code == (200 if key else 401)


async def test_hand_written_routes_read_the_key(no_grace):
    token = (await no_grace.login())["refresh_token"]
    await exchanged(no_grace, token, K)
    no_grace.clock.advance(DAY)
    before = await no_grace.row(token), no_grace.writes()
    no_grace.told.clear()
    assert (await refresh(no_grace, token, K, path="/hand")).status_code == 200
    assert (await no_grace.row(token), no_grace.writes(), no_grace.told) == (*before, [])
    assert (await refresh(no_grace, token, K2, path="/hand")).json()["code"] == "refresh_reused"
    assert (await no_grace.row(token)).revoked_reason == "reused"


async def test_a_replay_and_a_lost_race_never_write_the_hash(world):
    token = (await world.login())["refresh_token"]
    await exchanged(world, token, K)
    assert (await world.row(token)).retry_hash == retry_hash(sid_of(token), 1, K.encode())
    row = await world.row(token)
    await exchanged(world, token, K2)
    await exchanged(world, token)
    assert await world.row(token) == row


async def test_a_login_and_a_revocation_have_no_hash(world):
    token = (await world.login())["refresh_token"]
    assert (await world.row(token)).retry_hash is None
    _, other = world.create_pair()
    await world.auth.revoke_session(sid_of(other))
    assert (await world.row(other)).retry_hash is None


async def test_a_request_without_a_key_has_one_of_its_own(world):
    token = (await world.login())["refresh_token"]
    hashes = set()
    for _ in range(3):
        token = await exchanged(world, token)
        hashes.add((await world.row(token)).retry_hash)
    assert len(hashes) == 3
    assert None not in hashes


# Events


@pytest.mark.parametrize(
    ("address", "key", "level"),
    [
        (HOME, K, logging.INFO),
        ("203.0.113.9", K, logging.WARNING),
        (HOME, K2, logging.INFO),
        ("203.0.113.9", K2, logging.INFO),
    ],
)
async def test_a_repetition_from_another_address_is_a_warning(world, caplog, address, key, level):
    token = (await world.login())["refresh_token"]
    await exchanged(world, token, K)
    caplog.set_level(logging.INFO, "authx.security")
    caplog.clear()
    async with world.client(address) as other:
        assert (await refresh(world, token, key, client=other)).status_code == 200
    (record,) = caplog.records
    assert record.levelno == level
    assert record.getMessage().startswith("replay ")


async def test_neither_the_key_nor_its_hash_shows_anywhere(make_world, caplog):
    caplog.set_level(1)
    world = await make_world()
    token = (await world.login())["refresh_token"]
    successor = await exchanged(world, token, K)
    found = retry_hash(sid_of(token), 1, K.encode())
    row = await world.row(token)
    assert row.retry_hash == found
    said = [repr(row), repr(await world.auth.list_sessions("alice"))]
    answers = [await refresh(world, token, K), await refresh(world, token, K2)]
    world.store.fail("get", "advance", times=None)
    answers.append(await refresh(world, successor, K))
    world.store.heal()
    answers.append(await world.http.get("/auth/sessions", headers=bearer(answers[0].json()["access_token"])))
    world.clock.advance(HOUR)
    answers.append(await refresh(world, token, K2))
    assert [answer.status_code for answer in answers] == [200, 200, 503, 200, 401]
    said += [answer.text + repr(answer.headers) for answer in answers]
    said += [repr(event) for event in world.told] + [record.getMessage() for record in caplog.records]
    for text in said:
        assert K not in text
        assert found not in text
        assert found[:12] not in text
