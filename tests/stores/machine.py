"""What the stateful tests of stores share: an event loop, a store that can fail, and how long histories are."""

import asyncio
from collections.abc import Awaitable, Callable

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from authx.stores import Store
from authx.testing import FaultyStore

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
GRACE = 30 * SECOND
BEGINNING = 1_900_000_000_000

# Makes an open store that is empty.
MakeEmptyStore = Callable[[], Awaitable[Store]]


class Machine(RuleBasedStateMachine):
    """A history of one store."""

    make_store: MakeEmptyStore

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.store = FaultyStore(self.runner.run(self.make_store()))
        self.now = BEGINNING
        self.serial = 0

    def teardown(self) -> None:
        self.runner.run(self.store.close())
        self.runner.close()

    def run(self, *calls: Awaitable[object], return_exceptions: bool = False) -> list[object]:
        """Make calls at the same time."""

        async def gather() -> list[object]:
            return list(await asyncio.gather(*calls, return_exceptions=return_exceptions))

        return self.runner.run(gather())


def check(machine: type[Machine], make: MakeEmptyStore, *, examples: int, steps: int = 40) -> None:
    """Drive a store through random histories, with a new store for each."""
    run_state_machine_as_test(
        type(machine.__name__, (machine,), {"make_store": staticmethod(make)}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
