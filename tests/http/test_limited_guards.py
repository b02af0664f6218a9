"""Rate limits together with a token, and limits that are made inside a route."""

import asyncio
import functools
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from tests.http.limits import request
from tests.support.inside import known_limits_of
from tests.support.tokens import bearer

from authx.config import AuthXConfig
from authx.exceptions import RateLimitExceeded
from authx.http.ratelimit import LimitedGuard, RateLimiter
from authx.main import AuthX
from authx.schema import TokenPayload
from authx.testing import Clock


@pytest.fixture
def clock():
    return Clock(1000.0)


@pytest.fixture
def auth():
    return AuthX(AuthXConfig(JWT_SECRET_KEY="the secret that signs the tokens of these tests"))


# --- together with a token ------------------------------------------------------------------------


def limited_app(limiter, auth):
    app = FastAPI()
    guard = LimitedGuard(limiter, auth.access_token_required)

    @app.get("/me")
    def me(payload: Annotated[TokenPayload, Depends(guard)]):
        return payload.sub

    return app


def test_a_limited_guard_gives_the_payload_until_the_limit_is_reached(auth, clock):
    client = TestClient(limited_app(RateLimiter(max_requests=2, clock=clock), auth))
    alice = bearer(auth.create_access_token("alice"))
    assert [client.get("/me", headers=alice).json() for _ in range(2)] == ["alice", "alice"]
    refused = client.get("/me", headers=alice)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")


@pytest.mark.parametrize("headers", [{}, bearer("garbage")], ids=["anonymous", "garbage"])
def test_a_limited_guard_counts_requests_that_are_refused_for_their_token(auth, clock, headers):
    client = TestClient(limited_app(RateLimiter(max_requests=2, clock=clock), auth))
    assert [client.get("/me", headers=headers).status_code for _ in range(2)] == [401, 401]
    assert client.get("/me", headers=bearer(auth.create_access_token("alice"))).status_code == 429


def test_a_limited_guard_looks_at_no_token_once_the_limit_is_reached(auth, clock):
    asked = []
    auth.set_token_blocklist(lambda token: asked.append(token), inline=True)
    client = TestClient(limited_app(RateLimiter(max_requests=0, clock=clock), auth))
    client.get("/me", headers=bearer(auth.create_access_token("alice")))
    assert asked == []


def test_a_limited_guard_answers_as_its_instance_is_configured_to(clock):
    config = AuthXConfig(JWT_SECRET_KEY="k" * 48, JWT_ERROR_STATUS="authx", JWT_ERROR_MESSAGE_KEY="detail")
    client = TestClient(limited_app(RateLimiter(max_requests=0, clock=clock), AuthX(config)))
    assert client.get("/me").json() == {
        "detail": "Rate limit exceeded. Retry after 60 seconds.",
        "error_type": "RateLimitExceeded",
        "retry_after": 60,
    }


def test_openapi_shows_the_statuses_of_a_limited_guard_and_no_scheme(auth):
    app = limited_app(RateLimiter(), auth)
    auth.handle_errors(app)
    operation = app.openapi()["paths"]["/me"]["get"]
    assert {"401", "429"} < set(operation["responses"])
    assert "security" not in operation
    assert "parameters" not in operation


# --- made inside a route --------------------------------------------------------------------------


def statuses(auth, make_key_func, hosts, limit=2):
    """What requests from these hosts get whose limit is made anew for each of them."""

    async def ask(host):
        made = request(host, authorization=f"Bearer {auth.create_access_token('alice')}")
        try:
            await auth.rate_limited(limit, 60, key_func=make_key_func(made))(made)
        except RateLimitExceeded:
            return 429
        return 200

    return [asyncio.run(ask(host)) for host in hosts]


class KeyFunctions:
    """Ways to name a key that give a new object each time."""

    @staticmethod
    def plain(made):
        return lambda asked: asked.client.host

    @staticmethod
    def captured(made):
        return lambda _: made.client.host

    @staticmethod
    def captured_value(made):
        host = made.client.host
        return lambda _: host

    @staticmethod
    def default(made):
        return lambda _, host=made.client.host: host

    @staticmethod
    def partial(made):
        return functools.partial(lambda host, _: host, made.client.host)

    @staticmethod
    def instance(made):
        return ByHost()

    @staticmethod
    def method(made):
        return ByHost().name

    @staticmethod
    def coroutine(made):
        async def name(asked):
            return asked.client.host

        return name


class ByHost:
    def __call__(self, asked):
        return asked.client.host

    def name(self, asked):
        return asked.client.host


WAYS = ["plain", "captured", "captured_value", "default", "partial", "instance", "method", "coroutine"]


@pytest.mark.parametrize("way", WAYS)
def test_a_key_function_that_is_made_for_each_request_limits_by_the_key_it_names(auth, way):
    hosts = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.2", "192.0.2.2"]
    assert statuses(auth, getattr(KeyFunctions, way), hosts) == [200, 200, 200, 429, 200, 429]


@pytest.mark.parametrize("way", WAYS)
def test_a_limit_that_is_made_for_each_request_takes_no_more_memory(auth, way):
    statuses(auth, getattr(KeyFunctions, way), ["192.0.2.1"] * 20)
    assert known_limits_of(auth) == 1


def test_limits_without_end_are_forgotten_one_by_one(auth):
    for limit in range(1100):
        auth.rate_limited(limit, 60)
    assert known_limits_of(auth) == 1000


def test_the_same_arguments_give_the_same_dependency(auth):
    def by_host(asked):
        return asked.client.host

    assert auth.rate_limited(5, 60, by_host) is auth.rate_limited(5, 60, by_host)
    assert auth.rate_limited(5, 60) is auth.rate_limited(5, 60)


def test_other_limits_and_other_functions_count_apart(auth):
    first, second = (lambda asked: "one"), (lambda asked: "one")
    guards = [auth.rate_limited(5, 60, first), auth.rate_limited(5, 60, second), auth.rate_limited(6, 60, first)]
    assert len({id(guard.limiter.backend) for guard in guards}) == 3


@pytest.mark.parametrize("key_func", ["host", 7, ["host"]])
def test_a_key_function_that_is_none_is_refused(auth, key_func):
    with pytest.raises(TypeError, match="key_func must be a function"):
        auth.rate_limited(5, 60, key_func)
