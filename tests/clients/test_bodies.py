"""Which requests are sent again: those whose body can be."""

import io

import pytest
from tests.clients.fake import BUSY, LOGIN, PAIR, REFRESH


class Pipe:
    """A file that can be read once."""

    def __init__(self, content):
        self.read = io.BytesIO(content).read


def chunks(kind):
    async def asynchronous():
        yield b"a"
        yield b"b"

    return asynchronous() if kind.is_async else iter([b"a", b"b"])


AGAIN = {
    "none": dict,
    "bytes": lambda: {"content": b"some bytes"},
    "empty": lambda: {"content": b""},
    "text": lambda: {"content": "some text"},
    "form": lambda: {"data": {"a": "1"}},
    "json": lambda: {"json": {"a": 1}},
    "file": lambda: {"files": {"a": io.BytesIO(b"a file")}},
    "file in bytes": lambda: {"files": {"a": ("name.txt", b"a file", "text/plain")}},
    "file and form": lambda: {"files": {"a": io.BytesIO(b"a file")}, "data": {"b": "2"}},
}


@pytest.mark.parametrize("body", AGAIN.values(), ids=AGAIN)
@pytest.mark.parametrize("refusal", [REFRESH, LOGIN, BUSY], ids=["refresh", "login", "retry"])
def test_a_body_that_can_be_sent_again_is_sent_whole_again(kind, fake, body, refusal):
    fake.script["/items"] = [refusal, (200, {})]
    auth = kind.auth(tokens=PAIR, username="anna", password="a pass word")
    assert kind.post(fake, auth, **body()).status_code == 200
    first, second = [one for one in fake.seen if one.path == "/items"]
    assert first.body == second.body
    assert first.headers.get("content-type") == second.headers.get("content-type")


def test_a_file_that_had_been_read_before_is_sent_from_its_beginning_each_time(kind, fake):
    fake.script["/items"] = [REFRESH, (200, {})]
    file = io.BytesIO(b"the whole file")
    file.read(4)
    kind.post(fake, kind.auth(tokens=PAIR), files={"a": file})
    assert all(b"the whole file" in one.body for one in fake.seen if one.path == "/items")


@pytest.mark.parametrize(
    "body",
    [lambda kind: {"content": chunks(kind)}, lambda kind: {"files": {"a": Pipe(b"a pipe")}}],
    ids=["stream", "pipe in a form"],
)
def test_a_body_that_is_gone_is_not_sent_again_but_the_token_is_renewed(kind, fake, body):
    fake.script["/items"] = [REFRESH, None]
    auth = kind.auth(tokens=PAIR)
    answer = kind.post(fake, auth, **body(kind))
    assert (answer.status_code, answer.url.path, answer.json()) == (401, "/items", REFRESH[1])
    assert fake.paths() == ["/items", "/refresh"]
    assert kind.post(fake, auth, **body(kind)).status_code == 200
    assert fake.tokens("/items") == ["access-0", "access-1"]


def test_a_stream_that_was_refused_for_a_session_that_is_over_logs_in_for_the_next_request(kind, fake):
    fake.script["/items"] = [LOGIN, None]
    auth = kind.auth(tokens=PAIR, username="anna", password="a pass word")
    answer = kind.post(fake, auth, content=chunks(kind))
    assert (answer.status_code, answer.url.path) == (401, "/items")
    assert fake.paths() == ["/items", "/login"]


def test_nobody_waits_for_a_stream_that_cannot_be_sent_again(kind, fake):
    fake.script["/items"] = [BUSY]
    assert kind.post(fake, kind.auth(tokens=PAIR), content=chunks(kind)).status_code == 503
    assert (kind.slept, len(fake.seen)) == ([], 1)


def test_a_stream_is_sent_with_a_token_that_was_renewed_in_time(kind, fake):
    fake.life = 100
    auth = kind.auth(username="anna", password="a pass word")
    kind.get(fake, auth)
    kind.clock.advance(100)
    assert kind.post(fake, auth, content=chunks(kind)).status_code == 200
    assert fake.seen[-1].body == b"ab"
