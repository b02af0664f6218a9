"""Lost answers, servers that die, a store that does not answer, a thief: what they do to a page that is logged in."""

import json
import sqlite3
import time
import urllib.error
import urllib.request
from contextlib import ExitStack

import pytest
from playwright.sync_api import Page
from tests.browser.tabs import ANNA, ME, application, begin, last_change, open_tab, start
from tests.browser.wire import Wire, refusal
from tests.support.waiting import PATIENCE, wait_until

REFRESH = "/auth/refresh"
LET_EXPIRE = "shift += 20 * 60 * 1000"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("store") / "auth.db"


@pytest.fixture(scope="module", params=["memory", "cookies"])
def running(request, chromium, file):
    """An application that has its sessions in a file, and what kills it and starts it again.

    A browser sees it at the same address; its real port is a new one, as the old one may be blocked for a minute.
    """
    settings = {"JWT_STORE_URL": f"sqlite:///{file}"}
    with application(request.param, **settings) as (machine, wire), ExitStack() as stack:
        machines = [machine]

        def begin_again() -> None:
            machines.append(start(request.param, **settings))
            stack.callback(machines[-1].stop)
            wire.port = machines[-1].port

        yield wire, lambda: machines[-1].kill(), begin_again


@pytest.fixture
def wire(running) -> Wire:
    running[0].instead.clear()
    return running[0]


@pytest.fixture(scope="module")
def window(chromium, running):
    with chromium.new_context() as context:
        yield [open_tab(context, running[0])]


@pytest.fixture
def tab(window) -> Page:
    begin(window)
    return window[0]


only_memory = pytest.mark.parametrize("running", ["memory"], indirect=True)


def session_id(tab: Page) -> str:
    """The session that the browser's refresh token belongs to."""
    sessions = tab.evaluate("auth.fetch('/auth/sessions').then((answer) => answer.json())")
    return next(one["session_id"] for one in sessions if one["current"])


def refresh_token(tab: Page) -> str:
    return next(one["value"] for one in tab.context.cookies() if one["name"] == "refresh_token_cookie")


def wait_for(tab: Page, condition, what: str) -> None:
    wait_until(condition, what, pause=lambda: tab.wait_for_timeout(20))


def is_never_logged_out(tab: Page) -> bool:
    return tab.evaluate("changes.every(([expiresAt]) => expiresAt !== null)")


def test_after_an_answer_was_lost_the_next_try_has_the_same_session(tab, wire):
    session, token = session_id(tab), refresh_token(tab)
    tab.evaluate(LET_EXPIRE)
    wire.lose_all.add(REFRESH)
    wire.instead["/me"] = iter([refusal(401, "refresh")])
    assert tab.evaluate("auth.fetch('/me').catch((error) => error.name)") == "TypeError"
    wire.lose_all.clear()
    # The server has gone one step further, and the browser does not know.
    assert refresh_token(tab) == token
    assert tab.evaluate(ME) == [200, "anna"]
    assert refresh_token(tab) != token
    assert session_id(tab) == session
    assert is_never_logged_out(tab)


def test_after_an_answer_was_lost_the_page_tries_again_by_itself(tab, wire):
    token, before = refresh_token(tab), wire.seen[REFRESH]
    tab.evaluate(LET_EXPIRE)
    wire.lose_all.add(REFRESH)
    tab.evaluate("show()")
    wait_for(tab, lambda: wire.seen[REFRESH] > before, "the try")
    wire.lose_all.clear()
    tab.wait_for_function("changes.at(-1)[1] === 'refresh'")
    assert refresh_token(tab) != token
    assert is_never_logged_out(tab)


def test_who_could_not_be_asked_about_when_the_page_came_is_asked_about_again(tab, wire):
    before = wire.seen[REFRESH]
    wire.lose_all.add(REFRESH)
    tab.evaluate("auth.destroy()")
    tab.reload()
    tab.wait_for_function("window.auth")
    assert tab.evaluate("auth.session().catch((error) => error.name)") == "TypeError"
    assert wire.seen[REFRESH] > before
    assert tab.evaluate("changes.length") == 0
    wire.lose_all.clear()
    # Nothing more is asked of the page.
    tab.wait_for_function("changes.length")
    assert last_change(tab) == "refresh"


def test_a_page_that_asks_nothing_sends_nothing(tab, wire):
    tab.reload()
    tab.wait_for_function("window.auth")
    before = wire.seen[REFRESH]
    tab.evaluate("show(); show('online'); show('focus')")
    assert tab.evaluate("fetch('/public').then((answer) => answer.status)") == 200
    assert wire.seen[REFRESH] == before


def test_a_server_that_is_killed_before_a_refresh_logs_nobody_out_and_is_found_when_it_is_back(tab, wire, running):
    _, kill, begin_again = running
    session, before = session_id(tab), wire.seen[REFRESH]
    kill()
    tab.evaluate(LET_EXPIRE)
    tab.evaluate("show()")
    wait_for(tab, lambda: wire.seen[REFRESH] > before, "the try")
    assert tab.evaluate("auth.fetch('/me').catch((error) => error.name)") == "TypeError"
    assert last_change(tab) == "login"
    begin_again()
    # Nothing is asked of the page.
    tab.wait_for_function("changes.at(-1)[1] === 'refresh'")
    assert session_id(tab) == session
    assert tab.evaluate(ME) == [200, "anna"]
    assert is_never_logged_out(tab)


def test_a_server_that_is_killed_during_a_refresh_logs_nobody_out_and_is_found_when_it_is_back(tab, wire, running):
    _, kill, begin_again = running
    session, before = session_id(tab), wire.seen[REFRESH]
    tab.evaluate(LET_EXPIRE)
    wire.lose.append(REFRESH)
    with wire.holding(REFRESH):
        tab.evaluate("show()")
        wait_for(tab, lambda: wire.seen[REFRESH] > before, "the try")
        # It may have done its work by now or not.
        kill()
    begin_again()
    tab.wait_for_function("changes.at(-1)[1] === 'refresh'")
    assert session_id(tab) == session
    assert is_never_logged_out(tab)


@only_memory
def test_a_server_that_says_to_try_later_is_tried_later(tab, wire):
    tab.evaluate(LET_EXPIRE)
    before = wire.seen[REFRESH]
    wire.instead[REFRESH] = iter([refusal(503, "retry", "auth_unavailable", after="1")])
    began = time.monotonic()
    tab.evaluate("show()")
    tab.wait_for_function("changes.at(-1)[1] === 'refresh'")
    assert time.monotonic() - began >= 1
    assert wire.seen[REFRESH] - before == 2


@only_memory
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_that_is_broken_logs_nobody_out_whatever_it_says(tab, wire, status):
    tab.evaluate(LET_EXPIRE)
    wire.instead[REFRESH] = iter([refusal(status, "login")])
    wire.instead["/me"] = iter([refusal(status, "login")])
    assert tab.evaluate("auth.fetch('/me').then((answer) => answer.status)") == status
    assert is_never_logged_out(tab)
    assert tab.evaluate(ME) == [200, "anna"]


@only_memory
def test_a_call_waits_for_a_store_that_does_not_answer_for_a_while(tab, wire, file):
    """Another program has locked the database for longer than the server waits."""
    tab.evaluate(LET_EXPIRE)
    wire.instead["/me"] = iter([refusal(401, "refresh")])
    before = len(wire.exchanges)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        tab.evaluate(f"window.done = {ME}, 0")
        answers = lambda: [one.answer for one in wire.exchanges[before:] if one.path == REFRESH and one.answer]  # noqa: E731
        wait_for(tab, answers, "the answer")
        answer = answers()[0]
        assert (answer.status, json.loads(answer.body)["code"]) == (503, "auth_unavailable")
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert tab.evaluate("done") == [200, "anna"]
    assert is_never_logged_out(tab)


@pytest.fixture(scope="module")
def generous(chromium):
    """An application that also takes refresh tokens from headers, and so gives them to whoever logs in."""
    with application("both") as (_, wire):
        yield wire


def test_a_thief_who_presents_an_old_token_ends_the_session_in_every_tab(chromium, generous):
    with chromium.new_context() as context:
        tabs = [open_tab(context, generous) for _ in range(3)]
        begin(tabs)
        stolen = json.loads(generous.last("/auth/login").answer.body)["refresh_token"]
        for _ in range(2):
            tabs[0].evaluate(LET_EXPIRE)
            assert tabs[0].evaluate(ME) == [200, "anna"]
        assert generous.seen[REFRESH] == 2
        assert present(generous, stolen) == (401, "refresh_reused")
        assert tabs[1].evaluate(ME)[0] == 401
        for tab in tabs:
            tab.wait_for_function("changes.at(-1)[1] === 'session_revoked'")
            assert tab.evaluate("auth.session()") is None
        # They can log in again.
        tabs[2].evaluate(ANNA)
        assert tabs[2].evaluate(ME) == [200, "anna"]


def present(wire: Wire, token: str) -> tuple[int, str]:
    """Refresh with a token as a thief would."""
    question = urllib.request.Request(
        f"http://127.0.0.1:{wire.port}{REFRESH}", method="POST", headers={"Authorization": f"Bearer {token}"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(question, timeout=PATIENCE)
    with refused.value as answer:
        return answer.status, json.loads(answer.read())["code"]
