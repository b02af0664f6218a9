"""What routes can have injected besides payloads: the bare token, the subject, the request's bundle."""

from collections.abc import Sequence
from typing import Any, Final, Generic

from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from authx.exceptions import AuthXException, MissingTokenError
from authx.http.gate import Gate
from authx.http.security import Guard, Scheme, scheme_nodes, schemes_of
from authx.schema import RequestToken
from authx.types import T, TokenLocation, TokenType

__all__ = ["SubjectGuard", "TokenFinder", "make_subject_guard"]


class TokenFinder:
    """A dependency that finds a token and verifies nothing.

    Args:
        gate: The instance's gate.
        kind: `access` or `refresh`.
    """

    def __init__(self, gate: Gate, kind: TokenType) -> None:
        self._gate: Final = gate
        self._kind: Final[TokenType] = kind

    async def __call__(self, request: HTTPConnection) -> RequestToken | None:
        """Find the request's token.

        Args:
            request: The request or WebSocket.

        Returns:
            The token; `None` if there is none, or only one without its CSRF value.

        Raises:
            InvalidRequestError: There are two, or it is too long.
        """
        try:
            return await self.find(request)
        except MissingTokenError:
            return None

    async def find(self, request: HTTPConnection, locations: Sequence[TokenLocation] | None = None) -> RequestToken:
        """Find the request's token, or say that there is none.

        Args:
            request: The request or WebSocket.
            locations: Where to look, in order; `None` as configured.

        Returns:
            The token.

        Raises:
            MissingTokenError: There is none.
            InvalidRequestError: There are two, or it is too long.
            KeyError: A location's name is unknown.
        """
        try:
            found = await self._gate.find(request, self._kind, locations)
            self._gate.limit(found)
        except AuthXException as error:
            self._gate.blame(error, request, self._kind, ends_cookies=False)
            raise
        token = RequestToken(
            token=found.token.decode("latin-1"), csrf=found.csrf, type=self._kind, location=found.location
        )
        token._csrf_exempt = found.csrf_exempt
        return token


class SubjectGuard(Generic[T]):
    """A dependency that lets a request pass like `access_token_required` and finds its subject.

    Args:
        guard: Lets requests pass.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard: Final = guard

    async def __call__(self, request: HTTPConnection, **_: None) -> T | None:
        """Find the subject of the request's access token.

        Args:
            request: The request or WebSocket.

        Returns:
            What the subject getter answers.

        Raises:
            AttributeError: No subject getter is set.
            AuthXException: The request has no good access token.
        """
        verified = await self._guard.gate.admit(request, self._guard.requirement)
        getter = self._guard.gate.subject_getter
        if getter is None:
            raise AttributeError("Model callback not set: register one with set_subject_getter")
        subject: Any = await getter(str(verified.claims["sub"]))
        return subject  # type: ignore[no-any-return]

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
    """Make the dependency that finds subjects, with the schemes its configuration has at this moment.

    Args:
        guard: Lets requests pass.

    Returns:
        The dependency; make it once and keep it.
    """
    schemes = schemes_of(guard.gate, guard.requirement)
    return _SchemeSubjectGuard(guard, schemes) if schemes else SubjectGuard(guard)
