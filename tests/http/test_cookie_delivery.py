"""Cookies reach the client, whatever a route returns or raises; and which of them go with an error."""

import asyncio

import pytest
from fastapi import Depends, FastAPI, HTTPException, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import RedirectResponse, StreamingResponse
from tests.support.asgi import COOKIES, cookies, knock, knock_once, make_auth
from tests.support.axes import pairwise
from tests.support.tokens import claims_of

from authx.exceptions import FreshTokenRequiredError

ACCESS_COOKIES = ["access_token_cookie", "csrf_access_token"]
FOUR_COOKIES = [*ACCESS_COOKIES, "refresh_token_cookie", "csrf_refresh_token"]


def injected(response):
    return {"how": "the injected response"}


def own(response):
    return PlainTextResponse("a response of its own")


def redirect(response):
    return RedirectResponse("/elsewhere", 303)


def stream(response):
    return StreamingResponse(iter([b"one ", b"two"]))


def moved(response):
    raise HTTPException(307, headers={"Location": "/elsewhere"})


SUCCESSES = [injected, own, redirect, stream, moved]


def refused(response):
    raise HTTPException(400, "no")


def ours(response):
    raise FreshTokenRequiredError("no")


def own_failure(response):
    return JSONResponse({}, 409)


def injected_failure(response):
    response.status_code = 422
    return {"how": "the injected response"}


FAILURES = [refused, ours, own_failure, injected_failure]


async def inside(request, call_next):
    return await call_next(request)


def make_app(auth, middleware="none", handled="once"):
    """An application whose routes do something with cookies, then end as told."""
    app = FastAPI()
    if middleware in ("inside", "both"):
        app.add_middleware(BaseHTTPMiddleware, dispatch=inside)
    if handled in ("once", "twice"):
        auth.handle_errors(app)
    if middleware in ("outside", "both"):
        app.add_middleware(BaseHTTPMiddleware, dispatch=inside)
    if handled == "twice":
        auth.handle_errors(app)
    for end in [*SUCCESSES, *FAILURES]:
        add_routes(app, auth, end)
    if handled == "late":
        knock(app, "/no-such-route")
        auth.handle_errors(app)
    return app


def add_routes(app, auth, end):
    name = end.__name__

    @app.post(f"/login/{name}")
    async def login(response: Response):
        auth.set_access_cookies(auth.create_access_token("alice"), response)
        return end(response)

    @app.post(f"/login-in-a-thread/{name}")
    def login_in_a_thread(response: Response):
        auth.set_access_cookies(auth.create_access_token("alice"), response)
        return end(response)

    @app.post(f"/logout/{name}")
    async def logout(response: Response):
        auth.unset_cookies(response)
        return end(response)

    @app.post(f"/refresh/{name}")
    async def refresh(response: Response, payload=auth.REFRESH_REQUIRED):
        auth.set_access_cookies(auth.create_access_token("alice"), response)
        return end(response)


@pytest.fixture
def auth():
    return make_auth(**COOKIES)


def ask(app, auth, what, end, prefix=""):
    headers = []
    if what == "refresh":
        token = auth.create_refresh_token("alice")
        headers = [cookies(refresh_token_cookie=token), ("X-CSRF-TOKEN", claims_of(token)["csrf"])]
    return knock(app, f"{prefix}/{what}/{end.__name__}", "POST", headers)


EXPECTED = {
    "login": ACCESS_COOKIES,
    "login-in-a-thread": ACCESS_COOKIES,
    "logout": FOUR_COOKIES,
    "refresh": ACCESS_COOKIES,
}


MIDDLEWARE = ["none", "inside", "outside", "both"]


def name_of(value):
    return getattr(value, "__name__", value)


@pytest.mark.parametrize(("what", "end", "middleware"), pairwise(EXPECTED, SUCCESSES, MIDDLEWARE), ids=name_of)
def test_cookies_reach_the_client_once(auth, what, end, middleware):
    answer = ask(make_app(auth, middleware), auth, what, end)
    assert answer.status < 400
    assert sorted(answer.cookie_names) == sorted(EXPECTED[what])
    assert answer.get("Cache-Control") == "no-store"


@pytest.mark.parametrize(
    ("what", "end", "middleware"), pairwise(["logout", "refresh"], FAILURES, MIDDLEWARE), ids=name_of
)
def test_an_error_carries_deletions_and_rotations(auth, what, end, middleware):
    answer = ask(make_app(auth, middleware), auth, what, end)
    assert answer.status >= 400
    assert sorted(answer.cookie_names) == sorted(EXPECTED[what])
    assert answer.get("Cache-Control") == "no-store"


@pytest.mark.parametrize(
    ("what", "end", "middleware"), pairwise(["login", "login-in-a-thread"], FAILURES, MIDDLEWARE), ids=name_of
)
def test_an_error_never_carries_the_cookies_of_a_first_login(auth, what, end, middleware):
    answer = ask(make_app(auth, middleware), auth, what, end)
    assert answer.status >= 400
    assert answer.cookies == []


@pytest.mark.parametrize("handled", ["twice", "late"])
@pytest.mark.parametrize(
    ("what", "end"),
    [("login", own), ("logout", refused), ("login", refused)],
    ids=name_of,
)
def test_it_does_not_matter_when_or_how_often_errors_were_handed_over(auth, what, end, handled):
    answer = ask(make_app(auth, handled=handled), auth, what, end)
    assert sorted(answer.cookie_names) == sorted([] if (what, end) == ("login", refused) else EXPECTED[what])


@pytest.mark.parametrize(
    ("what", "end", "where"), pairwise(EXPECTED, SUCCESSES, ["outer", "inner", "both"]), ids=name_of
)
def test_cookies_of_a_mounted_application_reach_the_client_once(auth, what, end, where):
    outer, inner = FastAPI(), make_app(auth, handled="once" if where != "outer" else "never")
    if where != "inner":
        auth.handle_errors(outer)
    outer.mount("/in", inner)
    answer = ask(outer, auth, what, end, prefix="/in")
    assert sorted(answer.cookie_names) == sorted(EXPECTED[what])


def test_without_the_handler_the_injected_response_carries_them_all_the_same(auth):
    answer = ask(make_app(auth, handled="never"), auth, "login", injected)
    assert answer.cookie_names == ACCESS_COOKIES
    assert answer.get("Cache-Control") == "no-store"


def test_cookies_set_before_a_mounted_application_is_reached_are_not_lost_there(auth):
    outer, inner = FastAPI(), FastAPI()

    @inner.get("/page")
    def page():
        return PlainTextResponse("a response of its own")

    class SetsCookies:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            auth.set_access_cookies(auth.create_access_token("alice"), Response())
            await self.app(scope, receive, send)

    outer.add_middleware(SetsCookies)
    outer.mount("/in", inner)
    for application in (outer, inner):
        auth.handle_errors(application)
    assert [line.partition("=")[0] for line in knock(outer, "/in/page").cookies] == ACCESS_COOKIES


@pytest.mark.parametrize("handled", ["once", "late"])
@pytest.mark.parametrize("deleting", [True, False])
def test_an_unhandled_500_carries_none(auth, deleting, handled):
    app = make_app(auth)
    if handled == "late":
        app = FastAPI()

    @app.post("/fail")
    async def fail(response: Response):
        if deleting:
            auth.unset_cookies(response)
        else:
            auth.set_access_cookies(auth.create_access_token("alice"), response)
        raise ZeroDivisionError

    if handled == "late":
        knock(app, "/no-such-route")
        auth.handle_errors(app)
    answer = knock(app, "/fail", "POST")
    assert (answer.status, type(answer.raised)) == (500, ZeroDivisionError)
    assert answer.cookies == []


class TestTwice:
    """A cookie that is set and set again, or deleted and set."""

    def test_the_last_one_counts(self, auth):
        app = FastAPI()
        auth.handle_errors(app)
        tokens = []

        @app.post("/")
        async def twice(response: Response):
            for _ in range(2):
                tokens.append(auth.create_access_token("alice"))
                auth.set_access_cookies(tokens[-1], response)
            return PlainTextResponse("own")

        answer = knock(app, "/", "POST")
        assert answer.cookie_names == ACCESS_COOKIES
        assert answer.cookies[0].startswith(f"access_token_cookie={tokens[1]};")

    @pytest.mark.parametrize("end", [injected, own], ids=lambda end: end.__name__)
    def test_a_deletion_before_a_login_is_superseded(self, auth, end):
        app = FastAPI()
        auth.handle_errors(app)

        @app.post("/")
        async def change(response: Response):
            auth.unset_access_cookies(response)
            auth.set_access_cookies(auth.create_access_token("alice"), response)
            return end(response)

        answer = knock(app, "/", "POST")
        assert answer.cookie_names == ACCESS_COOKIES
        assert all("Max-Age=0" not in line for line in answer.cookies)

    def test_a_login_before_a_deletion_is_superseded(self, auth):
        app = FastAPI()
        auth.handle_errors(app)

        @app.post("/")
        async def change_of_mind(response: Response):
            auth.set_access_cookies(auth.create_access_token("alice"), response)
            auth.unset_access_cookies(response)
            raise HTTPException(400)

        answer = knock(app, "/", "POST")
        assert answer.cookie_names == ACCESS_COOKIES
        assert all("Max-Age=0" in line for line in answer.cookies)

    @pytest.mark.parametrize("end", [own_failure, injected_failure, refused], ids=lambda end: end.__name__)
    def test_an_error_carries_neither_of_two_logins(self, auth, end):
        app = FastAPI()
        auth.handle_errors(app)

        @app.post("/")
        async def twice(response: Response):
            for _ in range(2):
                auth.set_access_cookies(auth.create_access_token("alice"), response)
            return end(response)

        assert knock(app, "/", "POST").cookies == []

    def test_an_answer_of_its_own_with_two_logins_is_no_exception(self, auth):
        app = FastAPI()
        auth.handle_errors(app)

        @app.post("/")
        async def twice():
            answer = JSONResponse({}, 409)
            for _ in range(2):
                auth.set_access_cookies(auth.create_access_token("alice"), answer)
            return answer

        assert knock(app, "/", "POST").cookies == []

    @pytest.mark.parametrize("end", [injected, own], ids=lambda end: end.__name__)
    def test_no_answer_sets_a_cookie_twice(self, auth, end):
        app = FastAPI()
        auth.handle_errors(app)

        @app.post("/")
        async def twice(response: Response):
            for _ in range(2):
                auth.set_access_cookies(auth.create_access_token("alice"), response)
            return end(response)

        assert knock(app, "/", "POST").cookie_names == ACCESS_COOKIES

    def test_the_same_cookie_on_two_paths_is_two_cookies(self, auth):
        other = make_auth(**COOKIES, JWT_ACCESS_COOKIE_PATH="/api", JWT_ACCESS_CSRF_COOKIE_PATH="/api")
        app = FastAPI()
        auth.handle_errors(app)

        @app.post("/")
        async def move(response: Response):
            auth.unset_access_cookies(response)
            other.set_access_cookies(other.create_access_token("alice"), response)
            return PlainTextResponse("own")

        assert sorted(knock(app, "/", "POST").cookie_names) == sorted(ACCESS_COOKIES * 2)


class TestWhatIsNotOurs:
    def test_cookies_of_the_application_stay_as_they_are(self, auth):
        app = FastAPI()
        auth.handle_errors(app)

        @app.post("/{status}")
        async def mixed(status: int, response: Response):
            auth.set_access_cookies(auth.create_access_token("alice"), response)
            answer = PlainTextResponse("own", status)
            answer.set_cookie("theme", "dark")
            return answer

        assert sorted(knock(app, "/200", "POST").cookie_names) == sorted([*ACCESS_COOKIES, "theme"])
        assert knock(app, "/400", "POST").cookie_names == ["theme"]

    def test_an_answer_without_tokens_keeps_its_caching(self, auth):
        app = FastAPI()
        auth.handle_errors(app)

        @app.get("/")
        async def page():
            return PlainTextResponse("page", headers={"Cache-Control": "public, max-age=600"})

        assert knock(app, "/").get("Cache-Control") == "public, max-age=600"

    def test_a_protected_answer_is_not_touched(self, auth):
        app, token = FastAPI(), auth.create_access_token("alice")
        auth.handle_errors(app)

        @app.get("/", dependencies=[auth.ACCESS_REQUIRED])
        async def page():
            return PlainTextResponse("page")

        answer = knock(app, "/", headers=[cookies(access_token_cookie=token)])
        assert (answer.status, answer.get("Cache-Control"), answer.cookies) == (200, None, [])


class TestNoStore:
    """Every answer with tokens in it is kept by no cache (RFC 6749 section 5.1)."""

    @pytest.mark.parametrize("create", ["create_access_token", "create_refresh_token", "create_token_pair"])
    @pytest.mark.parametrize("in_a_thread", [False, True])
    def test_an_answer_with_a_token_in_its_body(self, create, in_a_thread):
        auth, app = make_auth(), FastAPI()
        auth.handle_errors(app)

        if in_a_thread:

            @app.post("/")
            def login():
                return getattr(auth, create)("alice")
        else:

            @app.post("/")
            async def login():
                return getattr(auth, create)("alice")

        assert knock(app, "/", "POST").get("Cache-Control") == "no-store"

    def test_a_caching_that_the_route_asked_for_gives_way(self):
        auth, app = make_auth(), FastAPI()
        auth.handle_errors(app)

        @app.post("/")
        async def login():
            return PlainTextResponse(auth.create_access_token("alice"), headers={"Cache-Control": "public"})

        assert knock(app, "/", "POST").all("Cache-Control") == ["no-store"]

    def test_a_dependency_that_makes_the_token(self):
        auth, app = make_auth(), FastAPI()
        auth.handle_errors(app)

        async def make_token():
            return auth.create_access_token("alice")

        made = Depends(make_token)

        @app.post("/")
        async def login(token=made):
            return token

        assert knock(app, "/", "POST").get("Cache-Control") == "no-store"


def test_requests_at_the_same_time_do_not_mix_their_cookies(auth):
    app = FastAPI()
    auth.handle_errors(app)
    tokens = {}

    async def both():
        arrived = asyncio.Barrier(2)

        @app.post("/{name}")
        async def login(name: str, response: Response):
            tokens[name] = auth.create_access_token(name)
            auth.set_access_cookies(tokens[name], response)
            await arrived.wait()
            return PlainTextResponse("own")

        return await asyncio.gather(knock_once(app, "/alice", "POST"), knock_once(app, "/bob", "POST"))

    for name, answer in zip(("alice", "bob"), asyncio.run(both()), strict=True):
        assert [line.partition(";")[0] for line in answer.cookies] == [
            f"access_token_cookie={tokens[name]}",
            f"csrf_access_token={claims_of(tokens[name])['csrf']}",
        ]


def test_a_token_made_outside_of_a_request_marks_no_answer(auth):
    app = FastAPI()
    auth.handle_errors(app)

    @app.get("/")
    async def page():
        return "page"

    auth.create_access_token("alice")
    auth.set_access_cookies(auth.create_access_token("alice"), Response())
    answer = knock(app, "/")
    assert (answer.cookies, answer.get("Cache-Control")) == ([], None)


def test_a_refresh_with_an_access_token_is_no_rotation(auth):
    app = FastAPI()
    auth.handle_errors(app)

    @app.post("/")
    async def again(response: Response, payload=auth.ACCESS_REQUIRED):
        auth.set_access_cookies(auth.create_access_token("alice"), response)
        raise HTTPException(400)

    token = auth.create_access_token("alice")
    headers = [cookies(access_token_cookie=token), ("X-CSRF-TOKEN", claims_of(token)["csrf"])]
    answer = knock(app, "/", "POST", headers)
    assert (answer.status, answer.cookies) == (400, [])
