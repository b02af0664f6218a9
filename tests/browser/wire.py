"""A proxy between a browser and a server: it counts requests, and loses answers."""

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Wire:
    """What is known of the traffic, and what is to happen to it.

    Args:
        port: Where the server is.

    Attributes:
        seen: How often each path was asked for.
        lose: Paths whose next answer is lost: the server has done its work, and the browser never hears of it.
        hold: Set while answers may go through.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.seen: Counter[str] = Counter()
        self.lose: list[str] = []
        self.hold = threading.Event()
        self.hold.set()
        self.address = ""


def _handler(wire: Wire) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            path = self.path.partition("?")[0]
            wire.seen[path] += 1
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            server = http.client.HTTPConnection("127.0.0.1", wire.port, timeout=20)
            try:
                server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    server.putheader(name, value)
                server.endheaders(body)
                answer = server.getresponse()
                content = answer.read()
            except OSError:
                self.close_connection = True
                return
            finally:
                server.close()
            wire.hold.wait(20)
            if path in wire.lose:
                wire.lose.remove(path)
                self.close_connection = True
                return
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(content)

        do_GET = do_POST = do_DELETE = pass_on  # noqa: N815 - as the standard library calls them

        def log_message(self, *args: object) -> None:
            pass

    return Handler


@contextmanager
def wire_to(port: int) -> Iterator[Wire]:
    """Put a wire before a server."""
    wire = Wire(port)

    class Server(ThreadingHTTPServer):
        daemon_threads = True

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
