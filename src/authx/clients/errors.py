"""The public errors of the Python client."""

from typing import Final

from authx.clients.adapter import HTTPError

__all__ = ["LoginError"]

_KNOWN_CODES: Final = frozenset(
    {"account_unavailable", "auth_unavailable", "credentials_invalid", "rate_limited", "request_invalid"}
)


class LoginError(HTTPError):
    """The login for a missing token failed, so the request was not sent.

    It is an `HTTPError` of httpx2 and of httpx, so code that handles failed requests handles it too.

    Args:
        status: The status of the response to the login; `None` if there was no response.
        code: The code in the body of that response, if it has one.

    Attributes:
        status: As given.
        code: As given if it is a code of authx's, else `None`. The message repeats nothing else from the server.
    """

    def __init__(self, status: int | None = None, code: str | None = None) -> None:
        self.status = status
        self.code = code if code in _KNOWN_CODES else None
        if status is None:
            reason = "the server did not answer"
        elif status // 100 == 2:
            reason = f"the answer ({status}) holds no usable access token"
        else:
            reason = f"the server answered {status}" + (f" {self.code}" if self.code else "")
        super().__init__(f"Login failed: {reason}")

    def __reduce__(self) -> tuple[type["LoginError"], tuple[int | None, str | None]]:
        return type(self), (self.status, self.code)
