"""What the callback is told, and when."""

import asyncio
import json
from dataclasses import asdict
from functools import partial

import pytest
from tests.clients.fake import BASE, LOGIN, PAIR, REFRESH

from authx.clients import AuthXAuth, LoginError, TokenPair

ANNA = {"username": "anna", "password": "a pass word"}


def test_new_tokens_are_handed_over_before_they_are_used(kind, fake):
    order = []
    auth = kind.auth(on_tokens=lambda pair: order.append((pair, len(fake.seen))), **ANNA)
    kind.get(fake, auth)
    fake.issued += 1
    kind.get(fake, auth)
    assert fake.paths() == ["/login", "/items", "/items", "/refresh", "/items"]
    assert order == [(TokenPair("access-1", "refresh-1"), 1), (TokenPair("access-3", "refresh-3"), 4)]


def test_the_end_of_a_session_is_told(kind, fake):
    told = []
    fake.script["/items"] = [LOGIN]
    auth = kind.auth(tokens=PAIR, on_tokens=told.append)
    kind.get(fake, auth)
    kind.get(fake, auth)
    assert told == [None]


def test_the_end_is_told_before_the_login_that_follows(kind, fake):
    told = []
    fake.script["/items"] = [LOGIN, None]
    kind.get(fake, kind.auth(tokens=PAIR, on_tokens=told.append, **ANNA))
    assert told == [None, TokenPair("access-1", "refresh-1")]


def test_a_refresh_that_is_refused_as_reuse_is_told(kind, fake):
    told = []
    fake.script = {"/items": [REFRESH], "/refresh": [(401, {"code": "refresh_reused", "action": "login"})]}
    kind.get(fake, kind.auth(tokens=PAIR, on_tokens=told.append))
    assert told == [None]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_failed_refresh_is_not_told(kind, fake, status):
    told = []
    fake.script = {"/items": [REFRESH], "/refresh": [(status, {"action": "retry"})]}
    kind.get(fake, kind.auth(tokens=PAIR, on_tokens=told.append))
    assert told == []


def test_a_coroutine_function_is_awaited_by_asynchronous_clients(library, fake):
    told = []

    async def save(pair):
        await asyncio.sleep(0)
        told.append((pair, len(fake.seen)))

    async def main():
        auth = AuthXAuth(BASE, on_tokens=save, **ANNA)
        async with library.AsyncClient(auth=auth, transport=library.MockTransport(fake.answer)) as client:
            await client.get(f"{BASE}/items")

    asyncio.run(main())
    assert told == [(TokenPair("access-1", "refresh-1"), 1)]


def save_later(pair):
    async def later(pair):
        raise AssertionError

    return later(pair)


async def save_async(pair):
    raise AssertionError


class Saver:
    async def __call__(self, pair):
        raise AssertionError


@pytest.mark.parametrize("tell", [save_async, partial(save_async), Saver()])
def test_a_coroutine_function_is_refused_by_blocking_clients_before_anything_is_sent(library, fake, tell):
    auth = AuthXAuth(BASE, on_tokens=tell, **ANNA)
    with library.Client(auth=auth, transport=library.MockTransport(fake.answer)) as client:
        with pytest.raises(TypeError, match="asynchronous"):
            client.get(f"{BASE}/items")
        with pytest.raises(TypeError, match="asynchronous"):
            AuthXAuth(BASE, on_tokens=tell, tokens=PAIR).logout(client)
    assert fake.seen == []


def test_a_function_that_returns_a_coroutine_is_refused_by_blocking_clients(library, fake):
    transport = library.MockTransport(fake.answer)
    auth = AuthXAuth(BASE, on_tokens=save_later, **ANNA)
    with library.Client(auth=auth, transport=transport) as client, pytest.raises(TypeError, match="asynchronous"):
        client.get(f"{BASE}/items")


def test_what_the_callback_raises_reaches_the_caller_and_the_tokens_are_saved_later(kind, fake):
    told = []
    disk_is_full = True

    def save(pair):
        if disk_is_full:
            raise OSError("no space left")
        told.append(pair)

    auth = kind.auth(on_tokens=save, **ANNA)
    for _ in range(2):
        with pytest.raises(OSError, match="no space"):
            kind.get(fake, auth)
    disk_is_full = False
    assert kind.get(fake, auth).status_code == 200
    assert told == [TokenPair("access-1", "refresh-1")]
    assert fake.paths() == ["/login", "/items"]


def test_a_callback_that_sends_a_request_with_the_same_auth_object_is_told_so_and_does_not_wait_for_itself(kind, fake):
    def save(pair):
        transport = kind.library.MockTransport(fake.answer)
        with kind.library.Client(auth=auth, transport=transport) as client:
            client.get(f"{BASE}/items")

    auth = kind.auth(on_tokens=save, **ANNA)
    with pytest.raises(RuntimeError, match="on_tokens sends a request"):
        kind.get(fake, auth)


def test_a_callback_that_saves_by_way_of_another_auth_object_is_still_told_so(kind, fake):
    def save(pair):
        transport = kind.library.MockTransport(fake.answer)
        with kind.library.Client(transport=transport) as client:
            client.get(f"{BASE}/items", auth=AuthXAuth(BASE, on_tokens=lambda pair: None, **ANNA))
            client.get(f"{BASE}/items", auth=auth)

    auth = kind.auth(on_tokens=save, patience=0.1, **ANNA)
    with pytest.raises(RuntimeError, match="on_tokens sends a request"):
        kind.get(fake, auth)


def test_tokens_can_be_kept_as_json_and_taken_by_a_later_run(kind, fake):
    kept = {}
    auth = kind.auth(on_tokens=lambda pair: kept.update(text=json.dumps(asdict(pair))), **ANNA)
    fake.life = 900
    kind.get(fake, auth)
    later = kind.auth(tokens=TokenPair(**json.loads(kept["text"])))
    assert later.tokens == auth.tokens
    assert kind.get(fake, later).status_code == 200
    assert fake.count()["/login"] == 1


def test_no_token_and_no_password_shows_in_a_repr_or_a_message(kind, fake):
    fake.script = {"/login": [(401, {"code": "a pass word", "message": "a pass word", "action": "a pass word"})]}
    auth = kind.auth(tokens=PAIR, **ANNA)
    shown = [repr(auth), str(auth), repr(auth.tokens), f"{auth.tokens}", repr(vars(auth))]
    shown += [repr(getattr(auth, name)) for name in vars(auth)]
    with pytest.raises(LoginError) as caught:
        kind.get(fake, kind.auth(**ANNA))
    shown += [repr(caught.value), str(caught.value), repr(vars(caught.value))]
    for text in shown:
        assert "access-0" not in text
        assert "refresh-0" not in text
        assert "a pass word" not in text


@pytest.mark.parametrize("field", ["access_token", "refresh_token"])
@pytest.mark.parametrize("value", ["", "a b", "a\r\nb", "\u00e4", 7, b"a"])
def test_a_pair_refuses_what_is_no_token_without_repeating_it(field, value):
    with pytest.raises(ValueError, match=field) as caught:
        TokenPair(**{"access_token": "a", field: value})
    assert repr(value) not in str(caught.value)


def test_a_pair_cannot_be_changed():
    with pytest.raises(AttributeError):
        PAIR.access_token = "another"
