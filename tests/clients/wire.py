"""A wire between client and server, which a test cuts when the answer to a refresh comes through."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.support.waiting import PATIENCE


class Wire:
    """A proxy that passes bytes on.

    Attributes:
        cuts: How many answers to refreshes are still to be lost, with their connections.
    """

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.cuts = 0
        self._start(self._accept)

    def _start(self, target, *args) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                server = socket.create_connection(("127.0.0.1", self._server_port))
                self._open.append(server)
                is_refresh = threading.Event()
                self._start(self._pass_on, client, server, lambda data, seen=is_refresh: self._watch(data, seen))
                self._start(self._pass_on, server, client, lambda _, seen=is_refresh: self._is_cut(seen))

    def _watch(self, data: bytes, is_refresh: threading.Event) -> bool:
        if data.startswith(b"POST /auth/refresh "):
            is_refresh.set()
        return False

    def _is_cut(self, is_refresh: threading.Event) -> bool:
        if self.cuts == 0 or not is_refresh.is_set():
            return False
        self.cuts -= 1
        return True

    def _pass_on(self, source: socket.socket, target: socket.socket, is_end) -> None:
        with suppress(OSError):
            while (data := source.recv(65_536)) and not is_end(data):
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        for one in self._open:
            one.close()


@contextmanager
def wire_to(port: int) -> Iterator[Wire]:
    """Lay a wire to a server."""
    wire = Wire(port)
    try:
        yield wire
    finally:
        wire.close()
