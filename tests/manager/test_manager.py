"""The registry of login types: its words for what goes wrong, and which token opens which door."""

import asyncio
import inspect
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from tests.manager.login_types import (
    ADMIN_SECRET,
    ALLOW_ALL,
    UNKNOWN_SECRET,
    USER_SECRET,
    admitted,
    door,
    knock,
    make,
    manage,
    tokens,
)
from tests.support.apps import make_expired
from tests.support.asgi import request_of
from tests.support.tokens import bearer

from authx.config import AuthXConfig
from authx.exceptions import BadConfigurationError
from authx.main import AuthX
from authx.manager import AuthManager
from authx.policy import PolicyEngine
from authx.stores.memory import MemoryStore

# --- registering ----------------------------------------------------------------------------------


def test_login_types_are_listed_in_the_order_they_were_registered(manager, admin, user):
    assert manager.login_types == ("admin", "user")
    assert manager.get("admin") is admin
    assert manager.get("user") is user


@pytest.mark.parametrize("login_type", [None, ""])
def test_an_instance_without_login_type_is_refused(login_type):
    with pytest.raises(BadConfigurationError, match="login_type"):
        AuthManager().register(make(login_type, ADMIN_SECRET))


def test_a_login_type_is_registered_once(manager, admin):
    for again in (admin, make("admin", UNKNOWN_SECRET)):
        with pytest.raises(BadConfigurationError, match="already registered"):
            manager.register(again)


def test_an_unknown_login_type_is_an_error_that_names_it(manager):
    with pytest.raises(BadConfigurationError, match=r"^Unknown login_type 'guest'"):
        manager.get("guest")


def test_a_manager_has_an_engine_with_its_rules():
    assert manage(policy_rules=[ALLOW_ALL]).policy_engine.rules == [ALLOW_ALL]
    engine = PolicyEngine()
    assert manage(policy_engine=engine).policy_engine is engine


def test_rules_beside_an_engine_are_refused_rather_than_dropped():
    with pytest.raises(BadConfigurationError, match="policy_rules"):
        AuthManager(PolicyEngine(), [ALLOW_ALL])


# --- making tokens --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["create_access_token", "create_refresh_token", "create_token_pair"])
def test_a_manager_makes_tokens_with_the_arguments_of_the_instance_after_the_login_type(name):
    managers = list(inspect.signature(getattr(AuthManager, name)).parameters.values())
    instances = list(inspect.signature(getattr(AuthX, name)).parameters.values())
    assert managers[1].name == "login_type"
    described = [(parameter.name, parameter.kind, parameter.default) for parameter in managers[2:]]
    assert described == [(parameter.name, parameter.kind, parameter.default) for parameter in instances[1:]]


EXPIRY = timedelta(minutes=3)


def lifetime(payload):
    """The configured or given one, up to the second that whole numbers can make of it."""
    return payload.time_until_expiry - timedelta(seconds=1)


@pytest.mark.parametrize("as_keywords", [True, False])
def test_every_argument_of_an_access_token_arrives(manager, admin, as_keywords):
    arguments = {
        "uid": "alice",
        "fresh": True,
        "headers": {"kid": "k"},
        "expiry": EXPIRY,
        "data": {"team": "red"},
        "audience": "",
        "scopes": ["a"],
    }
    if as_keywords:
        token = manager.create_access_token(login_type="admin", **arguments)
    else:
        token = manager.create_access_token("admin", *arguments.values())
    payload = admitted(admin, token)
    assert (payload.sub, payload.type, payload.fresh, payload.scopes) == ("alice", "access", True, ["a"])
    assert (payload.login_type, payload.extra_dict) == ("admin", {"team": "red"})
    assert lifetime(payload) <= EXPIRY


def test_every_argument_of_a_refresh_token_arrives(manager, user):
    token = manager.create_refresh_token("user", "bob", {"kid": "k"}, EXPIRY, {"team": "red"}, "", ["a"])
    payload = admitted(user, token)
    assert (payload.sub, payload.type, payload.scopes) == ("bob", "refresh", ["a"])
    assert (payload.login_type, payload.extra_dict) == ("user", {"team": "red"})
    assert lifetime(payload) <= EXPIRY


def test_every_argument_of_a_token_pair_arrives(manager, user):
    longer = timedelta(hours=3)
    pair = manager.create_token_pair(
        "user", "bob", True, {"kid": "k"}, EXPIRY, longer, {"team": "red"}, "", ["a"], ["r"]
    )
    access, refresh = (admitted(user, token) for token in (pair.access_token, pair.refresh_token))
    assert (access.fresh, access.scopes, access.login_type, access.team) == (True, ["a"], "user", "red")
    assert (refresh.type, refresh.scopes, refresh.login_type, refresh.team) == ("refresh", ["r"], "user", "red")
    assert lifetime(access) <= EXPIRY < lifetime(refresh) <= longer


@pytest.mark.parametrize("name", ["create_access_token", "create_refresh_token", "create_token_pair"])
def test_an_unregistered_login_type_makes_no_tokens(manager, name):
    with pytest.raises(BadConfigurationError, match="'guest'"):
        getattr(manager, name)("guest", "alice")


def test_a_mistyped_argument_is_an_error(manager):
    with pytest.raises(TypeError):
        manager.create_access_token("admin", "alice", scope=["a"])


# --- which token opens which door -----------------------------------------------------------------


MISMATCH = (401, "LoginTypeMismatchError", "token_wrong_login_type")
BAD_SIGNATURE = (401, "TokenInvalidSignatureError", "token_invalid")


@pytest.mark.parametrize(
    ("token", "answer", "actual_type"),
    [
        ("admin", 200, None),
        ("admin fresh", 200, None),
        ("user", MISMATCH, "user"),
        ("sharing", MISMATCH, "sharing"),
        ("unregistered, same secret", MISMATCH, "other"),
        ("no login type", MISMATCH, None),
        ("other algorithm", MISMATCH, "stronger"),
        ("unknown key", BAD_SIGNATURE, None),
        ("claims to be admin", BAD_SIGNATURE, None),
        ("admin expired", (401, "TokenExpiredError", "token_expired"), None),
        ("user expired", BAD_SIGNATURE, None),
        ("admin refresh", (401, "AccessTokenRequiredError", "token_wrong_type"), None),
        ("user refresh", (401, "AccessTokenRequiredError", "token_wrong_type"), None),
        ("garbage", (401, "JWTDecodeError", "token_invalid"), None),
        (None, (401, "MissingTokenError", "token_missing"), None),
    ],
)
def test_only_a_token_of_the_login_type_passes(manager, token, answer, actual_type):
    manager.register(make("sharing", ADMIN_SECRET))
    manager.register(make("stronger", USER_SECRET, JWT_ALGORITHM="HS512", JWT_DECODE_ALGORITHMS=["HS512"]))
    guard = manager.access_token_required("admin")
    response, bare = (knock(guard, token and tokens(token), given) for given in (manager, None))
    body = response.json()
    assert (bare.status_code, bare.json()) == (response.status_code, body)
    if answer == 200:
        assert (response.status_code, body) == (200, "a")
        return
    assert (response.status_code, body["error_type"], body["code"]) == answer
    if answer == MISMATCH:
        assert (body["expected_type"], body["actual_type"]) == ("admin", actual_type)
        assert body["message"] == f"Token type mismatch: expected 'admin', got '{actual_type or 'unknown'}'"
    assert response.headers["www-authenticate"].startswith("Bearer ")


@pytest.mark.parametrize(
    ("factory", "token", "error_type"),
    [
        ("refresh_token_required", "admin refresh", None),
        ("refresh_token_required", "admin", "RefreshTokenRequiredError"),
        ("refresh_token_required", "user refresh", "LoginTypeMismatchError"),
        ("refresh_token_required", "user", "RefreshTokenRequiredError"),
        ("fresh_token_required", "admin fresh", None),
        ("fresh_token_required", "admin", "FreshTokenRequiredError"),
        ("fresh_token_required", "user", "LoginTypeMismatchError"),
    ],
)
def test_refresh_and_fresh_tokens_are_required_of_their_login_type(manager, factory, token, error_type):
    response = knock(getattr(manager, factory)("admin"), tokens(token))
    assert response.status_code == (200 if error_type is None else 401)
    assert error_type is None or response.json()["error_type"] == error_type


@pytest.mark.parametrize(("token", "status"), [("admin refresh", 200), ("user refresh", 401)])
def test_without_the_type_check_the_login_type_still_counts(manager, token, status):
    response = knock(manager.token_required("admin", verify_type=False), tokens(token))
    assert response.status_code == status
    assert status == 200 or response.json()["error_type"] == "LoginTypeMismatchError"


def test_an_instance_that_cannot_verify_does_not_disturb_the_others(manager):
    manager.register(AuthX(AuthXConfig(JWT_ALGORITHM="RS256"), login_type="keyless"))
    response = knock(manager.access_token_required("admin"), tokens("unknown key"))
    assert response.json()["error_type"] == "TokenInvalidSignatureError"


def test_a_token_of_another_login_type_is_named_also_before_any_store_was_opened():
    manager = manage(make("admin", ADMIN_SECRET, store=MemoryStore()), make("user", USER_SECRET, store=MemoryStore()))
    token = manager.create_access_token("admin", "a")
    answer = TestClient(door(manager.access_token_required("user"))).get("/door", headers=bearer(token))
    assert answer.json()["code"] == "token_wrong_login_type"
    assert answer.json()["actual_type"] == "admin"


def test_a_token_that_another_instance_would_accept_as_ours_is_refused_for_our_reason(admin, user):
    strict = make("admin", USER_SECRET, JWT_DECODE_AUDIENCE="admins")
    manager = manage(strict, user)
    response = knock(manager.access_token_required("admin"), make("admin", USER_SECRET).create_access_token("a"))
    assert response.json()["error_type"] == "TokenInvalidAudienceError"


def test_an_expired_token_is_expired_also_where_another_login_type_would_still_take_it(admin):
    manager = manage(admin, make("sharing", ADMIN_SECRET, JWT_DECODE_LEEWAY=3600))
    expired = make_expired(manager.get("sharing"), "s", seconds=30)
    response = knock(manager.access_token_required("admin"), expired)
    assert response.json()["error_type"] == "TokenExpiredError"


def test_the_instances_blocklist_is_asked(manager, admin):
    admin.set_token_blocklist(lambda token: True)
    response = knock(manager.access_token_required("admin"), tokens("admin"))
    assert (response.status_code, response.json()["code"]) == (401, "token_revoked")


@pytest.mark.parametrize("token", ["a.b.c", "e30.e30.e30", "." * 50, "ÿþ", "x" * 9000, "a b", "\u00e9" * 10], ids=ascii)
def test_nothing_in_the_place_of_a_token_is_a_server_error(manager, token):
    guard = manager.access_token_required("admin")
    client = TestClient(door(guard), raise_server_exceptions=False)
    headers = {"Authorization": b"Bearer " + token.encode()}
    assert client.get("/door", headers=headers).status_code in (400, 401)


def test_a_login_type_nobody_registered_is_an_error_of_the_server(manager):
    guard = manager.access_token_required("guest")
    with pytest.raises(BadConfigurationError, match="'guest'"):
        knock(guard, tokens("admin"))
    assert TestClient(door(guard), raise_server_exceptions=False).get("/door").status_code == 500


def test_a_login_type_registered_after_its_routes_were_declared_works(user):
    manager = manage(user)
    guard = manager.access_token_required("admin")
    client = TestClient(door(guard))
    manager.register(make("admin", ADMIN_SECRET))
    assert client.get("/door", headers=bearer(tokens("admin"))).json() == "a"
    assert client.get("/door", headers=bearer(tokens("user"))).status_code == 401


def test_a_guard_can_be_awaited_by_hand(manager):
    request = request_of(bearer(tokens("admin")))
    assert asyncio.run(manager.access_token_required("admin")(request=request)).sub == "a"
