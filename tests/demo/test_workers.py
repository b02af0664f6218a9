"""The demo served by several processes: one user's sessions in all of them, and an end of all of them together."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest
from tests.demo.server import Demo, running_demo
from tests.support.waiting import PATIENCE, SOON, wait_until

CREDENTIALS = json.dumps({"username": "test", "password": "test"})


class Worker:
    """A connection that one of the processes accepts at the first request, and serves from then on."""

    def __init__(self, demo: Demo) -> None:
        self._connection = HTTPConnection("127.0.0.1", demo.port, timeout=PATIENCE)

    def ask(self, method: str, path: str, token: str = "", body: str | None = None) -> tuple[int, dict]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read() or "null")

    def close(self) -> None:
        self._connection.close()


def state_of(pid: int) -> str:
    return subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True, check=True).stdout


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Let a process accept nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: state_of(pid).startswith("T"), "the stop")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with running_demo("--workers", "2") as running:
        yield running


@pytest.fixture
def workers(demo) -> Iterator[list[Worker]]:
    """A connection to each of the two processes."""
    first, second = demo.workers()
    with ExitStack() as stack:
        connections = []
        for other in (second, first):
            worker = stack.enter_context(closing(Worker(demo)))
            with frozen(other):
                worker.ask("GET", "/protected")
            connections.append(worker)
        yield connections


def test_a_session_is_known_to_every_worker(workers):
    here, there = workers
    _, tokens = here.ask("POST", "/login", body=CREDENTIALS)
    assert there.ask("GET", "/protected", tokens["access_token"])[0] == 200
    _, new = there.ask("POST", "/refresh", tokens["refresh_token"])
    _, again = here.ask("POST", "/refresh", tokens["refresh_token"])
    assert again["refresh_token"] == new["refresh_token"] != tokens["refresh_token"]
    _, sessions = here.ask("GET", "/sessions", again["access_token"])
    assert [session["current"] for session in sessions if session["current"]] == [True]


@pytest.mark.parametrize("path", ["/logout", "/logout/all"])
def test_a_logout_is_soon_known_to_every_worker(workers, path):
    here, there = workers
    _, tokens = here.ask("POST", "/login", body=CREDENTIALS)
    assert there.ask("GET", "/protected", tokens["access_token"])[0] == 200
    assert here.ask("POST", path, tokens["access_token"])[0] == 200
    wait_until(lambda: there.ask("GET", "/protected", tokens["access_token"])[0] == 401, "the refusal", within=SOON)
    assert there.ask("GET", "/protected", tokens["access_token"])[1]["code"] == "session_revoked"
    assert there.ask("POST", "/refresh", tokens["refresh_token"])[1]["code"] == "session_revoked"


def is_served(demo: Demo) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", demo.port), timeout=1):
        return True
    return False


def test_ctrl_c_ends_all_workers_without_a_traceback():
    with running_demo("--workers", "2") as demo:
        assert demo.interrupt() == (0, "")
        assert not is_served(demo)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_of_the_lab_is_left_when_the_demo_has_ended(number):
    with running_demo("--workers", "2") as demo:
        (store,) = re.findall(r"^Sessions are kept in sqlite:///(/.*)$", demo.printed, re.MULTILINE)
        folder = Path(store).parent
        (lab,) = folder.glob("lab-*")
        assert lab.stat().st_mode & 0o077 == 0
        demo.interrupt() if number == signal.SIGINT else demo.stop(number)
        assert list(folder.glob("lab-*")) == []


def test_sigterm_to_the_first_process_ends_all_workers():
    with running_demo("--workers", "2") as demo:
        assert demo.stop(signal.SIGTERM) == (-signal.SIGTERM, "")
        assert not is_served(demo)


def test_workers_end_when_the_first_process_is_killed():
    with running_demo("--workers", "2") as demo:
        demo.stop(signal.SIGKILL)
        wait_until(lambda: not is_served(demo), "the workers' end")


def test_a_worker_that_dies_ends_the_demo_with_an_error():
    with running_demo("--workers", "2") as demo:
        os.kill(demo.workers()[0], signal.SIGKILL)
        assert demo.end() == (1, "authx demo: a worker ended by itself; the others have been stopped\n")
        assert not is_served(demo)
