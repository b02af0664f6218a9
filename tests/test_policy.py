"""The policy engine: conditions, rules, decisions, and what goes into a context."""

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace

import pytest
from starlette.requests import Request
from starlette.websockets import WebSocket
from tests.support.asgi import scope_of

from authx.exceptions import PolicyEvaluationError
from authx.policy import (
    PolicyCondition,
    PolicyContext,
    PolicyDecision,
    PolicyEngine,
    PolicyRule,
    build_policy_environment,
    default_subject_from_payload,
)
from authx.schema import TokenPayload


def context(**parts):
    return PolicyContext(**{"login_type": "admin", "action": "users:read", "resource": "users", **parts})


def holds(found, operator, value=None):
    return PolicyCondition("subject", "field", operator, value).matches(context(subject={"field": found}))


def rule(effect="allow", **parts):
    return PolicyRule(**{"effect": effect, "actions": ["*"], "resources": ["*"], **parts})


def decide(engine, **parts):
    return asyncio.run(engine.evaluate(context(**parts)))


def connection_scope(**parts):
    return {**scope_of("/users/7", "POST", client=("198.51.100.7", 4711), host=None), **parts}


# --- conditions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "operator", "value", "expected"),
    [
        ("a", "equals", "a", True),
        ("a", "equals", "b", False),
        (None, "equals", None, True),
        (1, "equals", "1", False),
        ("a", "not_equals", "b", True),
        ("a", "not_equals", "a", False),
        (None, "not_equals", "a", True),
        ("a", "in", ["a", "b"], True),
        ("a", "in", ("b", "a"), True),
        ("c", "in", ["a", "b"], False),
        ("a", "in", {"a", "b"}, True),
        ("c", "in", frozenset({"a"}), False),
        (2, "in", range(3), True),
        (["a"], "in", {"a"}, False),
        (["a"], "in", [["a"]], True),
        ("a", "in", "abc", False),
        ("abc", "in", "abc", True),
        (b"a", "in", b"abc", False),
        (5, "in", 5, True),
        (None, "in", ["a"], False),
        (None, "in", None, True),
        ("k", "in", {"k": 1}, False),
        ("a", "not_in", ["a"], False),
        ("c", "not_in", ["a"], True),
        ("a", "not_in", {"a"}, False),
        ("a", "not_in", "abc", True),
        (["a", "b"], "contains", "a", True),
        (["a", "b"], "contains", "c", False),
        ("abc", "contains", "b", True),
        ({"k": 1}, "contains", "k", True),
        (None, "contains", "a", False),
        (2, "gt", 1, True),
        (1, "gt", 1, False),
        (None, "gt", 1, False),
        (1, "gte", 1, True),
        (0, "gte", 1, False),
        (None, "gte", 1, False),
        (0, "lt", 1, True),
        (1, "lt", 1, False),
        (None, "lt", 1, False),
        (1, "lte", 1, True),
        (2, "lte", 1, False),
        (None, "lte", 1, False),
        (0, "exists", None, True),
        ("", "exists", None, True),
        (None, "exists", None, False),
    ],
)
def test_an_operator_compares_the_value_found_with_the_rules(found, operator, value, expected):
    assert holds(found, operator, value) is expected


@pytest.mark.parametrize(
    ("found", "operator", "value"),
    [("a", "gt", 1), (1, "lte", "a"), (5, "contains", 1), ("12", "contains", 1)],
)
def test_values_that_cannot_be_compared_raise_instead_of_matching(found, operator, value):
    with pytest.raises(TypeError):
        holds(found, operator, value)


class Account:
    plan = SimpleNamespace(name="gold", limits={"seats": 5})


@pytest.mark.parametrize(
    ("subject", "key", "expected"),
    [
        ({"role": "x"}, "role", "x"),
        ({"org": {"owner": {"id": 7}}}, "org.owner.id", 7),
        (Account(), "plan.name", "gold"),
        (Account(), "plan.limits.seats", 5),
        ({"account": Account()}, "account.plan.limits.seats", 5),
        ({"org": {}}, "org.owner.id", None),
        ({"org": None}, "org.owner.id", None),
        ({"a": 1}, "keys", None),
        ({"a": [1]}, "a.0", None),
        ({"a": 1}, "", None),
        ({"a": {"b": 1}}, "a..b", None),
        (Account(), "plan.nothing", None),
        (None, "role", None),
    ],
)
def test_a_dotted_key_goes_through_mappings_and_objects_and_ends_in_none_where_a_step_is_missing(
    subject, key, expected
):
    assert PolicyCondition("subject", key, "equals", expected).matches(context(subject=subject))


def test_each_source_reads_its_own_part_of_the_context():
    asked = context(
        payload=TokenPayload(sub="u", scopes=["s"], role="editor"),
        subject={"who": "subject"},
        resource_attrs={"who": "resource"},
        environment={"who": "environment"},
    )
    assert PolicyCondition("subject", "who", "equals", "subject").matches(asked)
    assert PolicyCondition("resource", "who", "equals", "resource").matches(asked)
    assert PolicyCondition("environment", "who", "equals", "environment").matches(asked)
    assert PolicyCondition("token", "sub", "equals", "u").matches(asked)
    assert PolicyCondition("token", "role", "equals", "editor").matches(asked)


def test_sources_that_were_not_given_are_empty():
    bare = context()
    assert bare.get_source("subject") is None
    assert bare.get_source("resource") == {}
    assert bare.get_source("environment") == {}
    assert bare.get_source("token") == {}


def test_the_token_source_shows_every_claim():
    shown = context(payload=TokenPayload(sub="u", jti="j", team="red")).get_source("token")
    assert (shown["sub"], shown["jti"], shown["type"], shown["team"]) == ("u", "j", "access", "red")


def test_an_unknown_source_is_an_error():
    with pytest.raises(PolicyEvaluationError, match="'cookies'"):
        PolicyCondition("cookies", "a").matches(context())


def test_an_unknown_operator_is_an_error_also_for_a_missing_value():
    with pytest.raises(PolicyEvaluationError, match="'like'") as caught:
        PolicyCondition("subject", "a", "like", "b").matches(context())
    assert caught.value.login_type == "admin"


# --- rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patterns", "name", "expected"),
    [
        (["users:read"], "users:read", True),
        (["users:read"], "users", False),
        (["users:read"], "users:read:all", False),
        (["users:*"], "users:read", True),
        (["users:*"], "users:read:all", True),
        (["users:*"], "users", True),
        (["users:*"], "usersx", False),
        (["*"], "anything", True),
        (["*"], "", True),
        (["posts:*", "users:read"], "users:read", True),
        (["users.*"], "users.read", False),
        (["users/*"], "users/read", False),
        (["*:read"], "users:read", False),
        (["Users:read"], "users:read", False),
        ([], "users:read", False),
        (("users:*",), "users:read", True),
    ],
)
def test_a_pattern_covers_its_name_and_with_a_wildcard_all_below_it(patterns, name, expected):
    assert rule(actions=patterns, resources=["other"]).matches_action(name) is expected
    assert rule(actions=["other"], resources=patterns).matches_resource(name) is expected


@pytest.mark.parametrize(
    ("patterns", "name", "expected"),
    [
        ("users:*", "users:read", True),
        ("users:*", "posts", False),
        ("*", "posts", True),
        ("users", "u", False),
    ],
)
def test_a_bare_text_is_one_pattern_and_not_its_characters(patterns, name, expected):
    made = rule(actions=patterns, resources=patterns)
    assert made.matches_action(name) is made.matches_resource(name) is expected


GRANTED = TokenPayload(sub="u", scopes=["admin:*", "read"])


@pytest.mark.parametrize(
    ("scopes", "all_required", "payload", "expected"),
    [
        (None, True, None, True),
        (None, False, GRANTED, True),
        (["admin:users"], True, GRANTED, True),
        (["admin:users", "write"], True, GRANTED, False),
        (["admin:users", "write"], False, GRANTED, True),
        (["write"], False, GRANTED, False),
        (["read"], True, None, False),
        (["read"], True, TokenPayload(sub="u"), False),
        (["read"], True, TokenPayload(sub="u", scopes=[]), False),
        ([], True, None, True),
        ([], True, GRANTED, True),
        ([], False, GRANTED, False),
        ("read", True, GRANTED, True),
        ("write", True, GRANTED, False),
    ],
)
def test_a_rules_scopes_must_be_covered_by_the_tokens(scopes, all_required, payload, expected):
    assert rule(scopes=scopes, all_scopes_required=all_required).matches_scopes(payload) is expected


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (PolicyCondition("subject", "a"), "key"),
        (rule(), "effect"),
        (PolicyContext("admin", "a", "r"), "subject"),
        (PolicyDecision(True, "why"), "allowed"),
    ],
    ids=lambda part: type(part).__name__,
)
def test_the_records_cannot_be_changed(record, field):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, field, "other")


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        (PolicyCondition, "source key operator value"),
        (PolicyRule, "effect actions resources conditions scopes all_scopes_required evaluators reason"),
        (PolicyContext, "login_type action resource payload request subject resource_attrs environment"),
        (PolicyDecision, "allowed reason rule"),
    ],
)
def test_the_fields_keep_their_positional_order(record, fields):
    assert [field.name for field in dataclasses.fields(record)] == fields.split()


def test_a_context_does_not_print_its_token_claims():
    assert "c5rf-value" not in repr(context(payload=TokenPayload(sub="u", csrf="c5rf-value")))


# --- decisions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "allowed", "reason"),
    [
        (PolicyEngine(), False, "No policy rule matched"),
        (PolicyEngine(default_allow=True), True, "No policy rule matched; default allow"),
        (PolicyEngine([rule()]), True, "Policy rule allow matched"),
        (PolicyEngine([rule("deny")], default_allow=True), False, "Policy rule deny matched"),
        (PolicyEngine([rule(reason="one"), rule(reason="two")]), True, "two"),
        (PolicyEngine([rule(), rule("deny", reason="no")]), False, "no"),
        (PolicyEngine([rule("deny", reason="no"), rule()]), False, "no"),
        (PolicyEngine([rule("deny", reason="first"), rule("deny", reason="second")]), False, "first"),
        (PolicyEngine([rule(actions=["posts:*"])]), False, "No policy rule matched"),
        (PolicyEngine([rule(resources=["posts"])]), False, "No policy rule matched"),
        (PolicyEngine([rule(scopes=["admin:*"])]), False, "No policy rule matched"),
        (PolicyEngine([rule(), rule("deny", actions=["posts:*"])]), True, "Policy rule allow matched"),
    ],
)
def test_the_first_deny_decides_then_the_last_allow_then_the_default(engine, allowed, reason):
    decision = decide(engine)
    assert (decision.allowed, decision.reason) == (allowed, reason)


def test_a_decision_names_the_rule_that_made_it():
    first, last = rule(reason="first"), rule(reason="last")
    assert decide(PolicyEngine([first, last])).rule is last
    assert decide(PolicyEngine()).rule is None


def test_all_conditions_of_a_rule_must_hold():
    both = [PolicyCondition("subject", "role", "equals", "x"), PolicyCondition("subject", "age", "gte", 18)]
    engine = PolicyEngine([rule(conditions=both)])
    assert decide(engine, subject={"role": "x", "age": 18}).allowed
    assert not decide(engine, subject={"role": "x", "age": 17}).allowed
    assert not decide(engine, subject={"role": "y", "age": 18}).allowed


@pytest.mark.parametrize("effect", ["Deny", "Allow", "", None])
def test_a_rule_with_an_unknown_effect_is_an_error_and_no_permission(effect):
    engine = PolicyEngine([rule(effect), rule("allow")], default_allow=True)
    with pytest.raises(PolicyEvaluationError):
        decide(engine)


@pytest.mark.parametrize(
    "condition", [PolicyCondition("subject", "a", "like", 1), PolicyCondition("cookies", "a", "exists")]
)
def test_a_deny_rule_that_is_written_wrongly_does_not_let_the_request_through(condition):
    with pytest.raises(PolicyEvaluationError):
        decide(PolicyEngine([rule(), rule("deny", conditions=[condition])]))


def test_a_rule_that_does_not_match_is_not_examined_further():
    engine = PolicyEngine([rule(actions=["posts"], conditions=[PolicyCondition("nowhere", "a")])])
    assert not decide(engine).allowed


async def agrees(context, rule):
    return True


async def disagrees(context, rule):
    return False


class Disagreeing:
    async def __call__(self, context, rule):
        return False


class Late:
    """An answer that is awaitable without being a coroutine."""

    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        return False


@pytest.mark.parametrize(
    ("evaluator", "allowed"),
    [
        (lambda context, rule: True, True),
        (lambda context, rule: False, False),
        (lambda context, rule: None, False),
        (lambda context, rule: 1, True),
        (agrees, True),
        (disagrees, False),
        (Disagreeing(), False),
        (partial(disagrees), False),
        (lambda context, rule: disagrees(context, rule), False),
        (lambda context, rule: Late(), False),
    ],
    ids=["true", "false", "none", "one", "async", "async-false", "object", "partial", "lambda", "awaitable"],
)
def test_an_evaluator_of_any_kind_keeps_a_rule_from_matching(evaluator, allowed):
    assert decide(PolicyEngine([rule(evaluators=[evaluator])])).allowed is allowed
    assert decide(PolicyEngine([rule()], evaluators=[evaluator])).allowed is allowed


def test_an_evaluator_that_disagrees_also_lifts_a_deny_rule():
    engine = PolicyEngine([rule(), rule("deny", evaluators=[disagrees])])
    assert decide(engine).allowed


def test_an_evaluator_gets_the_context_and_the_rule_being_tried():
    seen = []
    tried = rule(evaluators=[lambda asked, made: seen.append((asked, made)) or True])
    asked = context(subject={"role": "x"})
    asyncio.run(PolicyEngine([tried]).evaluate(asked))
    assert seen == [(asked, tried)]


def test_what_an_evaluator_raises_is_raised_unchanged():
    class EvaluatorError(Exception):
        pass

    def fails(context, rule):
        raise EvaluatorError

    with pytest.raises(EvaluatorError):
        decide(PolicyEngine([rule(evaluators=[fails])], default_allow=True))


def test_evaluators_of_the_engine_are_asked_before_the_rules_and_only_until_one_disagrees():
    asked = []
    note = lambda name, answer: lambda context, rule: asked.append(name) or answer  # noqa: E731
    engine = PolicyEngine([rule(evaluators=[note("rule", False), note("never", True)])], [note("first", True)])
    engine.add_evaluator(note("second", True))
    decide(engine)
    assert asked == ["first", "second", "rule"]


def test_evaluators_are_not_asked_about_a_rule_that_would_not_match_anyway():
    asked = []
    conditions = [PolicyCondition("subject", "role", "equals", "x")]
    decide(PolicyEngine([rule(conditions=conditions)], [lambda *_: asked.append(1)]))
    assert asked == []


def test_the_rules_of_an_engine_are_a_copy():
    given = [rule()]
    engine = PolicyEngine(given)
    given.append(rule("deny"))
    engine.rules.append(rule("deny"))
    assert decide(engine).allowed
    engine.add_rule(rule("deny"))
    assert [made.effect for made in engine.rules] == ["allow", "deny"]


def test_a_rule_added_while_an_evaluation_waits_does_not_change_it():
    engine = PolicyEngine()

    async def adds(context, made):
        engine.add_rule(rule("deny"))
        return True

    engine.add_rule(rule(evaluators=[adds]))
    assert decide(engine).allowed
    assert not decide(engine).allowed


# --- what goes into a context ---------------------------------------------------------------------


def test_the_environment_without_a_request_is_the_time():
    before = datetime.now(UTC)
    made = build_policy_environment()
    assert set(made) == {"time", "hour", "weekday"}
    assert before <= made["time"] <= before + timedelta(seconds=5)
    assert made["time"].utcoffset() == timedelta(0)
    assert (made["hour"], made["weekday"]) == (made["time"].hour, made["time"].weekday())


def test_the_environment_with_a_request_names_method_path_and_client():
    made = build_policy_environment(Request(connection_scope()))
    assert (made["method"], made["path"], made["client_ip"]) == ("POST", "/users/7", "198.51.100.7")


def test_the_environment_has_no_client_where_the_server_knows_none():
    assert build_policy_environment(Request(connection_scope(client=None)))["client_ip"] is None


def test_a_websocket_has_no_method():
    scope = connection_scope(type="websocket")
    del scope["method"]
    made = build_policy_environment(WebSocket(scope, None, None))
    assert "method" not in made
    assert made["path"] == "/users/7"


@pytest.mark.parametrize("path", ["/admin?x", "/admin#x", "/admin/é", "//admin"])
def test_the_path_is_the_routed_one_whatever_characters_it_has(path):
    assert build_policy_environment(Request(connection_scope(path=path)))["path"] == path


def test_values_of_the_application_win_over_the_collected_ones_and_stay_as_they_are():
    own = {"hour": 99, "tenant": "t"}
    made = build_policy_environment(Request(connection_scope()), own)
    assert (made["hour"], made["tenant"], made["method"]) == (99, "t", "POST")
    assert own == {"hour": 99, "tenant": "t"}


def test_the_default_subject_is_the_tokens_owner_with_its_custom_claims():
    payload = TokenPayload(sub="u", scopes=["a"], login_type="admin", role="editor", team={"id": 7})
    assert default_subject_from_payload(payload) == {
        "sub": "u",
        "scopes": ["a"],
        "login_type": "admin",
        "role": "editor",
        "team": {"id": 7},
    }


def test_the_default_subject_has_an_empty_list_for_a_token_without_scopes():
    assert default_subject_from_payload(TokenPayload(sub="u")) == {
        "sub": "u",
        "scopes": [],
        "login_type": None,
    }


def test_there_is_no_default_subject_without_a_payload():
    assert default_subject_from_payload(None) == {}
