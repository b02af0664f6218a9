"""The JavaScript of the page about the browser client, in a browser, against the applications of that page."""

import re
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, PlainTextResponse
from playwright.sync_api import Page, expect
from starlette.middleware.cors import CORSMiddleware
from tests.browser.serving import served
from tests.docs.pages import programs

DOC = Path(__file__).parents[2] / "docs" / "browser-client.md"
START, LISTENER, LOGIN, ELSEWHERE, COPY, REACT, VUE = re.findall(
    r"^```javascript\n(.*?)^```$", DOC.read_text(), re.MULTILINE | re.DOTALL
)
POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'"
# As little of the frameworks as the page uses.
REACT_STAND_IN = """
export const useSyncExternalStore = (subscribe, read) => {
  subscribe(() => { window.shown = read() })
  return read()
}
"""
VUE_STAND_IN = "export const shallowRef = (value) => ({ value }); export const readonly = (it) => it"
IMPORTS = '<script type="importmap">{"imports": {"react": "/react.js", "vue": "/vue.js"}}</script>'
TEST = "{ username: 'test', password: 'test' }"


def application(section: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> FastAPI:
    """The application of one section, over plain HTTP and with its database in a folder."""
    monkeypatch.setenv("JWT_SECRET_KEY", "a secret for the programs in the documentation")
    monkeypatch.chdir(folder)
    (source,) = [one.source for one in programs(DOC) if one.heading == section]
    names = {"__name__": "page", "serve": None}
    code = source.partition("with serve(")[0].replace('JWT_COOKIE_DOMAIN="example.com"', "JWT_COOKIE_DOMAIN=None")
    exec(compile(code, DOC, "exec"), names)
    names["auth"].config.JWT_COOKIE_SECURE = "auto"
    return names["app"]


def add_page(app: FastAPI, scripts: dict[str, str], *, policy: str | None = None, head: str = "") -> None:
    """Give an application a page that loads `/page.js`, and the scripts."""

    @app.get("/")
    def page():
        html = f'<!doctype html><title>page</title><link rel="icon" href="data:,">{head}'
        headers = {} if policy is None else {"Content-Security-Policy": policy}
        return HTMLResponse(f'{html}<body><script type="module" src="/page.js"></script>', headers=headers)

    @app.get("/{name}.js")
    def script(name: str):
        return PlainTextResponse(scripts[name], media_type="text/javascript")


@contextmanager
def opened(page: Page, app: FastAPI):
    """Serve an application and open its page; nothing may go wrong in it that the page does not catch."""
    with served(app) as address, watched(page):
        page.goto(address)
        page.wait_for_function("window.ready")
        yield


@contextmanager
def watched(page: Page):
    errors = []
    page.on("pageerror", lambda error: errors.append(error.message))
    yield
    assert errors == []


def test_three_lines_are_a_start_under_a_strict_policy(page, monkeypatch, tmp_path):
    app = application("## Start", monkeypatch, tmp_path)
    script = START.replace("const answer", f"await auth.login({TEST})\nconst answer")
    assert script != START
    add_page(app, {"page": f"{script}\ndocument.body.textContent = (await answer.json()).of"}, policy=POLICY)
    with served(app) as address, watched(page):
        page.goto(address)
        expect(page.locator("body")).to_have_text("test")


def test_a_listener_shows_who_is_logged_in(page, monkeypatch, tmp_path):
    app = application("## Start", monkeypatch, tmp_path)
    lines = []
    page.on("console", lambda line: lines.append(line.text))
    start = START.partition("const answer")[0]
    add_page(app, {"page": f"{start}\n{LISTENER}\nwindow.auth = auth, window.ready = true"})
    with opened(page, app):
        page.evaluate(f"auth.login({TEST})")
        assert page.evaluate("document.body.dataset.user") == "test"
        page.evaluate("auth.logout()")
        assert page.evaluate("document.body.dataset.user") == ""
    assert lines == ["logged out: logout"]


def test_a_refused_login_says_why(page, monkeypatch, tmp_path):
    app = application("## Start", monkeypatch, tmp_path)
    start = START.partition("const answer")[0]
    add_page(app, {"page": f"{start}\n{LOGIN}\nwindow.logIn = logIn, window.ready = true"})
    with opened(page, app):
        assert page.evaluate("logIn('test', 'wrong')") == "Wrong name or password"
        assert page.evaluate("logIn('test', 'test')") == "Welcome"
        page.context.set_offline(True)
        assert page.evaluate("logIn('test', 'test')") == "No connection"


def copied() -> str:
    return files("authx").joinpath("clients", "browser", "authx.js").read_text("utf-8")


def test_a_copy_knows_by_its_options_that_nobody_is_logged_in(page, monkeypatch, tmp_path):
    app = application("## Start", monkeypatch, tmp_path)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    add_page(app, {"page": f"{COPY}\nwindow.auth = auth, window.ready = true", "authx": copied()})
    with opened(page, app):
        before = len(asked)
        assert page.evaluate("auth.session()") is None
        assert len(asked) == before
        page.evaluate(f"auth.login({TEST})")
        assert page.evaluate("auth.fetch('/notes').then((answer) => answer.json())") == {"of": "test"}


@pytest.mark.parametrize(
    ("snippet", "shown"), [(REACT, "window.shown"), (VUE, "useSession().value")], ids=["react", "vue"]
)
def test_a_component_is_told_of_the_session(page, monkeypatch, tmp_path, snippet, shown):
    app = application("## Start", monkeypatch, tmp_path)
    scripts = {"page": f"{snippet}\nwindow.auth = auth, window.useSession = useSession, window.ready = true"}
    more = {"authx": copied(), "react": REACT_STAND_IN, "vue": VUE_STAND_IN}
    add_page(app, scripts | more, head=IMPORTS)
    with opened(page, app):
        assert page.evaluate("useSession(), auth.session()") is None
        page.evaluate(f"auth.login({TEST})")
        assert page.evaluate(f"{shown}.claims.sub") == "test"
        page.evaluate("auth.logout()")
        assert page.evaluate(shown) is None


def test_an_api_on_another_origin_is_used_like_an_own_one(page, monkeypatch, tmp_path):
    api = application("## An API on another origin", monkeypatch, tmp_path)
    site = FastAPI()
    (cors,) = [one for one in api.user_middleware if one.cls is CORSMiddleware]
    with served(site) as here, watched(page):
        # Before the application starts, which is when it makes its middleware.
        cors.kwargs["allow_origins"] = [here]
        with served(api) as there:
            start = ELSEWHERE.replace("https://api.example.com", there)
            assert start != ELSEWHERE
            add_page(site, {"page": f"{start}\nwindow.auth = createAuthClient(), window.ready = true"})
            page.goto(here)
            page.wait_for_function("window.ready")
            page.evaluate(f"auth.login({TEST})")
            page.reload()
            page.wait_for_function("window.ready")
            # Without the key, for which its CORS settings would have to be others.
            with page.expect_request(f"{there}/auth/refresh") as refresh:
                assert page.evaluate("auth.session().then((session) => session.claims.sub)") == "test"
            assert "idempotency-key" not in refresh.value.headers
            ask = f"auth.fetch('{there}/auth/sessions').then((answer) => answer.status)"
            assert page.evaluate(ask) == 200
            page.evaluate("auth.logout()")
            assert page.evaluate("auth.session()") is None
            assert page.evaluate(ask) == 401


def test_an_api_on_another_origin_gets_the_retry_key_if_the_page_names_its_header(page, monkeypatch, tmp_path):
    api = application("## An API on another origin", monkeypatch, tmp_path)
    site = FastAPI()
    (cors,) = [one for one in api.user_middleware if one.cls is CORSMiddleware]
    with served(site) as here, watched(page):
        cors.kwargs["allow_origins"] = [here]
        cors.kwargs["allow_headers"] = [*cors.kwargs["allow_headers"], "Idempotency-Key"]
        with served(api) as there:
            start = ELSEWHERE.replace("https://api.example.com", there)
            client = "createAuthClient({ retryHeader: 'Idempotency-Key' })"
            add_page(site, {"page": f"{start}\nwindow.auth = {client}, window.ready = true"})
            page.goto(here)
            page.wait_for_function("window.ready")
            page.evaluate(f"auth.login({TEST})")
            page.reload()
            page.wait_for_function("window.ready")
            with page.expect_request(f"{there}/auth/refresh") as refresh:
                assert page.evaluate("auth.session().then((session) => session.claims.sub)") == "test"
            assert len(refresh.value.headers["idempotency-key"]) >= 16
            assert page.evaluate("Object.keys(localStorage)") == []
