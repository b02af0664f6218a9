"""Policies: who may do what to which resource, decided by rules over the token and the request.

An engine holds rules and evaluates a `PolicyContext` against them. The first matching `deny` decides;
otherwise the last matching `allow`; otherwise the default, which is to deny. A rule that is written
wrongly (an unknown effect, operator or source) is a `PolicyEvaluationError`, never a permission.

What this module does not check: the token. A context is only as good as the payload put into it, and
`AuthManager.authorize` puts in verified ones.
"""

import operator
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Literal, Protocol

from authx.core.scopes import has_required_scopes, match_scope
from authx.exceptions import PolicyEvaluationError
from authx.schema import TokenPayload
from authx.settings.clock import timestamp

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

__all__ = [
    "PolicyCondition",
    "PolicyContext",
    "PolicyDecision",
    "PolicyEffect",
    "PolicyEngine",
    "PolicyEvaluator",
    "PolicyOperator",
    "PolicyRule",
    "PolicySource",
    "build_policy_environment",
    "default_subject_from_payload",
]

PolicyEffect = Literal["allow", "deny"]
PolicySource = Literal["subject", "resource", "environment", "token"]
PolicyOperator = Literal["equals", "not_equals", "in", "not_in", "contains", "gt", "gte", "lt", "lte", "exists"]


class PolicyEvaluator(Protocol):
    """A condition written in Python, for what the operators cannot say.

    It runs on the event loop: one that waits for something should be asynchronous. What it raises is
    raised to the caller as it is, and nothing is allowed.
    """

    def __call__(self, context: "PolicyContext", rule: "PolicyRule", /) -> object | Awaitable[object]:
        """Take the context and the rule being tried; a false answer keeps the rule from matching."""
        ...


@dataclass(frozen=True, slots=True)
class PolicyContext:
    """One question to the engine: may this login do this action to this resource, now?

    Args:
        login_type: The login type the caller authenticated with.
        action: The action, such as `users:ban`.
        resource: The resource, such as `users`.
        payload: The verified token's claims; `None` fails every rule that demands scopes.
        request: The request or WebSocket being served, for evaluators.
        subject: What conditions with the source `subject` read: a mapping or any object.
        resource_attrs: What conditions with the source `resource` read.
        environment: What conditions with the source `environment` read.
    """

    login_type: str
    action: str
    resource: str
    # Not in the repr, which ends up in logs: the claims hold the CSRF value.
    payload: TokenPayload | None = field(default=None, repr=False)
    request: "HTTPConnection | None" = field(default=None, repr=False)
    # The application chooses what these are, and its evaluators read them without casts.
    subject: Any = None
    resource_attrs: Any = None
    environment: Mapping[str, Any] = field(default_factory=dict)

    def get_source(self, source: PolicySource) -> Any:
        """Return what conditions with this source read.

        Args:
            source: `subject`, `resource`, `environment`, or `token` for all claims of the payload.

        Returns:
            A mapping or the application's own object; `{}` where there is no payload or no resource
            attributes.

        Raises:
            PolicyEvaluationError: The source has none of these names.
        """
        if source == "subject":
            return self.subject
        if source == "resource":
            return {} if self.resource_attrs is None else self.resource_attrs
        if source == "environment":
            return self.environment
        if source == "token":
            return {} if self.payload is None else self.payload.model_dump()
        raise PolicyEvaluationError(f"Unknown policy source {source!r}", login_type=self.login_type)


def _find(source: object, key: str) -> object:
    """Follow a dotted key through mappings and objects; a step that is not there gives `None`."""
    found = source
    for step in key.split("."):
        found = found.get(step) if isinstance(found, Mapping) else getattr(found, step, None)
        if found is None:
            return None
    return found


def _is_one_of(found: object, allowed: object) -> bool:
    if isinstance(allowed, str | bytes) or not isinstance(allowed, Sequence | AbstractSet):
        return bool(found == allowed)
    try:
        return found in allowed
    except TypeError:  # an unhashable value cannot be looked up in a set, but it can be compared
        return any(found == one for one in allowed)


def _compared(comparison: Callable[[Any, Any], Any]) -> Callable[[Any, object], bool]:
    return lambda found, value: found is not None and bool(comparison(found, value))


_OPERATORS: Mapping[str, Callable[[Any, object], bool]] = {
    "equals": lambda found, value: bool(found == value),
    "not_equals": lambda found, value: bool(found != value),
    "in": _is_one_of,
    "not_in": lambda found, value: not _is_one_of(found, value),
    "contains": _compared(operator.contains),
    "gt": _compared(operator.gt),
    "gte": _compared(operator.ge),
    "lt": _compared(operator.lt),
    "lte": _compared(operator.le),
    "exists": lambda found, _: found is not None,
}


@dataclass(frozen=True, slots=True)
class PolicyCondition:
    """One comparison that must hold for a rule to match.

    Args:
        source: Where the value is read: `subject`, `resource`, `environment` or `token`.
        key: A dotted path into the source; a missing step gives `None`.
        operator: How the value is compared. `in` and `not_in` take a list, tuple or set, and treat any
            other value (a text too) as the only member. `contains` and the four orderings do not hold
            for `None`.
        value: What it is compared with.
    """

    source: PolicySource
    key: str
    operator: PolicyOperator = "equals"
    value: object = None

    def matches(self, context: PolicyContext) -> bool:
        """Return whether the comparison holds.

        Args:
            context: The context the value is read from.

        Returns:
            Whether it holds.

        Raises:
            PolicyEvaluationError: The source or the operator is unknown.
            TypeError: The two values cannot be compared this way.
        """
        compare = _OPERATORS.get(self.operator)
        if compare is None:
            raise PolicyEvaluationError(f"Unknown policy operator {self.operator!r}", login_type=context.login_type)
        return compare(_find(context.get_source(self.source), self.key), self.value)


def _entries(names: Sequence[str]) -> Sequence[str]:
    """Read a bare text as one entry: taken apart into characters, `users:*` would end in a bare `*`."""
    return (names,) if isinstance(names, str) else names


def _covers(patterns: Sequence[str], name: str) -> bool:
    return any(pattern == "*" or match_scope(name, pattern) for pattern in _entries(patterns))


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """A rule: an effect, and everything that must agree for it to match.

    Args:
        effect: `allow` or `deny`.
        actions: Patterns of actions: a name, a name with `:*` for all below it, or `*` for all.
        resources: Patterns of resources, written the same way.
        conditions: Comparisons that must all hold.
        scopes: Scopes the token must have; `None` demands none.
        all_scopes_required: Whether all of `scopes` are needed, or any one of them.
        evaluators: Python conditions that must all agree, asked last.
        reason: What a decision by this rule says.
    """

    effect: PolicyEffect
    actions: Sequence[str]
    resources: Sequence[str]
    conditions: Sequence[PolicyCondition] = field(default_factory=list)
    scopes: Sequence[str] | None = None
    all_scopes_required: bool = True
    evaluators: Sequence[PolicyEvaluator] = field(default_factory=list)
    reason: str | None = None

    def matches_action(self, action: str) -> bool:
        """Return whether one of the rule's patterns covers an action."""
        return _covers(self.actions, action)

    def matches_resource(self, resource: str) -> bool:
        """Return whether one of the rule's patterns covers a resource."""
        return _covers(self.resources, resource)

    def matches_scopes(self, payload: TokenPayload | None) -> bool:
        """Return whether a token has the scopes the rule demands; no token has none."""
        if self.scopes is None:
            return True
        granted = None if payload is None else payload.scopes
        return has_required_scopes(_entries(self.scopes), granted, all_required=self.all_scopes_required)


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """The engine's answer.

    Args:
        allowed: Whether the action is permitted.
        reason: Why, for people; a denial's reason is what the client is told.
        rule: The rule that decided; `None` where none matched.
    """

    allowed: bool
    reason: str
    rule: PolicyRule | None = None


class PolicyEngine:
    """Rules, and the decision they come to.

    Args:
        rules: The rules; order matters among several `allow` rules only, where the last one decides.
        evaluators: Python conditions asked for every rule, before its own.
        default_allow: What happens where no rule matches; leave it off unless rules only ever deny.

    Attributes:
        default_allow: As given.
    """

    __slots__ = ("_evaluators", "_rules", "default_allow")

    def __init__(
        self,
        rules: Sequence[PolicyRule] | None = None,
        evaluators: Sequence[PolicyEvaluator] | None = None,
        default_allow: bool = False,
    ) -> None:
        self._rules = list(rules or ())
        self._evaluators = list(evaluators or ())
        self.default_allow = default_allow

    @property
    def rules(self) -> list[PolicyRule]:
        """A copy of the rules, in the order they were added."""
        return list(self._rules)

    def add_rule(self, rule: PolicyRule) -> None:
        """Add a rule after the others; evaluations that have begun do not see it."""
        self._rules.append(rule)

    def add_evaluator(self, evaluator: PolicyEvaluator) -> None:
        """Add a Python condition that every rule must meet from now on."""
        self._evaluators.append(evaluator)

    async def evaluate(self, context: PolicyContext) -> PolicyDecision:
        """Decide.

        Args:
            context: The question.

        Returns:
            The decision; a matching `deny` wins over every `allow`.

        Raises:
            PolicyEvaluationError: A rule that would match has an unknown effect, or one of its
                conditions an unknown source or operator.
            Exception: Whatever an evaluator raises, unchanged.
        """
        evaluators = tuple(self._evaluators)
        permission: PolicyRule | None = None
        for rule in tuple(self._rules):
            if not await _matches(rule, context, evaluators):
                continue
            if rule.effect == "deny":
                return PolicyDecision(allowed=False, reason=_reason(rule), rule=rule)
            if rule.effect != "allow":
                raise PolicyEvaluationError(f"Unknown policy effect {rule.effect!r}", login_type=context.login_type)
            permission = rule
        if permission is not None:
            return PolicyDecision(allowed=True, reason=_reason(permission), rule=permission)
        if self.default_allow:
            return PolicyDecision(allowed=True, reason="No policy rule matched; default allow")
        return PolicyDecision(allowed=False, reason="No policy rule matched")


def _reason(rule: PolicyRule) -> str:
    return rule.reason or f"Policy rule {rule.effect} matched"


async def _matches(rule: PolicyRule, context: PolicyContext, evaluators: Sequence[PolicyEvaluator]) -> bool:
    """Ask the cheap questions first; the evaluators only of a rule that would match without them."""
    if not (
        rule.matches_action(context.action)
        and rule.matches_resource(context.resource)
        and rule.matches_scopes(context.payload)
        and all(condition.matches(context) for condition in rule.conditions)
    ):
        return False
    for evaluator in (*evaluators, *rule.evaluators):
        answer = evaluator(context, rule)
        if isawaitable(answer):
            answer = await answer
        if not answer:
            return False
    return True


def build_policy_environment(
    request: "HTTPConnection | None" = None,
    environment: Mapping[str, Any] | None = None,
    *,
    clock: Callable[[], float] | None = None,
) -> dict[str, Any]:
    """Collect what conditions with the source `environment` can read.

    Args:
        request: The request or WebSocket being served.
        environment: Values of the application's own, which win over the collected ones.
        clock: Returns the time in seconds since 1970; `None` reads the system's clock.

    Returns:
        `time` (in UTC, with its zone), `hour`, `weekday` (Monday is 0); with a request also `path`,
        `client_ip` (`None` where the server knows none) and, except for a WebSocket, `method`.
    """
    now = datetime.fromtimestamp((clock or timestamp)(), UTC)
    collected: dict[str, Any] = {"time": now, "hour": now.hour, "weekday": now.weekday()}
    if request is not None:
        client = request.client
        # The path that was routed: one read from the URL can be cut short by an encoded `?` or `#`.
        collected["path"] = request.scope["path"]
        collected["client_ip"] = None if client is None else client.host
        if request.scope["type"] == "http":
            collected["method"] = request.scope["method"]
    return {**collected, **(environment or {})}


def default_subject_from_payload(payload: TokenPayload | None) -> dict[str, Any]:
    """Describe the caller by the token alone, for applications that pass no subject.

    Args:
        payload: The verified claims.

    Returns:
        `sub`, `scopes` (a list, empty if the token has none), `login_type`, and the token's custom
        claims; `{}` without a payload.
    """
    if payload is None:
        return {}
    return {
        **payload.extra_dict,
        "sub": payload.sub,
        "scopes": list(payload.scopes or ()),
        "login_type": payload.login_type,
    }
