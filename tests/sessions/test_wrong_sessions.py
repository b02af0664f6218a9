"""Session ids that are somebody else's, tokens of another deployment, rows that hold garbage."""

import sqlite3
from contextlib import closing

import jwt
import pytest
from tests.sessions.world import OTHER_SECRET, SECRET, sid_of
from tests.support.axes import spread
from tests.support.tokens import bearer, claims_of

from authx import AuthX, AuthXConfig

pytestmark = pytest.mark.anyio

DEAD = {"refresh_invalid", "session_revoked", "refresh_expired", "refresh_reused"}


def forge(token, secret=SECRET, **claims):
    changed = claims_of(token) | claims
    return jwt.encode({name: value for name, value in changed.items() if value is not ...}, secret, "HS256")


async def test_a_session_id_of_another_user_is_refused(world):
    mine, theirs = await world.login(), await world.login("bob")
    for name, kind in (("refresh_token", "refresh_invalid"), ("access_token", "token_invalid")):
        stolen = forge(mine[name], sid=sid_of(theirs[name]))
        answer = await (world.refresh(stolen) if kind[0] == "r" else world.http.get("/door", headers=bearer(stolen)))
        assert (answer.status_code, answer.json()["code"]) == (401, kind)
    assert (await world.refresh(theirs["refresh_token"])).status_code == 200


NO_SIDS = [
    "",
    "x",
    7,
    None,
    [],
    {},
    True,
    "01BA60D3-3800-7293-8E2F-3738899C2BD8",
    "01ba60d3-3800-4293-8e2f-3738899c2bd8",
    "01ba60d338007293-8e2f-3738899c2bd8",
    "01ba60d3-3800-7293-8e2f-3738899c2bd8 ",
    "01ba60d3-3800-7293-8e2f-3738899c2bd8\n",
    "01ba60d3-3800-7293-8e2f-3738899c0000",
    "' OR 1=1 --",
    "a" * 5000,
]


@pytest.mark.parametrize(("sid", "kind"), spread(NO_SIDS, ["access", "refresh"]))
async def test_a_sid_that_is_no_session_id_of_the_subject_is_refused(world, sid, kind):
    token = forge((await world.login())[f"{kind}_token"], sid=sid)
    writes = world.writes()
    answer = await (world.refresh(token) if kind == "refresh" else world.http.get("/door", headers=bearer(token)))
    code = "refresh_invalid" if kind == "refresh" else "token_invalid"
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert world.writes() == writes


@pytest.mark.parametrize("generation", [-1, 2**31, 10**30, 1.0, "1", None, True, [], float(2**31)])
async def test_a_generation_that_is_none_is_refused(world, generation):
    token = forge((await world.login())["refresh_token"], gen=generation)
    writes = world.writes()
    answer = await world.refresh(token)
    assert (answer.status_code, answer.json()["code"]) == (401, "refresh_invalid")
    assert world.writes() == writes


async def test_the_last_generation_of_all_does_not_break_the_store(world):
    token = forge((await world.login())["refresh_token"], gen=2**31 - 1)
    tokens = await world.refreshed(token)
    assert "store_rollback" in world.names()
    answer = await world.refresh(tokens["refresh_token"])
    assert (answer.status_code, answer.json()["code"]) == (401, "refresh_invalid")


async def test_a_session_that_nobody_began_is_unknown(world):
    token = forge(world.auth.create_refresh_token("alice"), gen=1)
    answer = await world.refresh(token)
    assert (answer.status_code, answer.json()["code"]) == (401, "refresh_invalid")
    assert await world.store.store.get(sid_of(token)) == (None, None)


@pytest.mark.parametrize("kind", ["access", "refresh"])
async def test_tokens_of_another_deployment_s_key_are_refused_and_end_nothing(world, kind):
    tokens = await world.login()
    stranger = AuthX(AuthXConfig(JWT_SECRET_KEY=OTHER_SECRET), clock=world.clock)
    own = stranger.create_token_pair("alice")
    copied = forge(tokens[f"{kind}_token"], OTHER_SECRET)
    writes = world.writes()
    for token in (copied, own.access_token if kind == "access" else own.refresh_token):
        path, method = ("/door", "GET") if kind == "access" else ("/auth/refresh", "POST")
        answer = await world.http.request(method, path, headers=bearer(token))
        code = "token_invalid" if kind == "access" else "refresh_invalid"
        assert (answer.status_code, answer.json()["code"]) == (401, code)
        await world.http.post("/auth/logout", headers=bearer(token))
        await world.refresh(token, "/hand")
    assert world.writes() == writes
    assert await world.knock(tokens["access_token"]) == 200


async def test_the_former_key_s_tokens_are_refreshed_and_signed_with_the_new_one(make_world):
    world = await make_world()
    token = (await world.login())["refresh_token"]
    later = await make_world(
        store=world.store, clock=world.clock, JWT_SECRET_KEY=OTHER_SECRET, JWT_PREVIOUS_SECRET_KEY=SECRET
    )
    new = (await later.refreshed(token))["refresh_token"]
    jwt.decode(new, OTHER_SECRET, ["HS256"], options={"verify_exp": False, "verify_iat": False, "verify_nbf": False})


async def test_a_row_of_another_subject_is_unknown_and_told(make_process, sqlite_file):
    world = await make_process()
    tokens = await world.login()
    poke(sqlite_file, tokens, "sub", "bob")
    world.told.clear()
    answer = await world.refresh(tokens["refresh_token"])
    assert (answer.status_code, answer.json()["code"]) == (401, "refresh_invalid")
    (event,) = world.told
    assert (event.event, event.uid, event.session_id) == ("session_mismatch", "alice", sid_of(tokens["access_token"]))


# Garbage in a row: the session is refused, an event is told, nothing else breaks


def poke(file, tokens, column, value):
    """Writes into the database past the library."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(
            f"UPDATE authx_sessions SET {column} = ? WHERE sid = ?", (value, sid_of(tokens["access_token"]))
        )
        connection.commit()


GARBAGE = [
    ("generation", "many"),
    ("generation", -1),
    ("generation", 2**40),
    ("generation", b"\xff"),
    ("created_at", "yesterday"),
    ("created_at", 2**62),
    ("created_at", -(2**62)),
    ("rotated_at", "now"),
    ("rotated_at", 2**62),
    ("expires_at", "never"),
    ("expires_at", 2**62),
    ("revoked_reason", b"\xff"),
    ("ip", b"\xff\xfe"),
    ("user_agent", b"\x00"),
    ("device", b"\xff"),
    ("device", "no JSON"),
    ("device", "[1]"),
    ("device", "1e999"),
    ("sub", b"\xff"),
    ("sub", ""),
]


@pytest.fixture
async def broken(make_process, sqlite_file):
    """Breaks one of two sessions of one user."""
    world = await make_process()
    sick, well = await world.login(), await world.login()

    def break_it(column, value):
        poke(sqlite_file, sick, column, value)
        world.told.clear()
        return world, sick, well

    return break_it


# What only says something about a client is no reason to refuse it, and a rotation writes `rotated_at` anew.
HARMLESS = [
    ("rotated_at", "now"),
    ("rotated_at", 2**62),
    ("ip", b"\xff\xfe"),
    ("user_agent", b"\x00"),
    ("device", "no JSON"),
    ("device", "[1]"),
    ("device", "1e999"),
]
# Every call reads rows alike: a refresh meets all of them, the other calls one of each kind.
FEW = [
    ("generation", "many"),
    ("created_at", 2**62),
    ("expires_at", "never"),
    ("sub", b"\xff"),
    ("ip", b"\xff\xfe"),
    ("device", "no JSON"),
]


@pytest.mark.parametrize(
    ("column", "value", "path"),
    [
        *((*entry, "/auth/refresh") for entry in GARBAGE if entry not in HARMLESS),
        *((*entry, "/hand") for entry in FEW if entry not in HARMLESS),
        ("rotated_at", "now", "/hand"),
    ],
)
async def test_its_refresh_is_refused_and_told(broken, column, value, path):
    world, sick, _ = broken(column, value)
    for _ in range(3):
        answer = await world.refresh(sick["refresh_token"], path)
        assert answer.status_code == 401
        assert answer.json()["code"] in DEAD
    assert world.names() != []


@pytest.mark.parametrize(("column", "value"), HARMLESS)
async def test_what_a_rotation_does_not_need_is_no_reason_to_refuse_it(broken, column, value):
    world, sick, _ = broken(column, value)
    statuses = [(await world.refresh(sick["refresh_token"])).status_code for _ in range(3)]
    assert statuses == [200, 200, 200]


@pytest.mark.parametrize(("column", "value"), FEW)
async def test_the_other_session_is_not_affected(broken, column, value):
    world, sick, well = broken(column, value)
    await world.refresh(sick["refresh_token"])
    assert await world.knock(well["access_token"]) == 200
    assert (await world.refresh(well["refresh_token"])).status_code == 200


@pytest.mark.parametrize(("column", "value"), FEW)
async def test_the_list_shows_the_other_session(broken, column, value):
    world, _, well = broken(column, value)
    answer = await world.http.get("/auth/sessions", headers=bearer(well["access_token"]))
    assert answer.status_code == 200
    assert sid_of(well["access_token"]) in {one["session_id"] for one in answer.json()}


@pytest.mark.parametrize(("column", "value"), FEW)
async def test_it_is_no_session_that_can_be_shown(broken, column, value):
    world, sick, _ = broken(column, value)
    assert await world.auth.get_session(sid_of(sick["access_token"])) is None


@pytest.mark.parametrize(("column", "value"), FEW)
async def test_it_cannot_be_ended_by_its_list_entry(broken, column, value):
    world, sick, well = broken(column, value)
    answer = await world.http.delete(
        f"/auth/sessions/{sid_of(sick['access_token'])}", headers=bearer(well["access_token"])
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")


@pytest.mark.parametrize(("column", "value"), FEW)
async def test_it_can_be_logged_out_and_ended(broken, column, value):
    world, sick, _ = broken(column, value)
    answer = await world.http.post("/auth/logout", headers=bearer(sick["refresh_token"]))
    assert answer.status_code == 200
    await world.auth.revoke_session(sid_of(sick["access_token"]))
    assert await world.knock(sick["access_token"]) == 401


@pytest.mark.parametrize(("column", "value"), FEW)
async def test_everything_of_the_user_can_be_ended(broken, column, value):
    world, sick, well = broken(column, value)
    await world.auth.revoke_all_sessions("alice", except_session=sid_of(well["access_token"]))
    assert await world.knock(sick["access_token"]) == 401
    assert await world.knock(well["access_token"]) == 200
    await world.login()


@pytest.mark.parametrize(
    ("column", "value"), [("generation", "many"), ("created_at", "yesterday"), ("ip", b"\xff\xfe")]
)
async def test_its_access_token_is_refused_and_told_where_the_store_is_asked(make_process, sqlite_file, column, value):
    world = await make_process(JWT_REVOCATION_CHECK="store")
    sick, well = await world.login(), await world.login()
    poke(sqlite_file, sick, column, value)
    world.told.clear()
    assert await world.knock(sick["access_token"]) == 401
    assert [(event.event, event.session_id) for event in world.told] == [("row_invalid", sid_of(sick["access_token"]))]
    assert await world.knock(well["access_token"]) == 200


@pytest.mark.parametrize(
    ("column", "value"),
    [("at", "now"), ("until", "soon"), ("kind", "all"), ("key", b"\xff"), ("reason", b"\xff"), ("spared", 7)],
)
async def test_garbage_among_the_revocations_breaks_nothing_else(make_process, sqlite_file, column, value):
    world = await make_process()
    one, two, three = [await world.login() for _ in range(3)]
    await world.auth.revoke_session(sid_of(one["access_token"]))
    await world.auth.revoke_session(sid_of(two["access_token"]))
    with closing(sqlite3.connect(sqlite_file)) as connection:
        connection.execute(
            f"UPDATE authx_revocations SET {column} = ? WHERE key = ?", (value, sid_of(one["access_token"]))
        )
        connection.commit()
    later = await make_process()
    assert await later.knock(two["access_token"]) == 401
    assert await later.knock(three["access_token"]) == 200
    assert (await later.refresh(one["refresh_token"])).json()["code"] == "session_revoked"


@pytest.mark.parametrize(
    ("column", "value"), [("at", "now"), ("at", 2**62), ("spared", 7), ("spared", "x"), ("spared", b"\xff")]
)
async def test_garbage_in_a_cutoff_refuses_its_subject_alone(make_process, sqlite_file, column, value):
    world = await make_process()
    mine, bob = await world.login(), await world.login("bob")
    spared = sid_of(mine["access_token"]) if column == "spared" else None
    await world.auth.revoke_all_sessions("alice", except_session=spared)
    with closing(sqlite3.connect(sqlite_file)) as connection:
        connection.execute(f"UPDATE authx_cutoffs SET {column} = ?", (value,))
        connection.commit()
    answer = await world.refresh(mine["refresh_token"])
    assert answer.status_code == 401
    assert (await world.refresh(bob["refresh_token"])).status_code == 200
