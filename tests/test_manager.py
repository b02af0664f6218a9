"""Several login types side by side, and policies over them."""

import asyncio
import gc
import inspect
from datetime import timedelta
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, Request, WebSocket
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from tests.support.apps import make_expired
from tests.support.asgi import request_of
from tests.support.tokens import bearer

from authx.config import AuthXConfig
from authx.exceptions import (
    BadConfigurationError,
    LoginTypeMismatchError,
    PolicyDeniedError,
    PolicyEvaluationError,
    TokenTypeError,
)
from authx.main import AuthX
from authx.manager import AuthManager
from authx.policy import PolicyCondition, PolicyEngine, PolicyRule
from authx.schema import TokenPayload

ADMIN_SECRET = "the secret that signs the tokens of administrators"
USER_SECRET = "the secret that signs the tokens of everybody else"
UNKNOWN_SECRET = "a secret that no instance of these tests has got"
ALLOW_ALL = PolicyRule("allow", ["*"], ["*"])


def make(login_type, secret, **fields):
    return AuthX(AuthXConfig(JWT_SECRET_KEY=secret, **fields), login_type=login_type)


@pytest.fixture
def admin():
    return make("admin", ADMIN_SECRET)


@pytest.fixture
def user():
    return make("user", USER_SECRET)


def manage(*instances, **arguments):
    manager = AuthManager(**arguments)
    for auth in instances:
        manager.register(auth)
    return manager


@pytest.fixture
def manager(admin, user):
    return manage(admin, user)


def door(guard, manager=None):
    """One route behind a guard; with a manager, its error handlers are installed."""
    app = FastAPI()
    if manager is not None:
        manager.handle_errors(app)

    @app.get("/door")
    def entered(payload: Annotated[TokenPayload, Depends(guard)]):
        return payload.sub

    @app.post("/door")
    def posted(payload: Annotated[TokenPayload, Depends(guard)]):
        return payload.sub

    @app.websocket("/socket")
    async def socket(opened: WebSocket, payload: Annotated[TokenPayload, Depends(guard)]):
        await opened.accept()
        await opened.send_text(payload.sub)
        await opened.close()

    return app


def knock(guard, token=None, manager=None, **kwargs):
    client = TestClient(door(guard, manager))
    return client.get("/door", headers=bearer(token) if token is not None else {}, **kwargs)


def admitted(auth, token):
    """The payload an instance reads from a token of its own."""
    return TokenPayload.decode(token, auth.config.JWT_SECRET_KEY)


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


def tokens(kind):
    """Tokens by what they are, made by instances of their own with the same secrets."""
    admin, user = make("admin", ADMIN_SECRET), make("user", USER_SECRET)
    return {
        "admin": admin.create_access_token("a"),
        "admin fresh": admin.create_access_token("a", fresh=True),
        "admin refresh": admin.create_refresh_token("a"),
        "admin expired": make_expired(admin, "a", seconds=30),
        "user": user.create_access_token("u"),
        "user refresh": user.create_refresh_token("u"),
        "user expired": make_expired(user, "u", seconds=30),
        "sharing": make("sharing", ADMIN_SECRET).create_access_token("s"),
        "unregistered, same secret": make("other", ADMIN_SECRET).create_access_token("s"),
        "no login type": AuthX(AuthXConfig(JWT_SECRET_KEY=ADMIN_SECRET)).create_access_token("n"),
        "other algorithm": make(
            "stronger", USER_SECRET, JWT_ALGORITHM="HS512", JWT_DECODE_ALGORITHMS=["HS512"]
        ).create_access_token("s"),
        "unknown key": make("admin", UNKNOWN_SECRET).create_access_token("a"),
        "claims to be admin": make("admin", USER_SECRET).create_access_token("a"),
        "garbage": "garbage",
    }[kind]


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


# --- policies in dependencies ---------------------------------------------------------------------


def recording(seen):
    """A rule that allows and notes the context it was asked with."""
    return PolicyRule("allow", ["*"], ["*"], evaluators=[lambda context, rule: seen.append(context) or True])


def test_a_policy_sees_the_request_the_token_and_the_caller(admin):
    seen = []
    manager = manage(admin, policy_rules=[recording(seen)])
    token = admin.create_access_token("a", scopes=["s"], data={"team": "red"})
    assert knock(manager.policy_required("admin", "users:read", "users"), token).json() == "a"
    (context,) = seen
    assert (context.login_type, context.action, context.resource) == ("admin", "users:read", "users")
    assert context.payload.sub == "a"
    assert context.request.url.path == "/door"
    assert context.subject == {"sub": "a", "scopes": ["s"], "login_type": "admin", "team": "red"}
    assert context.resource_attrs == {}
    assert (context.environment["method"], context.environment["path"]) == ("GET", "/door")


def test_a_policy_sees_what_the_dependency_was_made_with(admin):
    seen = []
    manager = manage(admin, policy_rules=[recording(seen)])
    guard = manager.policy_required(
        "admin", "a", "r", subject={"role": "x"}, resource_attrs={"owner": "o"}, env={"hour": 99, "tenant": "t"}
    )
    knock(guard, tokens("admin"))
    (context,) = seen
    assert (context.subject, context.resource_attrs) == ({"role": "x"}, {"owner": "o"})
    assert (context.environment["hour"], context.environment["tenant"]) == (99, "t")
    assert context.environment["method"] == "GET"


@pytest.mark.parametrize("handled", [True, False], ids=["handle_errors", "bare"])
def test_a_denial_is_answered_403_with_the_reason(admin, handled):
    manager = manage(admin, policy_rules=[PolicyRule("deny", ["*"], ["*"], reason="Not on Sundays")])
    guard = manager.policy_required("admin", "users:read", "users")
    response = knock(guard, tokens("admin"), manager if handled else None)
    assert response.status_code == 403
    assert response.json() == {
        "message": "Not on Sundays",
        "error_type": "PolicyDeniedError",
        "code": "policy_denied",
        "action": "forbidden",
    }


def test_a_policy_is_not_asked_before_the_token_is_good(admin):
    seen = []
    manager = manage(admin, policy_rules=[recording(seen)])
    guard = manager.policy_required("admin", "users:read", "users")
    assert knock(guard).status_code == 401
    assert knock(guard, tokens("no login type")).status_code == 401
    assert seen == []


def test_rules_and_evaluators_can_be_added_later(manager):
    guard = manager.policy_required("admin", "users:read", "users")
    assert knock(guard, tokens("admin")).status_code == 403
    manager.add_policy_rule(ALLOW_ALL)
    assert knock(guard, tokens("admin")).status_code == 200
    manager.add_policy_evaluator(lambda context, rule: False)
    assert knock(guard, tokens("admin")).status_code == 403


@pytest.mark.parametrize("handled", [True, False], ids=["handle_errors", "bare"])
def test_a_rule_that_is_written_wrongly_is_a_server_error_that_tells_nothing(admin, handled):
    wrong = PolicyRule("allow", ["*"], ["*"], conditions=[PolicyCondition("cookies", "secret-name")])
    manager = manage(admin, policy_rules=[wrong])
    response = knock(manager.policy_required("admin", "a", "r"), tokens("admin"), manager if handled else None)
    assert response.status_code == 500
    assert response.json()["error_type"] == "PolicyEvaluationError"
    assert response.json()["message"] == "Policy evaluation failed"


def test_what_an_evaluator_raises_leaves_the_route_unchanged(admin):
    class LedgerError(Exception):
        pass

    def fails(context, rule):
        raise LedgerError("ledger is closed")

    manager = manage(admin, policy_rules=[PolicyRule("allow", ["*"], ["*"], evaluators=[fails])])
    with pytest.raises(LedgerError, match="ledger is closed"):
        knock(manager.policy_required("admin", "a", "r"), tokens("admin"))


def test_a_policy_can_guard_a_websocket(admin):
    manager = manage(admin, policy_rules=[PolicyRule("allow", ["*"], ["*"], scopes=["chat"])])
    client = TestClient(door(manager.policy_required("admin", "join", "room")))
    allowed = bearer(admin.create_access_token("a", scopes=["chat"]))
    with client.websocket_connect("/socket", headers=allowed) as socket:
        assert socket.receive_text() == "a"
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect("/socket", headers=bearer(tokens("admin"))),
    ):
        pass
    assert refused.value.status_code == 403


# --- authorize ------------------------------------------------------------------------------------


def authorize(manager, login_type="admin", **arguments):
    return asyncio.run(manager.authorize(login_type, "users:read", "users", **arguments))


def test_authorize_returns_the_payload_it_was_given(admin):
    payload = TokenPayload(sub="a", login_type="admin")
    assert authorize(manage(admin, policy_rules=[ALLOW_ALL]), payload=payload) is payload


def test_authorize_takes_a_payload_of_a_login_type_nobody_registered():
    payload = TokenPayload(sub="g", login_type="guest")
    assert authorize(manage(policy_rules=[ALLOW_ALL]), "guest", payload=payload) is payload


@pytest.mark.parametrize("actual", ["user", None])
def test_authorize_refuses_a_payload_of_another_login_type(admin, actual):
    payload = TokenPayload(sub="a", login_type=actual)
    with pytest.raises(LoginTypeMismatchError) as caught:
        authorize(manage(admin, policy_rules=[ALLOW_ALL]), payload=payload)
    assert (caught.value.expected_type, caught.value.actual_type) == ("admin", actual)
    assert caught.value.login_type == "admin"


def test_authorize_without_payload_and_request_is_a_denial(admin):
    manager = manage(admin, policy_engine=PolicyEngine([ALLOW_ALL], default_allow=True))
    with pytest.raises(PolicyDeniedError, match="request or token payload") as caught:
        authorize(manager)
    assert caught.value.login_type == "admin"


def test_authorize_names_the_reason_of_a_denial(admin):
    with pytest.raises(PolicyDeniedError) as caught:
        authorize(manage(admin), payload=TokenPayload(sub="a", login_type="admin"))
    assert caught.value.reason == "No policy rule matched"


def test_authorize_raises_the_error_of_a_wrong_rule(admin):
    manager = manage(admin, policy_rules=[PolicyRule("permit", ["*"], ["*"])])
    with pytest.raises(PolicyEvaluationError) as caught:
        authorize(manager, payload=TokenPayload(sub="a", login_type="admin"))
    assert caught.value.login_type == "admin"


def authorizing_app(manager, **arguments):
    app = FastAPI()
    manager.handle_errors(app)

    @app.get("/door")
    async def opened(request: Request):
        payload = await manager.authorize("admin", "users:read", "users", request=request, **arguments)
        return payload.sub

    return TestClient(app)


def test_authorize_verifies_the_access_token_of_a_request(manager):
    manager.add_policy_rule(ALLOW_ALL)
    client = authorizing_app(manager)
    answers = {
        kind: client.get("/door", headers=bearer(tokens(kind))).json()
        for kind in ("admin", "user", "admin refresh", "admin expired")
    }
    assert answers.pop("admin") == "a"
    assert {kind: answer["error_type"] for kind, answer in answers.items()} == {
        "user": "LoginTypeMismatchError",
        "admin refresh": "AccessTokenRequiredError",
        "admin expired": "TokenExpiredError",
    }
    assert client.get("/door").json()["error_type"] == "MissingTokenError"


def test_authorize_with_a_payload_does_not_look_for_a_token_in_the_request(admin):
    seen = []
    manager = manage(admin, policy_rules=[recording(seen)])
    client = authorizing_app(manager, payload=TokenPayload(sub="given", login_type="admin"))
    assert client.get("/door").json() == "given"
    assert seen[0].environment["path"] == "/door"


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
