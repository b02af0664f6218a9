"""A refresh token that was exchanged a moment ago is answered with the very successor it already has."""

import asyncio
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from tests.sessions.world import GRACE, HOME, SECRET, sid_of
from tests.support.tokens import claims_of, header_of

pytestmark = pytest.mark.anyio


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


KEYS = {
    "RS256": pem(rsa.generate_private_key(65537, 2048)),
    "ES256": pem(ec.generate_private_key(ec.SECP256R1())),
    "EdDSA": pem(ed25519.Ed25519PrivateKey.generate()),
}
KEYS["PS256"] = KEYS["RS256"]


def key_fields(algorithm):
    if algorithm == "HS256":
        return {}
    return {"JWT_ALGORITHM": algorithm, "JWT_PRIVATE_KEY": KEYS[algorithm]}


@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "ES256", "EdDSA"])
async def test_the_successor_is_the_same_to_the_byte(make_world, algorithm):
    world = await make_world(**key_fields(algorithm))
    token = (await world.login())["refresh_token"]
    world.clock.advance(60.25)
    first = await world.refreshed(token)
    world.clock.advance(12.5)
    assert (await world.refreshed(token))["refresh_token"] == first["refresh_token"]


async def test_the_successor_has_the_same_claims_where_signatures_are_random(make_world):
    world = await make_world(**key_fields("PS256"))
    token = (await world.login())["refresh_token"]
    first = (await world.refreshed(token))["refresh_token"]
    world.clock.advance(12)
    again = (await world.refreshed(token))["refresh_token"]
    assert first.rpartition(".")[0] == again.rpartition(".")[0]


async def test_either_of_two_equal_successors_can_be_exchanged(make_world):
    world = await make_world(**key_fields("PS256"))
    token = (await world.login())["refresh_token"]
    first, again = await world.refreshed(token), await world.refreshed(token)
    third = await world.refreshed(first["refresh_token"])
    assert claims_of((await world.refreshed(again["refresh_token"]))["refresh_token"]) == claims_of(
        third["refresh_token"]
    )


async def test_the_first_token_of_a_session_without_row_is_answered_alike(world):
    _, token = world.create_pair(refresh_scopes=["read"], data={"tenant": "red"}, headers={"part": "7"})
    first = await world.refreshed(token)
    world.clock.advance(7)
    assert (await world.refreshed(token))["refresh_token"] == first["refresh_token"]


async def test_a_hundred_at_once_get_the_same_successor(world):
    token = (await world.login())["refresh_token"]
    answers = await asyncio.gather(*(world.refresh(token) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert (await world.row(token)).generation == 2


async def test_two_processes_give_the_same_successor(make_process):
    here, there = await make_process(), await make_process()
    token = (await here.login())["refresh_token"]
    answers = await asyncio.gather(*(world.refresh(token) for world in (here, there) * 10))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1


async def test_a_replay_writes_nothing(world):
    token = (await world.login())["refresh_token"]
    await world.refreshed(token)
    before = await world.row(token)
    world.store.calls.clear()
    world.clock.advance(10)
    await world.refreshed(token)
    assert await world.row(token) == before
    assert (world.store.calls["create"], world.store.calls["revoke"]) == (0, 0)


async def test_the_access_token_of_a_replay_is_a_new_one(world):
    token = (await world.login())["refresh_token"]
    first = await world.refreshed(token)
    world.clock.advance(10)
    again = await world.refreshed(token)
    one, two = claims_of(first["access_token"]), claims_of(again["access_token"])
    assert one["jti"] != two["jti"]
    assert (two["sid"], two["iat"]) == (one["sid"], one["iat"] + 10)
    assert await world.knock(again["access_token"]) == 200


async def test_expires_in_is_computed_afresh(world):
    token = (await world.login())["refresh_token"]
    first = await world.refreshed(token)
    world.clock.advance(10)
    again = await world.refreshed(token)
    assert again["expires_in"] == first["expires_in"] == 900
    assert again["refresh_expires_in"] == first["refresh_expires_in"] - 10


async def test_a_successor_keeps_everything_the_application_put_into_its_predecessor(make_world):
    world = await make_world(JWT_TOKEN_LOCATION=["headers", "cookies"], JWT_DECODE_AUDIENCE=["shop"])
    token = (
        await world.login(
            scopes=["read", "write"],
            data={"tenant": "red", "deep": {"list": [1, 2.5, None]}},
            audience=["shop", "stock"],
            headers={"part": "7"},
        )
    )["refresh_token"]
    world.http.cookies.clear()
    old = claims_of(token)
    for _ in range(2):
        world.clock.advance(1)
        new = (await world.refreshed(token))["refresh_token"]
        claims = claims_of(new)
        kept = ("sub", "sid", "csrf", "scopes", "tenant", "deep", "aud", "type")
        assert {name: claims[name] for name in kept} == {name: old[name] for name in kept}
        assert old["csrf"] != ""
        assert header_of(new) == header_of(token)


async def test_a_new_access_token_has_what_the_refresh_token_has(make_world):
    world = await make_world(JWT_DECODE_AUDIENCE=["shop"])
    token = (await world.login(scopes=["read"], data={"tenant": "red"}, audience="shop", headers={"part": "7"}))[
        "refresh_token"
    ]
    access = (await world.refreshed(token))["access_token"]
    claims = claims_of(access)
    assert (claims["scopes"], claims["tenant"], claims["aud"], claims["fresh"]) == (["read"], "red", "shop", False)
    assert header_of(access)["part"] == "7"
    assert claims["jti"] != claims_of(token)["jti"]


async def test_the_login_type_is_kept(make_world):
    world = await make_world()
    world.auth.login_type = "staff"
    token = (await world.login())["refresh_token"]
    tokens = await world.refreshed(token)
    assert {claims_of(tokens[name])["login_type"] for name in ("access_token", "refresh_token")} == {"staff"}


async def test_the_issuer_is_kept(make_world):
    world = await make_world(JWT_ENCODE_ISSUER="home", JWT_DECODE_ISSUER="home")
    token = (await world.login())["refresh_token"]
    tokens = await world.refreshed(token)
    assert {claims_of(tokens[name])["iss"] for name in ("access_token", "refresh_token")} == {"home"}
    assert await world.knock(tokens["access_token"]) == 200


async def test_another_identity_claim_is_kept(make_world):
    world = await make_world(JWT_IDENTITY_CLAIM="uid")
    tokens = await world.refreshed((await world.login())["refresh_token"])
    assert {claims_of(tokens[name])["uid"] for name in ("access_token", "refresh_token")} == {"alice"}
    assert await world.knock(tokens["access_token"]) == 200


async def test_the_csrf_values_stay_for_the_whole_session(site):
    body = await site.login()
    values = {name: site.http.cookies[name] for name in ("csrf_access_token", "csrf_refresh_token")}
    for _ in range(3):
        site.clock.advance(60)
        answer = await site.http.post("/auth/refresh", headers={"X-CSRF-TOKEN": body["refresh_csrf_token"]})
        assert answer.status_code == 200
        assert {name: site.http.cookies[name] for name in values} == values
        push = await site.http.post("/door", headers={"X-CSRF-TOKEN": body["csrf_token"]})
        assert push.status_code == 200


async def test_the_jti_follows_from_session_and_generation_alone(world):
    token = (await world.login())["refresh_token"]
    twin = jwt.encode(claims_of(token) | {"tenant": "red", "jti": "any"}, SECRET, "HS256")
    one, two = await world.refreshed(token), await world.refreshed(twin)
    assert claims_of(one["refresh_token"])["jti"] == claims_of(two["refresh_token"])["jti"]
    assert claims_of(one["refresh_token"])["jti"] != claims_of(token)["jti"]


@pytest.mark.parametrize(("seconds", "status"), [(GRACE - 0.001, 200), (GRACE, 200), (GRACE + 0.001, 401)])
async def test_the_grace_period_ends_right_after_its_last_moment(world, seconds, status):
    token = (await world.login())["refresh_token"]
    world.clock.advance(60)
    await world.refreshed(token)
    world.clock.advance(seconds)
    assert (await world.refresh(token)).status_code == status


async def test_the_grace_period_does_not_slide_on_replays(world):
    token = (await world.login())["refresh_token"]
    await world.refreshed(token)
    for _ in range(2):
        world.clock.advance(15)
        assert (await world.refresh(token)).status_code == 200
    world.clock.advance(1)
    assert (await world.refresh(token)).json()["code"] == "refresh_reused"


async def test_the_grace_period_reaches_the_immediate_predecessor_only(world):
    first = (await world.login())["refresh_token"]
    second = (await world.refreshed(first))["refresh_token"]
    await world.refreshed(second)
    assert (await world.refresh(second)).status_code == 200
    assert (await world.refresh(first)).json()["code"] == "refresh_reused"


async def test_without_a_grace_period_a_token_is_good_once(make_world):
    world = await make_world(JWT_REFRESH_GRACE_PERIOD=timedelta(0))
    token = (await world.login())["refresh_token"]
    assert (await world.refresh(token)).status_code == 200
    assert (await world.refresh(token)).json()["code"] == "refresh_reused"


async def test_without_a_grace_period_one_of_many_at_once_passes(make_world):
    world = await make_world(JWT_REFRESH_GRACE_PERIOD=timedelta(0))
    token = (await world.login())["refresh_token"]
    statuses = [answer.status_code for answer in await asyncio.gather(*(world.refresh(token) for _ in range(10)))]
    assert sorted(statuses) == [200] + [401] * 9


async def test_a_longer_grace_period_is_obeyed(make_world):
    world = await make_world(JWT_REFRESH_GRACE_PERIOD=timedelta(minutes=5))
    token = (await world.login())["refresh_token"]
    await world.refreshed(token)
    world.clock.advance(299)
    assert (await world.refresh(token)).status_code == 200


async def test_the_grace_period_never_applies_to_what_logout_ended(world):
    token = (await world.login())["refresh_token"]
    successor = (await world.refreshed(token))["refresh_token"]
    await world.http.post("/auth/logout", headers={"Authorization": f"Bearer {successor}"})
    answer = await world.refresh(token)
    assert (answer.status_code, answer.json()["code"]) == (401, "session_revoked")


async def test_the_grace_period_never_applies_to_what_reuse_ended(world):
    first = (await world.login())["refresh_token"]
    second = (await world.refreshed(first))["refresh_token"]
    third = (await world.refreshed(second))["refresh_token"]
    await world.refresh(first)
    for token in (first, second, third):
        assert (await world.refresh(token)).json()["code"] == "session_revoked"


async def test_a_clock_that_goes_back_a_little_still_answers(world):
    token = (await world.login())["refresh_token"]
    world.clock.advance(60)
    first = await world.refreshed(token)
    world.clock.advance(-5)
    assert (await world.refreshed(token))["refresh_token"] == first["refresh_token"]


async def test_a_replay_is_told_with_address_and_distance(world):
    token = (await world.login())["refresh_token"]
    await world.refreshed(token)
    world.told.clear()
    thief = world.client("203.0.113.9")
    async with thief:
        await thief.post("/auth/refresh", headers={"Authorization": f"Bearer {token}"})
    (event,) = world.told
    assert (event.event, event.uid, event.session_id) == ("replay", "alice", sid_of(token))
    assert (event.ip_address, event.distance) == ("203.0.113.9", 1)
    assert HOME not in repr(event)


async def test_the_answer_that_was_lost_after_the_commit_is_given_again(world):
    token = (await world.login())["refresh_token"]
    world.store.fail("advance", after_commit=True)
    lost = await world.refresh(token)
    assert (lost.status_code, lost.headers["retry-after"], lost.json()["action"]) == (503, "1", "retry")
    world.clock.advance(5)
    again = await world.refreshed(token)
    assert claims_of(again["refresh_token"])["gen"] == (await world.row(token)).generation == 2
    assert claims_of(again["refresh_token"])["iat"] == int(world.clock.now) - 5


async def test_what_failed_before_the_commit_consumed_nothing(world):
    token = (await world.login())["refresh_token"]
    world.store.fail("advance", times=3)
    for _ in range(3):
        assert (await world.refresh(token)).status_code == 503
    world.clock.advance(3600)
    assert (await world.refresh(token)).status_code == 200


async def test_a_store_that_does_not_answer_changes_no_cookie(site):
    body = await site.login()
    site.store.fail("advance")
    answer = await site.http.post("/auth/refresh", headers={"X-CSRF-TOKEN": body["refresh_csrf_token"]})
    assert answer.status_code == 503
    assert "set-cookie" not in answer.headers
