"""What routes can have injected besides payloads: the bare token, the subject, the request's bundle."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Generic, NoReturn

from fastapi import params
from fastapi.exceptions import FastAPIError
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from authx.exceptions import AuthXException, MissingTokenError
from authx.http.authenticate import attach_evidence, find_subject, locate, require_short
from authx.http.guards import NO_SCOPES, Guard, Scheme, scheme_nodes, schemes_of
from authx.http.runtime import RuntimeHolder
from authx.schema import RequestToken
from authx.types import T, TokenLocation, TokenType

__all__ = ["Injection", "NotADependency", "NotADependencyError", "SubjectGuard", "TokenFinder", "make_subject_guard"]


class NotADependencyError(FastAPIError, TypeError):
    """A route depends on something that is not a dependency; raised where the route is defined."""


class NotADependency:
    """Marks a parameter of a method that FastAPI must not take for a dependency.

    `Depends(auth.scopes_required)`, without the call that makes the dependency, would let everybody in.
    FastAPI asks pydantic how to read each parameter, when it reads the route's definition; that fails here.
    """

    def __init__(self, message: str) -> None:
        self.message = message

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> Any:
        """Refuse to be read from a request."""
        raise NotADependencyError(self.message)

    def __repr__(self) -> str:
        # Older versions of FastAPI replace the error by one of their own, which shows the parameter's annotation.
        return self.message


_DOUBLED: Final = NotADependency(
    "auth.ACCESS_REQUIRED and the like are complete: each is a Depends(...) already. Write "
    "payload: TokenPayload = auth.ACCESS_REQUIRED or dependencies=[auth.ACCESS_REQUIRED]; to ask for scopes, write "
    'Security(auth.access_token_required, scopes=["posts:read"]).'
)


class Injection(params.Depends):
    """What FastAPI wants as a default: `payload: TokenPayload = auth.ACCESS_REQUIRED`."""

    def __call__(self, doubled: Annotated[str, _DOUBLED]) -> NoReturn:  # noqa: ARG002 - FastAPI reads it
        """Be callable for FastAPI, which then reads the marked parameter and fails: `Depends(auth.ACCESS_REQUIRED)`."""
        raise NotADependencyError(_DOUBLED.message)


class TokenFinder:
    """A dependency that finds a token and verifies nothing."""

    def __init__(self, holder: RuntimeHolder, kind: TokenType) -> None:
        self.holder: Final = holder
        self._kind: Final[TokenType] = kind

    async def __call__(self, request: HTTPConnection) -> RequestToken | None:
        """Find the request's token."""
        try:
            return await self.find(request)
        except MissingTokenError:
            return None

    async def find(self, request: HTTPConnection, locations: Sequence[TokenLocation] | None = None) -> RequestToken:
        """Find the request's token, or say that there is none."""
        runtime = self.holder.get()
        try:
            found = await locate(runtime, request, self._kind, locations)
            require_short(runtime, found.token)
        except AuthXException as error:
            attach_evidence(runtime, error, request, self._kind, ends_cookies=False)
            raise
        token = RequestToken(
            token=found.token.decode("latin-1"), csrf=found.csrf, type=self._kind, location=found.location
        )
        token._csrf_exempt = found.csrf_exempt
        return token


class SubjectGuard(Generic[T]):
    """A dependency that lets a request pass like `access_token_required` and finds its subject."""

    def __init__(self, guard: Guard) -> None:
        self._guard: Final = guard

    async def __call__(
        self, request: HTTPConnection, security_scopes: SecurityScopes = NO_SCOPES, **_: None
    ) -> T | None:
        """Find the subject of the request's access token.

        Args:
            request: The request or WebSocket.
            security_scopes: Scopes the token must have; see `Guard.__call__`.

        Returns:
            What the subject getter answers; `None` for its `False`.

        Raises:
            AttributeError: No subject getter is set.
            AuthXException: The request has no good access token.
        """
        payload = await self._guard(request, security_scopes)
        subject: T | None = await find_subject(self._guard.holder.get(), payload.sub)
        return subject

    def error_statuses(self, method: str) -> dict[int, str]:
        """See `authx.http.openapi.Describable`."""
        return self._guard.error_statuses(method)


class _SchemeSubjectGuard(SubjectGuard[T], SecurityBase):
    """A subject guard that shows its locations' schemes in OpenAPI."""

    def __init__(self, guard: Guard, schemes: Sequence[Scheme]) -> None:
        super().__init__(guard)
        self.scheme_name, self.model = schemes[0]
        self.__signature__: Final = scheme_nodes(schemes[1:])


def make_subject_guard(guard: Guard) -> SubjectGuard[Any]:
    """Make the dependency that finds subjects, with the schemes its configuration has at this moment."""
    schemes = schemes_of(guard.holder.config, guard.requirement)
    return _SchemeSubjectGuard(guard, schemes) if schemes else SubjectGuard(guard)
