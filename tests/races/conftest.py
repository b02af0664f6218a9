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
