"""The demo as a process of its own, started as its users start it."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.processes import running
from tests.support.waiting import PATIENCE

OUTSIDE = {name: value for name, value in os.environ.items() if not name.upper().startswith("JWT_")}
COMMAND = [sys.executable, "-m", "authx.demo"]


class Demo:
    """A demo that answers: it prints its lines only when connections can be made.

    Attributes:
        printed: What it has printed for its user.
        address: Where it is.
        port: Its port.
        pid: The process that was started.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdout is not None
        self.printed = ""
        for line in process.stdout:
            self.printed += line
            if line == "Ctrl-C stops it.\n":
                break
        found = re.search(r"http://localhost:(\d+)", self.printed)
        assert found is not None, f"the demo did not start: {self.printed}{process.communicate()}"
        self.address, self.port = found[0], int(found[1])
        self.pid = process.pid

    def interrupt(self) -> tuple[int, str]:
        """Press Ctrl-C, which reaches every process of the demo; return the exit code and what was printed since."""
        os.killpg(self.pid, signal.SIGINT)
        return self.end()

    def stop(self, number: int) -> tuple[int, str]:
        """Send a signal to the process that was started; return as `interrupt`."""
        self._process.send_signal(number)
        return self.end()

    def end(self) -> tuple[int, str]:
        """Wait for its end; return as `interrupt`."""
        out, err = self._process.communicate(timeout=PATIENCE)
        return self._process.returncode, out + err

    def workers(self) -> list[int]:
        """Find the processes that serve, where there are several."""
        table = subprocess.run(["ps", "-axww", "-o", "pid=,ppid=,command="], capture_output=True, text=True, check=True)
        rows = [line.split(None, 2) for line in table.stdout.splitlines()]
        return [int(pid) for pid, parent, command in rows if int(parent) == self.pid and "spawn_main" in command]


@contextmanager
def running_demo(*options: str, **settings: str) -> Iterator[Demo]:
    """Run the demo on a free port, with settings and a temporary folder of its own, and end it."""
    with (
        tempfile.TemporaryDirectory(prefix="authx-demo-test-") as folder,
        running(
            [*COMMAND, "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=OUTSIDE | settings | {"TMPDIR": folder},
        ) as process,
    ):
        yield Demo(process)
