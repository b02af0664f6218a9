"""The installed program as a process: how it starts, asks, shows and ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from tests.support.processes import running
from tests.support.waiting import PATIENCE, SOON, wait_until

from authx import AuthX, AuthXConfig

from .conftest import SECRET
from .places import Place, row
from .processes import AUTHX, OUTSIDE, on_terminal, piped

TOKEN = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET)).create_access_token("anna", expiry=timedelta(days=3))


@pytest.fixture
def place(folder) -> Place:
    place = Place(f"sqlite:///{folder}/auth.db", "authx_")
    place.add(row(), row(ago=1000))
    return place


# Starting


def test_a_shell_can_take_the_secret_and_the_doctor_is_content_with_it():
    script = f'export JWT_SECRET_KEY="$({AUTHX} secret)" && {AUTHX} check --strict'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env=OUTSIDE, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")
    assert [finding["code"] for finding in json.loads(done.stdout)] == ["store-none"]


def test_the_module_can_be_run_too():
    command = [sys.executable, "-m", "authx.cli", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, env=OUTSIDE, timeout=PATIENCE)
    assert done.returncode == 0
    assert done.stdout.startswith("authx ")


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_it_says_what_to_install(missing):
    code = f"import sys; sys.modules[{missing!r}] = None; from authx.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=OUTSIDE, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "pip install 'authx-fastapi[cli]'" in done.stderr


# Asking


def test_a_token_is_asked_for_without_echo():
    shown = on_terminal("inspect", answers=[("Token (it is not shown): ", f"{TOKEN}\n")], JWT_SECRET_KEY=SECRET)
    assert shown.code == 0
    assert "signature:" in shown.text
    assert "expires in 2 days" in shown.text
    assert not [part for part in TOKEN.split(".") if part in shown.text]


def test_a_token_that_a_terminal_has_cut_off_is_not_taken_for_a_wrong_one():
    shown = on_terminal("inspect", answers=[("Token (it is not shown): ", "a" * 5000 + "\n")])
    assert shown.code == 2
    assert "terminals cut longer lines off" in shown.text


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 0), ("n\n", 1, 2), ("\n", 1, 2), ("\x04", 1, 2)])
def test_ending_all_sessions_is_asked_about(place, answer, code, left):
    shown = on_terminal(
        "sessions",
        "revoke-all",
        "--user",
        "anna",
        "--store",
        place.url,
        answers=[("The store lists 2. [y/N] ", answer)],
    )
    assert shown.code == code
    assert len(place.do(lambda store: store.list("anna", int(time.time() * 1000)))) == left


@pytest.mark.parametrize("command", [("inspect",), ("sessions", "revoke-all", "--user", "anna")])
def test_ctrl_c_ends_it_with_130_and_nothing_else(place, command):
    asks = "Token (it is not shown): " if command == ("inspect",) else "[y/N] "
    shown = on_terminal(*command, answers=[(asks, "\x03")], JWT_STORE_URL=place.url)
    assert shown.code == 130
    assert len(shown.lines) <= 1


# Showing


def test_a_terminal_gets_a_table(place):
    shown = on_terminal("sessions", "list", "--user", "anna", "--store", place.url, columns=120, NO_COLOR="1")
    assert shown.lines[0].split()[-6:] == ["created", "last", "active", "expires", "address", "browser"]
    assert len(shown.lines) == 3


@pytest.mark.parametrize("command", [("check",), ("inspect", TOKEN)])
def test_no_line_is_longer_than_the_terminal_is_wide(command):
    shown = on_terminal(*command, columns=50, JWT_COOKIE_SECURE="auto", NO_COLOR="1")
    assert max(map(len, shown.lines)) <= 50
    assert not shown.text.lstrip().startswith(("[", "{"))


def test_colours_are_for_terminals_and_not_for_everybody():
    assert "\x1b[" in on_terminal("check").text
    assert "\x1b[" not in on_terminal("check", NO_COLOR="1").text
    assert "\x1b[" not in piped("check", "--table").stdout


def test_deleting_shows_that_it_goes_on(place):
    place.add(*(row("ben", 40 * 86_400_000 + number, expires_at=1) for number in range(300)))
    shown = on_terminal("prune", "--limit", "10", "--store", place.url)
    assert "━" in shown.text
    assert shown.lines[-1].endswith("300 deleted")


def test_json_may_be_wanted_on_a_terminal(place):
    shown = on_terminal("prune", "--json", "--store", place.url, NO_COLOR="1")
    assert '"deleted": 0' in shown.text


# Ending


@pytest.mark.parametrize("arguments", [("schema", "sqlite"), ("check", "--table")])
def test_a_reader_that_goes_away_is_no_error(arguments):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [AUTHX, *arguments], stdout=writing, stderr=subprocess.PIPE, env=OUTSIDE, timeout=PATIENCE
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


# With the demo


@contextmanager
def the_demo(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve the demo by the command, and find its address."""
    command = [AUTHX, "demo", "--port", "0", *options]
    with running(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=OUTSIDE) as process:
        address = ""
        for line in process.stdout:
            if "http://localhost:" in line and not address:
                address = "http://localhost:" + line.partition("http://localhost:")[2].split()[0].strip(",:;")
            if line.startswith("Ctrl-C stops it"):
                break
        yield process, address


def answer(address: str, path: str, body: object = None, token: str = "") -> tuple[int, dict]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(address + path, data, headers), timeout=PATIENCE) as response:
            return response.status, json.load(response)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


CREDENTIALS = {"username": "test", "password": "test"}


def test_a_running_application_soon_refuses_the_tokens_of_an_ended_session(folder):
    url = f"sqlite:///{folder}/auth.db"
    with the_demo("--store", url) as (_, address):
        ended, other, last = (answer(address, "/login", CREDENTIALS)[1] for _ in range(3))
        assert answer(address, "/protected", token=ended["access_token"])[0] == 200
        sessions = json.loads(piped("sessions", "list", "--user", "test", "--store", url).stdout)
        assert len(sessions) == 3
        done = piped("sessions", "revoke", sessions[-1]["session_id"], "--user", "test", "--store", url)
        assert done.returncode == 0, done.stderr
        wait_until(lambda: answer(address, "/protected", token=ended["access_token"])[0] == 401, within=SOON)
        assert answer(address, "/protected", token=ended["access_token"])[1]["code"] == "session_revoked"
        assert answer(address, "/protected", token=other["access_token"])[0] == 200
        spared = sessions[0]["session_id"]
        everywhere = ("sessions", "revoke-all", "--user", "test", "--yes", "--except", spared, "--store", url)
        assert json.loads(piped(*everywhere).stdout)["ended"] == 1
        wait_until(lambda: answer(address, "/protected", token=other["access_token"])[0] == 401, within=SOON)
        assert answer(address, "/protected", token=last["access_token"])[0] == 200


def test_the_demo_gets_its_arguments_untouched_and_obeys_ctrl_c(folder):
    with the_demo("--store", f"sqlite:///{folder}/auth.db", "--workers", "2") as (process, address):
        assert answer(address, "/protected")[0] == 401
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert "Traceback" not in out


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [(("--help",), 0, "--workers"), (("--nonsense",), 2, "--nonsense")],
)
def test_the_demo_answers_for_itself(arguments, code, text):
    done = piped("demo", *arguments)
    assert done.returncode == code
    assert text in done.stdout + done.stderr


def test_without_a_server_the_demo_says_what_to_install():
    code = (
        "import sys; sys.modules['uvicorn'] = None; sys.argv = ['authx', 'demo', '--port', '0']\n"
        "from authx.cli import main; sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=OUTSIDE, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install 'authx-fastapi[demo]'" in done.stderr
