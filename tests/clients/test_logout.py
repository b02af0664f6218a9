"""The end of a session that its user wants."""

import pytest
from tests.clients.fake import BUSY, LOGIN, PAIR

from authx.clients import TokenPair

ANNA = {"username": "anna", "password": "a pass word"}


def test_logout_ends_the_session_on_the_server_and_forgets_the_tokens(kind, fake):
    told = []
    auth = kind.auth(tokens=PAIR, on_tokens=told.append)
    kind.logout(fake, auth)
    assert fake.tokens("/logout") == ["refresh-0"]
    assert fake.seen[0].method == "POST"
    assert (auth.tokens, told) == (None, [None])


def test_logout_without_a_refresh_token_sends_the_access_token(kind, fake):
    kind.logout(fake, kind.auth(tokens=TokenPair("access-0")))
    assert fake.tokens("/logout") == ["access-0"]


def test_logout_twice_sends_one_request(kind, fake):
    auth = kind.auth(tokens=PAIR)
    kind.logout(fake, auth)
    kind.logout(fake, auth)
    assert fake.count() == {"/logout": 1}


def test_logout_of_nobody_sends_nothing(kind, fake):
    kind.logout(fake, kind.auth(**ANNA))
    assert fake.seen == []


def test_a_session_that_was_over_already_is_forgotten_too(kind, fake):
    fake.script["/logout"] = [LOGIN]
    auth = kind.auth(tokens=PAIR)
    kind.logout(fake, auth)
    assert auth.tokens is None


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_logout_that_the_server_refused_is_an_error_and_keeps_the_tokens(kind, fake, status):
    told = []
    fake.script["/logout"] = [(status, {})]
    auth = kind.auth(tokens=PAIR, on_tokens=told.append)
    with pytest.raises(kind.library.HTTPStatusError, match=str(status)):
        kind.logout(fake, auth)
    assert (auth.tokens, told) == (PAIR, [])


def test_a_logout_that_was_not_answered_keeps_the_tokens(kind, fake):
    fake.script["/logout"] = [lambda request: kind.library.ConnectError("no network")]
    auth = kind.auth(tokens=PAIR)
    with pytest.raises(kind.library.ConnectError):
        kind.logout(fake, auth)
    assert auth.tokens is PAIR


def test_a_logout_waits_for_a_server_that_says_retry(kind, fake):
    fake.script["/logout"] = [BUSY, None]
    auth = kind.auth(tokens=PAIR)
    kind.logout(fake, auth)
    assert (kind.slept, auth.tokens) == ([7], None)


def test_a_request_after_the_logout_logs_in_again_where_the_password_is_known(kind, fake):
    auth = kind.auth(tokens=PAIR, **ANNA)
    kind.logout(fake, auth)
    assert kind.get(fake, auth).status_code == 200
    assert fake.paths() == ["/logout", "/login", "/items"]


def test_a_request_after_the_logout_goes_without_a_token_where_it_is_not(kind, fake):
    auth = kind.auth(tokens=PAIR)
    kind.logout(fake, auth)
    assert kind.get(fake, auth).status_code == 401
    assert fake.tokens("/items") == [None]
