"""The demo as a process: its guide's curl lines, what it prints, and how it ends."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
from tests.demo.server import COMMAND, OUTSIDE, Demo, running_demo
from tests.support.components import require_curl, require_shell
from tests.support.waiting import PATIENCE

LOGIN = r"""curl -X POST -H "Content-Type: application/json" \
-d '{"username":"test", "password":"test"}' \
http://localhost:8000/login"""
PROTECTED = r"""curl -H "Authorization: Bearer <access-token>" \
http://localhost:8000/protected"""
REFRESH = r"""curl -X POST -H "Authorization: Bearer <refresh-token>" \
http://localhost:8000/refresh"""
PROTECTED_AGAIN = r"""curl -H "Authorization: Bearer <new-access-token>" \
http://localhost:8000/protected"""


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with running_demo() as running:
        yield running


@pytest.fixture
def shell(demo: Demo) -> Callable[[str], str]:
    """Runs lines in a shell as a user pastes them, with the port that the demo has here."""
    require_curl()
    program = require_shell()

    def run(lines: str) -> str:
        lines = lines.replace("http://localhost:8000", demo.address)
        done = subprocess.run([program, "-c", lines], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_guides_curl_lines_work_in_their_order(shell):
    tokens = json.loads(shell(LOGIN))
    assert {"access_token", "refresh_token"} <= tokens.keys()
    line = PROTECTED.replace("<access-token>", tokens["access_token"])
    assert json.loads(shell(line)) == {"message": "You have access"}
    new = json.loads(shell(REFRESH.replace("<refresh-token>", tokens["refresh_token"])))
    assert new["access_token"] != tokens["access_token"]
    line = PROTECTED_AGAIN.replace("<new-access-token>", new["access_token"])
    assert json.loads(shell(line)) == {"message": "You have access"}


@pytest.mark.parametrize("line", [LOGIN, PROTECTED, REFRESH, PROTECTED_AGAIN])
def test_the_demo_prints_the_guides_lines_with_its_port(demo, line):
    printed = demo.printed.replace("\n  ", "\n")
    assert line.replace("http://localhost:8000", demo.address) in printed


def test_the_printed_cookie_lines_go_from_login_to_logout(demo, shell):
    _, lines = demo.printed.split("# The same with cookies")
    lines = lines[lines.index("\n") : lines.index("Ctrl-C")]
    answers = [json.loads(answer) for answer in shell(lines.replace("curl ", "curl --write-out '\\n' ")).splitlines()]
    login, access, refreshed, sessions, logout, after = answers
    assert access == {"message": "You have access"}
    assert refreshed["refresh_token"] != login["refresh_token"]
    assert sessions[0]["current"]
    assert logout == {"message": "Logged out"}
    assert after["code"] == "session_revoked"


def test_ctrl_c_ends_it_without_a_traceback():
    with running_demo() as demo:
        assert demo.interrupt() == (0, "")


def test_it_ends_by_sigterm_without_a_traceback():
    with running_demo() as demo:
        assert demo.stop(signal.SIGTERM) == (-signal.SIGTERM, "")


def test_ctrl_c_ends_it_while_a_client_holds_a_connection():
    with running_demo() as demo, socket.create_connection(("127.0.0.1", demo.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"
        assert demo.interrupt() == (0, "")


def test_a_taken_port_is_one_clear_line(demo):
    done = subprocess.run(
        [*COMMAND, "--port", str(demo.port)], capture_output=True, text=True, env=OUTSIDE, timeout=PATIENCE
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"authx demo: cannot listen on 127.0.0.1 port {demo.port}: it is taken; choose another with --port\n"
    )


def refused(folder: Path, *options: str, **settings: str) -> str:
    """Start a demo that cannot work, and return the one line in which it says so."""
    done = subprocess.run(
        [*COMMAND, "--port", "0", *options],
        capture_output=True,
        text=True,
        env=OUTSIDE | {"TMPDIR": str(folder)} | settings,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    return done.stderr


def test_settings_that_cannot_work_are_named_before_it_starts(tmp_path):
    assert "JWT_COOKIE_SAMESITE" in refused(tmp_path, JWT_COOKIE_SAMESITE="none")


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("mysql://anna:hush@localhost/db", "has no scheme that is known here"),
        ("sqlite:///no/such/folder/auth.db", "no/such/folder"),
        ("redis://:hush@localhost:1", "is not available"),
    ],
)
def test_a_store_that_cannot_be_used_is_named_without_its_password(tmp_path, store, said):
    line = refused(tmp_path, "--store", store)
    assert said in line
    assert "hush" not in line


def test_several_processes_do_not_share_a_store_in_memory(tmp_path):
    line = refused(tmp_path, "--store", "memory://", "--workers", "2")
    assert line == "authx demo: memory:// is one process's own: choose another --store for 2 workers\n"


def test_a_folder_that_others_can_read_is_not_used(tmp_path):
    (tmp_path / f"authx-demo-{os.getuid()}").mkdir(mode=0o755)
    assert "is not a folder of yours alone" in refused(tmp_path)


def test_a_folder_that_is_a_link_is_not_used(tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / f"authx-demo-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    assert "is not a folder of yours alone" in refused(tmp_path)


def test_it_says_where_it_keeps_sessions(demo):
    (store,) = re.findall(r"^Sessions are kept in (sqlite:////.*)$", demo.printed, re.MULTILINE)
    path = Path(store.removeprefix("sqlite:///"))
    assert path.is_file()
    assert path.parent.stat().st_mode & 0o077 == 0
    assert (path.parent / "secret").stat().st_mode & 0o077 == 0


def test_without_a_server_it_says_what_to_install():
    hidden = "import runpy, sys; sys.modules['uvicorn'] = None; runpy.run_module('authx.demo', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, env=OUTSIDE, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (
        1,
        "authx demo: the demo needs a server: pip install 'authx-fastapi[demo]'\n",
    )


def test_ctrl_c_ends_it_while_a_page_listens_to_events():
    with running_demo() as demo, closing(HTTPConnection("127.0.0.1", demo.port, timeout=PATIENCE)) as here:
        here.request("POST", "/login", '{"username": "test", "password": "test"}', {"Content-Type": "application/json"})
        token = json.loads(here.getresponse().read())["access_token"]
        here.request("GET", "/lab/events", headers={"Authorization": f"Bearer {token}"})
        assert b'"login"' in here.getresponse().readline()
        assert demo.interrupt() == (0, "")
