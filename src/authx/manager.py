"""Several kinds of login in one application, and policies over all of them.

Each kind is an `AuthX` with a `login_type`, which accepts tokens of that login type alone. The manager finds
the instance by name, and says of a token that another one's key signed which login type it is of.

The file is long because its methods repeat the signatures of `AuthX` with a login type before them: editors and type
checkers show these, and would not show what `*args` hides.
"""

import logging
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, TypeAlias
from weakref import WeakValueDictionary

from fastapi import FastAPI
from fastapi.openapi.models import HTTPBearer
from fastapi.openapi.models import SecurityBase as SecurityModel
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from authx.core.claims import wrong_type
from authx.exceptions import (
    AuthXException,
    BadConfigurationError,
    Evidence,
    JWTDecodeError,
    LoginTypeMismatchError,
    PolicyDeniedError,
    TokenExpiredError,
)
from authx.http.authenticate import attach_evidence, locate
from authx.http.errors import ErrorAnswers, install_handler
from authx.http.guards import NO_SCOPES, Guard, scheme_nodes
from authx.http.injections import NotADependency
from authx.http.lifespan import follow_lifespan
from authx.http.requirement import Requirement
from authx.http.runtime import require_key
from authx.http.sharing import shared_between
from authx.main import AuthX
from authx.policy import (
    PolicyContext,
    PolicyEngine,
    PolicyEvaluator,
    PolicyRule,
    build_policy_environment,
    default_subject_from_payload,
)
from authx.schema import TokenPayload, TokenResponse
from authx.types import UID, StringOrSequence, TokenLocation, TokenType

__all__ = ["AuthManager", "LoginGuard"]

_logger = logging.getLogger("authx")
_Expiry = datetime | timedelta | float | None
_LoginType: TypeAlias = Annotated[
    str,
    NotADependency(
        "The methods of an AuthManager are not dependencies: as one, this would check nothing. Call those that make "
        'one: Depends(manager.access_token_required("admin")), '
        'Depends(manager.policy_required("admin", "read", "reports")).'
    ),
]

_BEARER: Final = HTTPBearer(bearerFormat="JWT", description="Paste a token, without the word `Bearer`.")
# Compared by content; of any other object only the very same one is the same.
_PLAIN: Final = frozenset({str, bytes, int, float, bool, tuple, list, set, frozenset, dict})


def _same(one: object, other: object) -> bool:
    return one is other or (type(one) is type(other) and type(one) in _PLAIN and one == other)


@dataclass(frozen=True, slots=True)
class _Question:
    """What the policies are asked, beside who is asking.

    Attributes:
        action: The action.
        resource: The resource.
        subject: The application's own subject; `None` describes the caller by the token.
        resource_attrs: Attributes of the resource.
        env: The application's own environment values.
    """

    action: str
    resource: str
    subject: object = None
    resource_attrs: object = None
    env: Mapping[str, Any] | None = None

    def same_as(self, other: "_Question | None") -> bool:
        return (
            other is not None
            and (self.action, self.resource) == (other.action, other.resource)
            and _same(self.subject, other.subject)
            and _same(self.resource_attrs, other.resource_attrs)
            and _same(self.env, other.env)
        )


def _guard_of(auth: AuthX[Any], wanted: Requirement) -> Guard:
    return auth.token_required(
        wanted.kind, wanted.verify_type, wanted.verify_fresh, wanted.verify_csrf, wanted.locations
    )


class LoginGuard:
    """A dependency that lets a request pass with a token of one login type, and maybe asks the policies.

    Two that ask the same of the same manager are equal, so either can be a key of
    `app.dependency_overrides`. An `AuthManager` makes them.

    Args:
        manager: The manager.
        login_type: The login type.
        requirement: What is asked of the token.
        question: What the policies are asked; `None` asks them nothing.
        guard: The guard of the login type's instance; `None` if there is no instance yet.
    """

    def __init__(
        self,
        manager: "AuthManager",
        login_type: str,
        requirement: Requirement,
        question: _Question | None,
        guard: Guard | None,
    ) -> None:
        self.login_type: Final = login_type
        self.requirement: Final = requirement
        self._manager = manager
        self._question = question
        self._guard = guard
        # What FastAPI reads: the request, and the nodes that show further schemes.
        self.__signature__ = scheme_nodes(()) if guard is None else guard.__signature__

    async def __call__(
        self, request: HTTPConnection, security_scopes: SecurityScopes = NO_SCOPES, **_: None
    ) -> TokenPayload:
        """Verify the request's token.

        Args:
            request: The request or WebSocket.
            security_scopes: Scopes the token must have; see `authx.http.guards.Guard.__call__`.

        Returns:
            The token's payload.

        Raises:
            AuthXException: The token is missing, not good, of another login type, or denied by a policy.
            BadConfigurationError: Nobody registered the login type.
        """
        manager = self._manager
        try:
            payload = await self._admit(request, security_scopes)
        except AuthXException as error:
            manager._attach_evidence(error, self.login_type, request, self.requirement.kind)
            raise
        if self._question is not None:
            await manager._ask(self.login_type, self._question, payload, request)
        return payload

    async def _admit(self, request: HTTPConnection, security_scopes: SecurityScopes) -> TokenPayload:
        guard = self._guard
        if guard is None:
            guard = self._guard = _guard_of(self._manager.get(self.login_type), self.requirement)
        try:
            payload = await guard(request, security_scopes)
        except TokenExpiredError:
            raise
        except JWTDecodeError:
            recognised = await self._recognise(request, guard)
            if recognised is None:
                raise
            raise recognised from None
        if payload.login_type != self.login_type:
            raise LoginTypeMismatchError(self.login_type, payload.login_type)
        return payload

    async def _recognise(self, request: HTTPConnection, guard: Guard) -> AuthXException | None:
        """Tell what is wrong with a token that its login type's keys refuse, if another type's accept it."""
        wanted = self.requirement
        runtime = guard.holder.get()
        found = await locate(runtime, request, wanted.kind, wanted.locations, wanted.verify_csrf)
        for auth in self._manager._others(self.login_type):
            other = auth._runtime
            try:
                verified = other.verifier.verify(found.token, other.clock())
            except LoginTypeMismatchError as error:
                actual = error.actual_type
            except AuthXException:
                continue
            else:
                if wanted.verify_type and verified.kind != wanted.kind:
                    return wrong_type(wanted.kind)
                actual = verified.payload().login_type
            if actual != self.login_type:
                return LoginTypeMismatchError(self.login_type, actual)
        return None

    def error_statuses(self, method: str) -> dict[int, str]:
        """See `authx.http.openapi.Describable`."""
        statuses = {} if self._guard is None else self._guard.error_statuses(method)
        if self._question is not None:
            reasons = [statuses[403], "a policy denies it"] if 403 in statuses else ["A policy denies it"]
            statuses[403] = " or ".join(reasons)
        return statuses

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LoginGuard):
            return NotImplemented
        question = self._question
        return (
            self._manager is other._manager
            and (self.login_type, self.requirement) == (other.login_type, other.requirement)
            and (other._question is None if question is None else question.same_as(other._question))
        )

    def __hash__(self) -> int:
        asked = None if self._question is None else (self._question.action, self._question.resource)
        return hash((id(self._manager), self.login_type, self.requirement, asked))

    def __repr__(self) -> str:
        return f"LoginGuard({self.login_type!r}, {self.requirement!r})"


class _ShownLoginGuard(LoginGuard, SecurityBase):
    """A login guard that shows a scheme in OpenAPI."""

    def __init__(self, *args: Any, scheme_name: str, model: SecurityModel) -> None:
        super().__init__(*args)
        self.scheme_name = scheme_name
        self.model = model


async def _nothing() -> None:
    pass


class AuthManager(ErrorAnswers):
    """Kinds of login by name, dependencies that tell them apart, and one policy engine for all.

    The attributes `MSG_<class name>` that are set on a manager replace those of its instances, for errors
    of its dependencies.

    Args:
        policy_engine: The engine; by default one with `policy_rules`.
        policy_rules: The rules of the default engine.

    Attributes:
        policy_engine: The engine.

    Raises:
        BadConfigurationError: Both arguments are given.
    """

    def __init__(
        self, policy_engine: PolicyEngine | None = None, policy_rules: Sequence[PolicyRule] | None = None
    ) -> None:
        if policy_engine is not None and policy_rules:
            raise BadConfigurationError("Pass policy_rules or policy_engine; an engine brings its own rules")
        self.policy_engine = PolicyEngine(policy_rules) if policy_engine is None else policy_engine
        self._instances: dict[str, AuthX[Any]] = {}
        # A guard lives as long as a route, or whoever asked for it, holds it: one that is made for a single
        # call is not kept.
        self._guards: WeakValueDictionary[tuple[object, ...], LoginGuard] = WeakValueDictionary()

    def handle_errors(self, app: FastAPI) -> None:
        """As `ErrorAnswers.handle_errors`; start-up fails if a registered instance has no key.

        Args:
            app: The application. May be called again.
        """
        super().handle_errors(app)
        follow_lifespan(app, start=_nothing, check=self._check, stop=_nothing)

    async def _check(self) -> None:
        for auth in self._instances.values():
            require_key(auth._runtime)

    def register(self, auth: AuthX[Any]) -> None:
        """Add a kind of login; a warning in the log names keys, store and cookie names that it shares with others.

        Args:
            auth: An instance with a `login_type` that no other one here has.

        Raises:
            BadConfigurationError: It has no login type, the name is taken, or its settings cannot work.
        """
        login_type = auth.login_type
        if not login_type:
            raise BadConfigurationError("An AuthX needs a login_type before a manager can register it")
        if login_type in self._instances:
            raise BadConfigurationError(f"The login_type {login_type!r} is already registered")
        runtime = auth._runtime
        for name, other in self._instances.items():
            shared = shared_between(other._runtime, runtime)
            if shared:
                _logger.warning("The login types %r and %r share %s", name, login_type, "; ".join(shared))
        self._instances[login_type] = auth

    def get(self, login_type: str) -> AuthX[Any]:
        """Give the instance of a login type.

        Args:
            login_type: The login type.

        Returns:
            The instance that was registered.

        Raises:
            BadConfigurationError: None was.
        """
        try:
            return self._instances[login_type]
        except KeyError:
            raise BadConfigurationError(f"Unknown login_type {login_type!r}") from None

    @property
    def login_types(self) -> tuple[str, ...]:
        """The registered login types, in the order they were registered."""
        return tuple(self._instances)

    # Making tokens

    def create_access_token(
        self,
        login_type: str,
        uid: UID,
        fresh: bool = False,
        headers: Mapping[str, Any] | None = None,
        expiry: _Expiry = None,
        data: Mapping[str, Any] | None = None,
        audience: StringOrSequence | None = None,
        scopes: Sequence[str] | None = None,
        *,
        sid: str | None = None,
    ) -> str:
        """As `AuthX.create_access_token`, of the instance with this login type."""
        auth = self.get(login_type)
        return auth.create_access_token(uid, fresh, headers, expiry, data, audience, scopes, sid=sid)

    def create_refresh_token(
        self,
        login_type: str,
        uid: UID,
        headers: Mapping[str, Any] | None = None,
        expiry: _Expiry = None,
        data: Mapping[str, Any] | None = None,
        audience: StringOrSequence | None = None,
        scopes: Sequence[str] | None = None,
        *,
        fresh: bool = False,
    ) -> str:
        """As `AuthX.create_refresh_token`, of the instance with this login type."""
        auth = self.get(login_type)
        return auth.create_refresh_token(uid, headers, expiry, data, audience, scopes, fresh=fresh)

    def create_token_pair(
        self,
        login_type: str,
        uid: UID,
        fresh: bool = False,
        headers: Mapping[str, Any] | None = None,
        access_expiry: _Expiry = None,
        refresh_expiry: _Expiry = None,
        data: Mapping[str, Any] | None = None,
        audience: StringOrSequence | None = None,
        access_scopes: Sequence[str] | None = None,
        refresh_scopes: Sequence[str] | None = None,
    ) -> TokenResponse:
        """As `AuthX.create_token_pair`, of the instance with this login type."""
        return self.get(login_type).create_token_pair(
            uid,
            fresh,
            headers,
            access_expiry,
            refresh_expiry,
            data,
            audience,
            access_scopes,
            refresh_scopes,
        )

    # Dependencies

    def token_required(
        self,
        login_type: _LoginType,
        type: TokenType = "access",  # noqa: A002 - the argument's name is AuthX's
        verify_type: bool = True,
        verify_fresh: bool = False,
        verify_csrf: bool | None = None,
        locations: Sequence[TokenLocation] | None = None,
    ) -> LoginGuard:
        """Make a dependency that lets a request pass with a good token of one login type.

        The same arguments give the same object. Each instance reads its tokens where it is configured to.

        Args:
            login_type: The login type, best registered before; if never, every request is an error.
            type: `access` or `refresh`.
            verify_type: Whether the token must say it is of that type.
            verify_fresh: Whether it must be fresh.
            verify_csrf: Whether a cookie needs its CSRF value; by default on `JWT_CSRF_METHODS`.
            locations: Where to look, in order; by default as the instance is configured.

        Returns:
            The dependency, for routes and WebSocket routes; it gives the payload.

        Raises:
            ValueError: A type or location that does not exist.
        """
        requirement = Requirement(
            kind=type,
            verify_type=verify_type,
            verify_fresh=verify_fresh,
            verify_csrf=verify_csrf,
            locations=None if locations is None else tuple(locations),
        )
        return self._guard((login_type, requirement), login_type, requirement)

    def access_token_required(self, login_type: _LoginType) -> LoginGuard:
        """Make the dependency that asks for an access token of a login type; see `token_required`."""
        return self.token_required(login_type)

    def refresh_token_required(self, login_type: _LoginType) -> LoginGuard:
        """Make the dependency that asks for a refresh token of a login type; see `token_required`."""
        return self.token_required(login_type, type="refresh")

    def fresh_token_required(self, login_type: _LoginType) -> LoginGuard:
        """Make the dependency that asks for a fresh access token of a login type; see `token_required`."""
        return self.token_required(login_type, verify_fresh=True)

    def policy_required(
        self,
        login_type: _LoginType,
        action: str,
        resource: str,
        *,
        subject: object = None,
        resource_attrs: object = None,
        env: Mapping[str, Any] | None = None,
    ) -> LoginGuard:
        """Make a dependency that asks for an access token of a login type, and then the policies.

        Dependencies with the same arguments are equal; the last three are not copied, so a mapping that
        changes later is seen as it is then.

        Args:
            login_type: The login type.
            action: The action the route is.
            resource: The resource it acts on.
            subject: What conditions read about the caller; by default the token's owner, scopes, login
                type and custom claims.
            resource_attrs: What conditions read about the resource.
            env: What conditions read about the environment, over what `build_policy_environment` collects.

        Returns:
            The dependency; it gives the payload.
        """
        question = _Question(action, resource, subject, resource_attrs, env)
        # By identity: the guard holds these objects, so no other can have their ids while it is kept.
        key = (login_type, action, resource, id(subject), id(resource_attrs), id(env))
        return self._guard(key, login_type, Requirement(), question)

    def _guard(
        self,
        key: tuple[object, ...],
        login_type: str,
        requirement: Requirement,
        question: _Question | None = None,
    ) -> LoginGuard:
        guard = self._guards.get(key)
        if guard is None:
            auth = self._instances.get(login_type)
            inner = None if auth is None else _guard_of(auth, requirement)
            parts = (self, login_type, requirement, question, inner)
            if inner is None:
                guard = _ShownLoginGuard(*parts, scheme_name="AuthXBearer", model=_BEARER)
            elif isinstance(inner, SecurityBase):
                guard = _ShownLoginGuard(*parts, scheme_name=inner.scheme_name, model=inner.model)
            else:
                guard = LoginGuard(*parts)
            self._guards[key] = guard
        return guard

    # Policies

    def add_policy_rule(self, rule: PolicyRule) -> None:
        """Add a rule to the engine."""
        self.policy_engine.add_rule(rule)

    def add_policy_evaluator(self, evaluator: PolicyEvaluator) -> None:
        """Add an evaluator to the engine, which every rule must meet."""
        self.policy_engine.add_evaluator(evaluator)

    async def authorize(
        self,
        login_type: _LoginType,
        action: str,
        resource: str,
        *,
        payload: TokenPayload | None = None,
        request: HTTPConnection | None = None,
        subject: object = None,
        resource_attrs: object = None,
        env: Mapping[str, Any] | None = None,
    ) -> TokenPayload:
        """Ask the policies inside a route.

        A payload is taken as it is: pass one that a dependency or `verify_token` gave. Without one the
        request's access token is verified in full.

        Args:
            login_type: The login type required; it need not be registered where a payload is passed.
            action: The action.
            resource: The resource.
            payload: The caller's verified claims.
            request: The request or WebSocket.
            subject: What conditions read about the caller; by default described by the payload.
            resource_attrs: What conditions read about the resource.
            env: What conditions read about the environment, over what `build_policy_environment` collects.

        Returns:
            The payload.

        Raises:
            PolicyDeniedError: A rule denies it or none allows it, or there is neither payload nor request.
            LoginTypeMismatchError: The payload or token is of another login type.
            PolicyEvaluationError: A rule is written wrongly.
            AuthXException: The request has no good access token.
            Exception: Whatever an evaluator raises, unchanged.
        """
        if payload is None and request is not None:
            payload = await self.access_token_required(login_type)(request)
        question = _Question(action, resource, subject, resource_attrs, env)
        return await self._ask(login_type, question, payload, request)

    async def _ask(
        self,
        login_type: str,
        question: _Question,
        payload: TokenPayload | None,
        request: HTTPConnection | None,
    ) -> TokenPayload:
        try:
            return await self._decide(login_type, question, payload, request)
        except AuthXException as error:
            self._attach_evidence(error, login_type, request, "access")
            raise

    async def _decide(
        self,
        login_type: str,
        question: _Question,
        payload: TokenPayload | None,
        request: HTTPConnection | None,
    ) -> TokenPayload:
        if payload is None:
            raise PolicyDeniedError("A policy needs a request or token payload to decide about")
        if payload.login_type != login_type:
            raise LoginTypeMismatchError(login_type, payload.login_type)
        subject, attributes = question.subject, question.resource_attrs
        auth = self._instances.get(login_type)
        decision = await self.policy_engine.evaluate(
            PolicyContext(
                login_type=login_type,
                action=question.action,
                resource=question.resource,
                payload=payload,
                request=request,
                subject=default_subject_from_payload(payload) if subject is None else subject,
                resource_attrs={} if attributes is None else attributes,
                environment=build_policy_environment(
                    request, question.env, clock=None if auth is None else auth._runtime.clock
                ),
            )
        )
        if not decision.allowed:
            raise PolicyDeniedError(decision.reason)
        return payload

    # Errors

    def _others(self, login_type: str) -> list[AuthX[Any]]:
        return [auth for name, auth in self._instances.items() if name != login_type]

    def _attach_evidence(
        self, error: AuthXException, login_type: str, connection: HTTPConnection | None, kind: TokenType
    ) -> None:
        """Note on an error where it came from, and see to it that it will be answered."""
        auth = self._instances.get(login_type)
        if auth is not None:
            attach_evidence(auth._runtime, error, connection, kind)
            error.evidence = replace(error.evidence or Evidence(auth, kind), source=self._voice_of(auth))
            return
        if error.evidence is None:
            error.evidence = Evidence(self, kind)
        if error.login_type is None:
            error.login_type = login_type
        if connection is not None:
            install_handler(connection)

    def _voice_of(self, auth: AuthX[Any]) -> AuthX[Any]:
        """Give what answers as an instance does, in this manager's words where it has words of its own."""
        names = [name for name in dir(self) if name.startswith("MSG_")]
        words = {
            name: getattr(self, name) for name in names if getattr(self, name) != getattr(ErrorAnswers, name, None)
        }
        if not words:
            return auth
        voice = copy(auth)
        vars(voice).update(words)
        return voice
