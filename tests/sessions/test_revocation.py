"""Ending sessions and tokens: one, all of a subject, all of everybody."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from tests.sessions.world import ACCESS_LIFE, DAY, GRACE, MAX_AGE, OTHER_SECRET, foreign_token, sid_of
from tests.support.axes import spread
from tests.support.inside import revoked_of
from tests.support.tokens import bearer, claims_of
from tests.support.waiting import SOON, until

from authx import AuthX, AuthXConfig
from authx.core.ids import session_created_at
from authx.exceptions import JWTDecodeError, StoreUnavailableError

pytestmark = pytest.mark.anyio


async def is_dead(world, tokens):
    """Whether neither token of a session is worth anything; both, and not one of them."""
    refused = await world.refresh(tokens["refresh_token"])
    dead = refused.status_code == 401 and refused.json()["code"] == "session_revoked"
    assert dead == (await world.knock(tokens["access_token"]) == 401)
    return dead


# One session


async def test_a_session_is_ended_with_its_tokens(world):
    tokens, other = await world.login(), await world.login()
    await world.auth.revoke_session(sid_of(tokens["access_token"]))
    assert await is_dead(world, tokens)
    assert not await is_dead(world, other)


async def test_a_session_without_row_is_ended_by_writing_one_that_is_revoked(world):
    access, refresh = world.create_pair()
    await world.auth.revoke_session(sid_of(access))
    assert await is_dead(world, {"access_token": access, "refresh_token": refresh})
    row = await world.row(access)
    assert row.revoked_at == int(world.clock.now * 1000)
    assert row.expires_at == session_created_at(sid_of(access)) + MAX_AGE * 1000


async def test_such_a_row_without_absolute_age_never_ends(make_world):
    world = await make_world(JWT_SESSION_MAX_AGE=None)
    access, _ = world.create_pair()
    await world.auth.revoke_session(sid_of(access))
    assert (await world.row(access)).expires_at is None


async def test_the_row_of_a_first_token_that_outlives_the_absolute_age_lasts_as_long_as_the_token(make_process):
    longer, shorter = await make_process(JWT_SESSION_MAX_AGE=400 * DAY), await make_process()
    _, refresh = longer.create_pair(refresh_expiry=timedelta(days=300))
    await shorter.auth.revoke_token(refresh)
    assert (await shorter.row(refresh)).expires_at == claims_of(refresh)["exp"] * 1000


async def test_ending_a_session_again_changes_nothing(world):
    tokens = await world.login()
    await world.auth.revoke_session(sid_of(tokens["access_token"]))
    row = await world.row(tokens["access_token"])
    world.clock.advance(60)
    await world.auth.revoke_session(sid_of(tokens["access_token"]))
    assert await world.row(tokens["access_token"]) == row
    assert await is_dead(world, tokens)


async def test_ending_a_session_moves_its_end_not_back(make_process):
    longer, shorter = await make_process(JWT_SESSION_MAX_AGE=400 * DAY), await make_process()
    tokens = await longer.login(refresh_expiry=timedelta(days=300))
    before = (await longer.row(tokens["access_token"])).expires_at
    await shorter.auth.revoke_session(sid_of(tokens["access_token"]))
    assert (await shorter.row(tokens["access_token"])).expires_at == before


async def by_id(world, tokens):
    await world.auth.revoke_session(sid_of(tokens["access_token"]))


async def by_token(world, tokens):
    await world.auth.revoke_token(tokens["refresh_token"])


async def by_reuse(world, tokens):
    await world.refreshed(tokens["refresh_token"])
    world.clock.advance(GRACE + 1)
    assert (await world.refresh(tokens["refresh_token"])).json()["code"] == "refresh_reused"


async def by_the_deletion_of_the_account(world, tokens):
    world.auth.set_subject_getter(lambda uid: None)
    assert (await world.refresh(tokens["refresh_token"])).json()["code"] == "account_unavailable"


async def by_another_login(world, tokens):
    answer = await world.http.post("/enter/bob", headers=bearer(tokens["access_token"]))
    assert answer.status_code == 200


async def by_logout(world, tokens):
    assert (await world.http.post("/auth/logout", headers=bearer(tokens["access_token"]))).status_code == 200


ENDINGS = [by_id, by_token, by_reuse, by_the_deletion_of_the_account, by_another_login, by_logout]


@pytest.mark.parametrize(("end", "max_age"), [*spread(ENDINGS, [90 * DAY, None]), (by_id, None), (by_token, 90 * DAY)])
async def test_pruning_does_not_bring_a_revoked_session_s_access_token_back(make_world, end, max_age):
    world = await make_world(JWT_SESSION_MAX_AGE=max_age, JWT_REFRESH_TOKEN_EXPIRES=timedelta(days=7))
    tokens = await world.login()
    long = world.auth.create_access_token("alice", sid=sid_of(tokens["access_token"]), expiry=timedelta(days=60))
    assert await world.knock(long) == 200
    await end(world, tokens)
    for days in (9, 50):
        world.clock.advance(days * DAY)
        await world.store.prune(int(world.clock.now * 1000), 1000)
        assert await world.knock(long) == 401


@pytest.mark.parametrize("max_age", [90 * DAY, None])
async def test_pruning_does_not_bring_a_revoked_session_without_row_back(make_world, max_age):
    world = await make_world(JWT_SESSION_MAX_AGE=max_age)
    long = world.auth.create_access_token("alice", expiry=timedelta(days=60))
    await world.auth.revoke_session(sid_of(long))
    world.clock.advance(59 * DAY)
    await world.store.prune(int(world.clock.now * 1000), 1000)
    assert await world.knock(long) == 401


async def test_pruning_does_not_bring_anything_of_a_subject_back(world):
    long = world.auth.create_access_token("alice", expiry=timedelta(days=60))
    world.clock.advance(1)
    await world.auth.revoke_all_sessions("alice")
    world.clock.advance(59 * DAY)
    await world.store.prune(int(world.clock.now * 1000), 1000)
    assert await world.knock(long) == 401


async def test_pruning_does_not_bring_a_revoked_token_back(make_world):
    world = await make_world(JWT_DECODE_LEEWAY=30)
    long = world.auth.create_access_token("alice", expiry=timedelta(days=60))
    await world.auth.revoke_token(long)
    for seconds in (59 * DAY, DAY, 29):
        world.clock.advance(seconds)
        await world.store.prune(int(world.clock.now * 1000), 1000)
        assert (await world.http.get("/door", headers=bearer(long))).json()["code"] == "token_revoked"


@pytest.mark.parametrize(
    "sid",
    [
        "",
        "x",
        "../../etc",
        "01BA60D3-3800-7293-8E2F-3738899C2BD8",
        "01ba60d3-3800-4293-8e2f-3738899c2bd8",
        "\0",
        "é" * 36,
    ],
)
async def test_what_is_no_session_id_ends_nothing(world, sid):
    with pytest.raises(ValueError, match="not a session id"):
        await world.auth.revoke_session(sid)
    assert world.writes() == 0
    assert await world.auth.get_session(sid) is None


async def test_a_store_that_does_not_answer_is_told_to_the_caller(world):
    tokens = await world.login()
    world.store.fail("revoke")
    with pytest.raises(StoreUnavailableError):
        await world.auth.revoke_session(sid_of(tokens["access_token"]))
    assert not await is_dead(world, tokens)


# All sessions of a subject


async def test_everything_a_subject_holds_dies(world):
    held = [await world.login(), await world.login()]
    held[1] = await world.refreshed(held[1]["refresh_token"])
    await world.auth.revoke_all_sessions("alice")
    assert [await is_dead(world, tokens) for tokens in held] == [True, True]


async def test_tokens_of_sessions_without_row_die_too(world):
    access, refresh = world.create_pair()
    alone = world.auth.create_access_token("alice")
    await world.auth.revoke_all_sessions("alice")
    assert await is_dead(world, {"access_token": access, "refresh_token": refresh})
    assert await world.knock(alone) == 401


async def test_tokens_of_authx_die_too(world):
    access, refresh = foreign_token(world.clock, "access"), foreign_token(world.clock)
    world.clock.advance(1)
    await world.auth.revoke_all_sessions("alice")
    assert await is_dead(world, {"access_token": access, "refresh_token": refresh})


async def test_a_token_of_authx_issued_later_lives(world):
    await world.auth.revoke_all_sessions("alice")
    world.clock.advance(1)
    assert await world.knock(foreign_token(world.clock, "access")) == 200
    assert (await world.refresh(foreign_token(world.clock))).status_code == 200


async def test_other_subjects_live_on(world):
    bob = await world.login("bob")
    await world.auth.revoke_all_sessions("alice")
    assert not await is_dead(world, bob)


async def test_a_pair_made_right_after_lives(world):
    await world.auth.revoke_all_sessions("alice")
    access, refresh = world.create_pair()
    assert not await is_dead(world, {"access_token": access, "refresh_token": refresh})


async def test_a_login_in_the_same_millisecond_before_dies_and_after_lives(world):
    for _ in range(5):
        before = await world.login()
        await world.auth.revoke_all_sessions("alice")
        after = await world.login()
        assert await is_dead(world, before)
        assert not await is_dead(world, after)


async def test_a_session_from_a_host_whose_clock_is_ahead_dies(make_process):
    ahead, here = await make_process(), await make_process()
    ahead.clock.advance(8)
    tokens = await ahead.login()
    await here.auth.revoke_all_sessions("alice")
    assert await is_dead(here, tokens)
    assert not await is_dead(here, await here.login())


async def test_a_cutoff_never_moves_back(world):
    await world.auth.revoke_all_sessions("alice")
    held = await world.login()
    world.clock.advance(-100)
    await world.auth.revoke_all_sessions("alice")
    world.clock.advance(100)
    assert await is_dead(world, held)


async def test_the_cutoff_outlives_everything(world):
    _, refresh = world.create_pair()
    await world.auth.revoke_all_sessions("alice")
    world.clock.advance(3600)
    await world.store.store.prune(int((world.clock.now + 400 * 86_400) * 1000), 1000)
    assert (await world.refresh(refresh)).json()["code"] == "session_revoked"


# ... but one


async def test_the_session_that_is_spared_lives_on(world):
    mine, other = await world.login(), await world.login()
    await world.auth.revoke_all_sessions("alice", except_session=sid_of(mine["access_token"]))
    assert not await is_dead(world, mine)
    assert await is_dead(world, other)


async def test_a_session_without_row_can_be_spared(world):
    access, refresh = world.create_pair()
    await world.auth.revoke_all_sessions("alice", except_session=sid_of(access))
    assert not await is_dead(world, {"access_token": access, "refresh_token": refresh})


async def test_the_spared_session_goes_on_through_refreshes(world):
    mine = await world.login()
    await world.auth.revoke_all_sessions("alice", except_session=sid_of(mine["access_token"]))
    for _ in range(3):
        world.clock.advance(60)
        mine = await world.refreshed(mine["refresh_token"])
        assert await world.knock(mine["access_token"]) == 200


async def test_a_later_call_replaces_what_is_spared(world):
    first, second = await world.login(), await world.login()
    await world.auth.revoke_all_sessions("alice", except_session=sid_of(first["access_token"]))
    third = await world.login()
    await world.auth.revoke_all_sessions("alice", except_session=sid_of(third["access_token"]))
    assert [await is_dead(world, tokens) for tokens in (first, second, third)] == [True, True, False]


async def test_a_later_call_without_one_spares_nothing(world):
    mine = await world.login()
    await world.auth.revoke_all_sessions("alice", except_session=sid_of(mine["access_token"]))
    await world.auth.revoke_all_sessions("alice")
    assert await is_dead(world, mine)


async def test_the_spared_session_can_be_spared_again(world):
    mine = await world.login()
    for _ in range(3):
        await world.auth.revoke_all_sessions("alice", except_session=sid_of(mine["access_token"]))
        assert not await is_dead(world, mine)


async def test_sparing_never_revives_what_a_cutoff_ended(world):
    mine = await world.login()
    await world.auth.revoke_all_sessions("alice")
    await world.auth.revoke_all_sessions("alice", except_session=sid_of(mine["access_token"]))
    assert await is_dead(world, mine)


async def test_sparing_never_revives_a_session_that_an_earlier_call_did_not_spare(world):
    mine, other = await world.login(), await world.login()
    await world.auth.revoke_all_sessions("alice", except_session=sid_of(other["access_token"]))
    await world.auth.revoke_all_sessions("alice", except_session=sid_of(mine["access_token"]))
    assert await is_dead(world, mine)
    assert await is_dead(world, other)


async def test_sparing_never_revives_a_session_without_row(world):
    access, refresh = world.create_pair()
    await world.auth.revoke_all_sessions("alice")
    await world.auth.revoke_all_sessions("alice", except_session=sid_of(access))
    assert await is_dead(world, {"access_token": access, "refresh_token": refresh})


async def test_sparing_never_revives_a_session_that_was_ended(world):
    mine = await world.login()
    await world.auth.revoke_session(sid_of(mine["access_token"]))
    await world.auth.revoke_all_sessions("alice", except_session=sid_of(mine["access_token"]))
    assert await is_dead(world, mine)


async def test_sparing_never_revives_what_was_ended_for_everybody(world):
    mine = await world.login()
    await world.auth.revoke_everyone()
    await world.auth.revoke_all_sessions("alice", except_session=sid_of(mine["access_token"]))
    assert await is_dead(world, mine)


async def test_a_spared_session_dies_with_everybody(world):
    mine = await world.login()
    await world.auth.revoke_all_sessions("alice", except_session=sid_of(mine["access_token"]))
    await world.auth.revoke_everyone()
    assert await is_dead(world, mine)


async def test_another_subject_s_session_cannot_be_spared(world):
    mine, bob = await world.login(), await world.login("bob")
    with pytest.raises(ValueError, match="except_session"):
        await world.auth.revoke_all_sessions("alice", except_session=sid_of(bob["access_token"]))
    assert not await is_dead(world, mine)
    assert not await is_dead(world, bob)


@pytest.mark.parametrize(
    ("spared", "error"),
    [
        ("", ValueError),
        ("x", ValueError),
        ("01ba60d3-3800-7293-8e2f-3738899c0000", ValueError),
        (7, TypeError),
        (True, TypeError),
        (b"x", TypeError),
    ],
)
async def test_what_is_no_session_of_the_subject_cannot_be_spared_and_nothing_ends(world, spared, error):
    mine = await world.login()
    with pytest.raises(error, match="except_session"):
        await world.auth.revoke_all_sessions("alice", except_session=spared)
    assert not await is_dead(world, mine)


NO_SESSION_IDS = {
    "upper case": lambda sid, jti: sid.upper(),
    "a UUID object": lambda sid, jti: UUID(sid),
    "a jti": lambda sid, jti: jti,
    "with braces": lambda sid, jti: "{" + sid + "}",
    "without hyphens": lambda sid, jti: sid.replace("-", ""),
    "with a line break": lambda sid, jti: sid + "\n",
    "bytes": lambda sid, jti: sid.encode(),
    "None": lambda sid, jti: None,
    "a list": lambda sid, jti: [sid],
    "empty": lambda sid, jti: "",
}


@pytest.mark.parametrize("form", NO_SESSION_IDS)
async def test_revoking_what_is_no_session_id_says_so(world, form):
    mine = await world.login()
    wrong = NO_SESSION_IDS[form](sid_of(mine["access_token"]), claims_of(mine["access_token"])["jti"])
    with pytest.raises(ValueError if isinstance(wrong, str) else TypeError, match="session_id"):
        await world.auth.revoke_session(wrong)
    assert not await is_dead(world, mine)


@pytest.mark.parametrize("form", NO_SESSION_IDS)
async def test_what_is_no_session_id_has_no_session_and_another_type_is_an_error(world, form):
    mine = await world.login()
    wrong = NO_SESSION_IDS[form](sid_of(mine["access_token"]), claims_of(mine["access_token"])["jti"])
    if isinstance(wrong, str):
        assert await world.auth.get_session(wrong) is None
    else:
        with pytest.raises(TypeError, match="session_id"):
            await world.auth.get_session(wrong)


@pytest.mark.parametrize(
    ("uid", "call"),
    spread(
        [None, True, False, b"alice", ["alice"], 1.0, {"id": 1}, object(), "", "a\0", "x" * 256],
        ["revoke_all_sessions", "list_sessions", "create_session"],
    ),
)
async def test_a_call_for_what_is_no_uid_says_so(world, call, uid):
    with pytest.raises(ValueError if isinstance(uid, str) else TypeError, match="uid"):
        await getattr(world.auth, call)(uid)


async def test_a_spared_session_can_be_ended_later(world):
    mine = await world.login()
    await world.auth.revoke_all_sessions("alice", except_session=sid_of(mine["access_token"]))
    await world.auth.revoke_session(sid_of(mine["access_token"]))
    assert await is_dead(world, mine)


async def test_two_logouts_everywhere_at_once_spare_one_session_at_most(world):
    held = [await world.login(), await world.login()]
    await asyncio.gather(
        *(world.auth.revoke_all_sessions("alice", except_session=sid_of(one["access_token"])) for one in held)
    )
    assert [await is_dead(world, tokens) for tokens in held].count(False) <= 1


async def test_the_spared_session_is_the_only_one_listed(world):
    mine, _ = await world.login(), await world.login()
    await world.auth.revoke_all_sessions("alice", except_session=sid_of(mine["access_token"]))
    assert [one.session_id for one in await world.auth.list_sessions("alice")] == [sid_of(mine["access_token"])]


# Everyone


async def test_everyone_is_logged_out(world):
    held = [await world.login(), await world.login("bob")]
    access, refresh = world.create_pair("carol")
    held.append({"access_token": access, "refresh_token": refresh})
    await world.auth.revoke_everyone()
    assert [await is_dead(world, tokens) for tokens in held] == [True] * 3
    assert await world.auth.list_sessions("alice") == []


async def test_a_login_right_after_lives(world):
    before = await world.login()
    await world.auth.revoke_everyone()
    after = await world.login()
    access, refresh = world.create_pair("bob")
    assert await is_dead(world, before)
    assert not await is_dead(world, after)
    assert not await is_dead(world, {"access_token": access, "refresh_token": refresh})


async def test_everyone_is_logged_out_in_another_process(make_process):
    here = await make_process()
    there = await make_process(JWT_REVOCATION_POLL_INTERVAL=timedelta(milliseconds=5))
    tokens = await there.login()
    here.clock.advance(0.001)
    await here.auth.revoke_everyone()
    assert (await there.refresh(tokens["refresh_token"])).json()["code"] == "session_revoked"
    await until(lambda: is_refused(there, tokens["access_token"]), "the refusal", within=SOON)
    assert await is_dead(there, tokens)


async def is_refused(world, token):
    return await world.knock(token) == 401


async def test_the_cutoff_of_everyone_is_there_after_a_restart(make_process):
    here = await make_process()
    access, refresh = here.create_pair()
    await here.auth.revoke_everyone()
    await here.close()
    there = await make_process()
    assert await is_dead(there, {"access_token": access, "refresh_token": refresh})


# One token


async def test_an_access_token_is_ended_alone(world):
    tokens = await world.login()
    other = world.auth.create_access_token("alice", sid=sid_of(tokens["access_token"]))
    await world.auth.revoke_token(tokens["access_token"])
    answer = await world.http.get("/door", headers=bearer(tokens["access_token"]))
    assert (answer.status_code, answer.json()["code"], answer.json()["action"]) == (401, "token_revoked", "login")
    assert await world.knock(other) == 200
    assert (await world.refresh(tokens["refresh_token"])).status_code == 200


async def test_an_access_token_stays_ended_until_its_own_end(world):
    token = world.auth.create_access_token("alice", expiry=timedelta(hours=8))
    await world.auth.revoke_token(token)
    for _ in range(8):
        assert await world.knock(token) == 401
        world.clock.advance(3599)


async def test_an_access_token_is_not_accepted_again_within_the_leeway(make_world):
    here = await make_world(JWT_DECODE_LEEWAY=600)
    token = here.auth.create_access_token("alice", expiry=timedelta(seconds=60))
    await here.auth.revoke_token(token)
    here.clock.advance(400)
    there = await make_world(store=here.store, clock=here.clock, JWT_DECODE_LEEWAY=600)
    assert await there.knock(token) == 401


async def test_an_access_token_that_is_still_accepted_within_the_leeway_can_be_ended(make_world):
    world = await make_world(JWT_DECODE_LEEWAY=600)
    token = world.auth.create_access_token("alice", expiry=timedelta(seconds=60))
    world.clock.advance(100)
    assert await world.knock(token) == 200
    await world.auth.revoke_token(token)
    assert await world.knock(token) == 401


async def test_an_access_token_without_an_end_is_ended(make_world):
    world = await make_world(JWT_ACCESS_TOKEN_EXPIRES=None)
    token = world.auth.create_access_token("alice")
    await world.auth.revoke_token(token)
    for _ in range(2):
        assert await world.knock(token) == 401
        world.clock.advance(10 * 86_400)


@pytest.mark.parametrize("managed", [True, False])
async def test_of_a_refresh_token_its_session_is_ended(world, managed):
    if managed:
        tokens = await world.login()
    else:
        access, refresh = world.create_pair()
        tokens = {"access_token": access, "refresh_token": refresh}
    await world.auth.revoke_token(tokens["refresh_token"])
    assert await is_dead(world, tokens)


async def test_an_older_refresh_token_ends_its_session_too(world):
    tokens = await world.login()
    newest = await world.refreshed(tokens["refresh_token"])
    newest = await world.refreshed(newest["refresh_token"])
    await world.auth.revoke_token(tokens["refresh_token"])
    assert await is_dead(world, newest)
    assert "refresh_reused" not in world.names()


async def test_a_token_of_authx_is_ended(world):
    access, refresh = foreign_token(world.clock, "access"), foreign_token(world.clock)
    await world.auth.revoke_token(access)
    await world.auth.revoke_token(refresh)
    assert await world.knock(access) == 401
    assert (await world.refresh(refresh)).json()["code"] == "session_revoked"


@pytest.mark.parametrize("kind", [0, 1])
async def test_a_token_that_has_expired_has_no_effect(world, kind):
    token = world.create_pair(access_expiry=timedelta(seconds=5), refresh_expiry=timedelta(seconds=5))[kind]
    world.clock.advance(6)
    await world.auth.revoke_token(token)
    assert world.writes() == 0
    assert world.told == []


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "é", "\0", "a" * 10_000, "\ud800"])
async def test_what_is_no_token_is_an_error(world, token):
    with pytest.raises(JWTDecodeError):
        await world.auth.revoke_token(token)
    assert world.writes() == 0


async def test_a_token_of_another_key_is_an_error(world):
    stranger = AuthX(AuthXConfig(JWT_SECRET_KEY=OTHER_SECRET), clock=world.clock)
    with pytest.raises(JWTDecodeError):
        await world.auth.revoke_token(stranger.create_access_token("alice"))
    assert world.writes() == 0


async def test_an_ended_token_is_ended_in_another_process(make_process):
    here = await make_process()
    there = await make_process(JWT_REVOCATION_POLL_INTERVAL=timedelta(milliseconds=5))
    token = here.auth.create_access_token("alice")
    assert await there.knock(token) == 200
    await here.auth.revoke_token(token)
    await until(lambda: is_refused(there, token), "the refusal", within=SOON)


async def test_what_ended_stays_ended_when_the_feed_has_forgotten_it(world):
    tokens = await world.login()
    long = world.auth.create_access_token("alice", expiry=timedelta(days=30), sid=sid_of(tokens["access_token"]))
    await world.auth.revoke_session(sid_of(long))
    world.clock.advance(ACCESS_LIFE + 3600)
    revoked_of(world.auth).forget(int(world.clock.now * 1000), 1000)
    assert await world.knock(long) == 401
