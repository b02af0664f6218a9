from pathlib import Path

import pytest
from tests.sessions.world import World, WorldMaker

from authx.stores import open_store


@pytest.fixture
def store_url():
    """Where sessions are: what differs by store is tested in `tests/stores`, and here in `test_each_store`."""
    return "memory://"


@pytest.fixture
def sqlite_file(tmp_path: Path):
    return tmp_path / "auth.db"


@pytest.fixture
async def open_world():
    """Makes applications on stores, and closes them all."""
    worlds: list[World] = []

    async def make(store, *, clock=None, opened=True, **fields):
        world = World(store, clock, fields)
        worlds.append(world)
        if opened:
            await world.auth.open()
        return world

    yield make
    for world in reversed(worlds):
        await world.close()


@pytest.fixture
def make_world(open_world, store_url) -> WorldMaker:
    """Makes applications; each has a store of its own unless it is given one."""

    async def make(*, store=None, **fields):
        return await open_world(store or open_store(store_url), **fields)

    return make


@pytest.fixture
def make_process(open_world, sqlite_file) -> WorldMaker:
    """Makes applications on one database file, as several worker processes would."""

    async def make(*, store=None, **fields):
        return await open_world((store or (lambda own: own))(open_store(f"sqlite:///{sqlite_file}")), **fields)

    return make


@pytest.fixture
async def world(make_world):
    """One application whose tokens travel in the header."""
    return await make_world()


@pytest.fixture
async def site(make_world):
    """One application whose tokens travel in cookies."""
    return await make_world(JWT_TOKEN_LOCATION=["cookies"])
