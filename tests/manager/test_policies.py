"""Policies as dependencies of a login type, and asked by hand."""

import asyncio

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from tests.manager.login_types import ALLOW_ALL, door, knock, manage, tokens
from tests.support.tokens import bearer

from authx.exceptions import LoginTypeMismatchError, PolicyDeniedError, PolicyEvaluationError
from authx.policy import PolicyCondition, PolicyEngine, PolicyRule
from authx.schema import TokenPayload

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
