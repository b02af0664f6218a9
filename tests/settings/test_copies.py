"""Copies of settings, and what settings keep alive."""

import copy
import gc
import pickle
import weakref
from types import FunctionType, ModuleType

import pytest
from tests.support.apps import SECRET, make_auth, make_door
from tests.support.tokens import claims_of

from authx import AuthX, AuthXConfig
from authx.exceptions import BadConfigurationError

COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "model_copy": lambda config: config.model_copy(),
    "model_copy deep": lambda config: config.model_copy(deep=True),
    "pickle": lambda config: pickle.loads(pickle.dumps(config)),
}


@pytest.fixture(params=COPIES.values(), ids=COPIES)
def duplicate(request):
    return request.param


class TestCopies:
    def test_a_copy_has_the_same_values(self, duplicate):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_TOKEN_LOCATION=["cookies"])
        AuthX(config=config)
        assert duplicate(config).model_dump() == config.model_dump()

    def test_a_copy_knows_which_fields_were_set(self, duplicate):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_ERROR_MESSAGE_KEY="msg")
        AuthX(config=config)
        auth = AuthX(config=duplicate(config))
        assert "msg" in make_door(auth).get("/p").json()

    def test_a_copy_is_masked_too(self, duplicate):
        assert SECRET not in repr(duplicate(AuthXConfig(JWT_SECRET_KEY=SECRET)))

    def test_an_assignment_to_a_copy_leaves_the_original_alone(self, duplicate):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        auth = AuthX(config=config)
        duplicate(config).JWT_ENCODE_ISSUER = "us"
        assert "iss" not in claims_of(auth.create_access_token("alice"))

    def test_an_instance_of_the_copy_follows_the_copy_alone(self, duplicate):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        original = AuthX(config=config)
        copied = duplicate(config)
        auth = AuthX(config=copied)
        copied.JWT_ENCODE_ISSUER = "them"
        config.JWT_ENCODE_ISSUER = "us"
        assert claims_of(auth.create_access_token("alice"))["iss"] == "them"
        assert claims_of(original.create_access_token("alice"))["iss"] == "us"

    def test_a_copy_keeps_no_instance_of_the_original_alive(self, duplicate):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        auth = AuthX(config=config)
        copied = duplicate(config)
        gone = weakref.ref(auth)
        del auth, config
        gc.collect()
        assert gone() is None
        assert copied.JWT_SECRET_KEY == SECRET

    def test_a_copy_equals_the_original_whether_that_is_in_use_or_not(self, duplicate):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        AuthX(config=config)
        assert duplicate(config) == config

    def test_use_does_not_make_settings_differ(self):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        AuthX(config=config)
        assert config == AuthXConfig(JWT_SECRET_KEY=SECRET)

    def test_an_assigned_value_equals_one_that_was_given(self):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        config.JWT_ENCODE_ISSUER = "us"
        assert config == AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_ENCODE_ISSUER="us")

    @pytest.mark.parametrize(
        ("field", "value"), [("JWT_CSRF_METHODS", "POST"), ("JWT_CSRF_METHODS", ["post"]), ("JWT_REALM", '"')]
    )
    def test_a_change_made_while_copying_is_looked_at_like_any_other(self, field, value):
        with pytest.raises(BadConfigurationError, match=field):
            AuthX(config=AuthXConfig(JWT_SECRET_KEY=SECRET).model_copy(update={field: value}))

    def test_a_value_assigned_to_a_copy_is_looked_at_also_when_the_original_was_used_since(self, duplicate):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        copied = duplicate(config)
        copied.JWT_CSRF_METHODS = "POST"
        AuthX(config=config).create_access_token("alice")
        with pytest.raises(BadConfigurationError, match="JWT_CSRF_METHODS"):
            AuthX(config=copied)

    def test_changes_can_be_made_while_copying(self):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        AuthX(config=config)
        changed = config.model_copy(update={"JWT_ENCODE_ISSUER": "us"})
        assert claims_of(AuthX(config=changed).create_access_token("alice"))["iss"] == "us"
        assert config.JWT_ENCODE_ISSUER is None


class TestLifetimes:
    def test_an_instance_that_is_dropped_is_collected(self):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        auth = AuthX(config=config)
        auth.create_access_token("alice")
        gone = weakref.ref(auth)
        del auth
        gc.collect()
        assert gone() is None

    def test_settings_that_are_dropped_are_collected(self):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        AuthX(config=config).create_access_token("alice")
        gone = weakref.ref(config)
        del config
        gc.collect()
        assert gone() is None

    def test_settings_that_were_replaced_are_collected(self):
        auth = make_auth()
        gone = weakref.ref(auth.config)
        auth.load_config(AuthXConfig(JWT_SECRET_KEY=SECRET))
        gc.collect()
        assert gone() is None

    def test_instances_that_came_and_went_leave_nothing_with_the_settings(self):
        config = AuthXConfig(JWT_SECRET_KEY=SECRET)
        AuthX(config=config)
        gc.collect()
        before = len(reachable_from(config))
        for _ in range(1000):
            AuthX(config=config)
        gc.collect()
        # What is left of the last ones may go when the next one comes.
        AuthX(config=config)
        gc.collect()
        assert len(reachable_from(config)) <= before + 10

    def test_settings_that_are_loaded_again_and_again_leave_nothing_behind(self):
        auth = make_auth()
        config = auth.config
        gc.collect()
        before = len(reachable_from(config))
        for _ in range(1000):
            auth.load_config(config)
        gc.collect()
        assert len(reachable_from(config)) <= before + 10


def reachable_from(root: object) -> set[int]:
    """The ids of everything an object keeps alive, classes and modules aside."""
    seen: set[int] = set()
    waiting = gc.get_referents(root)
    while waiting:
        thing = waiting.pop()
        if id(thing) not in seen and gc.is_tracked(thing) and not isinstance(thing, type | ModuleType):
            seen.add(id(thing))
            # A function's referents are its module, which is not the settings' own.
            waiting.extend(thing.__closure__ or () if isinstance(thing, FunctionType) else gc.get_referents(thing))
    return seen
