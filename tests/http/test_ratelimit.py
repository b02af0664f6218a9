"""Rate limiting: windows, keys, memory, and the answer a client gets."""

import asyncio
import functools
import math
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, WebSocket
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from tests.support.asgi import request_of
from tests.support.inside import known_limits_of
from tests.support.tokens import bearer

from authx.config import AuthXConfig
from authx.exceptions import AuthXException, BadConfigurationError, RateLimitExceeded
from authx.http.ratelimit import InMemoryBackend, LimitedGuard, RateLimiter
from authx.main import AuthX
from authx.schema import TokenPayload
from authx.testing import Clock


@pytest.fixture
def clock():
    return Clock(1000.0)


@pytest.fixture
def backend(clock):
    return InMemoryBackend(clock)


def count(backend, key="k", window=60):
    return asyncio.run(backend.increment(key, window))


def request(host="198.51.100.7", **headers):
    return request_of(headers, client=None if host is None else (host, 4711))


def call(limiter, made=None):
    asyncio.run(limiter(made or request()))


def wait_after(limiter, made=None):
    with pytest.raises(RateLimitExceeded) as caught:
        call(limiter, made)
    return caught.value.retry_after


@pytest.fixture
def auth():
    return AuthX(AuthXConfig(JWT_SECRET_KEY="the secret that signs the tokens of these tests"))


def app_with(limiter):
    app = FastAPI()

    @app.get("/limited", dependencies=[Depends(limiter)])
    def limited():
        return "passed"

    return app


# --- windows --------------------------------------------------------------------------------------


def test_requests_of_one_key_are_counted_up(backend):
    assert [count(backend) for _ in range(3)] == [1, 2, 3]


def test_keys_are_counted_apart(backend):
    assert [count(backend, key) for key in ("a", "b", "a")] == [1, 1, 2]


def test_a_window_that_is_over_to_the_second_starts_again_at_one(backend, clock):
    count(backend)
    clock.now += 59.999
    assert count(backend) == 2
    clock.now = 1060.0
    assert count(backend) == 1


def test_windows_that_are_over_at_the_same_moment_all_start_again(backend, clock):
    keys = [str(number) for number in range(20)]
    for key in keys:
        count(backend, key)
    clock.now += 60
    assert {count(backend, key) for key in reversed(keys)} == {1}


def test_requests_do_not_prolong_the_window_they_are_counted_in(backend, clock):
    for _ in range(10):
        count(backend)
        clock.now += 6
    assert count(backend) == 1


@pytest.mark.parametrize("window", [0, -1])
def test_a_window_without_length_counts_every_request_as_the_first(backend, window):
    assert [count(backend, window=window) for _ in range(3)] == [1, 1, 1]
    assert len(backend) == 0


def test_a_reset_begins_a_whole_new_window(backend, clock):
    count(backend)
    clock.now += 50
    asyncio.run(backend.reset("k"))
    assert count(backend) == 1
    clock.now += 59
    assert count(backend) == 2


def test_a_reset_of_an_unknown_key_does_nothing(backend):
    asyncio.run(backend.reset("nobody"))
    assert count(backend) == 1


def test_a_reset_covers_windows_of_every_length(backend):
    for window in (10, 60):
        count(backend, window=window)
    asyncio.run(backend.reset("k"))
    assert [count(backend, window=window) for window in (10, 60)] == [1, 1]


def test_a_short_window_does_not_end_a_long_one_of_the_same_key(backend, clock):
    assert count(backend, window=300) == 1
    assert count(backend, window=1) == 1
    clock.now += 5
    assert count(backend, window=1) == 1
    assert count(backend, window=300) == 2


def test_the_time_left_is_that_of_the_open_window(backend, clock):
    count(backend)
    clock.now += 12.5
    assert asyncio.run(backend.remaining("k", 60)) == 47.5
    clock.now += 60
    assert asyncio.run(backend.remaining("k", 60)) == 0
    assert asyncio.run(backend.remaining("nobody", 60)) == 0


# --- memory ---------------------------------------------------------------------------------------


def test_counts_of_closed_windows_are_freed_by_later_calls(backend, clock):
    async def flood():
        for number in range(5000):
            await backend.increment(f"old-{number}", 60)
        clock.now += 61
        for number in range(2000):
            await backend.increment(f"new-{number}", 60)

    asyncio.run(flood())
    assert len(backend) == 2000


def test_one_call_frees_only_a_few_counts(backend, clock):
    async def flood():
        for number in range(5000):
            await backend.increment(f"old-{number}", 60)
        clock.now += 61
        await backend.increment("new", 60)

    asyncio.run(flood())
    assert 4980 <= len(backend) < 5000


def test_a_flood_that_goes_on_keeps_no_more_than_the_open_windows(backend, clock):
    async def flood():
        for number in range(20_000):
            await backend.increment(f"key-{number}", 60)
            clock.now += 0.1

    asyncio.run(flood())
    assert len(backend) <= 601


def test_a_key_in_use_survives_the_freeing(backend, clock):
    async def use():
        for _ in range(10):
            await backend.increment("busy", 60)
            clock.now += 59
            await backend.increment("busy", 60)
            clock.now += 2
            for number in range(20):
                await backend.increment(f"other-{number}", 60)

    asyncio.run(use())
    assert count(backend, "busy") == 1
    assert count(backend, "busy") == 2


def test_resetting_the_same_key_again_and_again_takes_no_memory(backend, clock):
    async def use():
        for _ in range(1000):
            await backend.increment("k", 60)
            await backend.reset("k")

    asyncio.run(use())
    assert len(backend) == 1
    clock.now += 61
    count(backend, "another")
    assert len(backend) == 1


def test_a_count_that_was_reset_and_used_again_is_freed_in_its_turn(backend, clock):
    count(backend)
    clock.now += 50
    asyncio.run(backend.reset("k"))
    count(backend)
    clock.now += 15
    count(backend, "another")
    assert len(backend) == 2
    assert count(backend) == 2
    clock.now += 45
    count(backend, "another")
    assert len(backend) == 1


def test_no_more_keys_are_kept_than_allowed_and_the_one_that_closes_first_goes(clock):
    backend = InMemoryBackend(clock, max_keys=3)
    for key in ("a", "b", "c"):
        count(backend, key)
        clock.now += 1
    count(backend, "d")
    assert len(backend) == 3
    assert count(backend, "b") == 2
    assert count(backend, "a") == 1


def test_a_backend_for_no_keys_is_refused(clock):
    with pytest.raises(BadConfigurationError, match="max_keys"):
        InMemoryBackend(clock, max_keys=0)


@pytest.mark.parametrize("prefix", ["x" * 100_000, "\ud800" * 200], ids=["ascii", "surrogates"])
def test_a_long_key_is_not_stored_and_still_told_apart(backend, prefix):
    assert [count(backend, prefix + end) for end in ("a", "b", "a")] == [1, 1, 2]
    assert all(len(key) <= 128 for counts in backend._counts.values() for key in counts)
    asyncio.run(backend.reset(prefix + "a"))
    assert count(backend, prefix + "a") == 1


# --- the limiter ----------------------------------------------------------------------------------


def test_the_request_after_the_last_allowed_one_is_refused(clock):
    limiter = RateLimiter(max_requests=3, window=60, clock=clock)
    for _ in range(3):
        call(limiter)
    with pytest.raises(RateLimitExceeded):
        call(limiter)


@pytest.mark.parametrize(("passed", "seconds"), [(0, 60), (0.001, 60), (1, 59), (42.25, 18), (59, 1), (59.999, 1)])
def test_the_wait_is_what_is_left_of_the_window_rounded_up(clock, passed, seconds):
    limiter = RateLimiter(max_requests=1, window=60, clock=clock)
    call(limiter)
    clock.now += passed
    assert wait_after(limiter) == seconds


def test_a_client_that_waits_as_told_is_let_in(clock):
    limiter = RateLimiter(max_requests=1, window=60, clock=clock)
    call(limiter)
    clock.now += 17.3
    clock.now += wait_after(limiter)
    call(limiter)


def test_refused_requests_do_not_prolong_the_wait(clock):
    limiter = RateLimiter(max_requests=1, window=60, clock=clock)
    call(limiter)
    waits = []
    for _ in range(3):
        clock.now += 10
        waits.append(wait_after(limiter))
    assert waits == [50, 40, 30]


def test_a_limit_of_none_refuses_everything(clock):
    assert wait_after(RateLimiter(max_requests=0, window=60, clock=clock)) == 60


def test_a_limiter_without_arguments_allows_ten_a_minute():
    limiter = RateLimiter()
    assert (limiter.max_requests, limiter.window) == (10, 60)
    assert isinstance(limiter.backend, InMemoryBackend)


def test_every_limiter_has_counts_of_its_own(clock):
    one, two = (RateLimiter(max_requests=1, clock=clock) for _ in range(2))
    call(one)
    call(two)


def test_limiters_with_one_backend_count_equal_keys_together(backend):
    one, two = (RateLimiter(max_requests=1, backend=backend) for _ in range(2))
    call(one)
    with pytest.raises(RateLimitExceeded):
        call(two)


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_requests": -1},
        {"window": -1},
        {"window": math.inf},
        {"window": math.nan},
        {"max_requests": math.nan},
    ],
    ids=str,
)
def test_a_limiter_that_cannot_work_is_refused_when_it_is_made(arguments):
    with pytest.raises(BadConfigurationError):
        RateLimiter(**arguments)


# --- keys -----------------------------------------------------------------------------------------


class RecordingBackend:
    """A backend of an application: the two methods of the contract and nothing else."""

    def __init__(self):
        self.calls = []

    async def increment(self, key, window):
        self.calls.append((key, window))
        return len(self.calls)

    async def reset(self, key):
        self.calls.clear()


@pytest.mark.parametrize(("host", "key"), [("2001:db8::1", "ratelimit:2001:db8::1"), (None, "ratelimit:unknown")])
def test_without_a_key_function_requests_are_counted_by_client_address(host, key):
    backend = RecordingBackend()
    call(RateLimiter(backend=backend, window=7), request(host))
    assert backend.calls == [(key, 7)]


async def asynchronous_key(made):
    return made.headers["x-key"]


class KeyObject:
    async def __call__(self, made):
        return made.headers["x-key"]


@pytest.mark.parametrize(
    "key_func",
    [
        lambda made: made.headers["x-key"],
        asynchronous_key,
        KeyObject(),
        functools.partial(asynchronous_key),
        lambda made: asynchronous_key(made),
    ],
    ids=["function", "coroutine", "object", "partial", "lambda"],
)
def test_a10_a_key_function_of_any_kind_names_the_bucket(clock, key_func):
    limiter = RateLimiter(max_requests=1, key_func=key_func, clock=clock)
    call(limiter, request(**{"x-key": "a"}))
    call(limiter, request(**{"x-key": "b"}))
    with pytest.raises(RateLimitExceeded):
        call(limiter, request(**{"x-key": "a"}))


def test_requests_whose_key_is_none_are_one_bucket(clock):
    limiter = RateLimiter(max_requests=1, key_func=lambda made: made.headers.get("x-key"), clock=clock)
    call(limiter)
    with pytest.raises(RateLimitExceeded):
        call(limiter)


class User:
    pass


@pytest.mark.parametrize("make", [User, object, lambda: (part for part in "ab")], ids=["user", "object", "generator"])
def test_a_key_that_is_another_one_for_each_request_is_refused(clock, make):
    limiter = RateLimiter(max_requests=1, key_func=lambda made: make(), clock=clock)
    with pytest.raises(TypeError, match=r"key_func returned a .* return a str"):
        call(limiter)


@pytest.mark.parametrize("key", [7, ("tenant", 7), b"x", ["x"]])
def test_a_key_that_is_no_text_counts_by_its_text(clock, key):
    limiter = RateLimiter(max_requests=1, key_func=lambda made: key, clock=clock)
    call(limiter)
    with pytest.raises(RateLimitExceeded):
        call(limiter)


def test_what_a_key_function_raises_is_raised_unchanged():
    def fails(made):
        raise LookupError("no such tenant")

    with pytest.raises(LookupError, match="no such tenant"):
        call(RateLimiter(key_func=fails))


# --- backends of an application --------------------------------------------------------------------


def test_a_backend_that_does_not_know_the_time_left_is_asked_once_and_the_whole_window_is_named():
    backend = RecordingBackend()
    limiter = RateLimiter(max_requests=0, window=45, backend=backend)
    assert wait_after(limiter) == 45
    assert len(backend.calls) == 1


class TimedBackend(RecordingBackend):
    def __init__(self, left):
        super().__init__()
        self.left = left

    async def remaining(self, key, window):
        return self.left


@pytest.mark.parametrize(
    ("left", "seconds"), [(12, 12), (11.2, 12), (0, 1), (-2, 1), (10_000, 45), (math.inf, 45), (None, 45)]
)
def test_a_backend_that_knows_the_time_left_is_believed_within_the_window(left, seconds):
    assert wait_after(RateLimiter(max_requests=0, window=45, backend=TimedBackend(left))) == seconds


def test_a_backend_is_not_asked_for_the_time_left_of_a_request_that_passes():
    class Unhelpful(RecordingBackend):
        async def remaining(self, key, window):
            raise AssertionError("asked")

    call(RateLimiter(max_requests=1, backend=Unhelpful()))


def test_requests_at_once_are_all_counted(clock):
    limiter = RateLimiter(max_requests=10, clock=clock)

    async def at_once():
        return await asyncio.gather(*(limiter(request()) for _ in range(25)), return_exceptions=True)

    answers = asyncio.run(at_once())
    assert answers.count(None) == 10
    assert sum(isinstance(answer, RateLimitExceeded) for answer in answers) == 15


# --- the answer -----------------------------------------------------------------------------------


def test_c12_an_application_without_error_handlers_answers_429_with_the_true_wait(clock):
    client = TestClient(app_with(RateLimiter(max_requests=1, window=60, clock=clock)))
    assert client.get("/limited").json() == "passed"
    clock.now += 20
    refused = client.get("/limited")
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "40"
    assert refused.json() == {
        "message": "Rate limit exceeded. Retry after 40 seconds.",
        "error_type": "RateLimitExceeded",
        "retry_after": 40,
        "code": "rate_limited",
        "action": "retry",
    }
    clock.now += 40
    assert client.get("/limited").status_code == 200


@pytest.mark.parametrize("handled", [RateLimitExceeded, AuthXException])
def test_an_applications_own_handler_answers_instead(handled, clock):
    app = app_with(RateLimiter(max_requests=0, clock=clock))

    @app.exception_handler(handled)
    async def own(_, error):
        return JSONResponse({"wait": error.retry_after}, 420)

    refused = TestClient(app).get("/limited")
    assert (refused.status_code, refused.json()) == (420, {"wait": 60})


def test_a_limiter_can_be_overridden_like_any_dependency():
    limiter = RateLimiter(max_requests=0)
    app = app_with(limiter)
    app.dependency_overrides[limiter] = lambda: None
    assert TestClient(app).get("/limited").status_code == 200


def test_a_limiter_adds_no_parameter_and_no_security_to_the_schema():
    operation = app_with(RateLimiter()).openapi()["paths"]["/limited"]["get"]
    assert "parameters" not in operation
    assert "security" not in operation


def test_openapi_shows_that_a_limited_route_may_answer_429(auth):
    app = app_with(RateLimiter())
    auth.handle_errors(app)
    assert set(app.openapi()["paths"]["/limited"]["get"]["responses"]) == {"200", "429"}


def test_a_websocket_is_refused_before_it_is_accepted(clock):
    app = FastAPI()

    @app.websocket("/socket", dependencies=[Depends(RateLimiter(max_requests=1, clock=clock))])
    async def socket(opened: WebSocket):
        await opened.accept()
        await opened.close()

    client = TestClient(app)
    with client.websocket_connect("/socket"):
        pass
    with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect("/socket"):
        pass
    assert refused.value.status_code == 429
    assert refused.value.headers["retry-after"] == "60"


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
