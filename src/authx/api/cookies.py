"""The public methods that set and delete cookies."""

from starlette.responses import Response

from authx.api.instance import Instance
from authx.http.cookies import set_cookies, unset_cookies
from authx.types import TOKEN_TYPES

__all__ = ["CookieMethods"]


class CookieMethods(Instance):
    """Setting and deleting the library's cookies."""

    def set_access_cookies(self, token: str, response: Response, max_age: int | None = None) -> None:
        """Set the access cookie, and the one with its CSRF value.

        Args:
            token: An access token of this instance.
            response: Any response; the cookies reach the client also if the route returns another one,
                where `handle_errors` was called.
            max_age: Seconds to keep them; as configured by default.

        Raises:
            JWTDecodeError: Not a token of this instance.
            TypeError: It is not a `str`.
            ValueError: It is not an access token, or the cookie would be larger than browsers keep.
        """
        set_cookies(self._runtime, "access", token, response, max_age)

    def set_refresh_cookies(self, token: str, response: Response, max_age: int | None = None) -> None:
        """Set the refresh cookie, and the one with its CSRF value; see `set_access_cookies`."""
        set_cookies(self._runtime, "refresh", token, response, max_age)

    def unset_access_cookies(self, response: Response) -> None:
        """Delete the access cookie, and the one with its CSRF value.

        Args:
            response: Any response.
        """
        unset_cookies(self._runtime, ("access",), response)

    def unset_refresh_cookies(self, response: Response) -> None:
        """Delete the refresh cookie, and the one with its CSRF value.

        Args:
            response: Any response.
        """
        unset_cookies(self._runtime, ("refresh",), response)

    def unset_cookies(self, response: Response) -> None:
        """Delete all cookies of this library.

        Args:
            response: Any response.
        """
        unset_cookies(self._runtime, TOKEN_TYPES, response)
