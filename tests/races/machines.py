"""Servers of `app.py`, each a process of its own, as if each were a machine."""

import asyncio
import os
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.races.wire import Answer, ask
from tests.support.processes import Port, end, start, stop
from tests.support.waiting import wait_until

ROOT = Path(__file__).parent.parent.parent
OUTSIDE = {name: value for name, value in os.environ.items() if not name.upper().startswith("JWT_")}
SECRET = "a secret of all machines, more than thirty-two letters long"


class Machine:
    """One server.

    Args:
        settings: The application's settings.
        *options: Further options of uvicorn.
        app: Where the application is.
        port: Where it listens; any free one by default.
    """

    def __init__(
        self, settings: Mapping[str, str], *options: str, app: str = "tests.races.app:app", port: int = 0
    ) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the server has stopped
        self._printed = ""
        self._reserved = Port(port)
        self.port = self._reserved.number
        # A group, so that workers end with their server whatever happens to it.
        self._process = start(
            [
                *(sys.executable, "-m", "uvicorn", app),
                *("--host", "127.0.0.1", "--port", str(self.port), "--log-level", "warning", *options),
            ],
            cwd=ROOT,
            env={**OUTSIDE, "JWT_SECRET_KEY": SECRET, **settings},
            stdout=self._log,
            stderr=self._log,
        )

    def wait(self) -> None:
        """Wait until it takes connections, which it does when its store is open."""

        def takes_connections() -> bool:
            assert self._process.poll() is None, f"the server did not start:\n{self.printed()}"
            with socket.socket() as attempt:
                return attempt.connect_ex(("127.0.0.1", self.port)) == 0

        wait_until(takes_connections, "the start of the server")

    def kill(self) -> None:
        """End it at once, and its workers, as a power cut does."""
        end(self._process)

    def stop(self) -> None:
        """End it in good order, if it is not over yet."""
        try:
            stop(self._process)
        finally:
            self.printed()
            self._log.close()
            self._reserved.close()

    def printed(self) -> str:
        """What it has printed, which is nothing unless it met errors."""
        if not self._log.closed:
            self._log.seek(0)
            self._printed = self._log.read().decode("utf-8", "replace")
        return self._printed

    async def ask(self, method: str, path: str, token: str | None = None, **more: object) -> Answer:
        return await ask(self.port, method, path, token, **more)

    async def log_in(self, name: str) -> Answer:
        """Begin a session, which writes its row."""
        answer = await self.ask("POST", "/auth/login", body={"username": name, "password": name})
        assert answer.status == 200, answer
        return answer

    async def pair(self, name: str) -> Answer:
        """Begin a session that has no row before its first refresh."""
        answer = await self.ask("POST", f"/pair?username={name}")
        assert answer.status == 200, answer
        return answer

    async def refresh(self, token: str) -> Answer:
        return await self.ask("POST", "/auth/refresh", token)

    async def is_in(self, token: str) -> bool:
        """Tell whether an access token is good here."""
        answer = await self.ask("GET", "/protected", token)
        assert answer.status in {200, 401}, answer
        return answer.status == 200


@contextmanager
def running(count: int, settings: Mapping[str, str], *options: str) -> Iterator[list[Machine]]:
    """Run servers for as long as the context lasts; none of them may have met an error it did not expect."""
    machines: list[Machine] = []
    try:
        for _ in range(count):
            machines.append(Machine(settings, *options))
        for machine in machines:
            machine.wait()
        yield machines
    finally:
        with ExitStack() as stack:
            for machine in machines:
                stack.callback(machine.stop)
    for machine in machines:
        assert "Traceback" not in machine.printed(), machine.printed()


async def events(machines: Sequence[Machine]) -> Counter[str]:
    """Count what has happened on all of them."""
    total: Counter[str] = Counter()
    for answer in await asyncio.gather(*(machine.ask("GET", "/events") for machine in machines)):
        total.update(answer.body)
    return total
