"""AuthX 1.7.1's refresh, which checks a signature and keeps no state; imported in the peers' environment."""

from collections.abc import Iterable

from benchmarks.apps import authx171, floor
from benchmarks.cases import Case


def cases() -> Iterable[Case]:
    """The bare route, and its refresh as its documentation writes it."""
    wanted = {"bare POST", "refresh AuthX"}
    yield from (case for module in (floor, authx171) for case in module.cases() if case.name in wanted)
