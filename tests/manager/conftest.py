import pytest
from tests.manager.login_types import ADMIN_SECRET, USER_SECRET, make, manage


@pytest.fixture
def admin():
    return make("admin", ADMIN_SECRET)


@pytest.fixture
def user():
    return make("user", USER_SECRET)


@pytest.fixture
def manager(admin, user):
    return manage(admin, user)
