"""The script that the documentation gives to front ends, in a real browser, against a cookie application."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import Depends, FastAPI, Response
from fastapi.responses import HTMLResponse
from playwright.sync_api import Page
from tests.browser.serving import served

from authx import AuthX, AuthXConfig, TokenPayload

PAGE = Path(__file__).parents[2] / "docs" / "cookies-and-csrf.md"
SECRET = "the secret of a cookie application in a test"


class Server:
    """A cookie application whose time is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.refreshed = 0
        self.app = FastAPI()
        config = AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_TOKEN_LOCATION=["cookies"], JWT_COOKIE_SECURE="auto")
        auth = AuthX(config, clock=lambda: self.now)
        auth.handle_errors(self.app)

        @self.app.get("/")
        def page():
            (script,) = re.findall(r"^```javascript\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
            return HTMLResponse(f"<!doctype html><title>front end</title><script>{script}</script>")

        @self.app.post("/login")
        def login(response: Response):
            pair = auth.create_token_pair("anna")
            auth.set_access_cookies(pair.access_token, response)
            auth.set_refresh_cookies(pair.refresh_token, response)

        @self.app.post("/refresh")
        def refresh(response: Response, payload: TokenPayload = Depends(auth.refresh_token_required)):
            self.refreshed += 1
            auth.set_access_cookies(auth.create_access_token(payload.sub, sid=payload.sid), response)

        @self.app.post("/notes")
        def write_note(payload: TokenPayload = Depends(auth.access_token_required)):
            return {"author": payload.sub}

        @self.app.post("/logout")
        def logout(response: Response):
            auth.unset_cookies(response)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def front_end(page: Page, server: Server) -> Iterator[Page]:
    """The front end, logged in."""
    with served(server.app) as address:
        page.goto(address)
        page.evaluate("send('/login', 'POST')")
        yield page


CALL = "call('/notes', 'POST').then(async (answer) => [answer.status, await answer.json()])"


def test_it_sends_the_csrf_value_that_its_cookie_holds(front_end):
    assert front_end.evaluate(CALL) == [200, {"author": "anna"}]


def test_scripts_see_the_csrf_values_and_no_token(front_end):
    names = front_end.evaluate("document.cookie.split('; ').map((item) => item.split('=')[0]).sort()")
    assert names == ["csrf_access_token", "csrf_refresh_token"]


def test_without_the_header_a_request_is_refused(front_end):
    status = front_end.evaluate("fetch('/notes', {method: 'POST'}).then((answer) => answer.status)")
    assert status == 403


def test_a_lapsed_access_token_is_renewed_once_for_requests_that_come_together(front_end, server):
    server.now += 16 * 60
    answers = front_end.evaluate(f"Promise.all([{CALL}, {CALL}, {CALL}])")
    assert answers == [[200, {"author": "anna"}]] * 3
    assert server.refreshed == 1


def test_it_is_renewed_again_when_it_lapses_again(front_end, server):
    for _ in range(2):
        server.now += 16 * 60
        assert front_end.evaluate(CALL)[0] == 200
    assert server.refreshed == 2


def test_with_a_lapsed_refresh_token_the_answer_says_to_log_in(front_end, server):
    server.now += 21 * 24 * 3600
    status, body = front_end.evaluate(CALL)
    assert (status, body["code"]) == (401, "token_expired")
    assert front_end.context.cookies() == []


def test_after_logout_the_browser_has_no_cookie_left(front_end):
    front_end.evaluate("send('/logout', 'POST')")
    assert front_end.context.cookies() == []
    status, body = front_end.evaluate(CALL)
    assert (status, body["action"]) == (401, "login")
