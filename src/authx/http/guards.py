"""The dependency: one object, one node in FastAPI's graph, for HTTP and WebSocket alike.

FastAPI shows one security scheme a node. So a dependency with several locations carries one more,
empty node for each further scheme, and one with a single location costs nothing beyond itself.
"""

import inspect
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from fastapi import Depends
from fastapi.openapi.models import APIKey, APIKeyIn
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.openapi.models import SecurityBase as SecurityModel
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from authx.config import AuthXConfig
from authx.http.authenticate import Gate
from authx.http.requirement import Requirement
from authx.http.runtime import location_names
from authx.schema import TokenPayload
from authx.tokens.verifier import Verified
from authx.types import TokenLocation, TokenType

__all__ = ["NO_SCOPES", "Guard", "Scheme", "make_guard", "scheme_nodes", "schemes_of"]

# What calls by hand declare; FastAPI passes what `Security(..., scopes=[...])` says on all levels of a route.
NO_SCOPES: Final = SecurityScopes()

# A scheme's name, and what OpenAPI says of it.
Scheme: TypeAlias = tuple[str, SecurityModel]
_SHOWN_ORDER: Final[tuple[TokenLocation, ...]] = ("headers", "cookies", "query")


class Guard:
    """A dependency that lets a request pass if its token meets a requirement.

    Args:
        gate: The instance's gate.
        requirement: What is asked for.
        further: Schemes to show in OpenAPI by nodes of their own.
    """

    def __init__(self, gate: Gate, requirement: Requirement, further: Sequence[Scheme] = ()) -> None:
        self.gate: Final = gate
        self.requirement: Final = requirement
        self.__signature__: Final = scheme_nodes(further)
        self._asks_for_scopes: Final = requirement.scopes is not None

    async def __call__(
        self, request: HTTPConnection, security_scopes: SecurityScopes = NO_SCOPES, **_: None
    ) -> TokenPayload:
        """Verify the request's token.

        Args:
            request: The request or WebSocket.
            security_scopes: Further scopes the token must have, all of them; FastAPI passes those that
                `Security(..., scopes=[...])` names for the route, its routers and dependencies.

        Returns:
            The token's payload, a copy of its own for each caller.

        Raises:
            AuthXException: The requirement is not met.
        """
        verified = self.gate.recall(request.scope, self.requirement) or await self._admit(request)
        if security_scopes.scopes or self._asks_for_scopes:
            self.gate.require_scopes(request, verified, self.requirement, security_scopes.scopes)
        return verified.payload()

    async def _admit(self, request: HTTPConnection) -> Verified:
        gate = self.gate
        verified = await gate.admit(request, self.requirement)
        if gate.engine is not None and verified.kind == "refresh":
            await gate.decide(request, verified)
        return verified

    def error_statuses(self, method: str) -> dict[int, str]:
        """See `authx.http.openapi.Describable`."""
        config, requirement = self.gate.config, self.requirement
        as_authx = config.JWT_ERROR_STATUS == "authx"
        statuses = {
            400: "The request is broken: two tokens, or one that is too long",
            401: "No token, or one that is not accepted",
        }
        if as_authx:
            statuses[422] = "The token is malformed, forged or expired"
        locations = requirement.locations or location_names(config, requirement.kind)
        csrf = requirement.verify_csrf
        if csrf is None:
            csrf = config.JWT_COOKIE_CSRF_PROTECT and method in config.JWT_CSRF_METHODS
        reasons = ["the CSRF value is missing or wrong"] if csrf and "cookies" in locations and not as_authx else []
        if requirement.scopes is not None:
            reasons.append("the token lacks a scope")
        if reasons:
            statuses[403] = " or ".join(reasons).capitalize()
        return statuses

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.requirement!r})"


class _ShownGuard(Guard, SecurityBase):
    """A guard that shows its locations' schemes in OpenAPI: the first itself, the others by their nodes."""

    def __init__(self, gate: Gate, requirement: Requirement, schemes: Sequence[Scheme]) -> None:
        super().__init__(gate, requirement, schemes[1:])
        self.scheme_name, self.model = schemes[0]


class _Scheme(SecurityBase):
    """A further location's scheme: a node that does nothing but be seen."""

    def __init__(self, name: str, model: SecurityModel) -> None:
        self.scheme_name = name
        self.model = model

    async def __call__(self) -> None:
        """Do nothing."""


def make_guard(gate: Gate, requirement: Requirement) -> Guard:
    """Make the dependency for a requirement, with the schemes its configuration has at this moment.

    Args:
        gate: The instance's gate.
        requirement: What is asked for.

    Returns:
        The dependency; make it once and keep it.
    """
    schemes = schemes_of(gate, requirement)
    return _ShownGuard(gate, requirement, schemes) if schemes else Guard(gate, requirement)


def schemes_of(gate: Gate, requirement: Requirement) -> list[Scheme]:
    """List the OpenAPI schemes of a requirement, as its configuration is at this moment."""
    names = requirement.locations
    if names is None:
        names = tuple(location_names(gate.config, requirement.kind))
    return [_scheme(gate.config, requirement.kind, name) for name in _SHOWN_ORDER if name in names]


def scheme_nodes(schemes: Sequence[Scheme]) -> inspect.Signature:
    """Write the signature that FastAPI reads: the connection, the scopes, and a node for each further scheme."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [
        inspect.Parameter("request", kind, annotation=HTTPConnection),
        inspect.Parameter("security_scopes", kind, annotation=SecurityScopes, default=NO_SCOPES),
    ]
    for name, model in schemes:
        default: Any = Depends(_Scheme(name, model))
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=None, default=default))
    return inspect.Signature(parameters)


def _scheme(config: AuthXConfig, kind: TokenType, location: TokenLocation) -> Scheme:
    if location == "headers":
        return _header_scheme(config)
    if location == "query":
        description = f"A token in the query parameter `{config.JWT_QUERY_STRING_NAME}`."
        return "AuthXQuery", _api_key(APIKeyIn.query, config.JWT_QUERY_STRING_NAME, description)
    if kind == "refresh":
        description = "The refresh token, in the cookie that login sets."
        return "AuthXRefreshCookie", _api_key(APIKeyIn.cookie, config.JWT_REFRESH_COOKIE_NAME, description)
    description = "The access token, in the cookie that login sets. Browsers send it by themselves."
    return "AuthXAccessCookie", _api_key(APIKeyIn.cookie, config.JWT_ACCESS_COOKIE_NAME, description)


def _header_scheme(config: AuthXConfig) -> Scheme:
    name, scheme = config.JWT_HEADER_NAME, config.JWT_HEADER_TYPE
    if name.lower() == "authorization" and scheme.lower() == "bearer":
        description = "Paste a token (not the secret that signs it), without the word `Bearer`: it is added for you."
        return "AuthXBearer", HTTPBearerModel(bearerFormat="JWT", description=description)
    prefix = f"`{scheme} ` and a token" if scheme else "a token"
    description = f"Paste {prefix} (not the secret that signs it)."
    return "AuthXHeader", _api_key(APIKeyIn.header, name, description)


def _api_key(where: APIKeyIn, name: str, description: str) -> SecurityModel:
    return APIKey.model_validate({"in": where, "name": name, "description": description})
