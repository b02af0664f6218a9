"""The key that marks all attempts at one refresh: all tabs share it until one of them has succeeded."""

import itertools
import re

import pytest
from tests.browser.tabs import ANNA, ME, NO_LOCKS, begin, open_tab
from tests.browser.wire import Answer, Wire, refusal
from tests.support.waiting import wait_until

REFRESH = "/auth/refresh"
HEADER = "idempotency-key"
LET_EXPIRE = "shift += 20 * 60 * 1000"
JSON = [("Content-Type", "application/json")]
HTML = [("Content-Type", "text/html")]
USABLE = re.compile(r"[!#-\[\]-~]{16,128}")
KEPT = "localStorage[`authx:${location.origin}/auth/:attempt`] ?? null"
# What a page says when the refresh of its expired token has failed.
TRY = f"({LET_EXPIRE}, auth.fetch('/always/refresh').then((answer) => answer.status, (error) => error.name))"
BLOCKED = {
    "forbidden": "get() { throw new DOMException('no', 'SecurityError') }",
    "none": "value: null",
    "full": "value: new Proxy({}, { set() { throw Error('full') } })",
    "spoilt": "value: new Proxy({}, { get: (it, name) => (/attempt$/.test(name) ? '\u2603' : it[name]) })",
}


@pytest.fixture(scope="module")
def mode(request, wires) -> Wire:
    return wires[getattr(request, "param", "memory")]


@pytest.fixture
def wire(mode) -> Wire:
    mode.instead.clear()
    return mode


@pytest.fixture(scope="module")
def window(chromium, mode):
    with chromium.new_context() as context:
        yield [open_tab(context, mode), open_tab(context, mode)]


@pytest.fixture
def tabs(window, wire):
    """Two tabs of a user who is logged in."""
    begin(window)
    return window


@pytest.fixture
def keys(wire):
    """The keys of the refreshes from now on, in order."""
    before = len(wire.exchanges)
    return lambda: [one.headers.get(HEADER) for one in wire.exchanges[before:] if one.path == REFRESH]


def test_each_refresh_has_another_key_and_leaves_none_behind(tabs, keys):
    for tab in [*tabs, *tabs]:
        tab.evaluate(TRY)
        assert tab.evaluate(KEPT) is None
    assert len(set(keys())) == 4
    assert all(USABLE.fullmatch(key) for key in keys())


def test_no_other_request_has_a_key(tabs, wire):
    before = len(wire.exchanges)
    tabs[0].evaluate("auth.fetch('/notes', { method: 'POST', body: 'hi' })")
    tabs[0].evaluate("auth.logout()")
    tabs[0].evaluate(ANNA)
    assert len(wire.exchanges) >= before + 3
    assert not [one.path for one in wire.exchanges[before:] if HEADER in one.headers]


@pytest.mark.parametrize("mode", ["memory", "cookies"], indirect=True)
@pytest.mark.parametrize(
    "answer",
    [
        refusal(503, "retry", after="0"),
        refusal(429, "retry", after="0"),
        refusal(403, "csrf"),
        refusal(401, "refresh"),
        refusal(500, "login"),
        Answer(401, b"<title>Who are you?</title>", HTML),
        Answer(429, b"", HTML),
        Answer(502, b"Bad Gateway", HTML),
        Answer(200, b"<title>Welcome to our hotel</title>", HTML),
        Answer(200, b"null", JSON),
        Answer(302, b"", [("Location", "/public")]),
    ],
    ids=lambda answer: f"{answer.status}-{answer.body.decode()[:24]}",
)
def test_every_tab_repeats_a_refresh_that_brought_nothing_with_the_same_key(tabs, wire, keys, answer):
    wire.instead[REFRESH] = itertools.repeat(answer)
    for tab in [*tabs, *tabs]:
        tab.evaluate(TRY)
    kept = tabs[1].evaluate(KEPT)
    assert set(keys()) == {kept}
    assert len(keys()) >= 4
    wire.instead.clear()
    assert tabs[1].evaluate(f"({LET_EXPIRE}, {ME})") == [200, "anna"]
    assert set(keys()) == {kept}
    assert tabs[0].evaluate(KEPT) is None


def test_a_refresh_without_an_answer_is_repeated_with_the_same_key(tabs, wire, keys):
    wire.lose_all.add(REFRESH)
    try:
        assert [tab.evaluate(TRY) for tab in tabs] == ["TypeError"] * 2
    finally:
        wire.lose_all.clear()
    assert set(keys()) == {tabs[0].evaluate(KEPT)}


def test_a_refresh_that_took_too_long_is_repeated_with_the_same_key(tabs, wire, keys):
    with wire.holding(REFRESH):
        tabs[0].evaluate("auth.destroy(), window.auth = createAuthClient({ timeout: 300 })")
        assert tabs[0].evaluate("auth.fetch('/always/refresh').catch((error) => error.name)") == "TimeoutError"
    assert set(keys()) == {tabs[1].evaluate(KEPT)}


ENDS = {
    "a refusal": "auth.fetch('/always/refresh')",
    "a login": ANNA,
    "a logout": "auth.logout()",
    "a logout everywhere": "auth.logoutAll()",
}


@pytest.mark.parametrize("call", ENDS.values(), ids=ENDS)
def test_the_end_of_a_session_and_the_next_one_end_the_key(tabs, wire, keys, call):
    wire.instead[REFRESH] = iter([Answer(502, b"", HTML)])
    tabs[0].evaluate("auth.fetch('/always/refresh')")
    assert tabs[0].evaluate(KEPT) is not None
    tabs[0].evaluate("auth.destroy(), window.auth = createAuthClient()")
    tabs[0].evaluate("auth.session()")
    wire.instead[REFRESH] = iter([refusal(401, "login", "session_revoked")])
    tabs[0].evaluate(call)
    assert tabs[0].evaluate(KEPT) is None
    wire.instead.clear()


@pytest.mark.parametrize("call", ["auth.login({ username: 'anna', password: 'wrong' })", "auth.logout()"])
def test_a_login_and_a_logout_that_were_refused_leave_the_key(tabs, wire, call):
    wire.instead[REFRESH] = iter([Answer(502, b"", HTML)])
    tabs[0].evaluate("auth.fetch('/always/refresh')")
    key = tabs[0].evaluate(KEPT)
    wire.instead["/auth/logout"] = iter([Answer(503, b"", HTML)])
    tabs[0].evaluate(f"auth.destroy(), window.auth = createAuthClient(), {call}.catch(() => 0)")
    assert tabs[0].evaluate(KEPT) == key


@pytest.mark.parametrize("how", BLOCKED.values(), ids=BLOCKED)
@pytest.mark.parametrize("locks", [[], [NO_LOCKS]], ids=["locks", "no locks"])
def test_without_a_storage_a_tab_remembers_the_key_itself(tabs, wire, keys, how, locks):
    script = f"Object.defineProperty(window, 'localStorage', {{ {how} }})"
    tab = open_tab(tabs[0].context, wire, *locks, script)
    try:
        tab.evaluate("auth.session()")
        wire.instead[REFRESH] = itertools.repeat(Answer(502, b"", HTML))
        for _ in range(3):
            tab.evaluate(TRY)
        assert len(set(keys())) == 1
        wire.instead.clear()
        for _ in range(2):
            tab.evaluate(TRY)
        sent = keys()
        assert len(set(sent)) == 2
        assert sent[-1] != sent[-2]
        assert all(USABLE.fullmatch(key) for key in sent)
    finally:
        tab.close()


def test_storage_holds_the_key_of_an_unfinished_refresh_and_nothing_else(tabs, wire, keys):
    with wire.holding(REFRESH):
        tabs[0].evaluate(f"{TRY}, 0")
        tabs[0].wait_for_function(KEPT)
        stored = tabs[1].evaluate("[{ ...localStorage }, { ...sessionStorage }]")
    name = f"authx:{wire.address}/auth/:attempt"
    assert stored == [{name: keys()[0]}, {}]


@pytest.mark.parametrize("options", ["{ retryHeader: null }", "{ retryHeader: '' }"])
def test_a_client_without_the_header_sends_no_key_and_stores_none(tabs, wire, keys, options):
    tabs[0].evaluate(f"auth.destroy(), window.auth = createAuthClient({options})")
    wire.instead[REFRESH] = iter([Answer(502, b"", HTML)])
    tabs[0].evaluate("auth.fetch('/always/refresh')")
    assert set(keys()) == {None}
    assert tabs[0].evaluate(KEPT) is None


def test_the_header_can_be_renamed(tabs, wire):
    tabs[0].evaluate("auth.destroy(), window.auth = createAuthClient({ retryHeader: 'X-Attempt' })")
    tabs[0].evaluate("auth.fetch('/always/refresh')")
    assert USABLE.fullmatch(wire.last(REFRESH).headers["x-attempt"])
    assert HEADER not in wire.last(REFRESH).headers


def test_a_page_that_is_left_during_a_refresh_goes_on_with_the_cookie_that_came(tabs, wire, keys):
    first, second = tabs
    second.evaluate("auth.destroy()")
    token = refresh_token(first)
    with wire.holding(REFRESH):
        first.evaluate(f"{TRY}, 0")
        first.wait_for_function(KEPT)
        first.goto(f"{wire.address}/public")
    wait_until(lambda: refresh_token(first) != token, "a new cookie", pause=lambda: first.wait_for_timeout(10))
    assert first.evaluate(KEPT) == keys()[0]
    first.goto(wire.address)
    first.wait_for_function("window.auth")
    assert first.evaluate("auth.session()") is not None
    assert wire.last(REFRESH).answer.status == 200
    assert first.evaluate("Object.keys(localStorage)") == []


def refresh_token(tab):
    return next(one["value"] for one in tab.context.cookies() if one["name"] == "refresh_token_cookie")


def test_a_tab_that_nobody_looks_at_goes_on_with_a_refresh_that_it_has_begun(tabs, wire):
    tab = tabs[0]
    tabs[1].evaluate("auth.destroy()")
    wire.instead[REFRESH] = iter([Answer(502, b"", HTML)])
    tab.evaluate(TRY)
    tab.evaluate("window.asleep = true, dispatchEvent(new Event('visibilitychange'))")
    tab.wait_for_function("changes.at(-1)[1] === 'refresh'")
    assert tab.evaluate("document.hidden") is True


def test_a_tab_waits_at_most_twenty_seconds_for_the_next_try(tabs):
    waited = tabs[0].evaluate(
        """async () => {
          auth.destroy()
          const delays = []
          const real = setTimeout
          const done = new Promise((resolve) => {
            window.setTimeout = (work, ms, ...more) => {
              if (ms >= 1000) delays.push(ms)
              if (delays.length === 40) resolve()
              return real(work, Math.min(ms, 1), ...more)
            }
          })
          const transport = async () => { throw new TypeError('no network') }
          const client = createAuthClient({ fetch: transport, accessCookie: false, base: '/elsewhere' })
          await client.session().catch(() => 0)
          await done
          client.destroy()
          window.setTimeout = real
          return delays
        }"""
    )
    assert max(waited) <= 20_000
    assert max(waited) > 12_000
    assert waited[0] <= 2000
