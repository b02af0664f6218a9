"""The refresh-token guide's two applications, as the guide has them."""

import hashlib
import importlib.util
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pytest
from tests.support.processes import running
from tests.support.tokens import bearer, claims_of
from tests.support.waiting import PATIENCE

from .answers import (
    CSRF_MISMATCH,
    CSRF_MISSING,
    MISSING,
    NOT_ACCESS,
    NOT_REFRESH,
    REFRESH_INVALID,
    REFRESH_MISSING,
    Check,
)

HERE = Path(__file__).parent
CREDENTIALS = {"username": "test", "password": "test"}
CSRF_COOKIES = {"access": "csrf_access_token", "refresh": "csrf_refresh_token"}
refused = Check("rfc")


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("document_header", "ee155fe339b8b61e59c53903e4993e7bb5c177632948cd1da56dbac196ecc9e5"),
        ("document_cookies", "cbcf24fa0f9535aa39e10756fa643db334903a67b6088b268e45e5bc22488a86"),
    ],
)
def test_the_applications_are_the_guides_byte_for_byte(name, digest):
    assert hashlib.sha256((HERE / f"{name}.py").read_bytes()).hexdigest() == digest


def load(name: str, *, asynchronous: bool) -> ModuleType:
    """Runs an application's text as a module of its own, its routes turned into coroutines on demand."""
    path = HERE / f"{name}.py"
    text = path.read_text()
    if asynchronous:
        text = text.replace("\ndef ", "\nasync def ")
    spec = importlib.util.spec_from_loader(name, loader=None, origin=str(path))
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    exec(compile(text, path, "exec"), module.__dict__)
    return module


@pytest.fixture(params=[False, True], ids=["def", "async def"])
def header_client(browse, request):
    return browse(load("document_header", asynchronous=request.param).app)


@pytest.fixture
def tokens(header_client):
    return header_client.post("/login", json=CREDENTIALS).json()


def test_header_login_answers_both_tokens(tokens):
    assert {name: claims_of(token)["type"] for name, token in tokens.items()} == {
        "access_token": "access",
        "refresh_token": "refresh",
    }


def test_header_login_refuses_a_wrong_password(header_client):
    answer = header_client.post("/login", json=CREDENTIALS | {"password": "wrong"})
    assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid credentials"})


def test_header_an_access_token_has_access(header_client, tokens):
    answer = header_client.get("/protected", headers=bearer(tokens["access_token"]))
    assert (answer.status_code, answer.json()) == (200, {"message": "You have access"})


def test_header_a_refresh_token_buys_an_access_token(header_client, tokens):
    answer = header_client.post("/refresh", headers=bearer(tokens["refresh_token"]))
    assert answer.status_code == 200
    assert list(answer.json()) == ["access_token"]
    assert answer.json()["access_token"] != tokens["access_token"]


def test_header_the_new_access_token_has_access(header_client, tokens):
    new = header_client.post("/refresh", headers=bearer(tokens["refresh_token"])).json()["access_token"]
    assert header_client.get("/protected", headers=bearer(new)).json() == {"message": "You have access"}


def test_header_no_token_has_no_access(header_client):
    refused(header_client.get("/protected"), MISSING)


def test_header_a_refresh_token_has_no_access(header_client, tokens):
    refused(header_client.get("/protected", headers=bearer(tokens["refresh_token"])), NOT_ACCESS)


def test_header_an_access_token_does_not_refresh(header_client, tokens):
    refused(header_client.post("/refresh", headers=bearer(tokens["access_token"])), NOT_REFRESH)


def test_header_a_garbage_token_does_not_refresh(header_client):
    refused(header_client.post("/refresh", headers=bearer("garbage")), REFRESH_INVALID)


@pytest.fixture(params=[False, True], ids=["def", "async def"])
def cookie_client(browse, request):
    return browse(load("document_cookies", asynchronous=request.param).app)


@pytest.fixture
def logged_in(cookie_client):
    cookie_client.post("/login", json=CREDENTIALS)
    return cookie_client


def csrf(client, which):
    return {"X-CSRF-TOKEN": client.cookies[CSRF_COOKIES[which]]}


def test_cookies_login_answers_without_any_token(cookie_client):
    answer = cookie_client.post("/login", json=CREDENTIALS)
    assert (answer.status_code, answer.json()) == (200, {"message": "Logged in"})


def test_cookies_login_sets_the_tokens_and_their_csrf_values(logged_in):
    assert set(logged_in.cookies) == {"access_token_cookie", "refresh_token_cookie", *CSRF_COOKIES.values()}


def test_cookies_login_hides_the_tokens_from_scripts(cookie_client):
    headers = cookie_client.post("/login", json=CREDENTIALS).headers.get_list("set-cookie")
    hidden = {header.split("=")[0] for header in headers if "httponly" in header.lower()}
    assert hidden == {"access_token_cookie", "refresh_token_cookie"}


def test_cookies_login_refuses_a_wrong_password(cookie_client):
    answer = cookie_client.post("/login", json=CREDENTIALS | {"password": "wrong"})
    assert (answer.status_code, answer.headers.get_list("set-cookie")) == (401, [])


def test_cookies_the_access_cookie_has_access(logged_in):
    assert logged_in.get("/protected").json() == {"message": "You have access"}


def test_cookies_the_refresh_cookie_and_its_csrf_value_buy_an_access_token(logged_in):
    answer = logged_in.post("/refresh", headers=csrf(logged_in, "refresh"))
    assert answer.status_code == 200
    assert claims_of(answer.json()["access_token"])["sub"] == "test"


def test_cookies_the_new_access_token_has_access(logged_in):
    new = logged_in.post("/refresh", headers=csrf(logged_in, "refresh")).json()["access_token"]
    logged_in.cookies.clear()
    logged_in.cookies.set("access_token_cookie", new)
    assert logged_in.get("/protected").json() == {"message": "You have access"}


def test_cookies_refreshing_needs_the_csrf_value(logged_in):
    refused(logged_in.post("/refresh"), CSRF_MISSING)


def test_cookies_the_access_csrf_value_does_not_refresh(logged_in):
    refused(logged_in.post("/refresh", headers=csrf(logged_in, "access")), CSRF_MISMATCH)


def test_cookies_logout_takes_every_cookie_away(logged_in):
    answer = logged_in.post("/logout")
    assert (answer.status_code, answer.json()) == (200, {"message": "Logged out"})
    assert set(logged_in.cookies) == set()


def test_cookies_after_logout_nothing_opens(logged_in):
    logged_in.post("/logout")
    refused(logged_in.get("/protected"), MISSING)
    refused(logged_in.post("/refresh"), REFRESH_MISSING)


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="the program curl is not installed")


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[[str], int]]:
    """Starts real servers; each listens before it starts, so no client ever comes too early."""
    ports: dict[str, int] = {}
    stack = ExitStack()

    def start(name: str) -> int:
        if name not in ports:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                command = [sys.executable, "-m", "uvicorn", f"{name}:app", "--app-dir", str(HERE)]
                command += ["--fd", str(listener.fileno()), "--log-level", "warning"]
                stack.enter_context(running(command, pass_fds=[listener.fileno()]))
                ports[name] = listener.getsockname()[1]
        return ports[name]

    with stack:
        yield start


@pytest.fixture
def shell(tmp_path):
    def run(line: str) -> str:
        done = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


LOGIN_LINE = r"""curl -X POST -H "Content-Type: application/json" \
-d '{"username":"test", "password":"test"}' \
http://localhost:8000/login"""
PROTECTED_LINE = r"""curl -H "Authorization: Bearer <access-token>" \
http://localhost:8000/protected"""
REFRESH_LINE = r"""curl -X POST -H "Authorization: Bearer <refresh-token>" \
http://localhost:8000/refresh"""
NEW_TOKEN_LINE = r"""curl -H "Authorization: Bearer <new-access-token>" \
http://localhost:8000/protected"""


@pytest.fixture
def curl(serve, shell):
    """Runs a line of the guide against the server, with the tokens filled in."""
    port = serve("document_header")

    def run(line: str, **tokens: str):
        for name, token in tokens.items():
            line = line.replace(f"<{name.replace('_', '-')}>", token)
        return json.loads(shell(line.replace("localhost:8000", f"localhost:{port}")))

    return run


@needs_curl
def test_curl_1_login_gets_both_tokens(curl):
    assert list(curl(LOGIN_LINE)) == ["access_token", "refresh_token"]


@needs_curl
def test_curl_2_the_access_token_has_access(curl):
    access = curl(LOGIN_LINE)["access_token"]
    assert curl(PROTECTED_LINE, access_token=access) == {"message": "You have access"}


@needs_curl
def test_curl_3_the_refresh_token_gets_a_new_access_token(curl):
    login = curl(LOGIN_LINE)
    answer = curl(REFRESH_LINE, refresh_token=login["refresh_token"])
    assert list(answer) == ["access_token"]
    assert answer["access_token"] != login["access_token"]


@needs_curl
def test_curl_4_the_new_access_token_has_access(curl):
    refresh = curl(LOGIN_LINE)["refresh_token"]
    new = curl(REFRESH_LINE, refresh_token=refresh)["access_token"]
    assert curl(NEW_TOKEN_LINE, new_access_token=new) == {"message": "You have access"}


@needs_curl
def test_curl_a_placeholder_left_as_it_is_has_no_access(curl):
    assert curl(PROTECTED_LINE)["error_type"] == "JWTDecodeError"


LOGIN_OPTIONS = r"""-H "Content-Type: application/json" -d '{"username":"test", "password":"test"}'"""


@pytest.fixture
def visit(serve, shell, tmp_path):
    """Sends requests as one browser would: one process of curl, which keeps its cookies meanwhile."""
    port = serve("document_cookies")

    def send(*requests: str, jar: str = "''"):
        lines = [f"--silent --cookie {jar} --cookie-jar jar --write-out '\\n' {request}" for request in requests]
        command = "curl " + " --next ".join(lines)
        return [json.loads(line) for line in shell(command.replace("HOST", f"localhost:{port}")).splitlines()]

    def kept() -> dict[str, str]:
        rows = [line.split("\t") for line in (tmp_path / "jar").read_text().splitlines()]
        return {row[5]: row[6] for row in rows if len(row) == 7}

    send.kept = kept
    return send


LOGIN = f"{LOGIN_OPTIONS} http://HOST/login"
PROTECTED = "http://HOST/protected"
LOGOUT = "-X POST http://HOST/logout"


@needs_curl
def test_curl_keeps_four_cookies_after_login(visit):
    assert visit(LOGIN) == [{"message": "Logged in"}]
    assert set(visit.kept()) == {"access_token_cookie", "refresh_token_cookie", *CSRF_COOKIES.values()}


@needs_curl
def test_curl_has_access_with_its_cookies(visit):
    assert visit(LOGIN, PROTECTED)[1] == {"message": "You have access"}


@needs_curl
def test_curl_has_access_with_a_jar_kept_from_an_earlier_visit(visit):
    visit(LOGIN)
    assert visit(PROTECTED, jar="jar") == [{"message": "You have access"}]


@needs_curl
def test_curl_refreshes_with_the_csrf_value_of_its_jar(visit):
    visit(LOGIN)
    value = visit.kept()["csrf_refresh_token"]
    (answer,) = visit(f"-X POST -H 'X-CSRF-TOKEN: {value}' http://HOST/refresh", jar="jar")
    assert claims_of(answer["access_token"])["sub"] == "test"


@needs_curl
def test_curl_does_not_refresh_without_the_csrf_value(visit):
    assert visit(LOGIN, "-X POST http://HOST/refresh")[1]["code"] == "csrf_missing"


@needs_curl
def test_curl_keeps_no_cookie_after_logout(visit):
    assert visit(LOGIN, LOGOUT)[1] == {"message": "Logged out"}
    assert visit.kept() == {}


@needs_curl
def test_curl_has_no_access_after_logout(visit):
    assert visit(LOGIN, LOGOUT, PROTECTED)[2]["code"] == "token_missing"
