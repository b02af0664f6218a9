"""What `authx.clients` gives, with which libraries, and which arguments it refuses."""

import inspect
import subprocess
import sys

import httpx
import httpx2
import pytest
from tests.support.waiting import PATIENCE

import authx.clients
from authx.clients import AuthXAuth, TokenPair

BASE = "https://api.test"
ANNA = {"username": "anna", "password": "a pass word"}


def run(*without, code):
    """Run code in an interpreter that has not all libraries."""
    hidden = "; ".join(f"sys.modules[{name!r}] = None" for name in without)
    command = [sys.executable, "-c", f"import sys; {hidden}\n{code}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)


@pytest.mark.parametrize(("only", "without"), [("httpx2", "httpx"), ("httpx", "httpx2")])
def test_one_of_the_libraries_is_enough(only, without):
    code = f"""
import {only}
from authx.clients import AuthXAuth, LoginError
auth = AuthXAuth("https://api.test", username="a", password="b")
answer = lambda request: {only}.Response(200, json=dict(access_token="a", refresh_token="b"))
with {only}.Client(auth=auth, transport={only}.MockTransport(answer)) as client:
    print(client.get("https://api.test/").request.headers["authorization"], issubclass(LoginError, {only}.HTTPError))
"""
    done = run(without, code=code)
    assert done.stdout == "Bearer a True\n", done.stderr


def test_with_neither_it_says_what_to_install():
    done = run("httpx", "httpx2", code="from authx.clients import AuthXAuth")
    assert "ImportError" in done.stderr
    assert "pip install 'authx-fastapi[client]'" in done.stderr


def test_the_package_itself_can_be_imported_with_neither():
    done = run("httpx", "httpx2", code="import authx.clients; print(authx.clients.TokenPair.__name__)")
    assert done.stdout == "TokenPair\n", done.stderr


def test_a_library_that_is_there_but_broken_is_not_passed_over(tmp_path):
    (tmp_path / "httpx2.py").write_text("import something_that_is_missing")
    code = f"sys.path.insert(0, {str(tmp_path)!r})\nfrom authx.clients import AuthXAuth"
    assert "something_that_is_missing" in run(code=code).stderr


def test_these_are_the_names():
    assert authx.clients.__all__ == ["AuthXAuth", "LoginError", "TokenPair"]
    for name in authx.clients.__all__:
        assert getattr(authx.clients, name).__name__ == name
        assert inspect.getdoc(getattr(authx.clients, name))
    with pytest.raises(AttributeError, match="AuthXAuths"):
        _ = authx.clients.AuthXAuths


def test_it_is_an_auth_object_of_both_libraries():
    assert issubclass(AuthXAuth, httpx2.Auth)
    assert issubclass(AuthXAuth, httpx.Auth)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "username and password, or tokens"),
        ({"username": "anna"}, "go together"),
        ({"password": "a pass word"}, "go together"),
        ({**ANNA, "max_tries": 0}, "max_tries"),
        ({**ANNA, "max_tries": 11}, "max_tries"),
        ({**ANNA, "max_wait": -1}, "max_wait"),
        ({**ANNA, "max_wait": float("inf")}, "endless"),
        ({**ANNA, "margin": float("nan")}, "margin"),
        ({**ANNA, "patience": 0}, "patience"),
        ({**ANNA, "patience": float("inf")}, "endless"),
        ({**ANNA, "login_path": "login"}, "slash"),
        ({**ANNA, "header_name": "X Token"}, "header_name"),
        ({**ANNA, "header_name": "X\r\nY"}, "header_name"),
        ({**ANNA, "header_type": "Bearer "}, "header_type"),
        ({**ANNA, "headers": {"authorization": "Basic dTpw"}}, "header of the token"),
        ({**ANNA, "base": "/auth"}, "base: a URL begins with"),
        ({**ANNA, "base": "api.test"}, "base: a URL begins with"),
        ({**ANNA, "base": "ftp://api.test"}, "base: a URL begins with"),
        ({**ANNA, "base": "https://api.test:port"}, "base: not a URL"),
        ({**ANNA, "base": "https://anna:secret@api.test"}, "base: no user name"),
        ({**ANNA, "base": "https://api.test?a=1"}, "base: no user name"),
        ({**ANNA, "origins": ["https://b.test/path"]}, "origins: an origin ends"),
    ],
)
def test_arguments_that_cannot_work_are_refused_at_once(arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        AuthXAuth(**{"base": BASE, **arguments})
    assert "secret" not in str(caught.value)
    assert "a pass word" not in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [{**ANNA, "user": "anna"}, {**ANNA, "origins": "https://b.test"}, {"tokens": {"access_token": "a"}}],
)
def test_arguments_that_are_unknown_or_of_a_wrong_type_are_refused_at_once(arguments):
    with pytest.raises(TypeError):
        AuthXAuth(BASE, **arguments)


def test_all_but_the_first_are_named():
    kinds = [one.kind for one in inspect.signature(AuthXAuth).parameters.values()]
    assert set(kinds[1:]) == {inspect.Parameter.KEYWORD_ONLY}


def test_users_programs_are_checked_by_mypy(tmp_path, pytestconfig):
    (tmp_path / "program.py").write_text(
        "import httpx, httpx2\n"
        "from authx.clients import AuthXAuth, TokenPair\n"
        "async def save(pair: TokenPair | None) -> None: ...\n"
        "auth = AuthXAuth('https://api.test', username='a', password='b', on_tokens=save)\n"
        "auth.logout(httpx2.Client(auth=auth))\n"
        "auth.logout(httpx.Client(auth=auth))\n"
        "async def main() -> TokenPair | None:\n"
        "    await auth.alogout(httpx2.AsyncClient(auth=auth))\n"
        "    await auth.alogout(httpx.AsyncClient(auth=auth))\n"
        "    AuthXAuth('https://api.test', tokens=TokenPair('a'), on_tokens=print)\n"
        "    return auth.tokens\n"
    )
    kept = getattr(pytestconfig, "cache", None)
    cache = str(tmp_path if kept is None else kept.mkdir("mypy-of-client-programs"))
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", cache, "program.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=2 * PATIENCE)
    assert done.returncode == 0, done.stdout


def test_a_pair_is_a_record():
    assert TokenPair("a", "b") == TokenPair("a", "b", None)
    assert (
        repr(TokenPair("abc", None, 1.5)) == "TokenPair(access_token='**********', refresh_token=None, expires_at=1.5)"
    )
