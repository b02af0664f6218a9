"""What the browser client's `fetch` adds to which request, and what it does about each answer."""

import itertools
import json

import pytest
from playwright.sync_api import Page
from tests.browser.tabs import ANNA, ME, NO_LOCKS, application, last_change, open_tab
from tests.browser.wire import Answer, Exchange, Wire, refusal
from tests.support.axes import spread
from tests.support.waiting import wait_until

REFRESH = "/auth/refresh"
EXPIRED = refusal(401, "refresh", "token_expired")
GIVE_UP = "controller.abort(new DOMException('', 'TimeoutError')), done"
HTML = [("Content-Type", "text/html")]
JSON = [("Content-Type", "application/json")]


in_cookies = pytest.mark.parametrize("wire", ["cookies"], indirect=True)
in_both_modes = pytest.mark.parametrize("wire", ["memory", "cookies"], indirect=True)


def is_logged_in(tab: Page) -> bool:
    return tab.evaluate("auth.session()") is not None


def status_of(tab: Page, path: str, init: str = "{}") -> int:
    return tab.evaluate(f"auth.fetch('{path}', {init}).then((answer) => answer.status)")


def error_of(tab: Page, call: str) -> str | None:
    return tab.evaluate(
        f"(async () => {{ try {{ await {call}; return null }} catch (error) {{ return error.name }} }})()"
    )


def wait_until_asked(tab: Page, wire: Wire, path: str) -> None:
    """Wait for a request that is not answered yet."""
    wait_until(
        lambda: any(one.path == path and one.answer is None for one in wire.exchanges[-5:]),
        f"a request for {path}",
        pause=lambda: tab.wait_for_timeout(5),
    )


# What is added


@pytest.mark.parametrize(
    ("wire", "method", "bearer", "csrf"),
    [
        ("memory", "GET", True, False),
        ("memory", "POST", True, False),
        ("cookies", "GET", False, False),
        ("cookies", "POST", False, True),
        ("cookies", "DELETE", False, True),
        ("both", "GET", True, False),
        ("both", "POST", True, True),
    ],
    indirect=["wire"],
)
def test_a_request_gets_what_its_mode_and_method_ask_for(tab, wire, method, bearer, csrf):
    status_of(tab, "/notes", f"{{ method: '{method}' }}")
    headers = wire.last("/notes").headers
    assert headers.get("authorization", "").startswith("Bearer ey") is bearer
    assert ("x-csrf-token" in headers) is csrf


@pytest.mark.parametrize("wire", ["memory", "cookies", "both"], indirect=True)
def test_what_is_added_is_what_the_server_asks_for(tab):
    assert tab.evaluate(ME) == [200, "anna"]
    text = tab.evaluate("auth.fetch('/notes', { method: 'POST', body: 'hi' }).then((answer) => answer.json())")
    assert text == {"sub": "anna", "text": "hi"}


def test_headers_of_the_page_are_kept(tab, wire):
    status_of(tab, "/public", "{ headers: { 'X-Mine': 'yes', Accept: 'text/plain' } }")
    headers = wire.last("/public").headers
    assert (headers["x-mine"], headers["accept"]) == ("yes", "text/plain")


@pytest.mark.parametrize(
    "request_of",
    [
        "'{}/public'",
        "new URL('{}/public')",
        "new Request('{}/public')",
        # Of another window, so that it is no instance of this one's Request.
        "new (document.body.appendChild(document.createElement('iframe')).contentWindow.Request)('{}/public')",
    ],
)
@pytest.mark.parametrize(("wire", "method"), [("memory", "GET"), ("cookies", "POST")], indirect=["wire"])
def test_another_origin_gets_nothing(tab, wires, request_of, method):
    other = wires["both"]
    before = other.seen["/public"]
    tab.evaluate(f"auth.fetch({request_of.format(other.address)}, {{ method: '{method}' }}).catch(() => 0)")
    assert other.seen["/public"] == before + 1
    headers = other.last("/public").headers
    assert {"authorization", "x-csrf-token", "cookie"} & set(headers) == set()


def test_another_origin_that_the_page_names_gets_the_token(tab, wires):
    other = wires["both"]
    tab.evaluate(f"createAuthClient({{ origins: ['{other.address}'] }}).fetch('{other.address}/public').catch(() => 0)")
    # A question of CORS, since it is no header that every page may send.
    last = other.last("/public")
    assert (last.method, last.headers["access-control-request-headers"]) == ("OPTIONS", "authorization")


def test_a_request_that_brings_its_own_authorization_is_left_alone(tab, wire):
    status_of(tab, "/public", "{ method: 'GET', headers: { Authorization: 'Basic eA==' } }")
    assert wire.last("/public").headers["authorization"] == "Basic eA=="


def test_a_request_without_credentials_is_left_alone_and_ends_no_session(tab, wire):
    assert status_of(tab, "/me", "{ credentials: 'omit' }") == 401
    assert "authorization" not in wire.last("/me").headers
    assert is_logged_in(tab)


# What answers do


@pytest.mark.parametrize(
    ("what", "requests", "refreshes"),
    [("refresh", 2, 1), ("retry", 4, 0), ("csrf", 1, 0), ("login", 1, 0), ("other", 1, 0), ("null", 1, 0)],
)
def test_an_answer_that_is_always_the_same_is_taken_after_a_few_requests(tab, wire, what, requests, refreshes):
    before = wire.seen.copy()
    status = status_of(tab, f"/always/{what}")
    assert status == wire.last(f"/always/{what}").answer.status
    assert wire.seen[f"/always/{what}"] - before[f"/always/{what}"] == requests
    assert wire.seen[REFRESH] - before[REFRESH] == refreshes
    assert is_logged_in(tab) is (what != "login")


def test_answers_that_take_turns_are_taken_after_a_few_requests_too(tab, wire):
    turns = [EXPIRED, refusal(503, "retry", after="0"), refusal(403, "csrf")]
    wire.instead["/me"] = itertools.cycle(turns)
    before = wire.seen.copy()
    status_of(tab, "/me")
    assert wire.seen["/me"] - before["/me"] <= 12
    assert wire.seen[REFRESH] - before[REFRESH] <= 4
    assert is_logged_in(tab)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"<title>Welcome to our hotel</title>", HTML),
        Answer(200, b"null", JSON),
        Answer(200, b"[", JSON),
        Answer(302, b"", [("Location", REFRESH)]),
        Answer(401, b"<title>Who are you?</title>", HTML),
        Answer(401, b"null", JSON),
        Answer(401, {"action": ["login"]}, JSON),
        Answer(404, {"detail": "Not Found"}, JSON),
        Answer(429, {"action": "retry"}, [*JSON, ("Retry-After", "-1")]),
        Answer(500, {"action": "login"}, JSON),
        Answer(502, b"Bad Gateway", HTML),
        refusal(401, "refresh"),
        refusal(403, "csrf"),
        refusal(503, "retry", after="99999999999999"),
    ],
    ids=lambda answer: f"{answer.status}-{answer.body.decode()[:24]}",
)
def test_an_odd_answer_to_a_refresh_logs_nobody_out(tab, wire, answer):
    wire.instead |= {"/me": itertools.repeat(EXPIRED), REFRESH: itertools.repeat(answer)}
    before = wire.seen.copy()
    tab.evaluate("auth.fetch('/me').catch(() => 0)")
    assert wire.seen["/me"] - before["/me"] <= 4
    assert wire.seen[REFRESH] - before[REFRESH] <= 4
    assert is_logged_in(tab)
    wire.instead.clear()
    assert tab.evaluate(ME) == [200, "anna"]


def test_a_refresh_without_a_token_where_the_page_keeps_it_changes_nothing(tab, wire):
    wire.instead |= {"/me": iter([EXPIRED]), REFRESH: iter([Answer(200, {"message": "Refreshed"}, JSON)])}
    assert error_of(tab, "auth.fetch('/me')") == "TypeError"
    assert tab.evaluate(ME) == [200, "anna"]


@in_both_modes
@pytest.mark.parametrize("seconds", ["0", "-5", "1e-9", '"soon"', "null", "[]", "1e999"])
def test_a_lifetime_that_is_none_starts_no_loop(tab, wire, seconds):
    content = f'{{"access_token": "a.b.c", "expires_in": {seconds}, "refresh_expires_in": {seconds}}}'.encode()
    wire.instead |= {"/public": iter([EXPIRED]), REFRESH: itertools.repeat(Answer(200, content, JSON))}
    before = wire.seen[REFRESH]
    tab.evaluate("auth.fetch('/public')")
    tab.wait_for_timeout(50)  # in which a timer would have spun
    assert wire.seen[REFRESH] - before == 1
    assert tab.evaluate("auth.session().then((session) => session.expiresAt)") in {None, float("inf")}


@in_both_modes
def test_a_refused_refresh_ends_the_session_and_says_why(tab, wire):
    wire.instead |= {"/me": itertools.repeat(EXPIRED), REFRESH: iter([refusal(401, "login", "refresh_reused")])}
    answer = tab.evaluate("auth.fetch('/me').then(async (answer) => [answer.status, (await answer.json()).code])")
    assert answer == [401, "refresh_reused"]
    assert last_change(tab) == "refresh_reused"
    assert tab.evaluate("auth.session()") is None


def test_a_late_refusal_of_an_old_session_does_not_end_a_new_one(tab, wire):
    with wire.holding("/always/login"):
        tab.evaluate("window.late = auth.fetch('/always/login').then((answer) => answer.status); 0")
        wait_until_asked(tab, wire, "/always/login")
        tab.evaluate(ANNA)
        wire.instead["/always/login"] = iter([Answer(200, {}, JSON)])
    # It is asked again, with the new session's token.
    assert tab.evaluate("late") == 200
    assert is_logged_in(tab)


@in_cookies
def test_a_csrf_value_that_was_replaced_meanwhile_is_read_again(tab, wire):
    wire.instead["/notes"] = iter([refusal(403, "csrf")])
    with wire.holding("/notes"):
        tab.evaluate("window.late = auth.fetch('/notes', { method: 'POST', body: 'hi' }).then((it) => it.json()); 0")
        wait_until_asked(tab, wire, "/notes")
        # A login that this client does not hear of.
        tab.evaluate(
            """fetch('/auth/login', {
              method: 'POST',
              headers: { 'Content-Type': 'application/json' },
              body: JSON.stringify({ username: 'bert', password: 'bert' }),
            })"""
        )
    assert tab.evaluate("late") == {"sub": "bert", "text": "hi"}


def test_an_answer_to_try_later_is_waited_for(tab, wire):
    wire.instead["/me"] = iter([refusal(429, "retry", after="1")])
    took = (
        "(async () => { const start = performance.now(); await auth.fetch('/me'); return performance.now() - start })()"
    )
    assert 1000 <= tab.evaluate(took) < 3000


def test_an_answer_to_try_much_later_is_given_to_the_page(tab, wire):
    wire.instead["/me"] = iter([refusal(429, "retry", after="3600")])
    assert status_of(tab, "/me") == 429


def test_a_refresh_that_is_to_be_tried_later_is_tried_again(tab, wire):
    wire.instead |= {"/me": iter([EXPIRED, EXPIRED]), REFRESH: iter([refusal(503, "retry", after="0")])}
    assert tab.evaluate(ME) == [200, "anna"]


# Bodies

BODIES = {
    "string": "{ method: 'POST', body: 'hello' }",
    "form": "{ method: 'POST', body: (() => { const f = new FormData(); f.set('text', 'hello'); return f })() }",
    "blob": "{ method: 'POST', body: new Blob(['hel', 'lo'], { type: 'text/plain' }) }",
    "buffer": "{ method: 'POST', body: new TextEncoder().encode('hello') }",
}


@pytest.mark.parametrize(
    ("kind", "refused"), spread([*BODIES, "request"], [EXPIRED, refusal(503, "retry", after="0")]), ids=str
)
def test_a_body_is_sent_whole_the_second_time_too(tab, wire, kind, refused):
    wire.instead["/notes"] = iter([refused])
    arguments = f"'/notes', {BODIES[kind]}" if kind in BODIES else f"new Request('/notes', {BODIES['string']})"
    before = wire.seen["/notes"]
    answer = tab.evaluate(f"auth.fetch({arguments}).then((answer) => answer.json())")
    assert answer == {"sub": "anna", "text": "hello"}
    assert wire.seen["/notes"] == before + 2


def test_a_request_whose_body_was_used_fails_and_is_not_sent(tab, wire):
    before = wire.seen["/notes"]
    tab.evaluate(f"(async () => {{ window.used = new Request('/notes', {BODIES['string']}); await used.text() }})()")
    assert error_of(tab, "auth.fetch(used)") == "TypeError"
    assert wire.seen["/notes"] == before


def test_the_body_of_a_request_is_used_up_as_by_fetch(tab):
    tab.evaluate(f"auth.fetch(window.used = new Request('/notes', {BODIES['string']}))")
    assert tab.evaluate("used.bodyUsed") is True


@pytest.mark.parametrize("refused", [EXPIRED, refusal(503, "retry", after="0"), refusal(403, "csrf")], ids=str)
def test_a_stream_is_sent_once(tab, wire, refused):
    """By a stand-in for the browser's fetch, which sends streams over HTTP/2 only."""
    status = tab.evaluate(
        """([status, text]) => {
          window.sent = []
          const transport = async (request) => {
            if (!request.url.endsWith('/upload')) return fetch(request)
            sent.push(await request.text())
            return new Response(text, { status, headers: { 'Content-Type': 'application/json', 'Retry-After': '0' } })
          }
          const body = new Response('in pieces').body
          const client = createAuthClient({ fetch: transport })
          return client.fetch('/upload', { method: 'POST', duplex: 'half', body }).then((answer) => answer.status)
        }""",
        [refused.status, json.dumps(refused.content)],
    )
    assert status == refused.status
    assert tab.evaluate("sent") == ["in pieces"]


# Waiting and giving up


def test_a_signal_ends_the_wait_for_another_try(tab, wire):
    wire.instead["/me"] = itertools.repeat(refusal(503, "retry", after="20"))
    before = wire.seen["/me"]
    begin_with_a_signal(tab)
    answered = lambda: wire.seen["/me"] > before and wire.last("/me").answer  # noqa: E731
    wait_until(answered, "the answer", pause=lambda: tab.wait_for_timeout(5))
    assert tab.evaluate(GIVE_UP) == "TimeoutError"
    assert wire.seen["/me"] == before + 1


def test_a_signal_ends_the_reading_of_a_refusal(tab):
    name = tab.evaluate(
        """() => {
          const headers = { 'Content-Type': 'application/json' }
          const transport = async () => new Response(new ReadableStream(), { status: 503, headers })
          const client = createAuthClient({ fetch: transport })
          const controller = new AbortController()
          const done = client.fetch('/me', { signal: controller.signal }).then(() => null, (error) => error.name)
          setTimeout(() => controller.abort(new DOMException('', 'TimeoutError')), 10)
          return done.finally(() => client.destroy())
        }"""
    )
    assert name == "TimeoutError"


def begin_with_a_signal(tab: Page) -> None:
    tab.evaluate(
        """window.controller = new AbortController(),
        window.done = auth.fetch('/me', { signal: controller.signal }).then(() => null, (error) => error.name), 0"""
    )


def test_a_signal_ends_the_wait_for_a_refresh_and_the_refresh_goes_on(tab, wire):
    wire.instead["/me"] = iter([EXPIRED])
    with wire.holding(REFRESH):
        begin_with_a_signal(tab)
        wait_until_asked(tab, wire, REFRESH)
        assert tab.evaluate(GIVE_UP) == "TimeoutError"
        assert last_change(tab) is None
    tab.wait_for_function("changes.at(-1)?.[1] === 'refresh'")


def test_a_signal_that_was_given_before_sends_nothing(tab, wire):
    before = wire.seen["/me"]
    assert error_of(tab, "auth.fetch('/me', { signal: AbortSignal.abort() })") == "AbortError"
    assert wire.seen["/me"] == before


@pytest.mark.parametrize("lock", ["locks", "storage"])
def test_nobody_waits_for_ever_for_a_tab_that_hangs(chromium, wires, lock):
    wire = wires["memory"]
    with chromium.new_context() as context:
        tab = open_tab(context, wire, *([NO_LOCKS] if lock == "storage" else []))
        # A lease is five seconds longer than that, and nobody waits longer than for two of them.
        tab.evaluate("auth.destroy(), window.auth = createAuthClient({ timeout: -4500 })")
        hang = {
            "locks": "(name) => { navigator.locks.request(name, () => new Promise(() => 0)) }",
            "storage": "(name) => { setInterval(() => { localStorage[name] = `somebody ${Date.now()}` }, 10) }",
        }
        tab.evaluate(hang[lock], f"authx:{wire.address}/auth/")
        tab.wait_for_timeout(50)
        assert error_of(tab, ANNA) == "TimeoutError"


# What the calls say


def test_a_wrong_password_is_an_error_with_a_reason(tab):
    answer = tab.evaluate(
        """auth.login({ username: 'anna', password: 'wrong' }).catch((error) =>
          [error instanceof AuthError, error instanceof Error, error.name, error.status, error.code, error.message])"""
    )
    assert answer == [True, True, "AuthError", 401, "credentials_invalid", "User name or password is wrong"]
    assert is_logged_in(tab)


@in_both_modes
def test_logout_ends_the_session_on_the_server(tab, wire):
    tab.evaluate("auth.logout()")
    assert tab.evaluate("auth.session()") is None
    assert status_of(tab, "/me") == 401
    assert "refresh_token_cookie" not in {cookie["name"] for cookie in tab.context.cookies()}


def test_a_logout_that_does_not_arrive_is_an_error_and_the_session_goes_on(tab, wire):
    wire.is_cut = True
    try:
        assert error_of(tab, "auth.logout()") == "TypeError"
    finally:
        wire.is_cut = False
    assert is_logged_in(tab)
    assert tab.evaluate(ME) == [200, "anna"]


def test_a_logout_that_the_server_cannot_do_is_an_error_and_the_session_goes_on(tab, wire):
    wire.instead["/auth/logout"] = iter([refusal(503, "retry", "auth_unavailable", after="1")])
    assert tab.evaluate("auth.logout().catch((error) => [error.status, error.code])") == [503, "auth_unavailable"]
    assert tab.evaluate(ME) == [200, "anna"]


@in_both_modes
@pytest.mark.parametrize(("options", "here"), [("{ keepCurrent: true }", 200), ("", 401)])
def test_logout_all_ends_all_sessions_or_all_others(chromium, tab, wire, options, here):
    with chromium.new_context() as elsewhere:
        other = open_tab(elsewhere, wire)
        other.evaluate(ANNA)
        tab.evaluate(f"auth.logoutAll({options})")
        assert status_of(other, "/me") == 401
        assert other.evaluate("auth.session()") is None
    assert is_logged_in(tab) is (here == 200)
    assert status_of(tab, "/me") == here


@in_both_modes
def test_an_anonymous_visitor_costs_no_request_and_no_line_in_the_console(chromium, wire):
    with chromium.new_context() as context:
        lines = []
        context.on("console", lambda line: lines.append(line.text))
        tab = open_tab(context, wire)
        before = sum(wire.seen.values())
        assert tab.evaluate("auth.session()") is None
        assert last_change(tab) == "none"
        assert sum(wire.seen.values()) == before
        assert lines == []


@in_both_modes
def test_a_reloaded_page_is_still_logged_in(tab):
    tab.reload()
    tab.wait_for_function("window.auth")
    assert tab.evaluate(ME) == [200, "anna"]
    assert is_logged_in(tab)


# What can be found


def tokens_of(exchange: Exchange) -> set[str]:
    """The tokens that an answer brought."""
    found = {value for name, value in exchange.answer.cookies().items() if "token_cookie" in name}
    if exchange.path in {"/auth/login", REFRESH}:
        body = json.loads(exchange.answer.body)
        found |= {body[key] for key in ("access_token", "refresh_token") if key in body}
    return found - {"", '""'}


@pytest.mark.parametrize("wire", ["memory", "cookies", "both"], indirect=True)
def test_no_token_can_be_found_in_storage_address_console_or_page(chromium, wire):
    first = len(wire.exchanges)
    with chromium.new_context() as context:
        lines = []
        context.on("console", lambda line: lines.append(line.text))
        tab = open_tab(context, wire, NO_LOCKS)
        tab.evaluate(ANNA)
        wire.instead["/me"] = iter([EXPIRED])
        tab.evaluate(ME)
        tab.evaluate("auth.fetch('/always/other')")
        tab.evaluate("auth.logout()")
        tab.evaluate(ANNA)
        places = tab.evaluate(
            """async () => [
              JSON.stringify({ ...localStorage }), JSON.stringify({ ...sessionStorage }), location.href,
              document.documentElement.outerHTML, document.cookie, JSON.stringify(history.state), window.name,
              JSON.stringify(await indexedDB.databases()), JSON.stringify(await caches.keys()),
            ]"""
        )
    tokens = set().union(*(tokens_of(exchange) for exchange in wire.exchanges[first:]))
    assert len(tokens) >= 5
    assert all(token.startswith("ey") for token in tokens)
    everything = "\n".join([*places, *lines])
    assert not [token for token in tokens if token in everything or token.rpartition(".")[2] in everything]
    assert not [one.path for one in wire.exchanges[first:] if any(token in one.path for token in tokens)]


# The module


def test_the_module_exports_two_names_and_a_client_has_seven_methods(tab):
    assert tab.evaluate("import('/auth/client.js').then((module) => Object.keys(module).sort())") == [
        "AuthError",
        "createAuthClient",
    ]
    assert tab.evaluate("Object.keys(auth).sort()") == [
        "destroy",
        "fetch",
        "login",
        "logout",
        "logoutAll",
        "onChange",
        "session",
    ]


def test_where_the_refresh_token_has_no_cookie_the_import_fails_and_names_the_setting(chromium, wires):
    with application("headers") as (_, wire), chromium.new_context() as context:
        page = context.new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(error.message))
        page.goto(wire.address)
        wait_until(lambda: errors, "the error", pause=lambda: page.wait_for_timeout(5))
        page.wait_for_load_state("networkidle")
        assert len(errors) == 1
        assert "JWT_REFRESH_TOKEN_LOCATION" in errors[0]
