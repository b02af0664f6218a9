"""Acceptance of rate limits, login types and policies: A56 to A59 and A66 to A68."""

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel
from tests.support.tokens import OTHER_SECRET, bearer, claims_of

from authx import (
    AuthManager,
    AuthX,
    PolicyCondition,
    PolicyContext,
    PolicyEngine,
    PolicyRule,
    RateLimiter,
    TokenPayload,
)

from .answers import MISSING, Refusal

DENIED = Refusal("PolicyDeniedError", None, 403, "policy_denied", "forbidden", error=None, authx_status=403)


def waits(response, window):
    """The wait a refused client is told, which the header and the body agree on."""
    assert response.status_code == 429
    seconds = int(response.headers["Retry-After"])
    # The window opened moments ago; whole seconds may have gone by on a slow machine.
    assert window - 30 <= seconds <= window
    body = response.json()
    assert body["retry_after"] == seconds
    assert body["message"] == f"Rate limit exceeded. Retry after {seconds} seconds."
    assert body["error_type"] == "RateLimitExceeded"
    return body


# --- rate limits ----------------------------------------------------------------------------------


def test_a56_a_limiter_in_an_application_without_authx_answers_429_after_its_limit(browse):
    app = FastAPI()

    @app.get("/items", dependencies=[Depends(RateLimiter(max_requests=10, window=60))])
    async def items():
        return []

    client = browse(app)
    assert [client.get("/items").status_code for _ in range(10)] == [200] * 10
    body = waits(client.get("/items"), 60)
    assert (body["code"], body["action"]) == ("rate_limited", "retry")


def test_a57_a_limited_login_refuses_the_right_password_too_once_the_limit_is_reached(make_auth, browse, mode):
    class Login(BaseModel):
        username: str
        password: str

    app = FastAPI()
    auth = make_auth()
    auth.handle_errors(app)
    limiter = RateLimiter(max_requests=5, window=300)

    @app.post("/login", dependencies=[Depends(limiter)])
    async def login(data: Login):
        if data.password != "right":
            raise HTTPException(401, "Invalid credentials")
        return {"access_token": auth.create_access_token(uid=data.username)}

    client = browse(app)

    def try_with(password):
        return client.post("/login", json={"username": "alice", "password": password})

    assert [try_with("wrong").status_code for _ in range(5)] == [401] * 5
    body = waits(try_with("right"), 300)
    keys = {"message", "error_type", "retry_after"}
    assert set(body) == (keys if mode == "authx" else keys | {"code", "action"})


@pytest.fixture
def rate_limited_client(make_auth, browse):
    auth = make_auth()
    app = FastAPI()
    limited = auth.rate_limited(max_requests=3, window=60)

    @app.get("/me")
    async def me(payload: TokenPayload = Depends(limited)):
        return {"sub": payload.sub}

    client = browse(app)
    return client, bearer(auth.create_access_token(uid="alice"))


def test_a58_rate_limited_gives_the_payload_until_the_limit_is_reached(rate_limited_client):
    client, alice = rate_limited_client
    assert [client.get("/me", headers=alice).json() for _ in range(3)] == [{"sub": "alice"}] * 3
    waits(client.get("/me", headers=alice), 60)


def test_a58_rate_limited_counts_anonymous_tries(rate_limited_client, refused):
    client, alice = rate_limited_client
    for _ in range(3):
        refused(client.get("/me"), MISSING)
    waits(client.get("/me", headers=alice), 60)


def test_a59_a_key_function_keeps_the_counts_of_different_keys_apart(browse):
    def by_api_key(request: Request) -> str:
        return request.headers.get("X-API-Key", "anonymous")

    app = FastAPI()

    @app.get("/", dependencies=[Depends(RateLimiter(max_requests=2, window=60, key_func=by_api_key))])
    async def index():
        return "ok"

    client = browse(app)

    def status(key):
        return client.get("/", headers={"X-API-Key": key}).status_code

    assert [status("a"), status("a"), status("a")] == [200, 200, 429]
    assert [status("b"), status("a"), status("b")] == [200, 429, 200]
    assert client.get("/").status_code == 200


def test_a59_a_backend_of_the_application_is_called_once_per_request(browse):
    class Backend:
        def __init__(self):
            self.counts = {}
            self.calls = []

        async def increment(self, key: str, window: int) -> int:
            self.calls.append((key, window))
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key]

        async def reset(self, key: str) -> None:
            self.counts.pop(key, None)

    app = FastAPI()
    backend = Backend()
    limiter = RateLimiter(max_requests=2, window=60, backend=backend, key_func=lambda request: "all")

    @app.get("/", dependencies=[Depends(limiter)])
    async def index():
        return "ok"

    @app.post("/reset")
    async def reset():
        await backend.reset("all")

    client = browse(app)
    assert [client.get("/").status_code for _ in range(3)] == [200, 200, 429]
    assert backend.calls == [("all", 60)] * 3
    client.post("/reset")
    assert client.get("/").status_code == 200


# --- login types ----------------------------------------------------------------------------------


@pytest.fixture
def admin(configure):
    return AuthX(config=configure(JWT_ACCESS_TOKEN_EXPIRES=900), login_type="admin")


@pytest.fixture
def user(configure):
    config = configure(JWT_SECRET_KEY=OTHER_SECRET, JWT_ACCESS_TOKEN_EXPIRES=3600)
    return AuthX(config=config, login_type="user")


@pytest.fixture
def manager(admin, user):
    made = AuthManager()
    made.register(admin)
    made.register(user)
    return made


@pytest.fixture
def two_doors(manager, browse):
    app = FastAPI()
    manager.handle_errors(app)
    admin_required = manager.access_token_required("admin")
    user_required = manager.access_token_required("user")

    @app.get("/admin/dashboard")
    async def dashboard(payload: TokenPayload = Depends(admin_required)):
        return {"sub": payload.sub, "login_type": payload.login_type}

    @app.get("/user/home")
    async def home(payload: TokenPayload = Depends(user_required)):
        return {"sub": payload.sub, "login_type": payload.login_type}

    return browse(app)


def test_a66_each_login_type_opens_its_own_door(two_doors, manager):
    for path, login_type in (("/admin/dashboard", "admin"), ("/user/home", "user")):
        token = manager.create_access_token(login_type, "alice")
        answer = two_doors.get(path, headers=bearer(token))
        assert answer.status_code == 200
        assert answer.json() == {"sub": "alice", "login_type": login_type}


def test_a66_a_token_of_the_other_type_is_told_what_is_expected(two_doors, manager, mode):
    token = manager.create_access_token("user", "bob")
    answer = two_doors.get("/admin/dashboard", headers=bearer(token))
    assert answer.status_code == 401
    expected = {
        "message": "Token type mismatch: expected 'admin', got 'user'",
        "error_type": "LoginTypeMismatchError",
        "expected_type": "admin",
        "actual_type": "user",
    }
    if mode == "rfc":
        expected |= {"code": "token_wrong_login_type", "action": "login"}
    assert answer.json() == expected


def test_a66_tokens_carry_their_login_type_and_its_lifetime(manager):
    for login_type, lifetime in (("admin", 900), ("user", 3600)):
        claims = claims_of(manager.create_access_token(login_type, "alice"))
        assert claims["login_type"] == login_type
        assert claims["exp"] - claims["iat"] == pytest.approx(lifetime, abs=1)


# --- policies -------------------------------------------------------------------------------------


def test_a67_a_rule_allows_who_has_the_scope_and_no_one_else(admin, browse, refused):
    manager = AuthManager(
        policy_rules=[
            PolicyRule(
                effect="allow",
                actions=["users:ban"],
                resources=["users"],
                scopes=["admin:*"],
                conditions=[PolicyCondition("environment", "method", "equals", "POST")],
            )
        ]
    )
    manager.register(admin)
    app = FastAPI()
    manager.handle_errors(app)
    may_ban = manager.policy_required("admin", "users:ban", "users")

    @app.api_route("/admin/users/{user_id}/ban", methods=["POST", "PUT"])
    async def ban(user_id: int, payload: TokenPayload = Depends(may_ban)):
        return {"banned": user_id, "by": payload.sub}

    client = browse(app)
    allowed = bearer(manager.create_access_token("admin", "alice", scopes=["admin:*"]))
    other = bearer(manager.create_access_token("admin", "carol", scopes=["reports:read"]))

    answer = client.post("/admin/users/7/ban", headers=allowed)
    assert (answer.status_code, answer.json()) == (200, {"banned": 7, "by": "alice"})
    refused(client.post("/admin/users/7/ban", headers=other), DENIED)
    refused(client.put("/admin/users/7/ban", headers=allowed), DENIED)
    refused(client.post("/admin/users/7/ban"), MISSING)


def test_a68_an_evaluator_decides_by_the_subject_with_its_custom_claims(admin, browse, refused):
    def same_department(context: PolicyContext, rule: PolicyRule) -> bool:
        return context.subject["department"] == "sales"

    rule = PolicyRule(effect="allow", actions=["reports:read"], resources=["reports"], evaluators=[same_department])
    manager = AuthManager(policy_engine=PolicyEngine(rules=[rule]))
    manager.register(admin)
    app = FastAPI()
    manager.handle_errors(app)
    may_read = manager.policy_required("admin", "reports:read", "reports")

    @app.get("/reports")
    async def reports(payload: TokenPayload = Depends(may_read)):
        return payload.sub

    client = browse(app)

    def read(department):
        token = manager.create_access_token("admin", "alice", data={"department": department})
        return client.get("/reports", headers=bearer(token))

    assert read("sales").json() == "alice"
    refused(read("finance"), DENIED)


def test_a68_an_evaluator_may_be_asynchronous_and_the_application_may_pass_the_subject(admin, browse, refused):
    async def is_owner(context: PolicyContext, rule: PolicyRule) -> bool:
        return context.subject["id"] == context.resource_attrs["owner"]

    manager = AuthManager(
        policy_rules=[PolicyRule("allow", ["documents:edit"], ["documents"], evaluators=[is_owner], reason="owner")]
    )
    manager.register(admin)
    app = FastAPI()
    manager.handle_errors(app)

    @app.put("/documents/{owner}")
    async def edit(owner: str, request: Request):
        payload = await manager.authorize(
            "admin",
            "documents:edit",
            "documents",
            request=request,
            subject={"id": "alice"},
            resource_attrs={"owner": owner},
        )
        return payload.sub

    client = browse(app)
    headers = bearer(manager.create_access_token("admin", "alice"))
    assert client.put("/documents/alice", headers=headers).json() == "alice"
    refused(client.put("/documents/bob", headers=headers), DENIED)
