"""The server under the demo: one process, or several that share a socket."""

import multiprocessing
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Final, NoReturn

import uvicorn
from fastapi import FastAPI

__all__ = ["TerminatedError", "WorkerEndedError", "serve", "serve_by_workers"]

_SECONDS_TO_FINISH: Final = 3
_SECONDS_TO_END: Final = 2 * _SECONDS_TO_FINISH


class WorkerEndedError(Exception):
    """A worker ended by itself."""


class TerminatedError(BaseException):
    """SIGTERM came."""


class _Server(uvicorn.Server):
    """A server that says when it can be used, and stopped."""

    def __init__(self, app: FastAPI, on_start: Callable[[], None]) -> None:
        super().__init__(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=_SECONDS_TO_FINISH))
        self._app = app
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Whoever listens to events would go on listening.
        self._app.state.lab.closing = True
        await super().shutdown(sockets)


def serve(app: FastAPI, listener: socket.socket, greeting: str) -> None:
    """Serve an application until the process is stopped, and print the greeting once it is up."""
    _Server(app, lambda: print(greeting, flush=True)).run(sockets=[listener])


def serve_by_workers(make_app: Callable[[], FastAPI], listener: socket.socket, greeting: str, workers: int) -> None:
    """Serve an application by several processes, which end with this one.

    Raise KeyboardInterrupt or `TerminatedError` when stopped, `WorkerEndedError` when a worker ended by itself.
    """
    crew: list[SpawnProcess] = []
    former = signal.signal(signal.SIGTERM, _terminate)
    try:
        _start(crew, make_app, listener, workers)
        print(greeting, flush=True)
        ended = wait([worker.sentinel for worker in crew])
        # Ctrl-C reaches the workers too, and one may end before this process gets the signal.
        if any(_exit_code(worker) for worker in crew if worker.sentinel in ended):
            raise WorkerEndedError
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _stop(crew)
        signal.signal(signal.SIGTERM, former)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - as signal handlers are called
    raise TerminatedError


def _start(crew: list[SpawnProcess], make_app: Callable[[], FastAPI], listener: socket.socket, workers: int) -> None:
    context = multiprocessing.get_context("spawn")
    starting: list[Connection] = []
    # Inherited: a worker that is not ready yet leaves Ctrl-C to this process.
    with _ignoring_interrupts():
        for _ in range(workers):
            ours, theirs = context.Pipe(duplex=False)
            worker = context.Process(target=_work, args=(make_app, listener, theirs), daemon=True)
            worker.start()
            theirs.close()
            crew.append(worker)
            starting.append(ours)
    for ours in starting:
        with ours:
            try:
                ours.recv()
            except EOFError:
                raise WorkerEndedError from None


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)


def _exit_code(worker: SpawnProcess) -> int | None:
    # The sentinel is ready slightly before the exit code.
    worker.join(_SECONDS_TO_END)
    return worker.exitcode


def _stop(crew: list[SpawnProcess]) -> None:
    for worker in crew:
        worker.terminate()
    for worker in crew:
        worker.join(_SECONDS_TO_END)
        if worker.is_alive():
            worker.kill()
            worker.join()


def _work(make_app: Callable[[], FastAPI], listener: socket.socket, ready: Connection) -> None:
    def report() -> None:
        ready.send("ready")
        ready.close()

    server = _Server(make_app(), report)

    def follow_parent() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
        server.should_exit = True

    threading.Thread(target=follow_parent, daemon=True).start()
    server.run(sockets=[listener])
    if not server.started:
        sys.exit(1)
