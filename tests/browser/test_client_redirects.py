"""Where a server redirects a page to: no secret of the client goes there."""

import itertools

import pytest
from tests.browser.tabs import ME
from tests.browser.wire import Answer
from tests.support.axes import pairwise, spread

TRAP = "/trap"
STATUSES = [301, 302, 303, 307, 308]


def redirect(status, where, *more):
    return Answer(status, b"", [("Location", where), *more])


def cors(origin):
    """Headers with which a server invites everything."""
    return [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Allow-Headers", "authorization, content-type, idempotency-key, x-csrf-token, x-token"),
        ("Access-Control-Allow-Methods", "GET, POST"),
        ("Access-Control-Max-Age", "0"),
        ("Content-Type", "application/json"),
    ]


@pytest.fixture
def trap(wires, wire):
    """Another origin, which takes whatever comes from the page."""
    trap = wires["both"]
    trap.instead[TRAP] = itertools.repeat(Answer(200, {"access_token": "x"}, cors(wire.address)))
    before = len(trap.exchanges)
    yield trap.address + TRAP, lambda: [one for one in trap.exchanges[before:] if one.path == TRAP]
    trap.instead.clear()


def name_of_error(tab, call):
    return tab.evaluate(f"{call}.then(() => null, (error) => error.name)")


@pytest.mark.parametrize(
    ("path", "status", "wire"),
    pairwise(["login", "refresh", "logout"], STATUSES, ["memory", "cookies"]),
    indirect=["wire"],
)
def test_the_clients_own_requests_follow_no_redirect(tab, wire, trap, path, status):
    where, caught = trap
    wire.instead[f"/auth/{path}"] = iter([redirect(status, where)])
    call = {
        "login": "auth.login({ username: 'anna', password: 'anna' })",
        "refresh": "(shift += 20 * 60 * 1000, auth.fetch('/always/refresh'))",
        "logout": "auth.logout()",
    }[path]
    assert name_of_error(tab, call) == "TypeError"
    assert caught() == []
    assert tab.evaluate(ME) == [200, "anna"]


@pytest.mark.parametrize(
    ("status", "wire", "call"),
    pairwise(
        STATUSES, ["cookies", "both"], ["auth.fetch('/notes', { method: 'POST', body: 'hi' })", "auth.logoutAll()"]
    ),
    indirect=["wire"],
)
def test_a_csrf_value_follows_no_redirect_to_another_origin(tab, wire, trap, call, status):
    where, caught = trap
    wire.instead["/notes"] = wire.instead["/auth/logout/all"] = iter([redirect(status, where)])
    if wire.address == where.removesuffix(TRAP):
        where = where.replace("localhost", "127.0.0.1")
        wire.instead["/notes"] = wire.instead["/auth/logout/all"] = iter([redirect(status, where)])
    assert name_of_error(tab, call) == "TypeError"
    assert caught() == []
    assert tab.evaluate(ME) == [200, "anna"]


@pytest.mark.parametrize(
    ("status", "init"),
    [*spread(STATUSES, ["{}", "{ method: 'POST', body: 'hi' }"]), (308, "{ method: 'POST', body: 'hi' }")],
)
def test_a_token_in_a_header_of_another_name_follows_no_redirect_to_another_origin(tab, wire, trap, init, status):
    where, caught = trap
    wire.instead["/items"] = iter([redirect(status, where)])
    call = f"createAuthClient({{ header: 'X-Token', scheme: '' }}).fetch('/items', {init})"
    assert name_of_error(tab, call) == "TypeError"
    assert wire.last("/items").headers["x-token"].startswith("ey")
    assert caught() == []


@pytest.mark.parametrize(("status", "wire"), spread(STATUSES, ["memory", "cookies"]), indirect=["wire"])
def test_a_request_without_such_a_header_follows_a_redirect_without_the_token(tab, wire, trap, status):
    where, caught = trap
    wire.instead["/items"] = iter([redirect(status, where)])
    assert tab.evaluate("auth.fetch('/items').then((answer) => answer.url)") == where
    assert len(caught()) >= 1
    assert not [one for one in caught() if {"authorization", "x-csrf-token", "idempotency-key"} & set(one.headers)]


@pytest.mark.parametrize("wire", ["memory", "cookies"], indirect=True)
@pytest.mark.parametrize(("status", "method"), [(303, "GET"), (307, "POST"), (308, "POST")])
def test_a_redirect_within_the_origin_is_followed_with_everything(tab, wire, status, method):
    wire.instead["/old"] = iter([redirect(status, "/notes" if method == "POST" else "/me")])
    call = "auth.fetch('/old', { method: 'POST', body: 'hi' }).then((answer) => answer.json())"
    assert tab.evaluate(call)["sub"] == "anna"


def test_a_redirect_within_the_origin_is_followed_with_a_token_in_a_header_of_another_name(tab, wire):
    wire.instead["/old"] = iter([redirect(307, "/public")])
    tab.evaluate("createAuthClient({ header: 'X-Token', scheme: '' }).fetch('/old')")
    assert wire.last("/public").headers["x-token"].startswith("ey")


@pytest.mark.parametrize(("header", "error"), [("X-Token", "TypeError"), ("Authorization", None)])
def test_from_an_api_on_another_origin_too(tab, wire, wires, header, error):
    api, evil, here = wires["both"], wires["cookies"], wire.address
    before = len(evil.exchanges)
    # The question of CORS comes first.
    api.instead["/items"] = iter([Answer(200, b"", cors(here)), redirect(302, evil.address + TRAP, *cors(here)[:2])])
    evil.instead[TRAP] = itertools.repeat(Answer(200, {}, cors("null")))
    client = f"createAuthClient({{ origins: ['{api.address}'], header: '{header}' }})"
    assert name_of_error(tab, f"{client}.fetch('{api.address}/items')") == error
    assert "Bearer ey" in api.last("/items").headers[header.lower()]
    caught = [one for one in evil.exchanges[before:] if one.path == TRAP]
    assert bool(caught) is (error is None)
    assert not [one for one in caught if header.lower() in one.headers]


@pytest.mark.parametrize("mode", ["error", "manual"])
def test_what_the_page_says_of_redirects_is_heeded(tab, wire, trap, mode):
    where, caught = trap
    wire.instead["/items"] = iter([redirect(302, where)])
    call = f"auth.fetch('/items', {{ redirect: '{mode}' }}).then((answer) => answer.type, (error) => error.name)"
    assert tab.evaluate(call) == {"error": "TypeError", "manual": "opaqueredirect"}[mode]
    assert caught() == []
