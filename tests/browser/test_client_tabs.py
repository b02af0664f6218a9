"""Several tabs of one browser: one session, one refresh at a time, and the same news for all."""

import base64
import http.client
import itertools
import json
import time
from contextlib import closing

import pytest
from playwright.sync_api import Page
from tests.browser.tabs import ANNA, ME, NO_LOCKS, application, begin, open_tab
from tests.browser.wire import Wire, refusal
from tests.support.waiting import PATIENCE, wait_until

REFRESH = "/auth/refresh"
TEN = f"Promise.all(Array.from({{ length: 10 }}, () => {ME}))"
TEN_TIMES_ANNA = [[200, "anna"]] * 10


@pytest.fixture(scope="module")
def wires(chromium):
    """An application for each mode."""
    with application("memory") as (_, memory), application("cookies") as (_, cookies):
        yield {"memory": memory, "cookies": cookies}


@pytest.fixture(params=["memory", "cookies", "memory without locks"])
def variant(request) -> str:
    return request.param


@pytest.fixture
def wire(wires, variant) -> Wire:
    return wires[variant.split()[0]]


@pytest.fixture(scope="module")
def windows(chromium, wires):
    """A profile for each variant, and its tabs."""
    with chromium.new_context() as first, chromium.new_context() as second, chromium.new_context() as third:
        yield {"memory": (first, []), "cookies": (second, []), "memory without locks": (third, [])}


@pytest.fixture
def tabs(windows, wire, variant):
    """Three tabs of a user who is logged in."""
    context, tabs = windows[variant]
    for tab in [tab for tab in tabs if tab.is_closed()]:
        tabs.remove(tab)
    while len(tabs) < 3:
        tabs.append(open_tab(context, wire, *scripts_of(variant)))
    begin(tabs)
    yield list(tabs)
    for tab in [tab for tab in context.pages if tab not in tabs]:
        tab.close()


def scripts_of(variant: str) -> list[str]:
    return [NO_LOCKS] if "without locks" in variant else []


only_memory = pytest.mark.parametrize("variant", ["memory"])


def wait_for_change(tab: Page, why: str) -> None:
    tab.wait_for_function("(why) => changes.at(-1)?.[1] === why", arg=why)


def let_expire(tabs: list[Page]) -> None:
    """Let twenty minutes pass, in which no timer ran."""
    for tab in tabs:
        tab.evaluate("shift += 20 * 60 * 1000")


def at_once(tabs: list[Page], call: str) -> list:
    """Let every tab do something at the same moment; gives what came of it."""
    start = tabs[0].evaluate("realNow()") + 100
    later = f"window.done = new Promise((go) => setTimeout(go, start - realNow())).then(() => {call})"
    for tab in tabs:
        tab.evaluate(f"(start) => {{ {later} }}", start)
    return [tab.evaluate("done") for tab in tabs]


def refreshes_since(wire: Wire, before: int) -> int:
    return wire.seen[REFRESH] - before


def wait_for_refreshes(wire: Wire, before: int, count: int, tab: Page) -> None:
    wait_until(lambda: refreshes_since(wire, before) >= count, "the refresh", pause=lambda: tab.wait_for_timeout(5))


def generation_in(answer) -> int:
    """How many rotations preceded the refresh token that an answer sets."""
    part = answer.cookies()["refresh_token_cookie"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["gen"]


def test_ten_calls_after_expiry_share_one_refresh(tabs, wire):
    let_expire(tabs)
    before = wire.seen[REFRESH]
    assert tabs[0].evaluate(TEN) == TEN_TIMES_ANNA
    assert refreshes_since(wire, before) == 1


def test_ten_calls_that_are_all_refused_share_one_refresh(tabs, wire):
    wire.instead["/me"] = itertools.repeat(refusal(401, "refresh", "token_expired"), 10)
    before = wire.seen[REFRESH]
    assert tabs[0].evaluate(TEN) == TEN_TIMES_ANNA
    assert refreshes_since(wire, before) == 1


def test_thirty_calls_in_three_tabs_share_one_refresh(tabs, wire):
    let_expire(tabs)
    before = wire.seen[REFRESH]
    assert at_once(tabs, TEN) == [TEN_TIMES_ANNA] * 3
    assert refreshes_since(wire, before) == 1


def test_three_tabs_that_are_loaded_at_once_refresh_once(tabs, wire):
    for tab in tabs:
        tab.evaluate("auth.destroy(), window.auth = createAuthClient()")
    before = wire.seen[REFRESH]
    sessions = at_once(tabs, "auth.session()")
    assert all(session is not None for session in sessions)
    assert refreshes_since(wire, before) == 1


def test_a_tab_that_is_opened_learns_of_the_session_from_the_others(tabs, wire, variant):
    before = wire.seen[REFRESH]
    late = open_tab(tabs[0].context, wire, *scripts_of(variant))
    assert late.evaluate("auth.session()") == tabs[0].evaluate("auth.session()")
    assert refreshes_since(wire, before) == 0


def test_a_login_and_a_logout_in_one_tab_are_seen_in_all(tabs):
    first, second, third = tabs
    first.evaluate("auth.logout()")
    for tab in tabs:
        wait_for_change(tab, "logout")
        assert tab.evaluate("auth.session()") is None
    second.evaluate("auth.login({ username: 'bert', password: 'bert' })")
    for tab in tabs:
        wait_for_change(tab, "login")
    assert third.evaluate(ME) == [200, "bert"]


def test_a_session_that_a_tab_finds_ended_is_ended_in_all(tabs, wire):
    cookies = {cookie["name"]: cookie["value"] for cookie in tabs[0].context.cookies()}
    wire_logout(wire, cookies)
    assert tabs[0].evaluate(ME)[0] == 401
    for tab in tabs:
        wait_for_change(tab, "session_revoked")


def wire_logout(wire: Wire, cookies: dict[str, str]) -> None:
    """End a session as another device would."""
    jar = "; ".join(f"{name}={value}" for name, value in cookies.items())
    with closing(http.client.HTTPConnection("127.0.0.1", wire.port, timeout=PATIENCE)) as server:
        server.request("POST", "/auth/logout", headers={"Cookie": jar, "X-CSRF-TOKEN": cookies["csrf_refresh_token"]})
        assert server.getresponse().status == 200


def test_a_tab_that_is_closed_while_it_refreshes_stops_nobody(tabs, wire):
    first, second, third = tabs
    let_expire(tabs)
    before = wire.seen[REFRESH]
    with wire.holding(REFRESH):
        first.evaluate(f"{ME}, 0")
        wait_for_refreshes(wire, before, 1, second)
        second.evaluate(f"window.done = {ME}, 0")
        first.close()
        # The second tab has what the first one held.
        wait_for_refreshes(wire, before, 2, second)
    assert second.evaluate("done") == [200, "anna"]
    assert third.evaluate(ME) == [200, "anna"]
    assert refreshes_since(wire, before) == 2


def test_a_page_that_is_reloaded_while_it_refreshes_does_not_wait_for_itself(tabs, wire):
    first = tabs[0]
    for tab in tabs[1:]:
        tab.close()
    let_expire([first])
    before = wire.seen[REFRESH]
    with wire.holding(REFRESH):
        first.evaluate(f"{ME}, 0")
        wait_for_refreshes(wire, before, 1, first)
        first.reload()
        first.wait_for_function("window.auth")
        first.evaluate("window.done = auth.session(), 0")
        wait_for_refreshes(wire, before, 2, first)
    assert first.evaluate("done") is not None


@only_memory
@pytest.mark.parametrize("event", ["visibilitychange", "focus", "online"])
def test_a_tab_that_wakes_up_after_a_sleep_refreshes_by_itself(tabs, wire, event):
    let_expire(tabs)
    before = wire.seen[REFRESH]
    tabs[0].evaluate("(event) => show(event)", event)
    wait_for_change(tabs[0], "refresh")
    assert refreshes_since(wire, before) == 1


@only_memory
def test_a_tab_that_nobody_looks_at_waits_until_somebody_does(tabs, wire):
    tab = tabs[0]
    before = wire.seen[REFRESH]
    let_expire(tabs)
    tab.evaluate(
        "window.asleep = true, dispatchEvent(new Event('visibilitychange')), dispatchEvent(new Event('online'))"
    )
    assert tab.evaluate("new Promise((go) => setTimeout(go, 50))") is None
    assert refreshes_since(wire, before) == 0
    tab.evaluate("show()")
    wait_for_change(tab, "refresh")


@only_memory
def test_a_page_that_comes_back_from_the_browsers_history_asks_whether_it_is_still_logged_in(tabs, wire):
    """Such a page has heard of nothing while another one was shown."""
    cookies = {cookie["name"]: cookie["value"] for cookie in tabs[0].context.cookies()}
    wire_logout(wire, cookies)
    tabs[0].evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    wait_for_change(tabs[0], "session_revoked")


@only_memory
@pytest.mark.parametrize("shift", [-3_600_000, 3_600_000])
def test_a_logout_is_seen_in_all_tabs_whatever_happened_to_the_clock(tabs, shift):
    """All tabs of a browser have one clock; it jumps."""
    for tab in tabs:
        tab.evaluate("(shift) => { window.shift = shift }", shift)
    tabs[0].evaluate("auth.logout()")
    for tab in tabs:
        wait_for_change(tab, "logout")
    tabs[1].evaluate(ANNA)
    for tab in tabs:
        wait_for_change(tab, "login")


@only_memory
def test_two_clients_in_one_page_are_two_tabs(tabs, wire):
    tab = tabs[0]
    tab.evaluate("window.other = createAuthClient({ base: '/auth/' })")
    assert tab.evaluate("other.session()") == tab.evaluate("auth.session()")
    let_expire(tabs)
    before = wire.seen[REFRESH]
    assert tab.evaluate("Promise.all([auth, other].map((it) => it.fetch('/me').then((it) => it.status)))") == [200, 200]
    assert refreshes_since(wire, before) == 1
    tab.evaluate("other.logout().then(() => other.destroy())")
    wait_for_change(tab, "logout")


@only_memory
@pytest.mark.parametrize("base", ["/auth", "/auth/", "auth", "./auth//"])
def test_a_base_may_end_with_a_slash_or_not(tabs, base):
    tab = tabs[0]
    tab.evaluate("(base) => { window.other = createAuthClient({ base }) }", base)
    assert tab.evaluate("other.session()") == tab.evaluate("auth.session()")
    tab.evaluate("other.destroy()")


@only_memory
def test_a_client_in_a_worker_learns_of_the_session_from_the_tabs(tabs):
    program = """
        import { createAuthClient } from '%s/auth/client.js'
        const auth = createAuthClient()
        const session = await auth.session()
        postMessage([session.claims.sub, (await auth.fetch('%s/me')).status])
    """
    address = tabs[0].url.rstrip("/")
    heard = tabs[0].evaluate(
        """(program) => new Promise((resolve, reject) => {
          const address = URL.createObjectURL(new Blob([program], { type: 'text/javascript' }))
          const worker = new Worker(address, { type: 'module' })
          worker.onmessage = (event) => (resolve(event.data), worker.terminate())
          worker.onerror = (event) => reject(event.message)
        })""",
        program % (address, address),
    )
    assert heard == ["anna", 200]


@only_memory
def test_a_listener_that_throws_stops_neither_the_others_nor_the_client(tabs):
    tab = tabs[0]
    tab.evaluate("window.errors = [], addEventListener('error', (event) => errors.push(event.message))")
    tab.evaluate("auth.onChange(() => { throw new Error('a mistake of the page') }), 0")
    tab.evaluate("window.told = [], auth.onChange((session, why) => told.push(why)), 0")
    tab.evaluate("auth.logout()")
    tab.evaluate(ANNA)
    assert tab.evaluate("told") == ["logout", "login"]
    assert tab.evaluate("errors") == ["Uncaught Error: a mistake of the page"] * 2


@only_memory
def test_a_listener_that_was_taken_away_is_not_called_any_more(tabs):
    tab = tabs[0]
    tab.evaluate("window.told = [], window.stop = auth.onChange(() => told.push('first')), 0")
    # Also if it was taken away by another one, about the same change.
    tab.evaluate("auth.onChange(() => stopSecond()), window.stopSecond = auth.onChange(() => told.push('second')), 0")
    tab.evaluate("stop()")
    tab.evaluate("auth.logout()")
    assert tab.evaluate("told") == []


@only_memory
def test_a_destroyed_client_does_nothing_by_itself(tabs, wire):
    tab = tabs[0]
    tab.evaluate("auth.destroy()")
    let_expire(tabs)
    before = wire.seen[REFRESH]
    tab.evaluate("show()")
    tabs[1].evaluate("auth.logout()")
    wait_for_change(tabs[2], "logout")
    assert tab.evaluate("changes.map((change) => change[1])") == ["login"]
    assert refreshes_since(wire, before) == 0


@only_memory
def test_a_logout_that_is_under_way_when_the_client_is_destroyed_is_still_seen_in_all_tabs(tabs):
    tabs[0].evaluate("(() => { const done = auth.logout(); auth.destroy(); return done })()")
    wait_for_change(tabs[1], "logout")
    wait_for_change(tabs[2], "logout")


@pytest.mark.parametrize("variant", ["memory without locks"])
@pytest.mark.parametrize(
    "script",
    [
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError') } })",
        "Object.defineProperty(window, 'localStorage', { value: null })",
        "Object.defineProperty(window, 'localStorage', { value: new Proxy({}, { set() { throw Error('full') } }) })",
    ],
    ids=["forbidden", "none", "full"],
)
def test_a_tab_without_locks_and_storage_refreshes_all_the_same(tabs, wire, script):
    tab = open_tab(tabs[0].context, wire, NO_LOCKS, script)
    tab.evaluate("auth.logout()")
    tab.evaluate(ANNA)
    before = wire.seen[REFRESH]
    let_expire([tab])
    assert tab.evaluate(TEN) == TEN_TIMES_ANNA
    assert refreshes_since(wire, before) == 1


@pytest.mark.parametrize("variant", ["memory without locks"])
def test_news_that_come_while_a_tab_waits_for_its_turn_leave_no_lock_behind(tabs, wire):
    tab = tabs[0]
    let_expire(tabs)
    tab.evaluate(f"{ME}, 0")
    tab.wait_for_function("Object.keys(localStorage).length")
    # The other client's refusal ends the session while this one has written its name and not yet looked again.
    tab.evaluate(
        f"new BroadcastChannel('authx:{wire.address}/auth/').postMessage({{ at: Date.now() + 9, why: 'logout' }})"
    )
    wait_for_change(tab, "logout")
    tab.wait_for_function("!Object.keys(localStorage).length")


def test_three_tabs_and_ten_tokens_of_three_seconds(chromium):
    """Nobody is logged out, every call succeeds, and there is one refresh for each token, not one for each tab."""
    refreshes = 10
    call = """
        window.answers = {}
        window.poll = () => auth.fetch('/me').then((answer) => answer.status, (error) => error.name)
          .then((what) => { answers[what] = (answers[what] ?? 0) + 1; setTimeout(poll, 250) })
        poll(), 0
    """
    short = {"JWT_ACCESS_TOKEN_EXPIRES": "3"}
    with (
        application("memory", **short) as (_, memory),
        application("cookies", **short) as (_, cookies),
        application("memory", **short) as (_, lockless),
        chromium.new_context() as first,
        chromium.new_context() as second,
        chromium.new_context() as third,
    ):
        variants = {
            "memory": (memory, [open_tab(first, memory) for _ in range(3)]),
            "cookies": (cookies, [open_tab(second, cookies) for _ in range(3)]),
            "without locks": (lockless, [open_tab(third, lockless, NO_LOCKS) for _ in range(3)]),
        }
        starts = {}
        for name, (wire, tabs) in variants.items():
            begin(tabs)
            for tab in tabs:
                tab.evaluate(call)
            starts[name] = wire.seen[REFRESH], time.monotonic()
        for name, (wire, tabs) in variants.items():
            wait_for_refreshes(wire, starts[name][0], refreshes, tabs[0])
        for name, (wire, tabs) in variants.items():
            before, began = starts[name]
            took = time.monotonic() - began
            count = wire.seen[REFRESH] - before
            # A token of three seconds is replaced a fifth to three tenths before its end. Each tab for itself would
            # replace three times as many.
            assert count <= 1.5 * took / (3 * 0.7) + 1, name
            assert wire.at_once[REFRESH] == 1, name
            answers = [one.answer for one in wire.exchanges if one.path == REFRESH and one.answer is not None]
            assert {answer.status for answer in answers} == {200}, name
            # No two tabs presented the same token: each refresh went one step further.
            assert [generation_in(answer) for answer in answers] == list(range(2, len(answers) + 2)), name
            for tab in tabs:
                counted = tab.evaluate("answers")
                assert set(counted) == {"200"}, (name, counted)
                assert counted["200"] >= refreshes, name
                assert tab.evaluate("changes.every(([expiresAt]) => expiresAt !== null)"), name
                assert tab.evaluate("auth.session()") is not None, name
            sessions = [tab.evaluate("auth.session()") for tab in tabs]
            assert sessions.count(sessions[0]) == 3, name
            print(f"{name}: {count} refreshes in {took:.0f} s")  # noqa: T201
