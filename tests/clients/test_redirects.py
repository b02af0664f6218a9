"""Where a server redirects to: no secret of ours goes there."""

import itertools
from contextlib import contextmanager

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from tests.browser.serving import served
from tests.clients.fake import BASE, PAIR, REFRESH, holds
from tests.support.waiting import PATIENCE

from authx.clients import AuthXAuth, LoginError

STATUSES = [301, 302, 303, 307, 308]
SECRETS = ["access-0", "refresh-0", "anna", "a pass word", "a-gateways-key"]
ANNA = {"username": "anna", "password": "a pass word"}
ELSEWHERE = [
    "https://evil.test/trap",
    "//evil.test/trap",
    "https://api.test:8443/trap",
    "http://api.test/trap",
    "https://api.test.evil.test/trap",
]


def redirect(status, location):
    return status, b"", {"Location": location}


def shown(seen):
    """Everything that somebody was sent."""
    return f"{seen.url} {seen.headers} {seen.body.decode()}"


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("location", [*ELSEWHERE, "/trap"])
@pytest.mark.parametrize("path", ["/login", "/refresh", "/logout"])
def test_nothing_of_our_own_requests_follows_a_redirect(kind, fake, path, location, status):
    fake.script = {path: [redirect(status, location)], "/items": [REFRESH], "/trap": [(200, {"access_token": "x"})]}
    more = ANNA if path == "/login" else {"tokens": PAIR}
    auth = kind.auth(headers={"X-Gateway": "a-gateways-key"}, **more)

    def act(client):
        return client.get(f"{BASE}/items")

    if path == "/logout":
        with pytest.raises(kind.library.HTTPStatusError, match=str(status)):
            kind.use(fake, auth, auth.alogout if kind.is_async else auth.logout, follow_redirects=True)
    elif path == "/login":
        with pytest.raises(LoginError, match=f"the server answered {status}"):
            kind.use(fake, auth, act, follow_redirects=True)
    else:
        assert kind.use(fake, auth, act, follow_redirects=True).status_code == 401
    (trap,) = [one for one in fake.seen if one.path == "/trap"]
    assert not [secret for secret in SECRETS if secret in shown(trap)]
    assert "idempotency-key" not in trap.headers
    assert trap.body == b""
    assert path == "/login" or holds(auth, PAIR)


@pytest.mark.parametrize("status", STATUSES)
def test_a_client_that_follows_no_redirects_gets_the_redirect(kind, fake, status):
    fake.script = {"/login": [redirect(status, "https://evil.test/trap")]}
    with pytest.raises(LoginError, match=f"the server answered {status}"):
        kind.get(fake, kind.auth(**ANNA))
    assert fake.paths() == ["/login"]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("location", ELSEWHERE)
@pytest.mark.parametrize("header", ["Authorization", "authorization", "X-Token"])
def test_a_token_follows_no_redirect_to_another_origin_whatever_its_header(kind, fake, header, location, status):
    fake.script = {"/items": [redirect(status, location)], "/trap": [(200, {})]}
    auth = kind.auth(tokens=PAIR, header_name=header)
    answer = kind.post(fake, auth, follow_redirects=True, content=b"hi")
    assert answer.url.path == "/trap"
    assert "access-0" in shown(fake.seen[0])
    assert "access-0" not in shown(fake.seen[1])
    # What the program sends is its own business.
    assert fake.seen[1].body == (b"hi" if status > 303 else b"")


def test_a_request_of_a_class_derived_from_the_librarys_is_protected_too(kind, fake):
    class Request(kind.library.Request):
        pass

    fake.script = {"/items": [redirect(307, ELSEWHERE[0])], "/trap": [(200, {})]}
    request = Request("GET", f"{BASE}/items")
    auth = kind.auth(tokens=PAIR, header_name="X-Token")
    kind.use(fake, auth, lambda client: client.send(request), follow_redirects=True)
    assert ["access-0" in shown(one) for one in fake.seen] == [True, False]


@pytest.mark.parametrize(
    ("header", "paths"), [("Authorization", ["/items", "/there"]), ("X-Token", ["/items", "/there", "/there"])]
)
@pytest.mark.parametrize("status", STATUSES)
def test_a_redirect_within_an_origin_is_followed_with_the_token(kind, fake, header, paths, status):
    def answer(request):
        return (200, {}) if "access-0" in request.headers.get(header.lower(), "") else (401, {"action": "login"})

    fake.script = {"/items": [redirect(status, "/there")]}
    usual = fake.usual
    fake.usual = lambda one: answer(one) if one.path == "/there" else usual(one)
    auth = kind.auth(tokens=PAIR, header_name=header)
    assert kind.post(fake, auth, follow_redirects=True, content=b"hi").status_code == 200
    assert fake.paths() == paths
    assert fake.seen[-1].body == (b"hi" if status > 303 else b"")
    assert auth.tokens is PAIR


def test_a_body_is_sent_again_where_a_redirect_has_lost_the_token(library):
    sent = []

    class Transport(library.BaseTransport):
        def handle_request(self, request):  # as a real one, which reads the stream and not the request
            sent.append((request.url.path, request.headers.get("x-token"), b"".join(request.stream)))
            if request.url.path == "/items":
                return library.Response(307, headers={"Location": "/there"})
            status = 200 if "x-token" in request.headers else 401
            return library.Response(status, json={"action": "login"})

    auth = AuthXAuth(BASE, tokens=PAIR, header_name="X-Token", header_type="")
    with library.Client(auth=auth, transport=Transport(), follow_redirects=True) as client:
        assert client.post(f"{BASE}/items", content=b"hi").status_code == 200
    assert sent == [("/items", "access-0", b"hi"), ("/there", None, b"hi"), ("/there", "access-0", b"hi")]


def test_a_token_that_a_redirect_to_another_of_our_origins_has_lost_is_added_there(kind, fake):
    fake.script = {"/items": [redirect(307, "https://b.test/items"), None]}
    auth = kind.auth(tokens=PAIR, origins=["https://b.test"])
    fake.issued = 0
    fake.usual = lambda one: (200, {}) if one.token else (401, {"action": "login"})
    assert kind.get(fake, auth, follow_redirects=True).status_code == 200
    assert [(one.url, one.token) for one in fake.seen] == [
        ("https://api.test/items", "access-0"),
        ("https://b.test/items", None),
        ("https://b.test/items", "access-0"),
    ]
    assert auth.tokens is PAIR


def test_redirects_that_lose_the_token_again_and_again_are_given_up_and_end_no_session(kind, fake):
    there = ("https://b.test/items", "https://api.test/items")
    turns = itertools.cycle(
        [redirect(307, there[0]), (401, {"action": "login"}), redirect(307, there[1]), (401, {"action": "login"})]
    )
    fake.script = {"/items": [lambda request: next(turns)]}
    auth = kind.auth(tokens=PAIR, origins=["https://b.test"])
    assert kind.get(fake, auth, follow_redirects=True).status_code == 401
    assert len(fake.seen) <= 4
    assert auth.tokens is PAIR


def test_a_hook_of_the_client_sees_the_body_of_a_request_without_reading_it(library, fake):
    seen = []
    hooks = {"request": [lambda request: seen.append(request.content)]}
    transport = library.MockTransport(fake.answer)
    with library.Client(auth=AuthXAuth(BASE, tokens=PAIR), transport=transport, event_hooks=hooks) as client:
        client.post(f"{BASE}/items", content=b"hi")
    assert seen == [b"hi"]


def test_a_hook_of_the_client_sees_and_changes_what_is_sent(kind, fake):
    seen = []

    def look(request):
        request.read()
        seen.append((dict(request.headers.items()), request.content, str(request.url)))
        request.headers["X-Trace"] = "1"

    async def look_async(request):
        await request.aread()
        seen.append((dict(request.headers.items()), request.content, str(request.url)))
        request.headers["X-Trace"] = "1"

    hooks = {"request": [look_async if kind.is_async else look]}
    auth = kind.auth(header_name="X-Token", header_type="", **ANNA)
    kind.use(fake, auth, lambda client: client.get(f"{BASE}/items"), event_hooks=hooks)
    assert [one.headers["x-trace"] for one in fake.seen] == ["1"] * len(fake.seen)
    assert (seen[0][1], seen[0][2]) == (fake.seen[0].body, f"{BASE}/login")
    assert b"a pass word" in seen[0][1]
    assert seen[1][0]["x-token"] == "access-1"


@contextmanager
def caught(target=None):
    """Serve an application that redirects everything, and that shows what it was sent."""
    app, requests = FastAPI(), []

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def catch(path: str, request: Request) -> Response:
        requests.append(f"{request.url} {request.headers} {(await request.body()).decode()}")
        return Response("{}") if target is None else RedirectResponse(target, 307)

    with served(app) as address:
        yield address, requests


@pytest.mark.parametrize("header", ["Authorization", "X-Token"])
def test_a_real_connection_takes_nothing_along_either(library, header):
    with caught() as (evil, trapped), caught(f"{evil}/trap") as (here, asked):
        auth = AuthXAuth(here, header_name=header, headers={"X-Gateway": "a-gateways-key"}, **ANNA)
        known = AuthXAuth(here, tokens=PAIR, header_name=header)
        with library.Client(auth=auth, follow_redirects=True, timeout=PATIENCE) as client:
            with pytest.raises(LoginError, match="the server answered 307"):
                client.get(f"{here}/items")
            assert client.get(f"{here}/items", auth=known).url == f"{evil}/trap"
            with pytest.raises(library.HTTPStatusError, match="307"):
                known.logout(client)
    assert len(trapped) == len(asked) == 3
    assert [text for text in asked if any(secret in text for secret in SECRETS)] == asked
    assert [text for text in trapped if any(secret in text for secret in SECRETS)] == []
