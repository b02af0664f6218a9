"""Rate limiting: limits, keys, backends of an application, and the answer a client gets."""

import asyncio
import functools
import math

import pytest
from fastapi import Depends, FastAPI, WebSocket
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from tests.http.limits import app_with, call, request, wait_after

from authx.config import AuthXConfig
from authx.exceptions import AuthXException, BadConfigurationError, RateLimitExceeded
from authx.http.ratelimit import InMemoryBackend, RateLimiter
from authx.main import AuthX
from authx.testing import Clock


@pytest.fixture
def clock():
    return Clock(1000.0)


@pytest.fixture
def backend(clock):
    return InMemoryBackend(clock)


@pytest.fixture
def auth():
    return AuthX(AuthXConfig(JWT_SECRET_KEY="the secret that signs the tokens of these tests"))


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
