"""What a manager's guards share with an instance's: locations, cookies, CSRF, OpenAPI, answers."""

import asyncio
import gc
import inspect

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from tests.manager.login_types import ADMIN_SECRET, USER_SECRET, door, knock, make, manage, tokens
from tests.support.asgi import request_of
from tests.support.tokens import bearer

from authx.exceptions import TokenTypeError
from authx.manager import AuthManager
from authx.schema import TokenPayload

# --- locations, cookies, CSRF, WebSocket ----------------------------------------------------------


@pytest.fixture
def cookie_manager():
    both = ["headers", "cookies"]
    return manage(
        make("admin", ADMIN_SECRET, JWT_TOKEN_LOCATION=both, JWT_ACCESS_COOKIE_NAME="admin_token"),
        make("user", USER_SECRET, JWT_TOKEN_LOCATION=both),
    )


def test_each_login_type_reads_the_cookie_it_is_configured_for(cookie_manager):
    cookies = {
        "admin_token": cookie_manager.create_access_token("admin", "a"),
        "access_token_cookie": cookie_manager.create_access_token("user", "u"),
    }
    for login_type, uid in (("admin", "a"), ("user", "u")):
        client = TestClient(door(cookie_manager.access_token_required(login_type)), cookies=cookies)
        assert client.get("/door").json() == uid


@pytest.mark.parametrize(
    ("verify_csrf", "headers", "status", "code"),
    [
        (None, {}, 403, "csrf_missing"),
        (None, {"X-CSRF-TOKEN": "wrong"}, 403, "csrf_mismatch"),
        (None, {"X-CSRF-TOKEN": "right"}, 200, None),
        (False, {}, 200, None),
    ],
)
def test_csrf_is_checked_as_on_a_single_instance(cookie_manager, verify_csrf, headers, status, code):
    token = cookie_manager.create_access_token("admin", "a")
    if headers.get("X-CSRF-TOKEN") == "right":
        headers = {"X-CSRF-TOKEN": TokenPayload.decode(token, ADMIN_SECRET).csrf}
    guard = cookie_manager.token_required("admin", verify_csrf=verify_csrf)
    response = TestClient(door(guard), cookies={"admin_token": token}).post("/door", headers=headers)
    assert response.status_code == status
    assert code is None or response.json()["code"] == code


@pytest.mark.parametrize("verify_csrf", [None, False])
def test_a_foreign_token_in_a_cookie_is_recognised_without_its_csrf_value(cookie_manager, verify_csrf):
    foreign = cookie_manager.create_access_token("user", "u")
    guard = cookie_manager.token_required("admin", verify_csrf=verify_csrf)
    headers = {} if verify_csrf is False else {"X-CSRF-TOKEN": "any"}
    response = TestClient(door(guard), cookies={"admin_token": foreign}).post("/door", headers=headers)
    assert response.json()["error_type"] == "LoginTypeMismatchError"


def test_locations_of_a_dependency_win_over_the_configured_ones(manager):
    guard = manager.token_required("admin", locations=["query"])
    token = tokens("admin")
    client = TestClient(door(guard))
    assert client.get("/door", params={"token": token}).json() == "a"
    assert client.get("/door", headers=bearer(token)).status_code == 401


@pytest.mark.parametrize("arguments", [{"type": "acces"}, {"locations": ["header"]}])
@pytest.mark.parametrize("login_type", ["admin", "guest"])
def test_a_mistyped_type_or_location_is_an_error_when_the_dependency_is_made(manager, login_type, arguments):
    with pytest.raises(ValueError, match="token"):
        manager.token_required(login_type, **arguments)


def test_a_websocket_passes_with_a_token_of_its_login_type(manager):
    client = TestClient(door(manager.access_token_required("admin")))
    with client.websocket_connect("/socket", headers=bearer(tokens("admin"))) as socket:
        assert socket.receive_text() == "a"


@pytest.mark.parametrize("token", ["user", "no login type", "garbage"])
def test_a_websocket_is_refused_before_it_is_accepted(manager, token):
    client = TestClient(door(manager.access_token_required("admin")))
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect("/socket", headers=bearer(tokens(token))),
    ):
        pass
    assert refused.value.status_code == 401


def cookie_deletions(response):
    return sorted(line.split("=")[0] for line in response.headers.get_list("set-cookie"))


@pytest.mark.parametrize(("token", "deleted"), [("garbage", True), ("user refresh", False)])
def test_a_bad_refresh_token_ends_its_cookies_and_one_of_another_login_type_does_not(token, deleted):
    manager = manage(
        make("admin", ADMIN_SECRET, JWT_TOKEN_LOCATION=["cookies"]),
        make("user", USER_SECRET, JWT_TOKEN_LOCATION=["cookies"]),
    )
    client = TestClient(door(manager.refresh_token_required("admin")), cookies={"refresh_token_cookie": tokens(token)})
    response = client.get("/door")
    assert response.status_code == 401
    assert ("refresh_token_cookie" in cookie_deletions(response)) is deleted


# --- one stable node ------------------------------------------------------------------------------

GUARDS = {
    "access": lambda manager: manager.access_token_required("admin"),
    "refresh": lambda manager: manager.refresh_token_required("admin"),
    "fresh": lambda manager: manager.fresh_token_required("admin"),
    "options": lambda manager: manager.token_required("admin", "access", False, True, False, ["query"]),
    "policy": lambda manager: manager.policy_required("admin", "read", "users"),
    "policy with values": lambda manager: manager.policy_required("admin", "read", "users", subject="s"),
    "unregistered": lambda manager: manager.access_token_required("guest"),
}


@pytest.mark.parametrize("get", GUARDS.values(), ids=GUARDS)
def test_the_same_arguments_give_the_same_object(manager, get):
    assert get(manager) is get(manager)


def test_other_arguments_give_other_objects(manager, admin):
    guards = [get(manager) for get in GUARDS.values()]
    guards.append(manage(admin).access_token_required("admin"))
    guards.append(manager.access_token_required("user"))
    guards.append(manager.policy_required("admin", "write", "users"))
    guards.append(manager.policy_required("admin", "read", "users", subject="other"))
    guards.append(manager.policy_required("admin", "read", "users", subject=1))
    guards.append(manager.policy_required("admin", "read", "users", subject=True))
    guards.append(manager.policy_required("admin", "read", "users", env={"a": 1}))
    assert len(set(guards)) == len(guards)


def test_the_three_short_forms_are_token_required_with_their_arguments(manager):
    assert manager.access_token_required("admin") is manager.token_required("admin")
    assert manager.refresh_token_required("admin") is manager.token_required("admin", type="refresh")
    assert manager.fresh_token_required("admin") is manager.token_required("admin", verify_fresh=True)


def test_policies_with_equal_mappings_are_equal_but_each_follows_its_own(manager):
    one, two = {"maintenance": False}, {"maintenance": False}
    guards = [manager.policy_required("admin", "read", "users", env=env) for env in (one, two)]
    assert guards[0] is not guards[1]
    assert guards[0] == guards[1]
    assert hash(guards[0]) == hash(guards[1])
    two["maintenance"] = True
    assert guards[0] != guards[1]


def test_objects_of_the_application_are_the_same_only_by_identity(manager):
    class Equal:
        def __eq__(self, other):
            raise AssertionError("compared")

        __hash__ = None

    guards = [manager.policy_required("admin", "read", "users", subject=Equal()) for _ in range(2)]
    assert guards[0] != guards[1]


@pytest.mark.parametrize("get", [*GUARDS.values(), lambda m: m.policy_required("admin", "a", "r", env={"x": 1})])
def test_every_dependency_can_be_overridden(manager, get):
    app = door(get(manager))
    app.dependency_overrides[get(manager)] = lambda: TokenPayload(sub="stand-in")
    assert TestClient(app).get("/door").json() == "stand-in"


def test_dependencies_made_for_a_single_call_are_not_kept(manager):
    for number in range(50):
        manager.policy_required("admin", "read", "users", env={"number": number})
        manager.access_token_required(f"invented-{number}")
    gc.collect()
    assert len(manager._guards) == 0


@pytest.mark.parametrize("get", GUARDS.values(), ids=GUARDS)
def test_a_dependency_is_one_asynchronous_node(manager, get):
    (node,) = door(get(manager)).routes[-1].dependant.dependencies
    assert node.dependencies == []
    assert inspect.iscoroutinefunction(type(node.call).__call__)


# --- OpenAPI --------------------------------------------------------------------------------------

EVERYWHERE = ["query", "json", "cookies", "headers"]


@pytest.mark.parametrize(
    ("fields", "kind", "names"),
    [
        ({}, "access", ["AuthXBearer"]),
        ({"JWT_HEADER_NAME": "X-Auth"}, "access", ["AuthXHeader"]),
        ({"JWT_TOKEN_LOCATION": EVERYWHERE}, "access", ["AuthXBearer", "AuthXAccessCookie", "AuthXQuery"]),
        ({"JWT_TOKEN_LOCATION": EVERYWHERE}, "refresh", ["AuthXBearer", "AuthXRefreshCookie", "AuthXQuery"]),
        ({"JWT_TOKEN_LOCATION": ["cookies"]}, "access", ["AuthXAccessCookie"]),
        ({"JWT_TOKEN_LOCATION": ["json"]}, "access", None),
    ],
)
def test_openapi_shows_the_schemes_of_the_login_type(fields, kind, names):
    auth = make("admin", ADMIN_SECRET, **fields)
    shown = door(manage(auth).token_required("admin", type=kind)).openapi()
    operation = shown["paths"]["/door"]["get"]
    assert operation.get("security") == (None if names is None else [{name: []} for name in names])
    assert "parameters" not in operation
    alone = door(auth.token_required(type=kind)).openapi()
    assert shown.get("components", {}).get("securitySchemes") == alone.get("components", {}).get("securitySchemes")


def test_a_dependency_with_several_schemes_works():
    auth = make("admin", ADMIN_SECRET, JWT_TOKEN_LOCATION=EVERYWHERE)
    client = TestClient(door(manage(auth).access_token_required("admin")))
    assert client.get("/door", headers=bearer(tokens("admin"))).json() == "a"
    assert client.get("/door", params={"token": tokens("user")}).status_code == 401


def test_openapi_shows_a_bearer_token_for_a_login_type_nobody_registered(manager):
    shown = door(manager.access_token_required("guest")).openapi()
    assert shown["paths"]["/door"]["get"]["security"] == [{"AuthXBearer": []}]
    scheme = shown["components"]["securitySchemes"]["AuthXBearer"]
    assert (scheme["type"], scheme["scheme"], scheme["bearerFormat"]) == ("http", "bearer", "JWT")


@pytest.mark.parametrize(
    ("get", "statuses"),
    [
        (lambda manager: manager.access_token_required("admin"), {"400", "401"}),
        (lambda manager: manager.policy_required("admin", "read", "users"), {"400", "401", "403"}),
        (lambda manager: manager.policy_required("guest", "read", "users"), {"403"}),
    ],
    ids=["token", "policy", "unregistered"],
)
def test_openapi_shows_every_status(manager, get, statuses):
    shown = door(get(manager), manager).openapi()
    assert set(shown["paths"]["/door"]["get"]["responses"]) - {"200"} == statuses


def test_openapi_names_both_reasons_for_a_403():
    manager = manage(make("admin", ADMIN_SECRET, JWT_TOKEN_LOCATION=["cookies"]))
    shown = door(manager.policy_required("admin", "read", "users"), manager).openapi()
    responses = shown["paths"]["/door"]["post"]["responses"]
    assert "CSRF" in responses["403"]["description"].upper()
    assert "policy" in responses["403"]["description"]


# --- words, statuses, settings --------------------------------------------------------------------


def test_a_managers_own_words_are_used_for_errors_of_its_dependencies(manager):
    manager.MSG_TokenError = "Wer da?"
    manager.MSG_LoginTypeMismatchError = "Falscher Eingang"
    guard = manager.access_token_required("admin")
    assert knock(guard, manager=manager).json()["message"] == "Wer da?"
    assert knock(guard, tokens("user")).json()["message"] == "Falscher Eingang"


def test_words_on_a_class_of_managers_count_too(admin):
    class German(AuthManager):
        MSG_PolicyDeniedError = "Verboten"

    manager = German()
    manager.register(admin)
    guard = manager.policy_required("admin", "a", "r")
    assert knock(guard, tokens("admin"), manager).json()["message"] == "Verboten"


def test_an_instances_words_are_used_where_the_manager_has_none(manager, admin):
    admin.MSG_TokenError = "Administrators only"
    assert knock(manager.access_token_required("admin"), manager=manager).json()["message"] == "Administrators only"
    assert knock(manager.access_token_required("user"), manager=manager).json()["message"] == "Token Error"


def test_a_managers_words_do_not_change_its_instances(manager, admin):
    manager.MSG_TokenError = "Wer da?"
    knock(manager.access_token_required("admin"))
    assert knock(admin.access_token_required).json()["message"] == "Token Error"


@pytest.mark.parametrize(
    ("token", "status", "error_type"),
    [
        ("admin expired", 422, "TokenExpiredError"),
        ("unknown key", 422, "TokenInvalidSignatureError"),
        ("garbage", 422, "JWTDecodeError"),
        ("user", 401, "LoginTypeMismatchError"),
    ],
)
def test_the_login_types_setting_gives_back_authxs_statuses_and_bodies(user, token, status, error_type):
    manager = manage(make("admin", ADMIN_SECRET, JWT_ERROR_STATUS="authx"), user)
    response = knock(manager.access_token_required("admin"), tokens(token), manager)
    assert response.status_code == status
    extra = {"expected_type", "actual_type"} if error_type == "LoginTypeMismatchError" else set()
    assert set(response.json()) == {"message", "error_type"} | extra
    assert response.json()["error_type"] == error_type


def test_the_login_types_realm_is_in_the_challenge(user):
    manager = manage(make("admin", ADMIN_SECRET, JWT_REALM="staff"), user)
    for token in (None, tokens("user"), tokens("garbage")):
        response = knock(manager.access_token_required("admin"), token)
        assert 'realm="staff"' in response.headers["www-authenticate"]


def test_errors_say_which_login_type_refused(manager):
    with pytest.raises(TokenTypeError) as caught:
        asyncio.run(manager.access_token_required("admin")(request_of(bearer(tokens("user refresh")))))
    assert caught.value.login_type == "admin"


def test_a_manager_answers_in_applications_it_is_asked_to(manager):
    app = FastAPI()

    @app.get("/")
    async def root(request: Request):
        manager.ensure_request_exception_handlers(request)
        await manager.authorize("admin", "a", "r", payload=TokenPayload(sub="a", login_type="admin"))

    assert TestClient(app).get("/").status_code == 403


def test_a_repr_names_the_login_type_and_no_values(manager):
    guard = manager.policy_required("admin", "a", "r", env={"key": "s3cret"})
    assert "'admin'" in repr(guard)
    assert "s3cret" not in repr(guard)
