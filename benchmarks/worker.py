"""One process that runs cases when it is told to, and never otherwise.

It speaks JSON, one object a line: a request on standard input, an answer on standard output.
"""

import asyncio
import contextlib
import gc
import importlib
import json
import os
import sys
from importlib.metadata import distributions
from typing import TextIO, cast

from benchmarks.cases import Case, CaseModule


def load(modules: list[str]) -> dict[str, Case]:
    """Imports the modules and returns their cases by name."""
    found: dict[str, Case] = {}
    for module in modules:
        for case in cast("CaseModule", importlib.import_module(module)).cases():
            if case.name in found:
                raise ValueError(f"two cases are named {case.name}")
            found[case.name] = case
    return found


async def describe(cases: dict[str, Case]) -> list[dict[str, object]]:
    """Checks every case once and says what each is."""
    return [
        {
            "name": case.name,
            "subject": case.subject,
            "title": case.title,
            "baseline": case.baseline,
            "rival": case.rival,
            "facts": dict(await case.check()),
        }
        for case in cases.values()
    ]


async def measure(case: Case, calls: int) -> float:
    """Nanoseconds per call of a chunk, with warm-up and without garbage collection."""
    await case.chunk(max(1, calls // 10))
    gc.collect()
    gc.disable()
    try:
        return await case.chunk(calls) / calls
    finally:
        gc.enable()


async def serve(cases: dict[str, Case], requests: TextIO, answers: TextIO) -> None:
    """Answers requests until the input ends; nothing else runs in this event loop."""
    for line in requests:
        request = json.loads(line)
        result: object
        match request["do"]:
            case "describe":
                result = await describe(cases)
                gc.collect()
                gc.freeze()
            case "versions":
                result = {one.metadata["Name"]: one.version for one in distributions()}
            case "measure":
                result = await measure(cases[request["case"]], request["calls"])
            case other:
                raise ValueError(other)
        answers.write(json.dumps(result) + "\n")
        answers.flush()


def main() -> None:
    """Runs the modules named on the command line."""
    # Whatever a library prints must not reach the coordinator.
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as answers, contextlib.redirect_stdout(sys.stderr):
        asyncio.run(serve(load(sys.argv[1:]), sys.stdin, answers))


if __name__ == "__main__":
    main()
