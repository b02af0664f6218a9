"""The bundle: an `AuthX` together with the request and response at hand."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic

from starlette.requests import Request
from starlette.responses import Response

from authx.http.cookies import set_cookies, unset_cookies
from authx.schema import TokenResponse
from authx.types import UID, StringOrSequence, T

if TYPE_CHECKING:
    from authx.main import AuthX

__all__ = ["AuthXDependency"]


class AuthXDependency(Generic[T]):
    """What `auth.BUNDLE` injects: tokens and cookies for the request at hand.

    Args:
        _from: The instance.
        request: The request.
        response: The response that FastAPI will complete.
    """

    def __init__(self, _from: "AuthX[T]", request: Request, response: Response) -> None:
        self._auth = _from
        self._request = request
        self._response = response

    @property
    def request(self) -> Request:
        """The request at hand."""
        return self._request

    @property
    def response(self) -> Response:
        """The response at hand."""
        return self._response

    def create_access_token(
        self,
        uid: UID,
        fresh: bool = False,
        headers: Mapping[str, Any] | None = None,
        expiry: datetime | timedelta | float | None = None,
        data: Mapping[str, Any] | None = None,
        audience: StringOrSequence | None = None,
        scopes: Sequence[str] | None = None,
        *,
        sid: str | None = None,
    ) -> str:
        """As `AuthX.create_access_token`."""
        return self._auth.create_access_token(uid, fresh, headers, expiry, data, audience, scopes, sid=sid)

    def create_refresh_token(
        self,
        uid: UID,
        headers: Mapping[str, Any] | None = None,
        expiry: datetime | timedelta | float | None = None,
        data: Mapping[str, Any] | None = None,
        audience: StringOrSequence | None = None,
        scopes: Sequence[str] | None = None,
        *,
        fresh: bool = False,
    ) -> str:
        """As `AuthX.create_refresh_token`."""
        return self._auth.create_refresh_token(uid, headers, expiry, data, audience, scopes, fresh=fresh)

    def create_token_pair(
        self,
        uid: UID,
        fresh: bool = False,
        headers: Mapping[str, Any] | None = None,
        access_expiry: datetime | timedelta | float | None = None,
        refresh_expiry: datetime | timedelta | float | None = None,
        data: Mapping[str, Any] | None = None,
        audience: StringOrSequence | None = None,
        access_scopes: Sequence[str] | None = None,
        refresh_scopes: Sequence[str] | None = None,
    ) -> TokenResponse:
        """As `AuthX.create_token_pair`."""
        return self._auth.create_token_pair(
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

    def set_access_cookies(self, token: str, response: Response | None = None, max_age: int | None = None) -> None:
        """As `AuthX.set_access_cookies`, on the given or the current response."""
        set_cookies(self._auth._runtime, "access", token, response or self._response, max_age, self._request.scope)

    def set_refresh_cookies(self, token: str, response: Response | None = None, max_age: int | None = None) -> None:
        """As `AuthX.set_refresh_cookies`, on the given or the current response."""
        set_cookies(self._auth._runtime, "refresh", token, response or self._response, max_age, self._request.scope)

    def unset_access_cookies(self, response: Response | None = None) -> None:
        """As `AuthX.unset_access_cookies`, on the given or the current response."""
        unset_cookies(self._auth._runtime, ("access",), response or self._response, self._request.scope)

    def unset_refresh_cookies(self, response: Response | None = None) -> None:
        """As `AuthX.unset_refresh_cookies`, on the given or the current response."""
        unset_cookies(self._auth._runtime, ("refresh",), response or self._response, self._request.scope)

    def unset_cookies(self, response: Response | None = None) -> None:
        """As `AuthX.unset_cookies`, on the given or the current response."""
        unset_cookies(self._auth._runtime, ("access", "refresh"), response or self._response, self._request.scope)

    async def get_current_subject(self) -> T | None:
        """Find the subject of the current request; see `AuthX.get_current_subject`."""
        return await self._auth.get_current_subject(self._request)
