"""The dependency: one object, one node in FastAPI's graph, for HTTP and WebSocket alike.

FastAPI shows one security scheme a node. So a dependency with several locations carries one more,
empty node for each further scheme, and one with a single location costs nothing beyond itself.
"""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fastapi import Depends
from fastapi.openapi.models import APIKey, APIKeyIn
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.openapi.models import SecurityBase as SecurityModel
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from authx.config import AuthXConfig
from authx.exceptions import AuthXException
from authx.http.authenticate import attach_evidence, authenticate
from authx.http.request_state import state_of
from authx.http.requirement import Requirement
from authx.http.runtime import Runtime, RuntimeHolder
from authx.schema import TokenPayload
from authx.settings.locations import locations_of
from authx.tokens.verifier import Verified
from authx.types import TokenLocation, TokenType

if TYPE_CHECKING:
    from authx.sessions.service import Sessions

__all__ = ["NO_SCOPES", "Guard", "Scheme", "make_guard", "scheme_nodes", "schemes_of"]

# What calls by hand declare; FastAPI passes what `Security(..., scopes=[...])` says on all levels of a route.
NO_SCOPES: Final = SecurityScopes()

# A scheme's name, and what OpenAPI says of it.
Scheme: TypeAlias = tuple[str, SecurityModel]
_SHOWN_ORDER: Final[tuple[TokenLocation, ...]] = ("headers", "cookies", "query")


class Guard:
    """A dependency that lets a request pass if its token meets a requirement."""

    def __init__(self, holder: RuntimeHolder, requirement: Requirement, further: Sequence[Scheme] = ()) -> None:
        self.holder: Final = holder
        self.requirement: Final = requirement
        self.__signature__: Final = scheme_nodes(further)

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
        runtime = self.holder.current or self.holder.get()
        now = runtime.clock()
        token, verified = await authenticate(runtime, request, self.requirement, now, security_scopes.scopes)
        if verified.kind == "refresh" and runtime.sessions is not None:
            await _judge(runtime, runtime.sessions, request, token, verified, now)
        return verified.payload()

    def error_statuses(self, method: str) -> dict[int, str]:
        """See `authx.http.openapi.Describable`."""
        config, requirement = self.holder.config, self.requirement
        as_authx = config.JWT_ERROR_STATUS == "authx"
        statuses = {
            400: "The request is broken: two tokens, or one that is too long",
            401: "No token, or one that is not accepted",
        }
        if as_authx:
            statuses[422] = "The token is malformed, forged or expired"
        locations = requirement.locations or locations_of(config, requirement.kind)
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

    def __init__(self, holder: RuntimeHolder, requirement: Requirement, schemes: Sequence[Scheme]) -> None:
        super().__init__(holder, requirement, schemes[1:])
        self.scheme_name, self.model = schemes[0]


class _Scheme(SecurityBase):
    """A further location's scheme: a node that does nothing but be seen."""

    def __init__(self, name: str, model: SecurityModel) -> None:
        self.scheme_name = name
        self.model = model

    async def __call__(self) -> None:
        """Do nothing."""


async def _judge(
    runtime: Runtime, sessions: "Sessions", request: HTTPConnection, token: bytes, verified: Verified, now: float
) -> None:
    """Ask the store what a refresh token is worth, for a route that refreshes by hand."""
    # Only who has a store pays for importing these.
    from authx.http.requester import requester_of
    from authx.tokens.presented import present

    try:
        await sessions.open()
        state = state_of(request.scope, runtime.state_key, now)
        key = state.retry_key(request.scope, runtime.retry_key_header)
        at = state.refreshed_at(now)
        await sessions.judge(present(token, verified.claims, key), requester_of(request), at)
    except AuthXException as error:
        attach_evidence(runtime, error, request, "refresh")
        raise


def make_guard(holder: RuntimeHolder, requirement: Requirement) -> Guard:
    """Make the dependency for a requirement, with the OpenAPI schemes its settings have now."""
    schemes = schemes_of(holder.config, requirement)
    return _ShownGuard(holder, requirement, schemes) if schemes else Guard(holder, requirement)


def schemes_of(config: AuthXConfig, requirement: Requirement) -> list[Scheme]:
    """List the OpenAPI schemes of a requirement."""
    names = locations_of(config, requirement.kind) if requirement.locations is None else requirement.locations
    return [_scheme(config, requirement.kind, name) for name in _SHOWN_ORDER if name in names]


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
