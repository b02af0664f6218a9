from collections.abc import Callable, Iterator

import pytest
from tests.races.machines import Machine, running
from tests.races.places import KINDS, Place, a_place


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
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Prints a line below the results: for people, not for the test."""
    return lambda line: record_property("measured", line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = [
        value
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == "measured"
    ]
    if lines:
        terminalreporter.section("measured")
    for line in lines:
        terminalreporter.write_line(str(line))
