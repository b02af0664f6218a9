"""What can go wrong before a request is sent at all."""

from typing import Final

from authx.clients.libraries import HTTPError

__all__ = ["LoginError"]

_KNOWN_CODES: Final = frozenset(
    {"account_unavailable", "auth_unavailable", "credentials_invalid", "rate_limited", "request_invalid"}
)


class LoginError(HTTPError):
    """There is no token, and the login for one failed: the request was not sent.

    It is a child of `HTTPError` of httpx2 and of httpx, so code that handles failed requests handles it too.

    Args:
        status: The status of the login's answer; `None` if there was none.
        code: The code of its body, if it has one.

    Attributes:
        status: As given.
        code: As given, if it is one of authx's; nothing else that a server sends gets into the message.
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
