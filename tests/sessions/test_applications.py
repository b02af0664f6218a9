"""Sessions in whole applications: with a lifespan and without, one event loop or several, one instance or several."""

import asyncio
import gc
import threading
import weakref
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.sessions.world import SECRET, sid_of
from tests.support.inside import sessions_of
from tests.support.tokens import bearer, claims_of

from authx import AuthX, AuthXConfig
from authx.exceptions import BadConfigurationError, StoreUnavailableError
from authx.stores import open_store
from authx.testing import Clock, FaultyStore


class Service:
    """An application as a user writes it."""

    def __init__(self, store, clock=None, lifespan=None, handled=True, **fields):
        self.clock = clock or Clock()
        self.store = FaultyStore(open_store(store)) if isinstance(store, str) else store
        self.auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET, **fields), store=self.store, clock=self.clock)
        self.app = self.make_app(lifespan, handled=handled)

    def make_app(self, lifespan=None, *, handled=True):
        app = FastAPI(lifespan=lifespan)
        if handled:
            self.auth.handle_errors(app)
        app.include_router(
            self.auth.router(lambda name, password: name if password == "right" else None), prefix="/auth"
        )

        @app.get("/door")
        async def door(payload=self.auth.ACCESS_REQUIRED):
            return payload.sub

        return app

    def client(self, app=None):
        return TestClient(app or self.app, base_url="https://testserver")


@pytest.fixture
def service(store_url):
    return Service(store_url)


def login(client, uid="alice"):
    answer = client.post("/auth/login", json={"username": uid, "password": "right"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def knock(client, token):
    return client.get("/door", headers=bearer(token)).status_code


def refresh(client, token):
    return client.post("/auth/refresh", headers=bearer(token))


def go_through(client):
    """A whole life of a session."""
    tokens = login(client)
    assert knock(client, tokens["access_token"]) == 200
    tokens = refresh(client, tokens["refresh_token"]).json()
    assert knock(client, tokens["access_token"]) == 200
    assert len(client.get("/auth/sessions", headers=bearer(tokens["access_token"])).json()) == 1
    assert client.post("/auth/logout", headers=bearer(tokens["access_token"])).status_code == 200
    assert knock(client, tokens["access_token"]) == 401
    assert refresh(client, tokens["refresh_token"]).json()["code"] == "session_revoked"


def test_it_works_in_a_lifespan(service):
    with service.client() as client:
        go_through(client)


def test_it_works_without_a_lifespan(service):
    client = service.client()
    go_through(client)


def test_it_works_where_the_application_never_called_handle_errors(store_url):
    service = Service(store_url, handled=False)
    with service.client() as client:
        go_through(client)


def test_without_a_lifespan_each_request_has_a_loop_of_its_own_and_nothing_is_forgotten(service):
    client = service.client()
    held = [login(client) for _ in range(5)]
    client.post("/auth/logout", headers=bearer(held[0]["access_token"]))
    client.post("/auth/logout/all?keep_current=true", headers=bearer(held[1]["access_token"]))
    assert [knock(client, tokens["access_token"]) for tokens in held] == [401, 200, 401, 401, 401]


def test_the_store_is_opened_and_closed_with_the_application(service):
    with service.client():
        assert (service.store.calls["open"], service.store.calls["close"]) == (1, 0)
    assert service.store.calls["close"] == 1


def test_it_can_be_started_again(service):
    for _ in range(3):
        with service.client() as client:
            go_through(client)


def test_sessions_in_a_file_outlive_the_application(sqlite_file):
    url = f"sqlite:///{sqlite_file}"
    with Service(url).client() as client:
        kept, ended = login(client), login(client)
        client.post("/auth/logout", headers=bearer(ended["access_token"]))
    with Service(url).client() as client:
        assert knock(client, kept["access_token"]) == 200
        assert knock(client, ended["access_token"]) == 401
        assert refresh(client, kept["refresh_token"]).status_code == 200
        assert refresh(client, ended["refresh_token"]).status_code == 401


def test_the_application_s_own_lifespan_runs_while_the_store_is_open(store_url):
    seen = []

    @asynccontextmanager
    async def lifespan(app):
        seen.append(("up", await service.auth.list_sessions("alice")))
        yield {"state": 7}
        seen.append(("down", await service.auth.list_sessions("alice")))

    service = Service(store_url, lifespan=lifespan)
    with service.client() as client:
        go_through(client)
    assert seen == [("up", []), ("down", [])]


def test_a_start_up_that_fails_lets_go_of_the_store(store_url):
    @asynccontextmanager
    async def lifespan(app):
        raise RuntimeError("no start")
        yield

    service = Service(store_url, lifespan=lifespan)
    with pytest.raises(RuntimeError, match="no start"), service.client():
        pass
    assert service.store.calls["close"] == 1


def test_a_store_that_is_not_there_fails_the_start_up(service):
    service.store.fail("open")
    with pytest.raises(StoreUnavailableError), service.client():
        pass
    with service.client() as client:
        go_through(client)


def test_a_store_that_can_never_work_fails_the_start_up(tmp_path):
    service = Service(f"sqlite:///{tmp_path}/no/such/directory/auth.db")
    with pytest.raises(BadConfigurationError), service.client():
        pass


def test_nothing_is_opened_at_construction(tmp_path):
    service = Service(f"sqlite:///{tmp_path}/auth.db")
    service.auth.create_token_pair("alice")
    assert list(tmp_path.iterdir()) == []
    assert sum(service.store.calls.values()) == 0


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_an_instance_that_is_given_up_is_collected(store, sqlite_file):
    url = f"sqlite:///{sqlite_file}" if store == "sqlite" else "memory://"

    # Without an application: FastAPI remembers the functions of routes.
    async def script():
        auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET), store=url, clock=Clock())
        await auth.open()
        await auth.create_session("alice")
        await auth.close()
        return weakref.ref(auth), weakref.ref(sessions_of(auth))

    known = asyncio.run(script())
    gc.collect()
    assert [one() for one in known] == [None, None]


# Several applications, instances, loops


def test_two_applications_share_one_instance(service):
    second = service.make_app()
    with service.client() as one, service.client(second) as two:
        tokens = login(one)
        assert knock(two, tokens["access_token"]) == 200
        tokens = refresh(two, tokens["refresh_token"]).json()
        assert knock(one, tokens["access_token"]) == 200
        one.post("/auth/logout", headers=bearer(tokens["access_token"]))
        assert knock(two, tokens["access_token"]) == 401


def test_one_application_may_stop_before_the_other(service):
    second = service.make_app()
    with service.client(second) as two:
        with service.client() as one:
            tokens = login(one)
        assert knock(two, tokens["access_token"]) == 200
        assert refresh(two, tokens["refresh_token"]).status_code == 200


def test_an_application_mounted_in_another_shares_the_instance(service):
    service.app.mount("/inner", service.make_app())
    with service.client() as client:
        tokens = login(client)
        assert client.get("/inner/door", headers=bearer(tokens["access_token"])).status_code == 200
        assert client.post("/inner/auth/logout", headers=bearer(tokens["access_token"])).status_code == 200
        assert knock(client, tokens["access_token"]) == 401


def test_two_instances_share_one_store(store_url):
    clock = Clock()
    store = FaultyStore(open_store(store_url))
    one, two = Service(store, clock), Service(store, clock)
    with one.client() as here, two.client() as there:
        tokens = login(here)
        assert refresh(there, tokens["refresh_token"]).status_code == 200


def test_two_event_loops_at_once_do_not_pile_up_tasks(service):
    second = service.make_app()

    async def tasks():
        return len(asyncio.all_tasks())

    with service.client() as one, service.client(second) as two:
        tokens = login(one)
        for _ in range(3):
            knock(one, tokens["access_token"])
            knock(two, tokens["access_token"])
        before = one.portal.call(tasks) + two.portal.call(tasks)
        for _ in range(10):
            assert knock(one, tokens["access_token"]) == 200
            assert knock(two, tokens["access_token"]) == 200
        assert one.portal.call(tasks) + two.portal.call(tasks) <= before


def test_requests_of_two_threads_at_once_are_served(service):
    second = service.make_app()
    failures = []

    def work(client):
        for _ in range(10):
            tokens = login(client)
            answer = refresh(client, tokens["refresh_token"])
            if answer.status_code != 200 or knock(client, tokens["access_token"]) != 200:
                failures.append(answer.text)

    with service.client() as one, service.client(second) as two:
        threads = [threading.Thread(target=work, args=(client,)) for client in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


def test_outside_of_an_application_it_is_opened_and_closed_by_hand(service):
    async def script():
        await service.auth.open()
        pair = service.auth.create_token_pair("alice")
        await service.auth.revoke_token(pair.refresh_token)
        session = await service.auth.get_session(sid_of(pair.refresh_token))
        await service.auth.close()
        await service.auth.close()
        return session

    session = asyncio.run(script())
    assert (session.uid, session.is_active) == ("alice", False)
    assert service.store.calls["close"] >= 1


def test_a_script_may_leave_it_open(service):
    async def script():
        return await service.auth.list_sessions("alice")

    for _ in range(3):
        assert asyncio.run(script()) == []


def test_no_task_is_left_behind(service):
    async def script():
        await service.auth.open()
        await service.auth.close()
        await asyncio.sleep(0)
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    assert asyncio.run(script()) == []


# Settings that change


@pytest.mark.anyio
async def test_settings_of_sessions_may_be_assigned_later(make_world):
    world = await make_world()
    world.auth.config.JWT_REFRESH_GRACE_PERIOD = timedelta(0)
    world.auth.config.JWT_SESSION_MAX_AGE = timedelta(hours=1)
    token = (await world.login())["refresh_token"]
    assert claims_of(token)["exp"] == world.clock.now + 3600
    await world.refreshed(token)
    assert (await world.refresh(token)).json()["code"] == "refresh_reused"


@pytest.mark.anyio
async def test_the_check_may_be_assigned_later(world):
    token = (await world.login())["access_token"]
    await world.auth.revoke_session(sid_of(token))
    assert await world.knock(token) == 401
    world.auth.config.JWT_REVOCATION_CHECK = "none"
    assert await world.knock(token) == 200
    world.auth.config.JWT_REVOCATION_CHECK = "store"
    assert await world.knock(token) == 401


@pytest.mark.anyio
async def test_what_is_revoked_stays_revoked_when_settings_change(world):
    tokens = await world.login()
    await world.auth.revoke_session(sid_of(tokens["access_token"]))
    world.auth.load_config(AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_HEADER_NAME="Authorization"))
    assert await world.knock(tokens["access_token"]) == 401
    assert (await world.refresh(tokens["refresh_token"])).json()["code"] == "session_revoked"


@pytest.mark.anyio
async def test_the_store_s_url_may_come_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("JWT_STORE_URL", f"sqlite:///{tmp_path}/auth.db")
    monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
    auth = AuthX(clock=Clock())
    session = await auth.create_session("alice")
    assert [one.session_id for one in await auth.list_sessions("alice")] == [session.session_id]
    assert str(tmp_path) not in repr(auth.config)
    await auth.close()
