"""A real server answers what no client library would send, and serves the next request."""

import json
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.support.processes import running, stop
from tests.support.waiting import PATIENCE

from .rows import GOOD, MiB

SERVER = Path(__file__).with_name("server.py")


@pytest.fixture(scope="module")
def port():
    with tempfile.TemporaryFile("w+") as log:
        with running([sys.executable, SERVER], stdout=subprocess.PIPE, stderr=log, text=True) as process:
            yield int(process.stdout.readline())
            stop(process)
        log.seek(0)
        assert "Traceback" not in log.read()


def converse(port: int, raw: bytes) -> bytes:
    """Send bytes, and read until the server closes the connection or has sent an answer's head."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        answer = b""
        try:
            connection.sendall(raw)
            while b"\r\n\r\n" not in answer and (part := connection.recv(65536)):
                answer += part
            while (
                b"content-length" in answer and not answer.endswith((b"}", b'"')) and (part := connection.recv(65536))
            ):
                answer += part
        except (ConnectionResetError, BrokenPipeError):
            # It stopped reading what it had refused.
            pass
        return answer


def request(*lines: bytes, path: bytes = b"/p") -> bytes:
    return b"\r\n".join([b"GET " + path + b" HTTP/1.1", b"Host: localhost", b"Connection: close", *lines, b"", b""])


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([b"Authorization: Bearer " + b"a" * (8 * MiB)], id="8 MiB"),
        pytest.param([b"Authorization: Bearer " + b"a" * 20_000], id="20 kB"),
        pytest.param([b"Authorization: Bearer " + GOOD, b" " + GOOD], id="a folded line"),
        pytest.param([b"Authorization: Bearer " + GOOD, b"\tx"], id="a line folded with a tab"),
        pytest.param([b"Authorization: Bearer a\0b"], id="NUL"),
        pytest.param([b"Authorization: Bearer a\x01b"], id="a control byte"),
        pytest.param([b"Authorization: Bearer \xff\xfe\x80"], id="bytes beyond ASCII"),
        pytest.param([b"Authorization: Bearer " + GOOD, b"Authorization: Bearer " + GOOD], id="two headers"),
        pytest.param([b"Authorization Bearer x"], id="no colon"),
        pytest.param([b"Authorization : Bearer x"], id="a space before the colon"),
        pytest.param([b"Authorization: Bearer x\nX: y"], id="a bare newline"),
        pytest.param([b"Cookie: access_token_cookie=\xff\x00"], id="a cookie of bytes"),
    ],
)
def test_a_server_answers_a_bad_request_with_4xx_or_closes_and_serves_the_next(port, lines):
    answer = converse(port, request(*lines))
    assert not answer or answer.startswith(b"HTTP/1.1 4")
    token = json.loads(converse(port, request(path=b"/login")).rpartition(b"\r\n")[2])
    assert converse(port, request(b"Authorization: Bearer " + token.encode())).startswith(b"HTTP/1.1 200")
