"""How long importing takes: fresh interpreters, one after the other in turn."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.coordinator import OURS, PEERS, Described, Series, clean_environment

# Timed inside the child: starting an interpreter is nobody's doing.
CHILD = """
import sys, time
started = time.perf_counter_ns()
exec(sys.argv[1])
print(time.perf_counter_ns() - started)
"""

FASTAPI = "import fastapi"
PACKAGE = "import authx"
# A package may put off its real imports until a name is asked for; this asks.
NAMES = "from authx import AuthX, AuthXConfig, TokenPayload"


@dataclass(frozen=True, slots=True)
class Child:
    """One command of a round.

    Args:
        name: how targets refer to it.
        statement: what is timed.
        environments: where; the rounds are long, so nothing runs that nobody asks about.
    """

    name: str
    statement: str
    environments: frozenset[str]


CHILDREN = (
    Child("fastapi", FASTAPI, frozenset({OURS, PEERS})),
    Child("package", PACKAGE, frozenset({OURS, PEERS})),
    Child("names", NAMES, frozenset({OURS})),
)


def _time(python: Path, statement: str, directory: str) -> float:
    """Microseconds."""
    done = subprocess.run(
        [str(python), "-P", "-c", CHILD, statement],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        cwd=directory,
        env=clean_environment(),
    )
    if done.returncode:
        sys.exit(f"{statement!r} failed in {python}; its error is above")
    return int(done.stdout) / 1000


def run(environments: dict[str, tuple[Path, str]], rounds: int) -> list[Series]:
    """Times every statement in every environment, interleaved.

    Args:
        environments: for each name the interpreter and the subject's name.
        rounds: how often; the first run of each, which may write bytecode, is not counted.
    """
    series = [
        (python, child, Series(Described(child.name, subject, child.statement, None, None, {}), name))
        for child in CHILDREN
        for name, (python, subject) in environments.items()
        if name in child.environments
    ]
    with tempfile.TemporaryDirectory() as directory:
        for number in range(-1, rounds):
            for python, child, one in reversed(series) if number % 2 else series:
                took = _time(python, child.statement, directory)
                if number >= 0:
                    one.rounds.append(took)
    return [one for _, _, one in series]
