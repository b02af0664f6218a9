"""The life of sessions on each store: what differs by store is tested by the contract of stores, the rest in memory."""

from datetime import timedelta

import pytest
from tests.races.places import KINDS, a_place
from tests.sessions.world import DAY, GRACE, HOME, sid_of
from tests.support.patience import let_stores_take_their_time
from tests.support.tokens import bearer
from tests.support.waiting import SOON, until

from authx.stores import open_store

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=KINDS)
def url(request):
    with a_place(request.param) as place:
        yield place.url


async def test_sessions_begin_go_on_and_end(open_world, url, monkeypatch):
    let_stores_take_their_time(monkeypatch)
    here = await open_world(open_store(url))
    there = await open_world(open_store(url), clock=here.clock, JWT_REVOCATION_POLL_INTERVAL=timedelta(milliseconds=5))

    async def is_refused_there(token):
        return await there.knock(token) == 401

    # A login in one process is known in the other, with what was noted of its client.
    phone = await here.login(device_info={"name": "phone"})
    tablet, laptop = await there.login(), await here.login()
    listed = {one.session_id: one for one in await there.auth.list_sessions("alice")}
    assert set(listed) == {sid_of(tokens["access_token"]) for tokens in (phone, tablet, laptop)}
    noted = listed[sid_of(phone["access_token"])]
    assert (noted.ip_address, noted.device_info) == (HOME, {"name": "phone"})

    # A refresh that is repeated has the same result, in any process; a used token ends its session.
    here.clock.advance(60)
    first, again = await here.refreshed(phone["refresh_token"]), await there.refreshed(phone["refresh_token"])
    assert first["refresh_token"] == again["refresh_token"]
    here.clock.advance(GRACE + 1)
    assert (await there.refresh(phone["refresh_token"])).json()["code"] == "refresh_reused"
    assert (await here.refresh(first["refresh_token"])).json()["code"] == "session_revoked"
    await until(lambda: is_refused_there(first["access_token"]), "the refusal", within=SOON)

    # A logout ends one session, also of a pair that has no row; the others live on.
    access, refresh = here.create_pair()
    for token in (tablet["access_token"], access):
        assert (await here.http.post("/auth/logout", headers=bearer(token))).status_code == 200
        await until(lambda token=token: is_refused_there(token), "the refusal", within=SOON)
    assert (await there.refresh(refresh)).json()["code"] == "session_revoked"
    assert await there.knock(laptop["access_token"]) == 200

    # All sessions but one; then everybody's.
    other, bob = await there.login(), await there.login("bob")
    await here.auth.revoke_all_sessions("alice", except_session=sid_of(other["access_token"]))
    await until(lambda: is_refused_there(laptop["access_token"]), "the refusal", within=SOON)
    assert (await there.refresh(other["refresh_token"])).status_code == 200
    await here.auth.revoke_everyone()
    await until(lambda: is_refused_there(bob["access_token"]), "the refusal", within=SOON)
    assert (await there.refresh(bob["refresh_token"])).json()["code"] == "session_revoked"

    # What ended stays ended after a restart and after pruning.
    await there.close()
    here.clock.advance(100 * DAY)
    late = here.auth.create_access_token("bob", sid=sid_of(bob["access_token"]), expiry=timedelta(days=1))
    await here.store.prune(int(here.clock.now * 1000), 1000)
    restarted = await open_world(open_store(url), clock=here.clock)
    assert await restarted.knock(late) == 401
    assert await restarted.auth.list_sessions("alice") == []
