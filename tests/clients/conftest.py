from contextlib import closing

import httpx
import httpx2
import pytest
from tests.clients.fake import Fake, Kind
from tests.clients.world import World

KINDS = {
    "httpx2": (httpx2, False),
    "httpx2-async": (httpx2, True),
    "httpx": (httpx, False),
    "httpx-async": (httpx, True),
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """A client, of each library and of both kinds."""
    return Kind(*request.param)


@pytest.fixture(params=[httpx2, httpx], ids=lambda library: library.__name__)
def library(request: pytest.FixtureRequest):
    return request.param


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture(scope="module")
def module_world():
    with closing(World()) as world, world.served():
        yield world


@pytest.fixture
def world(module_world: World) -> World:
    """A real server."""
    module_world.forget()
    return module_world
