from collections.abc import Callable, Iterator

import pytest
from tests.races.machines import Machine, running
from tests.races.places import KINDS, Place, a_place

_printed = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session", params=KINDS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with a_place(request.param) as one:
        yield one


@pytest.fixture(scope="module")
def machines(place: Place) -> Iterator[list[Machine]]:
    """Three servers over one store."""
    with running(3, {"JWT_STORE_URL": place.url}) as three:
        yield three


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Prints a line below the results: for people, not for the test."""
    return request.config.stash.setdefault(_printed, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(_printed, [])
    if lines:
        terminalreporter.section("measured")
    for line in lines:
        terminalreporter.write_line(line)
