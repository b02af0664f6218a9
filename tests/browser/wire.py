"""A proxy between a browser and a server: it writes down what passes, loses answers, and makes up its own."""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.waiting import PATIENCE

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
# Longer than any test waits for something else while it holds an answer back.
SECONDS = 5 * PATIENCE


@dataclass
class Answer:
    """What a browser was answered; one that is made up is given to the browser as it is."""

    status: int = 200
    content: Any = b""
    headers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else json.dumps(self.content).encode()

    def cookies(self) -> dict[str, str]:
        lines = [value for name, value in self.headers if name.lower() == "set-cookie"]
        return {line.partition("=")[0]: line.partition("=")[2].partition(";")[0] for line in lines}


@dataclass
class Exchange:
    """One request and its answer."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    answer: Answer | None = None


def refusal(status: int, action: str, code: str = "made_up", *, after: str | None = None) -> Answer:
    """Make up a refusal."""
    more = [] if after is None else [("Retry-After", after)]
    return Answer(status, {"code": code, "action": action}, [("Content-Type", "application/json"), *more])


class Wire:
    """What is known of the traffic, and what is to happen to it.

    Args:
        port: Where the server is.

    Attributes:
        seen: How often each path was asked for.
        exchanges: Every request, and its answer where there is one.
        at_once: The greatest number of requests for a path that were under way at the same time.
        lose: Paths whose next answer is lost: the server has done its work, and the browser never hears of it.
        lose_all: Paths whose answers are all lost: a browser repeats by itself what was lost on an old connection.
        hold: Set while answers may go through.
        instead: Answers that are given in the server's place, by path, until there are no more.
        is_cut: Whether no request reaches the server.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.seen: Counter[str] = Counter()
        self.exchanges: list[Exchange] = []
        self.at_once: Counter[str] = Counter()
        self.lose: list[str] = []
        self.lose_all: set[str] = set()
        self.hold = threading.Event()
        self.hold.set()
        self.instead: dict[str, Iterator[Answer]] = {}
        self.is_cut = False
        self.address = ""
        self._held: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def holding(self, path: str) -> Iterator[None]:
        """Let no answer for a path through, for as long as the context lasts."""
        release = self._held[path] = threading.Event()
        try:
            yield
        finally:
            del self._held[path]
            release.set()

    def last(self, path: str) -> Exchange:
        """The newest request for a path."""
        return next(one for one in reversed(self.exchanges) if one.path == path)

    def begin(self, exchange: Exchange) -> None:
        path = exchange.path
        with self._lock:
            self.seen[path] += 1
            self.exchanges.append(exchange)
            self._under_way[path] += 1
            self.at_once[path] = max(self.at_once[path], self._under_way[path])

    def end(self, exchange: Exchange) -> None:
        with self._lock:
            self._under_way[exchange.path] -= 1

    def find_answer(self, exchange: Exchange, target: str) -> Answer | None:
        """Answer a request, or not."""
        if self.is_cut:
            return None
        with self._lock:
            answer = next(self.instead.get(exchange.path, iter(())), None)
        answer = answer or self._ask(exchange, target)
        self.hold.wait(SECONDS)
        release = self._held.get(exchange.path)
        if release is not None:
            release.wait(SECONDS)
        if exchange.path in self.lose:
            self.lose.remove(exchange.path)
            return None
        return None if exchange.path in self.lose_all else answer

    def _ask(self, exchange: Exchange, target: str) -> Answer | None:
        server = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            server.putrequest(exchange.method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in exchange.headers.items():
                server.putheader(name, value)
            server.endheaders(exchange.body)
            answer = server.getresponse()
            return Answer(answer.status, answer.read(), answer.getheaders())
        except (OSError, http.client.HTTPException):
            return None
        finally:
            server.close()


def _handler(wire: Wire) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            exchange = Exchange(self.command, self.path.partition("?")[0], headers, body)
            wire.begin(exchange)
            try:
                exchange.answer = answer = wire.find_answer(exchange, self.path)
            finally:
                wire.end(exchange)
            if answer is None:
                self.close_connection = True
                return
            self.send_response_only(answer.status)
            for name, value in answer.headers:
                if name.lower() not in HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(answer.body)

        do_GET = do_POST = do_DELETE = do_OPTIONS = pass_on  # noqa: N815 - as the standard library calls them

        def log_message(self, *args: object) -> None:
            pass

    return Handler


@contextmanager
def wire_to(port: int) -> Iterator[Wire]:
    """Put a wire before a server."""
    wire = Wire(port)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        # Three tabs come at once.
        request_queue_size = 64

        def handle_error(self, request: object, client_address: object) -> None:
            """A browser that has closed its page hears no answer."""

    with Server(("127.0.0.1", 0), _handler(wire)) as proxy:
        wire.address = f"http://localhost:{proxy.server_address[1]}"
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield wire
        finally:
            proxy.shutdown()
            thread.join()
