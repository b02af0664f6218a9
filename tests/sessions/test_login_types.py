"""Instances with different login types over one store: each has sessions of its own."""

import pytest
from tests.sessions.world import SECRET

from authx import AuthX, AuthXConfig
from authx.exceptions import BadConfigurationError, StoreUnavailableError
from authx.stores import Store
from authx.stores.memory import MemoryStore
from authx.stores.sqlite import SQLiteStore
from authx.testing import FaultyStore

pytestmark = pytest.mark.anyio


@pytest.fixture
async def make_auth():
    made: list[AuthX] = []

    def make(store: Store | str, login_type: str | None = None, **fields) -> AuthX:
        made.append(AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET, **fields), login_type=login_type, store=store))
        return made[-1]

    yield make
    for auth in made:
        await auth.close()


@pytest.fixture(params=["one object", "one file"])
def shared(request, tmp_path):
    """What two instances are given: what the store is, or where."""
    return MemoryStore() if request.param == "one object" else f"sqlite:///{tmp_path}/auth.db"


async def test_what_one_login_type_ends_lives_on_in_another(shared, make_auth):
    admins, users, plain = make_auth(shared, "admin"), make_auth(shared, "user"), make_auth(shared)
    for auth in (admins, users, plain):
        await auth.create_session("1")
    await admins.revoke_all_sessions("1")
    assert [len(await auth.list_sessions("1")) for auth in (admins, users, plain)] == [0, 1, 1]
    await users.revoke_everyone()
    assert [len(await auth.list_sessions("1")) for auth in (admins, users, plain)] == [0, 0, 1]


async def test_two_instances_with_one_login_type_share_its_sessions(shared, make_auth):
    one, other = make_auth(shared, "admin"), make_auth(shared, "admin")
    info = await one.create_session("1")
    assert [found.session_id for found in await other.list_sessions("1")] == [info.session_id]


async def test_an_instance_without_login_type_uses_the_store_itself(make_auth):
    store = MemoryStore()
    auth = make_auth(store)
    info = await auth.create_session("1")
    assert (await store.get(info.session_id))[0] is not None


async def test_a_login_type_that_is_set_later_counts_from_then_on(make_auth):
    auth = make_auth(MemoryStore())
    await auth.create_session("1")
    auth.login_type = "admin"
    assert await auth.list_sessions("1") == []


class WithoutNamespaces:
    """Somebody's own store, as far as construction looks at it."""

    def __init__(self, store: Store) -> None:
        for name in vars(Store):
            if not name.startswith("_"):
                setattr(self, name, getattr(store, name))


async def test_a_store_without_namespaces_serves_an_instance_without_login_type(make_auth):
    auth = make_auth(WithoutNamespaces(MemoryStore()))
    await auth.create_session("1")
    assert len(await auth.list_sessions("1")) == 1


async def test_with_a_login_type_a_store_without_namespaces_is_a_mistake_of_configuration(make_auth):
    with pytest.raises(BadConfigurationError, match=r"WithoutNamespaces.*namespace\(name\).*a store of its own"):
        make_auth(WithoutNamespaces(MemoryStore()), "admin")


@pytest.mark.parametrize("login_type", [5, b"admin", ["admin"], True])
async def test_a_login_type_that_is_no_text_is_a_mistake_of_configuration(make_auth, login_type):
    with pytest.raises(BadConfigurationError, match="login_type must be a str"):
        make_auth(MemoryStore(), login_type)


async def test_a_faulty_store_fails_for_its_namespaces_too(tmp_path, make_auth):
    faulty = FaultyStore(SQLiteStore(tmp_path / "auth.db"))
    auth = make_auth(faulty, "admin")
    await auth.create_session("1")
    faulty.fail("list")
    with pytest.raises(StoreUnavailableError):
        await auth.list_sessions("1")
    assert faulty.calls["create"] == 1


async def test_a_faulty_store_around_one_without_namespaces_has_none(make_auth):
    with pytest.raises(BadConfigurationError, match="WithoutNamespaces"):
        make_auth(FaultyStore(WithoutNamespaces(MemoryStore())), "admin")
