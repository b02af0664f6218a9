"""A real browser on a page of another origin: its forms and scripts leave the user signed in."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse
from playwright.sync_api import Page
from tests.browser.serving import served

from authx import AuthX, AuthXConfig, TokenPayload

SECRET = "the secret of more than thirty-two letters of a site under attack"
PATHS = ["/logout", "/auth/logout", "/auth/logout/all", "/auth/refresh", "/auth/login"]
ATTACKS = {
    "form": """(url) => {
        document.body.innerHTML = `<form method="post" action="${url}"></form>`
        document.forms[0].submit()
    }""",
    "form without a referrer": """(url) => {
        document.head.innerHTML += '<meta name="referrer" content="no-referrer">'
        document.body.innerHTML = `<form method="post" action="${url}"></form>`
        document.forms[0].submit()
    }""",
    "form in a sandbox": """(url) => {
        const form = `<form method=post target=_top action="${url}"></form>`
        document.body.innerHTML = '<iframe sandbox="allow-forms allow-scripts allow-top-navigation"></iframe>'
        document.querySelector('iframe').srcdoc = `${form}<script>document.forms[0].submit()</script>`
    }""",
    "script": "(url) => fetch(url, {method: 'POST', mode: 'no-cors', credentials: 'include'}).then(() => {})",
}


def make_site() -> FastAPI:
    app = FastAPI()
    config = AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_TOKEN_LOCATION=["cookies"], JWT_COOKIE_SECURE="auto")
    auth = AuthX(config, store="memory://")
    auth.handle_errors(app)
    app.include_router(auth.router(lambda name, password: name), prefix="/auth")

    @app.get("/")
    def page() -> HTMLResponse:
        return HTMLResponse("<!doctype html><title>site</title>")

    @app.get("/me")
    def me(payload: TokenPayload = auth.ACCESS_REQUIRED) -> str:
        return payload.sub

    @app.post("/logout")
    def logout(response: Response) -> None:
        auth.unset_cookies(response)

    return app


def make_evil() -> FastAPI:
    app = FastAPI()
    app.get("/")(lambda: HTMLResponse("<!doctype html><title>evil</title><body></body>"))
    return app


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with served(make_site()) as address:
        yield address


@pytest.fixture(scope="module", params=["another site", "another port"])
def evil(request: pytest.FixtureRequest) -> Iterator[str]:
    """Ports of one host are one site: cookies with SameSite come along. Names of a host are not."""
    with served(make_evil()) as address:
        yield address.replace("localhost", "127.0.0.1") if request.param == "another site" else address


@pytest.fixture
def victim(page: Page, site: str) -> Page:
    """The user, signed in."""
    page.goto(site)
    page.evaluate(
        """() => fetch('/auth/login', {
            method: 'POST',
            headers: {'Content-Type': 'application/json'},
            body: JSON.stringify({username: 'anna', password: 'x'}),
        })"""
    )
    assert len(page.context.cookies()) == 4
    return page


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_page_of_another_origin_leaves_the_user_signed_in(victim: Page, site: str, evil: str, attack: str):
    before = victim.context.cookies()
    for path in PATHS:
        victim.goto(evil)
        victim.evaluate(ATTACKS[attack], site + path)
        if attack != "script":
            victim.wait_for_url(site + path)
        assert (path, victim.context.cookies()) == (path, before)
    assert victim.goto(f"{site}/me").json() == "anna"


@pytest.mark.parametrize("path", ["/logout", "/auth/logout"])
@pytest.mark.parametrize("referrer", ["", "no-referrer"])
def test_a_page_of_the_site_signs_the_user_out(victim: Page, site: str, path: str, referrer: str):
    victim.goto(site)
    victim.evaluate(
        """([path, referrer]) => {
            document.head.innerHTML += `<meta name="referrer" content="${referrer}">`
            const value = document.cookie.match(/csrf_access_token=([^;]*)/)[1]
            return fetch(path, {method: 'POST', headers: {'X-CSRF-TOKEN': value}}).then(() => {})
        }""",
        [path, referrer],
    )
    assert victim.context.cookies() == []


def test_a_form_of_the_site_that_hides_its_address_signs_the_user_out(victim: Page, site: str):
    victim.goto(site)
    victim.evaluate(ATTACKS["form without a referrer"], f"{site}/logout")
    victim.wait_for_url(f"{site}/logout")
    assert victim.context.cookies() == []
