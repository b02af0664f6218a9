"""The demo's page in a real browser, against the demo as its users start it."""

import json
import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from tests.demo.server import Demo, running_demo

PHONE = {"width": 375, "height": 800}
DESK = {"width": 1280, "height": 900}
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with running_demo() as running:
        yield running


@pytest.fixture
def browser_of_a_person(chromium: Browser) -> Iterator[BrowserContext]:
    with chromium.new_context(viewport=DESK) as context:
        yield context


@pytest.fixture
def another_browser(chromium: Browser) -> Iterator[BrowserContext]:
    with chromium.new_context(viewport=PHONE, user_agent=IPHONE) as context:
        yield context


def visit(context: BrowserContext, demo: Demo) -> Page:
    page = context.new_page()
    page.goto(demo.address)
    expect(page.locator("#who")).not_to_have_text(re.compile("Looking"))
    return page


def sign_in(page: Page, name: str = "test", password: str = "") -> Page:
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password or name)
    page.get_by_role("button", name="Sign in").click()
    return page


@pytest.fixture
def page(browser_of_a_person, demo) -> Page:
    """The page of somebody who has signed in and has no other session."""
    page = sign_in(visit(browser_of_a_person, demo))
    expect(page.locator("#who")).to_have_text("Signed in as test")
    others = page.get_by_role("button", name="Log out other devices")
    expect(page.locator("#sessions tr")).not_to_have_count(0)
    if others.is_enabled():
        others.click()
        expect(page.locator("#sessions tr")).to_have_count(1)
    return page


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


# Signing in, and what it shows


def test_it_shows_the_claims_of_the_access_token_and_its_time_running_down(page):
    claims = page.locator("#claims")
    expect(claims).to_contain_text('"test"')
    expect(claims).to_contain_text('"access"')
    seconds = [int(page.locator("#left").inner_text().split()[0])]
    expect(page.locator("#left")).not_to_have_text(f"{seconds[0]} seconds left")
    seconds.append(int(page.locator("#left").inner_text().split()[0]))
    assert 0 < seconds[1] < seconds[0] <= 121


def test_a_wrong_password_is_told_to_the_person_who_gave_it(browser_of_a_person, demo):
    page = sign_in(visit(browser_of_a_person, demo), "test", "wrong")
    expect(page.get_by_role("alert").filter(has_text="User name or password is wrong.")).to_be_visible()


def test_a_reload_keeps_the_session(page):
    page.reload()
    expect(page.locator("#who")).to_have_text("Signed in as test")


def test_it_can_be_used_with_the_keyboard_alone(browser_of_a_person, demo):
    page = visit(browser_of_a_person, demo)
    reached = []
    for _ in range(5):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim() || document.activeElement.name"))
    assert reached[:4] == ["Skip to the content", "username", "password", "Sign in"]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#who")).to_have_text("Signed in as test")


def test_it_refreshes_by_itself_while_somebody_watches(browser_of_a_person):
    with running_demo(JWT_ACCESS_TOKEN_EXPIRES="3") as demo:
        page = sign_in(visit(browser_of_a_person, demo))
        expect(page.locator("#refreshed")).to_contain_text("Replaced 2 times")
        expect(page.locator("#who")).to_have_text("Signed in as test")
        expect(page.locator("#events li")).to_contain_text(["Refreshed", "Refreshed", "Signed in"])


# Sessions


def test_the_list_names_browsers_and_this_device(page, another_browser, demo):
    sign_in(visit(another_browser, demo))
    rows = page.locator("#sessions tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("Safari 18 on iOS")
    expect(rows.nth(1)).to_contain_text("This device")
    expect(rows.nth(1)).to_contain_text("127.0.0.1")


def test_a_session_that_is_revoked_from_another_device_shows_there_at_once(page, another_browser, demo):
    other = sign_in(visit(another_browser, demo))
    page.get_by_role("button", name="Revoke Safari 18 on iOS, since").click()
    expect(other.locator("#who")).to_have_text("Not signed in")
    expect(other.locator("#ended")).to_contain_text("logged out somewhere else")
    expect(page.locator("#sessions tr")).to_have_count(1)


def test_other_devices_can_be_logged_out_and_this_one_stays(page, another_browser, demo):
    other = sign_in(visit(another_browser, demo))
    expect(page.locator("#sessions tr")).to_have_count(2)
    press(page, "Log out other devices")
    expect(other.locator("#who")).to_have_text("Not signed in")
    expect(page.locator("#who")).to_have_text("Signed in as test")


@pytest.mark.parametrize("button", ["Log out", "Log out everywhere"])
def test_a_logout_in_one_tab_shows_in_the_other(page, demo, button):
    other = visit(page.context, demo)
    expect(other.locator("#who")).to_have_text("Signed in as test")
    press(page, button)
    expect(page.locator("#who")).to_have_text("Not signed in")
    expect(other.locator("#who")).to_have_text("Not signed in")


# Events


def replays(page: Page) -> Locator:
    """The replays of the page's own session."""
    return page.locator("#events li", has_text="replay").filter(has_text="this session")


def test_two_users_see_their_own_events_only(page, another_browser, demo):
    alice = sign_in(visit(another_browser, demo), "alice")
    press(alice, "Refresh from ten tabs at once")
    expect(replays(alice)).to_have_count(9)
    press(page, "Lose the response")
    expect(replays(page)).to_have_count(1)
    for _ in range(2):
        expect(alice.locator("#events li", has_text="replay")).to_have_count(9)
        expect(alice.locator("#events li", has_text="another session")).to_have_count(0)
        alice.reload()


def test_whoever_signs_in_next_sees_nothing_of_the_one_before(page, demo):
    press(page, "Lose the response")
    expect(page.locator("#events li").first).to_contain_text("replay")
    press(page, "Log out")
    expect(page.locator("#who")).to_have_text("Not signed in")
    expect(page.locator("#events li")).to_have_count(0)
    sign_in(page, "alice")
    expect(page.locator("#live")).to_have_text("Live.")
    expect(page.locator("#events li").first).to_contain_text("this session")
    expect(page.locator("#events li", has_text="Log out")).to_have_count(0)
    press(page, "Log out everywhere")


def test_a_tab_in_which_another_one_signed_somebody_else_in_shows_their_events_instead(page, demo):
    press(page, "Lose the response")
    expect(page.locator("#events li").first).to_contain_text("replay")
    other = visit(page.context, demo)
    other.evaluate(
        """import('./client.js').then(({ createAuthClient }) =>
        createAuthClient().login({ username: 'alice', password: 'alice' }))"""
    )
    expect(page.locator("#who")).to_have_text("Signed in as alice")
    expect(page.locator("#live")).to_have_text("Live.")
    expect(page.locator("#events li").first).to_contain_text("this session")
    expect(page.locator("#lose-said li")).to_have_count(0)
    press(page, "Log out everywhere")


# The lab


def test_ten_tabs_that_refresh_at_once_get_one_successor(page):
    press(page, "Refresh from ten tabs at once")
    said = page.locator("#ten-said")
    expect(said).to_contain_text("10 of 10 were answered with 200.")
    expect(said).to_contain_text("one and the same refresh token, of generation 3")
    expect(replays(page)).to_have_count(9)
    expect(page.locator("#who")).to_have_text("Signed in as test")


def test_a_lost_answer_is_given_again(page):
    press(page, "Lose the response")
    said = page.locator("#lose-said")
    expect(said).to_contain_text("the answer was lost: 504")
    expect(said).to_contain_text("200, and the successor of generation 3")
    expect(page.locator("#events li").first).to_contain_text("replay")


def test_a_thief_ends_the_session_in_every_tab_and_shows_among_the_events(page, demo):
    other = visit(page.context, demo)
    expect(other.locator("#who")).to_have_text("Signed in as test")
    press(page, "Steal this refresh token and replay it")
    expect(page.locator("#steal-said")).to_contain_text("401 refresh_reused")
    for tab in (page, other):
        expect(tab.locator("#who")).to_have_text("Not signed in")
        expect(tab.locator("#ended")).to_contain_text("used a second time")
        expect(tab.locator("#events li").first).to_contain_text("refresh_reused")


def test_a_store_that_stops_logs_nobody_out(page):
    press(page, "Stop the store")
    said = page.locator("#stop-said")
    expect(said).to_contain_text("503 auth_unavailable")
    expect(said).to_contain_text("A protected route: 200")
    press(page, "Start it again")
    expect(said).to_contain_text("The store is back")
    expect(page.locator("#who")).to_have_text("Signed in as test")


def test_a_server_that_is_started_again_finds_the_page_where_it_was(browser_of_a_person, another_browser, tmp_path):
    settings = {"JWT_STORE_URL": f"sqlite:///{tmp_path}/auth.db", "JWT_SECRET_KEY": "a secret that outlives a server"}
    with running_demo(**settings) as demo:
        page = sign_in(visit(browser_of_a_person, demo))
        press(page, "Refresh from ten tabs at once")
        expect(page.locator("#events li", has_text="replay")).to_have_count(9)
        demo.interrupt()
    expect(page.locator("#said")).to_contain_text("The server cannot be reached.")
    with running_demo("--port", str(demo.port), **settings) as demo:
        expect(page.locator("#live")).to_have_text("Live.")
        expect(page.locator("#said")).to_be_empty()
        sign_in(visit(another_browser, demo))
        # The events of this run have numbers that those of the former one had.
        expect(page.locator("#events li").first).to_contain_text("another session")
        expect(page.locator("#who")).to_have_text("Signed in as test")


def test_what_cannot_be_done_now_is_said_and_can_be_done_later(page):
    press(page, "Stop the store")
    expect(page.locator("#stop-said")).to_contain_text("A protected route: 200")
    press(page, "Log out")
    expect(page.locator("#said")).to_have_text("The session store does not answer at the moment.")
    expect(page.locator("#who")).to_have_text("Signed in as test")
    press(page, "Start it again")
    expect(page.locator("#stop-said")).to_contain_text("The store is back")
    press(page, "Log out")
    expect(page.locator("#who")).to_have_text("Not signed in")
    expect(page.locator("#said")).to_be_empty()


def test_a_button_keeps_the_focus_while_it_works(page):
    page.get_by_role("button", name="Lose the response").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#lose-said li")).to_have_count(3)
    expect(page.get_by_role("button", name="Lose the response")).to_be_focused()


# What it owes to everybody


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_no_serious_finding_of_axe_and_nothing_wider_than_the_screen(browser_of_a_person, demo, scheme, size):
    page = browser_of_a_person.new_page()
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(demo.address)
    expect(page.locator("#who")).to_have_text("Not signed in")
    assert_accessible(page)
    sign_in(page)
    press(page, "Lose the response")
    expect(page.locator("#lose-said li")).to_have_count(3)
    expect(page.locator("#events li").first).to_contain_text("replay")
    assert_accessible(page)


def assert_accessible(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    serious = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
    assert serious == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_it_takes_nothing_from_elsewhere_and_runs_nothing_inline(browser_of_a_person, demo):
    page = browser_of_a_person.new_page()
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    answer = page.goto(demo.address)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    sign_in(page)
    expect(page.locator("#events li")).not_to_have_count(0)
    assert {url for url in asked if not url.startswith(demo.address)} == set()
    assert complaints == []


def test_no_token_is_where_others_could_find_it(browser_of_a_person, demo):
    page = browser_of_a_person.new_page()
    tokens: set[str] = set()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))

    def keep(response) -> None:
        if response.request.method == "POST" and response.ok and re.search("/(login|refresh)$", response.url):
            tokens.update(value for name, value in response.json().items() if name.endswith("s_token"))
            tokens.update(value for name, value in response.json().items() if name == "refresh_token")

    page.on("response", keep)
    page.goto(demo.address)
    sign_in(page)
    press(page, "Refresh from ten tabs at once")
    expect(page.locator("#ten-said li")).to_have_count(4)
    press(page, "Lose the response")
    expect(page.locator("#lose-said li")).to_have_count(3)
    assert len(tokens) >= 4
    places = page.evaluate(
        "[JSON.stringify(localStorage), JSON.stringify(sessionStorage), location.href, document.cookie,"
        " document.documentElement.outerHTML, JSON.stringify(history.state)]"
    )
    assert not any(token in place for token in tokens for place in [*places, *said])
    assert json.loads(places[0]) == json.loads(places[1]) == {}
