"""Drives one process per environment, a chunk at a time, so that only one of them ever runs."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
# The names of the environments.
OURS, PEERS, DJANGO = "authx", "peers", "django"


def clean_environment() -> dict[str, str]:
    """The environment of every measured process: no settings of the caller's, the benchmarks importable."""
    kept = {
        name: value for name, value in os.environ.items() if not name.upper().startswith(("JWT_", "AUTHX_", "PYTHON"))
    }
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore"}


@dataclass(frozen=True, slots=True)
class Described:
    """A case as its process describes it."""

    name: str
    subject: str
    title: str
    baseline: str | None
    rival: str | None
    facts: Mapping[str, int]


class Worker:
    """A process in one environment that measures when asked.

    Args:
        python: the environment's interpreter.
        modules: modules that offer cases.
    """

    def __init__(self, python: Path, modules: Sequence[str]) -> None:
        self._python, self._modules = python, modules
        self._directory = tempfile.TemporaryDirectory()

    def __enter__(self) -> Self:
        # An empty directory: no .env file of the caller's is read.
        self._process = subprocess.Popen(
            [str(self._python), "-P", "-m", "benchmarks.worker", *self._modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=self._directory.name,
            env=clean_environment(),
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()
        self._directory.cleanup()

    def _ask(self, **request: object) -> object:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the process measuring {', '.join(self._modules)} stopped; its error is above")
        return json.loads(line)

    def describe(self) -> list[Described]:
        """Has every case checked; returns what they are."""
        answer = self._ask(do="describe")
        assert isinstance(answer, list)
        return [Described(**one) for one in answer]

    def versions(self) -> dict[str, str]:
        """Installed distributions and their versions."""
        answer = self._ask(do="versions")
        assert isinstance(answer, dict)
        return answer

    def measure(self, case: str, calls: int) -> float:
        """Microseconds per call of one chunk."""
        answer = self._ask(do="measure", case=case, calls=calls)
        assert isinstance(answer, float)
        return answer / 1000


@dataclass(slots=True)
class Series:
    """A case and what each round measured, in microseconds per call."""

    case: Described
    environment: str
    rounds: list[float] = field(default_factory=list)

    @property
    def minimum(self) -> float:
        return min(self.rounds)

    @property
    def median(self) -> float:
        return median(self.rounds)

    def over(self, other: "Series") -> float:
        """Median of the rounds' ratios."""
        return median(mine / theirs for mine, theirs in zip(self.rounds, other.rounds, strict=True))

    def minus(self, other: "Series") -> float:
        """Median of the rounds' differences."""
        return median(mine - theirs for mine, theirs in zip(self.rounds, other.rounds, strict=True))


@dataclass(frozen=True, slots=True)
class Part:
    """What one run of the rounds gave."""

    series: Sequence[Series]

    def find(self, name: str, environment: str | None = None) -> Series | None:
        """The case of that name, of that environment where one is named."""
        for series in self.series:
            if series.case.name == name and environment in (None, series.environment):
                return series
        return None

    def baseline(self, series: Series) -> Series | None:
        """What a case is subtracted from or divided by: measured in its own process."""
        name = series.case.baseline
        return None if name is None else self.find(name, series.environment)

    def rival(self, series: Series) -> Series | None:
        """What a case is compared with: measured in another process."""
        name = series.case.rival
        return None if name is None else self.find(name)

    def added(self, series: Series) -> float | None:
        """What a case takes beyond its baseline."""
        base = self.baseline(series)
        return None if base is None else series.minus(base)


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure.

    Args:
        rounds: chunks of every case.
        chunk: microseconds that a chunk should take.
    """

    rounds: int
    chunk: float


def versions(python: Path) -> dict[str, str]:
    """Installed distributions and their versions."""
    with Worker(python, ()) as worker:
        return worker.versions()


def run(environments: Mapping[str, tuple[Path, Sequence[str]]], effort: Effort, tell: Callable[[str], None]) -> Part:
    """Measures the modules of every environment, interleaved.

    Args:
        environments: for each name the interpreter and the modules that offer cases.
        effort: how long to measure.
        tell: takes lines about the progress.
    """
    workers: dict[str, Worker] = {}
    series: list[Series] = []
    try:
        for name, (python, modules) in environments.items():
            workers[name] = Worker(python, modules).__enter__()
            series += [Series(case, name) for case in workers[name].describe()]
        tell(f"{len(series)} cases answer as they should; measuring")
        order = _interleaved(series)
        calls = [_calls(workers[one.environment], one.case.name, effort.chunk) for one in order]
        for number in range(effort.rounds):
            turn = list(zip(order, calls, strict=True))
            for one, count in reversed(turn) if number % 2 else turn:
                one.rounds.append(workers[one.environment].measure(one.case.name, count))
    finally:
        for worker in workers.values():
            worker.__exit__(None, None, None)
    return Part(series)


def _interleaved(series: Sequence[Series]) -> list[Series]:
    """Spreads each environment's cases evenly over a round."""
    placed: list[tuple[float, Series]] = []
    for environment in dict.fromkeys(one.environment for one in series):
        own = [one for one in series if one.environment == environment]
        placed += [((place + 0.5) / len(own), one) for place, one in enumerate(own)]
    return [one for _, one in sorted(placed, key=lambda pair: pair[0])]


def _calls(worker: Worker, case: str, chunk: float) -> int:
    """How many calls fill a chunk; never fewer than one."""
    worker.measure(case, 1)
    estimate = worker.measure(case, 20 if worker.measure(case, 1) < chunk / 20 else 1)
    return max(1, round(chunk / estimate))
