"""Whatever a client sends gets the answer that the table of errors has for it, and never a 500 or a 422.

Every token in the table is good in all but the one thing its row is about: else it would be refused for
another reason, and prove nothing. Requests go to the application byte for byte.
"""

import logging
import socket

import pytest
from tests.support.asgi import Answer, knock

from . import claim_rows, cookie_rows, header_rows, signature_rows
from .doors import ASYMMETRIC, SETTINGS, door, make_door
from .forge import DROP, NOW, access, with_header
from .rows import FINE, GOOD, Row

ROWS: list[Row] = [*signature_rows.ROWS, *claim_rows.ROWS, *header_rows.ROWS, *cookie_rows.ROWS]


def ask(row: Row, *, handle_errors: bool = True) -> Answer:
    return knock(door(row.door, handle_errors=handle_errors), row.path, row.method, row.headers, row.body, row.query)


def code_of(answer: Answer) -> str | None:
    return answer.json["code"] if answer.status != 200 and answer.body else None


def secrets_of(row: Row) -> list[str]:
    """What came with a request and has no place in its answer or in a log."""
    carried = [part for _, value in row.headers for part in value.replace(b"=", b" ").replace(b";", b" ").split()]
    parts = [*carried, *row.body.split(b'"'), *row.query.replace(b"&", b"=").split(b"=")]
    return [part.decode("latin-1") for part in parts if len(part) > 30 and b"/" not in part[:20]]


def test_no_two_rows_have_one_name():
    names = [(row.id, row.door, row.method, row.path) for row in ROWS]
    assert not {name for name in names if names.count(name) > 1}
    assert {row.door for row in ROWS} == SETTINGS.keys() | ASYMMETRIC.keys()


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row.door}: {row.id}") for row in ROWS])
def test_a_request_gets_the_answer_of_the_table(row, caplog):
    caplog.set_level(logging.DEBUG)
    answer = ask(row)
    assert answer.raised is None
    if row.method == "HEAD":
        assert answer.status == row.expected[0]
    else:
        assert (answer.status, code_of(answer)) == row.expected
    check_challenge(answer, row.expected[1])
    shown = answer.body.decode() + str(answer.headers) + caplog.text
    assert not [secret for secret in secrets_of(row) if secret in shown]


def check_challenge(answer: Answer, code: str | None) -> None:
    """RFC 6750 section 3.1: an error where there were credentials, none where there were none."""
    challenge = answer.get("www-authenticate")
    if answer.status not in (400, 401):
        assert challenge is None
        return
    assert challenge is not None
    assert challenge.startswith('Bearer realm="authx"')
    expected = {"request_invalid": "invalid_request", "fresh_required": "insufficient_user_authentication"}
    error = expected.get(str(code), None if code == "token_missing" else "invalid_token")
    assert ("error=" in challenge) is (error is not None)
    assert error is None or f'error="{error}"' in challenge
    assert challenge.isascii()


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row.door}: {row.id}") for row in ROWS[::9]])
def test_an_application_that_registered_no_handler_gives_the_same_answer(row):
    with_handler, without = ask(row), ask(row, handle_errors=False)
    assert without.raised is None
    assert (without.status, without.body) == (with_handler.status, with_handler.body)
    assert without.get("www-authenticate") == with_handler.get("www-authenticate")


def test_a_token_that_was_seen_before_excuses_nothing_about_the_next_request():
    app = door("plain")
    for _ in range(3):
        assert knock(app, headers=[("Authorization", b"Bearer " + GOOD)]).status == 200
    for row in ROWS:
        if row.door == "plain" and row.expected != FINE and any(GOOD in value for _, value in row.headers):
            assert (ask(row).status, row.id) == (row.expected[0], row.id)


@pytest.mark.parametrize("name", ["plain", "lenient"])
@pytest.mark.parametrize(
    ("changes", "moments"),
    [
        ({}, (NOW + 899.999, NOW + 900, NOW + 901, NOW + 959.999, NOW + 960, NOW + 10**6)),
        ({"exp": NOW + 9.5}, (NOW + 9, NOW + 9.499, NOW + 9.5, NOW + 69.499, NOW + 69.5)),
        ({}, (NOW - 9.999, NOW - 10, NOW - 10.001, NOW - 60, NOW - 60.001)),
        ({"iat": NOW - 1000}, (NOW - 10, NOW - 10.001, NOW - 60, NOW - 60.001)),
        ({"nbf": DROP}, (NOW - 10, NOW - 10.001, NOW - 60, NOW - 60.001)),
    ],
)
def test_a_token_that_was_seen_before_is_refused_whenever_it_would_be_refused_unseen(name, changes, moments):
    time = [float(NOW)]
    remembering = make_door(name, lambda: time[0])
    forgetting = make_door(name, lambda: time[0], JWT_TOKEN_CACHE_SIZE=0)
    row = [("Authorization", b"Bearer " + access(**changes))]
    outcomes = set()
    for moment in moments:
        time[0] = float(NOW)
        assert knock(remembering, headers=row).status == 200
        time[0] = moment
        seen, unseen = knock(remembering, headers=row), knock(forgetting, headers=row)
        assert (seen.status, seen.body) == (unseen.status, unseen.body), moment
        outcomes.add(seen.status)
    assert outcomes == {200, 401}


def test_a_route_that_only_looks_for_a_token_never_fails_on_one():
    for row in ROWS:
        if row.door == "plain" and row.path == "/p":
            answer = knock(door("plain"), "/found", "GET", row.headers, row.body, row.query)
            assert answer.raised is None
            assert answer.status in (200, 400), row.id


def test_a_preflight_is_not_authenticated():
    answer = knock(
        door("plain"), method="OPTIONS", headers=[("Origin", b"https://x"), ("Access-Control-Request-Method", b"GET")]
    )
    assert answer.status == 405
    assert answer.get("www-authenticate") is None


def test_no_address_in_a_header_is_ever_fetched():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/keys"
        for name in ("jku", "x5u"):
            for raw in (
                with_header(**{name: address}),
                with_header(**{name: address, "kid": "theirs", "alg": "RS256"}),
            ):
                assert knock(door("plain"), headers=[("Authorization", b"Bearer " + raw)]).status == 401
        with pytest.raises(BlockingIOError):
            listener.accept()
