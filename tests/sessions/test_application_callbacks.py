"""What a refresh asks of the application: whether the user still exists, and what they may do now."""

import pytest
from tests.sessions.world import foreign_token
from tests.support.tokens import bearer, claims_of

from authx.schema import TokenPayload

pytestmark = pytest.mark.anyio


def sync(answer):
    return lambda *_: answer


def coroutine(answer):
    async def getter(*_):
        return answer

    return getter


def awaitable(answer):
    return lambda *_: coroutine(answer)()


@pytest.mark.parametrize("kind", [sync, coroutine])
async def test_a_subject_that_is_gone_is_refused(world, kind):
    tokens = await world.login()
    world.auth.set_subject_getter(kind(None))
    answer = await world.refresh(tokens["refresh_token"])
    assert (answer.status_code, answer.json()["code"], answer.json()["action"]) == (
        401,
        "account_unavailable",
        "login",
    )


async def test_a_subject_that_is_gone_loses_the_session(world):
    tokens = await world.login()
    world.auth.set_subject_getter(sync(None))
    await world.refresh(tokens["refresh_token"])
    world.auth.set_subject_getter(sync("somebody"))
    assert (await world.refresh(tokens["refresh_token"])).json()["code"] == "session_revoked"
    assert await world.knock(tokens["access_token"]) == 401
    assert (await world.row(tokens["refresh_token"])).revoked_at is not None


async def test_a_subject_that_is_gone_loses_a_session_without_row(world):
    access, refresh = world.create_pair()
    world.auth.set_subject_getter(sync(None))
    assert (await world.refresh(refresh)).json()["code"] == "account_unavailable"
    world.auth.set_subject_getter(sync("somebody"))
    assert (await world.refresh(refresh)).json()["code"] == "session_revoked"
    assert await world.knock(access) == 401


async def test_a_subject_that_is_gone_loses_the_cookies(site):
    body = await site.login()
    site.auth.set_subject_getter(sync(None))
    answer = await site.http.post("/auth/refresh", headers={"X-CSRF-TOKEN": body["refresh_csrf_token"]})
    assert answer.json()["code"] == "account_unavailable"
    assert len(answer.headers.get_list("set-cookie")) == 4


async def test_a_subject_that_exists_is_refreshed_whatever_the_getter_returns(world):
    tokens = await world.login()
    for answer in ({"name": "Alice"}, 0, "", True):
        world.auth.set_subject_getter(sync(answer))
        tokens = await world.refreshed(tokens["refresh_token"])


@pytest.mark.parametrize("refusal", [None, False])
@pytest.mark.parametrize("kind", [sync, coroutine, awaitable])
async def test_a_getter_that_answers_none_or_false_ends_the_session(world, refusal, kind):
    tokens = await world.login()
    world.auth.set_subject_getter(kind(refusal))
    answer = await world.refresh(tokens["refresh_token"])
    assert (answer.status_code, answer.json()["code"]) == (401, "account_unavailable")
    world.auth.set_subject_getter(None)
    assert (await world.refresh(tokens["refresh_token"])).json()["code"] == "session_revoked"


async def test_the_getter_is_asked_for_the_subject_of_the_token(world):
    asked = []
    world.auth.set_subject_getter(lambda uid: asked.append(uid) or "somebody")
    await world.refreshed((await world.login())["refresh_token"])
    assert asked == ["alice"]


@pytest.mark.parametrize("setter", ["set_subject_getter", "set_claims_getter"])
async def test_a_getter_that_raises_consumes_nothing(world, setter):
    tokens = await world.login()

    def getter(*_):
        raise LookupError("the users' database is away")

    getattr(world.auth, setter)(getter)
    writes = world.writes()
    with pytest.raises(LookupError):
        await world.refresh(tokens["refresh_token"])
    assert world.writes() == writes
    getattr(world.auth, setter)(None)
    world.clock.advance(3600)
    assert (await world.refresh(tokens["refresh_token"])).status_code == 200


async def test_fresh_claims_are_in_the_new_access_token_alone(world):
    tokens = await world.login(data={"tenant": "red", "plan": "free"})
    world.auth.set_claims_getter(lambda uid, payload: {"plan": "paid", "extra": [1]})
    new = await world.refreshed(tokens["refresh_token"])
    access, refresh = claims_of(new["access_token"]), claims_of(new["refresh_token"])
    assert (access["tenant"], access["plan"], access["extra"]) == ("red", "paid", [1])
    assert (refresh["tenant"], refresh["plan"], "extra" in refresh) == ("red", "free", False)


async def test_fresh_scopes_replace_the_scopes(world):
    tokens = await world.login(scopes=["read", "write"])
    world.auth.set_claims_getter(lambda uid, payload: {"scopes": ["read"]})
    new = await world.refreshed(tokens["refresh_token"])
    assert claims_of(new["access_token"])["scopes"] == ["read"]
    assert claims_of(new["refresh_token"])["scopes"] == ["read", "write"]


async def test_no_scopes_at_all_can_be_asked_for(world):
    tokens = await world.login(scopes=["read"])
    world.auth.set_claims_getter(lambda uid, payload: {"scopes": []})
    assert claims_of((await world.refreshed(tokens["refresh_token"]))["access_token"])["scopes"] == []


async def test_a_claims_getter_may_have_nothing_to_say(world):
    tokens = await world.login(scopes=["read"])
    world.auth.set_claims_getter(coroutine(None))
    assert claims_of((await world.refreshed(tokens["refresh_token"]))["access_token"])["scopes"] == ["read"]


async def test_the_claims_getter_sees_uid_and_payload(world):
    seen = []
    world.auth.set_claims_getter(lambda uid, payload: seen.append((uid, payload)))
    tokens = await world.login(data={"tenant": "red"})
    await world.refreshed(tokens["refresh_token"])
    ((uid, payload),) = seen
    assert uid == "alice"
    assert isinstance(payload, TokenPayload)
    assert (payload.type, payload.gen, payload.extra_dict["tenant"]) == ("refresh", 1, "red")


@pytest.mark.parametrize("name", ["sub", "sid", "gen", "exp", "csrf", "fresh", "type", "cnf", "iss", "aud", "nbf"])
async def test_a_reserved_claim_is_an_error_before_anything_is_consumed(world, name):
    tokens = await world.login()
    world.auth.set_claims_getter(lambda uid, payload: {name: "mine"})
    writes = world.writes()
    with pytest.raises(TypeError, match=name):
        await world.refresh(tokens["refresh_token"])
    assert world.writes() == writes
    world.auth.set_claims_getter(None)
    world.clock.advance(3600)
    assert (await world.refresh(tokens["refresh_token"])).status_code == 200


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("text", TypeError),
        ([("plan", 1)], TypeError),
        ({"plan": object()}, TypeError),
        ({"plan": float("nan")}, ValueError),
        ({"scopes": "read"}, ValueError),
        ({"scopes": [1]}, ValueError),
        ({"scopes": 7}, (TypeError, ValueError)),
        # `jti` and `iat` may be replaced, by what a verifier can read.
        ({"jti": 7}, (TypeError, ValueError)),
        ({"jti": ""}, (TypeError, ValueError)),
        ({"iat": "now"}, (TypeError, ValueError)),
        ({"iat": 1e300}, (TypeError, ValueError)),
    ],
)
async def test_claims_that_cannot_stand_in_a_token_are_an_error_before_anything_is_consumed(world, answer, error):
    tokens = await world.login()
    world.auth.set_claims_getter(sync(answer))
    writes = world.writes()
    with pytest.raises(error):
        await world.refresh(tokens["refresh_token"])
    assert world.writes() == writes


async def test_the_getter_may_name_the_access_token(world):
    tokens = await world.login()
    world.auth.set_claims_getter(lambda uid, payload: {"jti": "fixed"})
    new = await world.refreshed(tokens["refresh_token"])
    assert claims_of(new["access_token"])["jti"] == "fixed"
    assert claims_of(new["refresh_token"])["jti"] != "fixed"


async def test_the_getters_are_asked_before_the_store(world):
    tokens = await world.login()
    order = []
    world.auth.set_subject_getter(lambda uid: order.append("subject") or uid)
    world.auth.set_claims_getter(lambda uid, payload: order.append(f"claims {world.store.calls['advance']}"))
    await world.refreshed(tokens["refresh_token"])
    assert order == ["subject", "claims 0"]


async def test_a_blocklist_is_asked_about_refresh_tokens_too(world):
    tokens = await world.login()
    world.auth.set_token_blocklist(lambda token: True)
    answer = await world.refresh(tokens["refresh_token"])
    assert (answer.status_code, answer.json()["code"]) == (401, "token_revoked")
    world.auth.set_token_blocklist(None)
    assert (await world.refresh(tokens["refresh_token"])).status_code == 200


async def test_the_blocklist_is_not_asked_about_a_revoked_session(world):
    tokens = await world.login()
    asked = []
    world.auth.set_token_blocklist(lambda token: asked.append(token))
    await world.auth.revoke_all_sessions("alice")
    answer = await world.http.get("/door", headers=bearer(tokens["access_token"]))
    assert answer.json()["code"] == "session_revoked"
    assert asked == []


async def test_the_scope_text_of_another_issuer_stays_as_it_is(world):
    tokens = await world.refreshed(foreign_token(world.clock, scope="posts:read me"))
    for token in tokens["access_token"], tokens["refresh_token"]:
        assert claims_of(token)["scope"] == "posts:read me"
        assert "scopes" not in claims_of(token)


async def test_scopes_that_the_claims_getter_takes_away_do_not_stay_in_the_scope_text(world):
    world.auth.set_claims_getter(lambda uid, payload: {"scopes": [one for one in payload.scopes if one != "admin"]})
    tokens = await world.refreshed(foreign_token(world.clock, scope="admin me"))
    claims = claims_of(tokens["access_token"])
    assert (claims["scopes"], "scope" in claims) == (["me"], False)
