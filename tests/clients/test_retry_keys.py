"""The key that marks all attempts at one refresh, so that a lost answer can be had at any later time."""

import json
import re
import sys
from dataclasses import asdict, replace

import pytest
from tests.clients.fake import BASE, BUSY, LOGIN, PAIR, REFRESH, holds
from tests.clients.world import ANNA

from authx.clients import AuthXAuth, TokenPair

KEY = "Idempotency-Key"
USABLE = re.compile(r"[A-Za-z0-9_-]{22,128}")


def keys(fake, header=KEY):
    """The keys of the refreshes, in order."""
    return [one.headers.get(header.lower()) for one in fake.seen if one.path == "/refresh"]


def lost(request):
    """Lose an answer after the server has done its work."""
    library = sys.modules[type(request).__module__.partition(".")[0]]
    return library.ReadError("the connection is gone")


def test_each_refresh_has_a_key_of_its_own(kind, fake):
    auth = kind.auth(tokens=PAIR)
    for _ in range(3):
        fake.issued += 1
        kind.get(fake, auth)
        assert auth.tokens.retry_key is None
    assert len(set(keys(fake))) == 3
    assert all(USABLE.fullmatch(key) for key in keys(fake))


def test_no_other_request_has_one(kind, fake):
    auth = kind.auth(**ANNA)
    kind.get(fake, auth)
    kind.logout(fake, auth)
    assert not [one.path for one in fake.seen if KEY.lower() in one.headers]


@pytest.mark.parametrize(
    "answer",
    [
        lost,
        BUSY,
        (429, {"action": "retry"}),
        (503, b"maintenance"),
        (500, b""),
        (502, {"action": "login"}),
        (403, b""),
        (200, b"<title>hotel</title>"),
        (307, b"", {"Location": "/elsewhere"}),
    ],
    ids=["lost", "busy", "429", "503", "500", "502", "403", "unreadable", "redirected"],
)
def test_a_refresh_that_brought_no_tokens_is_repeated_with_the_same_key(kind, fake, answer):
    fake.script = {"/items": [REFRESH, None], "/refresh": [answer] * 4 + [None]}
    auth = kind.auth(tokens=PAIR, max_tries=1)
    for _ in range(4):
        try:
            kind.get(fake, auth)
        except kind.library.ReadError:
            assert answer is lost
        kind.clock.advance(3600)
    assert holds(auth, PAIR)
    assert auth.tokens.retry_key == keys(fake)[0]
    kind.get(fake, auth)
    assert len(set(keys(fake))) == 1
    assert len(keys(fake)) == 5
    assert auth.tokens == TokenPair("access-1", "refresh-1")


def test_a_refusal_ends_the_key(kind, fake):
    fake.script = {"/items": [REFRESH, None], "/refresh": [(401, b"who are you?"), None]}
    auth = kind.auth(tokens=PAIR)
    kind.get(fake, auth)
    assert auth.tokens == PAIR
    kind.get(fake, auth)
    assert len(set(keys(fake))) == 2


def test_the_end_of_a_session_ends_the_key(kind, fake):
    fake.script = {"/items": [REFRESH, None], "/refresh": [(500, b""), LOGIN]}
    auth = kind.auth(tokens=PAIR, **ANNA)
    kind.get(fake, auth)
    assert auth.tokens.retry_key is not None
    kind.get(fake, auth)
    assert auth.tokens == TokenPair("access-1", "refresh-1")


@pytest.mark.parametrize("header", ["X-Attempt", None])
def test_the_header_can_be_renamed_and_left_out(kind, fake, header):
    fake.script["/items"] = [REFRESH, None]
    kind.get(fake, kind.auth(tokens=PAIR, retry_key_header=header))
    names = set(fake.seen[1].headers)
    assert KEY.lower() not in names
    assert (header or "").lower() in {*names, ""}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"retry_key_header": "X Key"}, "retry_key_header"),
        ({"retry_key_header": ""}, "retry_key_header"),
        ({"retry_key_header": "authorization"}, "two headers"),
        ({"headers": {"idempotency-key": "x"}}, "the retry key, idempotency-key"),
    ],
)
def test_headers_that_cannot_work_are_refused(more, message):
    with pytest.raises(ValueError, match=message):
        AuthXAuth(BASE, tokens=PAIR, **more)


def test_a_key_that_was_kept_is_used_for_the_pair_that_it_was_kept_with(kind, fake):
    fake.issued = 1
    auth = kind.auth(tokens=replace(PAIR, retry_key="a-key-of-an-earlier-run"))
    kind.get(fake, auth)
    fake.issued += 1
    kind.get(fake, auth)
    assert keys(fake)[0] == "a-key-of-an-earlier-run"
    assert keys(fake)[1] != keys(fake)[0]


def test_with_a_wish_the_key_is_saved_before_the_first_attempt_and_once(kind, fake):
    told = []
    fake.script = {"/items": [REFRESH, None], "/refresh": [(500, b""), (500, b""), None]}
    auth = kind.auth(tokens=PAIR, on_tokens=lambda pair: told.append((pair, len(keys(fake)))), save_retry_key=True)
    for _ in range(3):
        kind.get(fake, auth)
    key = keys(fake)[0]
    assert told == [(replace(PAIR, retry_key=key), 0), (TokenPair("access-1", "refresh-1"), 3)]


def test_without_a_wish_only_new_tokens_are_told(kind, fake):
    told = []
    fake.script = {"/items": [REFRESH, None], "/refresh": [(500, b""), None]}
    auth = kind.auth(tokens=PAIR, on_tokens=told.append)
    for _ in range(2):
        kind.get(fake, auth)
    assert told == [TokenPair("access-1", "refresh-1")]


def test_a_key_that_nobody_can_save_is_sent_all_the_same(kind, fake):
    fake.script["/items"] = [REFRESH, None]
    assert kind.get(fake, kind.auth(tokens=PAIR, save_retry_key=True)).status_code == 200
    assert USABLE.fullmatch(keys(fake)[0])


def test_no_refresh_is_sent_before_its_key_is_saved(kind, fake):
    def save(pair):
        raise OSError("no space left")

    fake.script["/items"] = [REFRESH]
    auth = kind.auth(tokens=PAIR, on_tokens=save, save_retry_key=True)
    for _ in range(2):
        with pytest.raises(OSError, match="no space"):
            kind.get(fake, auth)
    assert keys(fake) == []


@pytest.mark.parametrize(
    "key",
    [
        "",
        "fifteen-letters",
        "x" * 129,
        'has-a-"-quote-in-it',
        "back\\slash-back\\slash",
        "a key with spaces",
        "a-key-with-\u00e9-in-it",
        "line\r\nline-line-line",
        7,
        b"a-key-in-bytes-bytes",
    ],
)
def test_a_pair_refuses_what_is_no_key_without_repeating_it(key):
    with pytest.raises(ValueError, match="retry_key") as caught:
        TokenPair("a", "b", retry_key=key)
    assert repr(key) not in str(caught.value)


@pytest.mark.parametrize("key", ["x" * 16, "x" * 128, "!#$%&'()*+,-./:;<=>?@[]^_`{|}~"])
def test_a_pair_takes_every_key_that_a_server_takes(key):
    assert TokenPair(**json.loads(json.dumps(asdict(TokenPair("a", "b", retry_key=key))))).retry_key == key


def test_no_key_shows_in_a_repr(kind, fake):
    fake.script = {"/items": [REFRESH], "/refresh": [(500, b"")]}
    auth = kind.auth(tokens=PAIR)
    kind.get(fake, auth)
    (key,) = keys(fake)
    assert auth.tokens.retry_key == key
    shown = [repr(auth), repr(auth.tokens), repr(vars(auth)), repr(auth._session), repr(auth._session.state)]
    assert not [text for text in shown if key in text]
    assert "retry_key='**********'" in repr(auth.tokens)
