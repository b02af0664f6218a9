"""Bodies are read within a bound, and only for tokens that may be good; the route reads them again."""

import asyncio
import json
from datetime import timedelta

import pytest
from fastapi import Depends, FastAPI, File, Form, Request, UploadFile
from starlette.middleware.base import BaseHTTPMiddleware
from tests.support.asgi import COOKIES, OTHER_SECRET, cookies, make_auth, scope_of
from tests.support.tokens import claims_of

from authx.testing import Clock

LIMIT = 4096
CHUNK = 1024
JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")
MULTIPART = ("Content-Type", "multipart/form-data; boundary=b")


class Sent:
    """A request whose body comes in chunks; counts those that were taken."""

    def __init__(self, chunks, *, declared=False, ends=True):
        self.chunks = list(chunks)
        self.taken = 0
        self.declared = declared
        self.ends = ends

    async def receive(self):
        if self.taken >= len(self.chunks):
            return {"type": "http.disconnect"}
        self.taken += 1
        more = self.taken < len(self.chunks) or not self.ends
        return {"type": "http.request", "body": self.chunks[self.taken - 1], "more_body": more}

    def ask(self, app, path, headers):
        length = [("Content-Length", str(sum(map(len, self.chunks))))] if self.declared else []
        scope = scope_of(path, "POST", [*headers, *length])
        sent = []

        async def send(message):
            sent.append(message)

        asyncio.run(app(scope, self.receive, send))
        body = b"".join(message.get("body", b"") for message in sent)
        return sent[0]["status"], json.loads(body)


def in_chunks(body, size=CHUNK):
    return [body[start : start + size] for start in range(0, len(body), size)]


def make_site(auth):
    app = FastAPI()
    auth.handle_errors(app)
    guarded = Depends(auth.access_token_required)

    @app.post("/p", dependencies=[guarded])
    async def plain():
        return "open"

    @app.post("/raw", dependencies=[guarded])
    async def raw(request: Request):
        return len(await request.body())

    @app.post("/stream", dependencies=[guarded])
    async def stream(request: Request):
        return sum([len(chunk) async for chunk in request.stream()])

    @app.post("/form", dependencies=[guarded])
    async def form(request: Request):
        async with request.form() as fields:
            return [
                [name, len(await value.read()) if hasattr(value, "read") else value]
                for name, value in fields.multi_items()
            ]

    @app.post("/twice", dependencies=[guarded, Depends(auth.token_required(verify_fresh=False, verify_csrf=True))])
    async def twice(request: Request):
        return len(await request.body())

    @app.post("/upload", dependencies=[guarded])
    async def upload(csrf_token: str = Form(), upload: UploadFile = File()):
        return len(await upload.read())

    return app


class TestJSON:
    @pytest.fixture
    def auth(self):
        return make_auth(JWT_TOKEN_LOCATION=["json"], JWT_MAX_BODY_BYTES=LIMIT)

    @pytest.fixture
    def body(self, auth):
        return json.dumps({"access_token": auth.create_access_token("alice")}).encode()

    @pytest.mark.parametrize("path", ["/raw", "/stream", "/twice"])
    @pytest.mark.parametrize("declared", [True, False])
    @pytest.mark.parametrize("size", [1, 100, LIMIT])
    def test_the_route_reads_the_same_body_again(self, auth, body, path, declared, size):
        sent = Sent(in_chunks(body, size), declared=declared)
        assert sent.ask(make_site(auth), path, [JSON]) == (200, len(body))

    @pytest.mark.parametrize("declared", [True, False])
    def test_a_body_of_the_longest_length_is_read(self, auth, body, declared):
        sent = Sent(in_chunks(body.ljust(LIMIT)), declared=declared)
        assert sent.ask(make_site(auth), "/p", [JSON])[0] == 200

    def test_a_longer_one_is_refused_before_it_is_read(self, auth, body):
        sent = Sent(in_chunks(body.ljust(LIMIT + 1)), declared=True)
        status, answer = sent.ask(make_site(auth), "/p", [JSON])
        assert (status, answer["code"], sent.taken) == (400, "request_invalid", 0)
        assert "4096 bytes" in answer["message"]

    def test_one_that_does_not_say_how_long_it_is_is_read_up_to_the_bound(self, auth, body):
        sent = Sent(in_chunks(body.ljust(LIMIT * 1000)))
        status, answer = sent.ask(make_site(auth), "/p", [JSON])
        assert (status, answer["code"], sent.taken) == (400, "request_invalid", LIMIT // CHUNK + 1)

    @pytest.mark.parametrize("length", ["-1", "x", "", "9" * 30, "1, 1"])
    def test_a_length_that_is_none_is_no_500(self, auth, body, length):
        sent = Sent(in_chunks(body))
        status, _ = sent.ask(make_site(auth), "/p", [JSON, ("Content-Length", length)])
        assert status in (200, 400)

    def test_a_client_that_disconnects_is_no_500(self, auth, body):
        status, answer = Sent(in_chunks(body, 10)[:3], ends=False).ask(make_site(auth), "/p", [JSON])
        assert (status, answer["code"]) == (400, "request_invalid")

    def test_nothing_is_read_where_the_body_is_not_json(self, auth, body):
        sent = Sent(in_chunks(body))
        assert sent.ask(make_site(auth), "/p", [("Content-Type", "text/plain")])[1]["code"] == "token_missing"
        assert sent.taken == 0


def multipart(*parts):
    body = b""
    for name, value in parts:
        filename = b'; filename="a.bin"' if isinstance(value, bytes) else b""
        content = value if isinstance(value, bytes) else value.encode()
        body += b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n' % (name.encode(), filename)
        body += content + b"\r\n"
    return body + b"--b--\r\n"


class TestForms:
    @pytest.fixture
    def clock(self):
        return Clock()

    @pytest.fixture
    def auth(self, clock):
        return make_auth(clock, **COOKIES, JWT_CSRF_CHECK_FORM=True, JWT_MAX_BODY_BYTES=LIMIT)

    @pytest.fixture
    def token(self, auth):
        return auth.create_access_token("alice")

    @pytest.fixture
    def value(self, token):
        return claims_of(token)["csrf"]

    def head(self, token, kind=MULTIPART):
        return [cookies(access_token_cookie=token), kind]

    def test_an_upload_is_read_only_up_to_the_csrf_field(self, auth, token, value):
        sent = Sent(in_chunks(multipart(("csrf_token", value), ("upload", b"x" * 1_000_000))))
        assert sent.ask(make_site(auth), "/p", self.head(token))[0] == 200
        assert sent.taken == 1

    @pytest.mark.parametrize("path", ["/raw", "/stream", "/twice"])
    @pytest.mark.parametrize("size", [1, 7, CHUNK, 100_000])
    def test_the_route_reads_all_of_it_again(self, auth, token, value, path, size):
        body = multipart(("text", "hello"), ("csrf_token", value), ("upload", b"x" * 10_000))
        assert Sent(in_chunks(body, size)).ask(make_site(auth), path, self.head(token)) == (200, len(body))

    def test_the_route_reads_the_form_with_its_files(self, auth, token, value):
        body = multipart(("csrf_token", value), ("text", "hello"), ("upload", b"x" * 10_000))
        answer = Sent(in_chunks(body)).ask(make_site(auth), "/form", self.head(token))
        assert answer == (200, [["csrf_token", value], ["text", "hello"], ["upload", 10_000]])

    def test_a_route_with_form_parameters_has_read_the_form_itself(self, auth, token, value):
        body = multipart(("upload", b"x" * 10_000), ("csrf_token", value))
        assert Sent(in_chunks(body)).ask(make_site(auth), "/upload", self.head(token)) == (200, 10_000)

    def test_a_middleware_that_asks_leaves_the_body_for_the_route(self, auth, token, value):
        app = make_site(auth)

        async def ask_first(request, call_next):
            await auth.access_token_required(request)
            return await call_next(request)

        app.add_middleware(BaseHTTPMiddleware, dispatch=ask_first)
        body = multipart(("csrf_token", value), ("upload", b"x" * 10_000))
        assert Sent(in_chunks(body)).ask(app, "/raw", self.head(token)) == (200, len(body))

    def test_a_field_behind_a_large_file_is_not_looked_for(self, auth, token, value):
        sent = Sent(in_chunks(multipart(("upload", b"x" * 1_000_000), ("csrf_token", value))))
        status, answer = sent.ask(make_site(auth), "/p", self.head(token))
        assert (status, answer["code"], sent.taken) == (403, "csrf_missing", LIMIT // CHUNK)
        assert "before any file" in answer["message"]

    def test_fields_without_end_are_not_kept(self, auth, token):
        sent = Sent(in_chunks(multipart(*[(f"field{number}", "x" * 50) for number in range(10_000)])))
        assert sent.ask(make_site(auth), "/p", self.head(token))[0] == 403
        assert sent.taken == LIMIT // CHUNK

    def test_a_value_that_is_cut_off_is_none(self, auth, token):
        sent = Sent(in_chunks(multipart(("csrf_token", "x" * 10_000))))
        assert sent.ask(make_site(auth), "/p", self.head(token))[1]["code"] == "csrf_missing"

    @pytest.mark.parametrize("declared", [True, False])
    def test_a_long_form_without_files_is_refused(self, auth, token, value, declared):
        sent = Sent(in_chunks(f"csrf_token={value}&text={'x' * 100_000}".encode()), declared=declared)
        assert sent.ask(make_site(auth), "/p", self.head(token, FORM))[1]["code"] == "request_invalid"
        assert sent.taken == (0 if declared else LIMIT // CHUNK + 1)

    @pytest.mark.parametrize("boundary", ["b" * 257, "b" * 5000, "", '""'], ids=["257", "5000", "none", "quotes"])
    def test_a_boundary_that_no_client_makes_is_refused(self, auth, token, boundary):
        kind = ("Content-Type", f"multipart/form-data; boundary={boundary}")
        assert Sent([b"x"]).ask(make_site(auth), "/p", self.head(token, kind))[1]["code"] == "request_invalid"

    def test_a_form_with_too_many_fields_is_refused(self, auth, token):
        body = b"&".join([b"a="] * 1100)
        assert Sent([body]).ask(make_site(auth), "/p", self.head(token, FORM))[1]["code"] == "request_invalid"

    @pytest.mark.parametrize(
        ("make", "code"),
        [
            (lambda auth: "garbage", "token_invalid"),
            (lambda auth: "x" * 9000, "request_invalid"),
            (
                lambda auth: make_auth(**COOKIES, JWT_SECRET_KEY=OTHER_SECRET).create_access_token("alice"),
                "token_invalid",
            ),
            (lambda auth: auth.create_access_token("alice", expiry=timedelta(seconds=1)), "token_expired"),
        ],
        ids=["garbage", "too long", "forged", "expired"],
    )
    @pytest.mark.parametrize("kind", [FORM, MULTIPART])
    def test_nothing_is_read_for_a_token_that_cannot_be_good(self, auth, clock, make, code, kind):
        token = make(auth)
        clock.now += 60
        sent = Sent([b"csrf_token=x"])
        assert sent.ask(make_site(auth), "/p", self.head(token, kind))[1]["code"] == code
        assert sent.taken == 0

    def test_a_bad_cookie_is_passed_over_for_a_good_token_in_a_later_place(self):
        auth = make_auth(JWT_TOKEN_LOCATION=["cookies", "headers"], JWT_CSRF_CHECK_FORM=True)
        headers = [*self.head("garbage"), ("Authorization", f"Bearer {auth.create_access_token('alice')}")]
        sent = Sent([b"x"])
        assert sent.ask(make_site(auth), "/p", headers)[0] == 200
        assert sent.taken == 0

    def test_a_client_that_disconnects_is_no_500(self, auth, token, value):
        chunks = in_chunks(multipart(("csrf_token", value)), 10)[:3]
        status, answer = Sent(chunks, ends=False).ask(make_site(auth), "/p", self.head(token))
        assert (status, answer["code"]) == (400, "request_invalid")
