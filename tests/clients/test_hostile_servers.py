"""Whatever a server answers, a request ends, and after few requests more."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from tests.clients.fake import BASE, BUSY, LOGIN, PAIR, REFRESH, holds

from authx.clients import LoginError, TokenPair

ANNA = {"username": "anna", "password": "a pass word"}
LATER = "Wed, 01 Jan 2030 00:00:05 GMT"


def busy(retry_after=None, status=503, **headers):
    more = {} if retry_after is None else {"Retry-After": retry_after}
    return status, {"code": "auth_unavailable", "action": "retry"}, {**more, **headers}


def test_always_refresh_is_obeyed_once_a_request(kind, fake):
    fake.script["/items"] = [REFRESH]
    auth = kind.auth(tokens=PAIR, **ANNA)
    for number in range(1, 4):
        assert kind.get(fake, auth).status_code == 401
        assert fake.count() == {"/items": 2 * number, "/refresh": number}


def test_always_login_is_obeyed_once_a_request(kind, fake):
    fake.script["/items"] = [LOGIN]
    auth = kind.auth(tokens=PAIR, **ANNA)
    assert kind.get(fake, auth).status_code == 401
    assert fake.paths() == ["/items", "/login", "/items"]
    assert auth.tokens is not None, "the tokens of a login that has just succeeded are not to blame"


def test_each_action_is_obeyed_once_when_they_take_turns(kind, fake):
    fake.script["/items"] = [REFRESH, LOGIN, REFRESH, LOGIN, REFRESH, LOGIN]
    assert kind.get(fake, kind.auth(tokens=PAIR, **ANNA)).status_code == 401
    assert fake.paths() == ["/items", "/refresh", "/items", "/login", "/items"]


@pytest.mark.parametrize("told", [REFRESH, LOGIN, BUSY])
def test_a_server_that_says_the_same_everywhere_is_given_up(kind, fake, told):
    fake.script = {path: [told] for path in ("/items", "/refresh", "/login")}
    assert kind.get(fake, kind.auth(tokens=PAIR)).status_code == told[0]
    with pytest.raises(LoginError):
        kind.get(fake, kind.auth(**ANNA))
    assert len(fake.seen) <= 9


def test_always_refresh_on_the_refresh_itself_ends_nothing(kind, fake):
    fake.script = {"/items": [REFRESH], "/refresh": [REFRESH]}
    auth = kind.auth(tokens=PAIR)
    answer = kind.get(fake, auth)
    assert (answer.status_code, answer.url.path) == (401, "/items")
    assert fake.paths() == ["/items", "/refresh"]
    assert holds(auth, PAIR)


@pytest.mark.parametrize("life", ["0", "-5", "1e-9", "true", '"60"', "null", "[]", "9" * 30])
def test_an_absurd_life_leads_to_no_more_than_one_refresh_a_request(kind, fake, life):
    answer = (200, f'{{"access_token": "a", "refresh_token": "b", "expires_in": {life}}}'.encode())
    fake.script = {"/login": [answer], "/refresh": [answer], "/items": [(200, {})]}
    auth = kind.auth(**ANNA)
    for number in range(1, 4):
        assert kind.get(fake, auth).status_code == 200
        assert fake.count()["/items"] == number
        assert fake.count()["/refresh"] <= (number if life == "1e-9" else 0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b"{}",
        b'{"access_token": null}',
        b'{"access_token": ""}',
        b'{"access_token": 7}',
        b'{"access_token": "a\\r\\nX-Evil: 1"}',
        b'{"access_token": "a b"}',
        '{"access_token": "\u00e4"}'.encode(),
        b'{"access_token": "a", "refresh_token": 7}',
        b'{"access_token": "a", "refresh_token": "b c"}',
        b'{"access_token": "a", "access_token": "b"}',
        b'{"access_token": "a", "token_type": "DPoP"}',
        b'{"access_token": "a", "expires_in": 1e400}',
        b'{"access_token": "a", "expires_in": ' + b"9" * 400 + b"}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"access_token": "' + b"a" * 200_000 + b'"}',
        b'{"access_token": "a"}' + b" " * 200_000,
    ],
    ids=lambda body: repr(body[:40]),
)
def test_a_refresh_answer_that_holds_no_usable_token_changes_nothing(kind, fake, body):
    fake.script = {"/items": [REFRESH, REFRESH, (200, {})], "/refresh": [(200, body)]}
    auth = kind.auth(tokens=PAIR)
    answer = kind.get(fake, auth)
    assert (answer.status_code, answer.url.path) == (401, "/items")
    assert holds(auth, PAIR)
    assert kind.get(fake, auth).status_code == 401
    assert fake.tokens("/refresh") == ["refresh-0", "refresh-0"]


def test_a_token_from_an_answer_that_came_from_elsewhere_is_not_taken(kind, fake):
    fake.script["/refresh"] = [(307, b"", {"Location": "https://evil.test/refresh"}), None]
    fake.script["/items"] = [REFRESH]
    auth = kind.auth(tokens=PAIR)
    answer = kind.get(fake, auth, follow_redirects=True)
    assert (answer.status_code, answer.url.path) == (401, "/items")
    assert holds(auth, PAIR)


def test_an_answer_from_elsewhere_is_not_obeyed(kind, fake):
    fake.script["/items"] = [(302, b"", {"Location": "https://evil.test/trap"})]
    fake.script["/trap"] = [LOGIN]
    auth = kind.auth(tokens=PAIR, **ANNA)
    assert kind.get(fake, auth, follow_redirects=True).status_code == 401
    assert fake.paths() == ["/items", "/trap"]
    assert fake.tokens("/trap") == [None]
    assert holds(auth, PAIR)


@pytest.mark.parametrize("status", [400, 403, 404, 408, 422, 425, 500, 502, 504])
@pytest.mark.parametrize("body", [b"", b'{"action": "login"}', b'{"action": "refresh"}'])
def test_a_refresh_that_failed_ends_nothing_and_is_repeated_by_the_next_request(kind, fake, status, body):
    fake.script = {"/items": [REFRESH, None], "/refresh": [(status, body), None]}
    auth = kind.auth(tokens=PAIR, **ANNA)
    answer = kind.get(fake, auth)
    assert (answer.status_code, answer.url.path) == (401, "/items")
    assert holds(auth, PAIR)
    assert kind.get(fake, auth).status_code == 200
    assert fake.paths() == ["/items", "/refresh", "/refresh", "/items"]
    assert fake.tokens("/refresh") == ["refresh-0", "refresh-0"]


def test_a_refresh_that_failed_before_its_time_does_not_keep_the_old_token_from_being_used(kind, fake):
    fake.script = {"/refresh": [(500, b"")], "/items": [(200, {})]}
    auth = kind.auth(tokens=TokenPair("access-0", "refresh-0", expires_at=kind.clock()))
    assert kind.get(fake, auth).status_code == 200
    assert fake.paths() == ["/refresh", "/items"]


def test_retry_waits_as_long_as_it_is_told(kind, fake):
    fake.script["/items"] = [busy("7"), busy("3", 429), (200, {})]
    assert kind.get(fake, kind.auth(tokens=PAIR)).status_code == 200
    assert kind.slept == [7, 3]


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("0", 0),
        ("000", 0),
        ("30", 30),
        (None, 1),
        ("", 1),
        ("-1", 1),
        ("-99999999999", 1),
        ("1.5", 1),
        ("soon", 1),
        ("5, 6", 1),
        ("\u00b2", 1),
        ("nan", 1),
        ("Wed, 99 Foo 2030", 1),
    ],
)
def test_retry_after_is_read_and_garbage_waits_a_second(kind, fake, told, seconds):
    fake.script["/items"] = [busy(told and told.encode("latin-1"))]
    assert kind.get(fake, kind.auth(tokens=PAIR)).status_code == 503
    assert kind.slept == [seconds, seconds]
    assert fake.count() == {"/items": 3}


def test_retry_after_may_be_a_moment_of_the_servers_clock(kind, fake):
    fake.script["/items"] = [busy(LATER, Date="Wed, 01 Jan 2030 00:00:00 GMT"), (200, {})]
    assert kind.get(fake, kind.auth(tokens=PAIR)).status_code == 200
    assert kind.slept == [5]


def test_retry_after_may_be_a_moment_of_our_clock(kind, fake):
    moment = datetime.fromtimestamp(kind.clock(), UTC) + timedelta(seconds=9)
    fake.script["/items"] = [busy(format_datetime(moment, usegmt=True)), (200, {})]
    assert kind.get(fake, kind.auth(tokens=PAIR)).status_code == 200
    assert kind.slept == [9]


def test_a_moment_that_has_passed_is_now(kind, fake):
    fake.script["/items"] = [busy("Wed, 01 Jan 2020 00:00:00 GMT"), (200, {})]
    assert kind.get(fake, kind.auth(tokens=PAIR)).status_code == 200
    assert kind.slept == [0]


@pytest.mark.parametrize("told", ["31", "3600", "9" * 5000, "Wed, 01 Jan 2130 00:00:00 GMT"])
def test_a_wait_beyond_the_longest_is_left_to_the_caller(kind, fake, told):
    fake.script["/items"] = [busy(told)]
    assert kind.get(fake, kind.auth(tokens=PAIR)).status_code == 503
    assert kind.slept == []


def test_longest_wait_and_number_of_tries_can_be_chosen(kind, fake):
    fake.script["/items"] = [busy("100")]
    assert kind.get(fake, kind.auth(tokens=PAIR, max_wait=100, max_tries=5)).status_code == 503
    assert kind.slept == [100] * 4
    assert kind.get(fake, kind.auth(tokens=PAIR, max_wait=100, max_tries=1)).status_code == 503
    assert kind.slept == [100] * 4


def test_a_refresh_and_a_login_wait_too(kind, fake):
    fake.script = {"/refresh": [BUSY, None], "/login": [busy("2", 429), None]}
    fake.script["/items"] = [REFRESH, LOGIN, None]
    assert kind.get(fake, kind.auth(tokens=PAIR, **ANNA)).status_code == 200
    assert fake.tokens("/refresh") == ["refresh-0", "refresh-0"]
    assert kind.slept == [7, 2]


def test_an_unavailable_server_without_the_action_is_left_to_the_caller(kind, fake):
    fake.script["/items"] = [(503, b"maintenance", {"Retry-After": "1", "content-type": "text/html"})]
    assert kind.get(fake, kind.auth(tokens=PAIR)).status_code == 503
    assert kind.slept == []
    assert len(fake.seen) == 1


def test_a_huge_refusal_is_not_read_but_handed_on(kind, fake):
    body = b'{"action": "login", "x": "' + b"x" * 100_000 + b'"}'
    fake.script["/items"] = [(401, body)]
    auth = kind.auth(tokens=PAIR)
    assert kind.get(fake, auth).content == body
    assert holds(auth, PAIR)


def test_not_more_than_needed_is_read_of_a_refresh_answer_without_end(kind, fake):
    sent = 0

    def endless():
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 65_536

    async def endless_async():
        for chunk in endless():
            yield chunk

    def answer(request):
        if request.url.path == "/refresh":
            content = endless_async() if kind.is_async else endless()
            return kind.library.Response(200, content=content)
        return kind.library.Response(401, json=REFRESH[1])

    fake.answer = answer
    assert kind.get(fake, kind.auth(tokens=PAIR)).status_code == 401
    assert sent <= 3


def test_the_answer_given_back_after_a_failed_refresh_is_whole(kind, fake):
    fake.script = {"/items": [REFRESH], "/refresh": [(500, b"")]}
    answer = kind.get(fake, kind.auth(tokens=PAIR))
    assert answer.request.url == f"{BASE}/items"
    assert answer.json() == REFRESH[1]
    assert answer.is_closed
    with pytest.raises(kind.library.HTTPStatusError, match="401"):
        answer.raise_for_status()
