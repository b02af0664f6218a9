"""Which time it is: the instance's own clock, else the system's, which freezegun can freeze."""

import importlib
import inspect
import pkgutil
import time
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from freezegun import freeze_time
from tests.support.apps import SECRET, make_auth
from tests.support.axes import spread
from tests.support.tokens import bearer, claims_of

import authx
from authx import AuthManager, AuthX, AuthXConfig, RequestToken, TokenPayload
from authx.clients import AuthXAuth, TokenPair
from authx.http.ratelimit import RateLimiter
from authx.policy import PolicyCondition, PolicyRule, build_policy_environment
from authx.testing import Clock
from authx.token import create_token

FROZEN = "2020-02-02 20:20:20.700"
AT = int(datetime(2020, 2, 2, 20, 20, 20, tzinfo=UTC).timestamp())
DAY = 86_400


@pytest.fixture
def auth():
    return make_auth()


@pytest.fixture(params=["memory://", "sqlite:///{}/auth.db"], ids=["memory", "sqlite"])
def store(request, tmp_path):
    return request.param.format(tmp_path)


def serve(auth):
    app = FastAPI()
    auth.handle_errors(app)
    app.include_router(auth.router(lambda name, password: name if password == "right" else None))

    @app.get("/in-a-thread")
    def in_a_thread():
        return auth.create_access_token("alice")

    @app.get("/in-a-thread/pair")
    def pair():
        return auth.create_token_pair("alice").access_token

    @app.get("/in-a-thread/refresh")
    def refresh():
        return auth.create_refresh_token("alice")

    @app.get("/in-a-thread/function")
    def function():
        return create_token("alice", SECRET)

    @app.get("/in-a-thread/payload")
    def payload():
        return TokenPayload(sub="alice").encode(SECRET, "HS256")

    @app.get("/in-a-thread/verified")
    def verified(token: str):
        return auth.verify_token(RequestToken(token=token, location="headers")).sub

    @app.get("/on-the-loop")
    async def on_the_loop():
        return auth.create_access_token("alice")

    @app.get("/door", dependencies=[Depends(auth.access_token_required)])
    def door():
        return "in"

    return TestClient(app, base_url="https://testserver")


def login(client):
    answer = client.post("/login", json={"username": "alice", "password": "right"})
    assert answer.status_code == 200, answer.text
    return answer.json()


# --- freezegun


@pytest.mark.parametrize("made", ["before", "inside"])
def test_a_token_is_issued_at_the_frozen_time(made):
    auth = make_auth()
    with freeze_time(FROZEN):
        claims = claims_of((auth if made == "before" else make_auth()).create_access_token("alice"))
    assert (claims["iat"], claims["nbf"], claims["exp"]) == (AT, AT, AT + 900)


@pytest.mark.parametrize("path", ["/in-a-thread", "/on-the-loop"])
def test_a_route_issues_and_checks_tokens_at_the_frozen_time(auth, path):
    client = serve(auth)
    with freeze_time(FROZEN) as frozen:
        token = client.get(path).json()
        assert claims_of(token)["iat"] == AT
        assert client.get("/door", headers=bearer(token)).status_code == 200
        frozen.tick(timedelta(minutes=15))
        answer = client.get("/door", headers=bearer(token))
        assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")
    assert client.get("/door", headers=bearer(token)).status_code == 401


@pytest.mark.parametrize("path", ["pair", "refresh", "function", "payload"])
def test_each_way_to_make_a_token_in_a_thread_goes_by_the_frozen_time(auth, path):
    with freeze_time(FROZEN):
        assert int(claims_of(serve(auth).get(f"/in-a-thread/{path}").json())["iat"]) == AT


def test_a_token_is_verified_in_a_thread_at_the_frozen_time(auth):
    with freeze_time(FROZEN):
        token = auth.create_access_token("alice")
        assert serve(auth).get("/in-a-thread/verified", params={"token": token}).json() == "alice"


def test_login_and_refresh_follow_the_frozen_time(store):
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET), store=store)
    with freeze_time(FROZEN, real_asyncio=True) as frozen, serve(auth) as client:
        tokens = login(client)
        assert claims_of(tokens["access_token"])["iat"] == AT
        frozen.tick(timedelta(days=10))
        assert client.get("/door", headers=bearer(tokens["access_token"])).status_code == 401
        again = client.post("/refresh", headers=bearer(tokens["refresh_token"])).json()
        assert claims_of(again["access_token"])["iat"] == AT + 10 * DAY
        assert claims_of(again["refresh_token"])["exp"] == AT + 30 * DAY
        assert client.get("/door", headers=bearer(again["access_token"])).status_code == 200
        frozen.tick(timedelta(days=60))
        late = client.post("/refresh", headers=bearer(again["refresh_token"]))
        assert (late.status_code, late.json()["code"]) == (401, "refresh_expired")


def test_rate_limits_follow_the_frozen_time():
    app = FastAPI()
    app.get("/", dependencies=[Depends(RateLimiter(max_requests=1, window=60))])(lambda: "in")
    client = TestClient(app)
    with freeze_time(FROZEN) as frozen:
        assert [client.get("/").status_code for _ in range(2)] == [200, 429]
        frozen.tick(61)
        assert client.get("/").status_code == 200


def test_the_python_client_follows_the_frozen_time():
    def answer(request):
        paths.append(request.url.path)
        return httpx2.Response(200, json={"access_token": "b", "refresh_token": "c", "expires_in": 900})

    paths = []
    auth = AuthXAuth("https://example.com", tokens=TokenPair("a", "b", AT + 900.0))
    with freeze_time(FROZEN) as frozen, httpx2.Client(transport=httpx2.MockTransport(answer), auth=auth) as client:
        client.get("https://example.com/door")
        frozen.tick(timedelta(minutes=15))
        client.get("https://example.com/door")
    assert paths == ["/door", "/refresh", "/door"]


def bound_clocks():
    """Default arguments that hold a clock of the standard library: freezegun never reaches these."""
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(authx.__path__, "authx.")
        if not module.name.endswith("__main__")
    ]
    functions = {
        function
        for module in modules
        for owner in (module, *(one for _, one in inspect.getmembers(module, inspect.isclass)))
        for _, function in inspect.getmembers(owner, inspect.isfunction)
        if function.__module__.startswith("authx.")
    }
    clocks = {time.time, time.monotonic, time.perf_counter, time.time_ns, time.monotonic_ns}
    return {
        f"{function.__module__}.{function.__qualname__}"
        for function in functions
        if clocks
        & {one for one in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()) if callable(one)}
    }


def test_only_the_feeds_watch_over_a_silent_store_holds_a_clock_that_cannot_be_frozen():
    assert bound_clocks() == {"authx.sessions.feed.RevocationFeed.__init__"}


# --- an instance's clock


@pytest.mark.parametrize(
    ("fraction", "locations"), spread([0.0, 0.001, 0.5, 0.999], [["headers"], ["cookies"]]), ids=str
)
def test_a_token_of_900_seconds_says_so(fraction, locations):
    clock = Clock(1_900_000_000 + fraction)
    config = AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_TOKEN_LOCATION=locations, JWT_COOKIE_CSRF_PROTECT=False)
    with serve(AuthX(config, store="memory://", clock=clock)) as client:
        body = login(client)
        assert (body["expires_in"], body["refresh_expires_in"]) == (900, 20 * DAY)
        clock.advance(600.3)
        headers = bearer(body["refresh_token"]) if locations == ["headers"] else {}
        body = client.post("/refresh", headers=headers).json()
    assert (body["expires_in"], body["refresh_expires_in"]) == (900, 20 * DAY)


@pytest.mark.parametrize("fraction", [0.0, 0.001, 0.5, 0.999])
def test_exp_is_iat_and_the_lifetime_in_whole_seconds(fraction):
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET), store="memory://", clock=Clock(1_900_000_000 + fraction))
    with serve(auth) as client:
        first = login(client)
        second = client.post("/refresh", headers=bearer(first["refresh_token"])).json()
    for tokens in (first, second):
        access, refresh = claims_of(tokens["access_token"]), claims_of(tokens["refresh_token"])
        assert (access["iat"], access["exp"] - access["iat"]) == (1_900_000_000, 900)
        assert (refresh["iat"], refresh["exp"] - refresh["iat"]) == (1_900_000_000, 20 * DAY)


@pytest.mark.parametrize(("lifetime", "seconds"), [(0.001, 1), (1, 1), (1.5, 2), (59.999, 60)])
def test_a_lifetime_is_rounded_up_to_whole_seconds(lifetime, seconds):
    config = AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_ACCESS_TOKEN_EXPIRES=lifetime)
    claims = claims_of(AuthX(config, clock=Clock(1_900_000_000.9)).create_access_token("alice"))
    assert claims["exp"] - claims["iat"] == seconds


def test_an_expiry_that_is_a_point_in_time_stays_that_point():
    end = 1_900_000_100
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET), clock=Clock(1_900_000_000.9))
    for expiry in (end, float(end), datetime.fromtimestamp(end, UTC)):
        assert claims_of(auth.create_access_token("alice", expiry=expiry))["exp"] == end


def test_what_has_passed_is_judged_by_the_instances_clock():
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET), clock=Clock(2_000_000_000))
    with pytest.raises(ValueError, match="has passed already"):
        auth.create_access_token("alice", expiry=1_999_999_999)


def test_policies_go_by_the_clock_of_the_login_types_instance():
    noon = Clock(datetime(2030, 1, 1, 12, tzinfo=UTC).timestamp())
    night = PolicyCondition(source="environment", key="hour", operator="lt", value=6)
    manager = AuthManager(policy_rules=[PolicyRule(effect="allow", actions=["*"], resources=["*"], conditions=[night])])
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET), login_type="staff", clock=noon)
    manager.register(auth)
    app = FastAPI()
    app.get("/", dependencies=[Depends(manager.policy_required("staff", "read", "x"))])(lambda: "in")
    client = TestClient(app)
    assert client.get("/", headers=bearer(auth.create_access_token("alice"))).status_code == 403
    noon.advance(15 * 3600)
    assert client.get("/", headers=bearer(auth.create_access_token("alice"))).status_code == 200


def test_a_policys_environment_takes_a_clock():
    environment = build_policy_environment(clock=Clock(1_900_000_000))
    assert environment["time"] == datetime.fromtimestamp(1_900_000_000, UTC)
