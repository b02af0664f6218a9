"""Programs that tests start: none outlives its test, and none outlives the tests, however these end."""

import atexit
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from tests.support.waiting import PATIENCE

__all__ = ["Port", "end", "running", "start", "stop", "unwatch", "watch"]

# Reads the groups to watch from its standard input, and ends those that are left when this process is gone.
_WATCHER = """
import os, signal, sys
groups = set()
for line in sys.stdin:
    group = int(line)
    groups.add(group) if group > 0 else groups.discard(-group)
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""


def start(command: Sequence[str], **options: Any) -> "subprocess.Popen[Any]":
    """Start a program in a process group of its own; `end` has to be called for it.

    Args:
        command: The program and its arguments.
        **options: As `subprocess.Popen` takes them.
    """
    process = subprocess.Popen(command, start_new_session=True, **options)
    watch(process.pid)
    return process


def end(process: "subprocess.Popen[Any]") -> None:
    """Kill what is left of a program and of those it has started, wait for it, and close its pipes."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with process:
        pass
    unwatch(process.pid)


def stop(process: "subprocess.Popen[Any]", number: int = signal.SIGTERM) -> int:
    """Tell a program to end, and wait until it has; return its exit code."""
    try:
        if process.poll() is None:
            process.send_signal(number)
        return process.wait(PATIENCE)
    finally:
        end(process)


@contextmanager
def running(command: Sequence[str], **options: Any) -> "Iterator[subprocess.Popen[Any]]":
    """Run a program for as long as the context lasts; see `start` and `end`."""
    process = start(command, **options)
    try:
        yield process
    finally:
        end(process)


def watch(group: int) -> None:
    """Let a process group be killed when this process is gone."""
    _tell_watcher(group)


def unwatch(group: int) -> None:
    """Undo `watch`: the group is over, and its number may become somebody else's."""
    _tell_watcher(-group)


def _tell_watcher(number: int) -> None:
    pipe = _watcher().stdin
    assert pipe is not None
    pipe.write(f"{number}\n")
    pipe.flush()


@cache
def _watcher() -> "subprocess.Popen[str]":
    command = [sys.executable, "-IS", "-c", _WATCHER]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True
    )

    def dismiss() -> None:
        with process:
            pass

    atexit.register(dismiss)
    return process


class Port:
    """A port on loopback that no other program is given, though a server of ours may listen on it, again and again.

    Attributes:
        number: Its number.
    """

    def __init__(self, number: int = 0) -> None:
        self._holder = socket.socket()
        # Linux lets others who say so too listen on a port that is only bound, and gives it to nobody else.
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holder.bind(("127.0.0.1", number))
        self.number: int = self._holder.getsockname()[1]
        if sys.platform != "linux":
            self._holder.close()

    def close(self) -> None:
        """Give it back."""
        self._holder.close()
