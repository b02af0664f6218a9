"""Requests whose secrets do not follow a redirect.

A client follows redirects by itself, and an auth object is not asked in between. The next request repeats all headers
except `Authorization`, to any origin, and after 307 and 308 the body too.
"""

from typing import TYPE_CHECKING, Any, Final

from authx.clients.libraries import LIBRARIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from httpx2 import Request

__all__ = ["seal", "seal_header"]


class _SealedURL:
    """Takes the secrets off its request when somebody asks for the fragment.

    The libraries do so where they begin to build the request that follows a redirect (RFC 9110 section 10.2.2), and
    nowhere else: a fragment is never sent.
    """

    unseal: "Callable[[], None]"

    @property
    def fragment(self) -> str:
        self.unseal()
        return str(super().fragment)  # type: ignore[misc] # of the library's URL


_URLS: Final[dict[type, Any]] = {
    library.Request: type("SealedURL", (_SealedURL, library.URL), {}) for library in LIBRARIES
}


def seal(request: "Request") -> "Request":
    """Let nothing of a request follow a redirect: no header, no body.

    Args:
        request: The request, which is changed.

    Returns:
        The same request.
    """

    def unseal() -> None:
        empty = type(request)("POST", request.url)
        request.headers, request.stream = empty.headers, empty.stream

    return _seal(request, unseal)


def seal_header(request: "Request", name: str) -> "Request":
    """Let a header of a request not follow a redirect.

    Args:
        request: The request, which is changed.
        name: The header's name.

    Returns:
        The same request.
    """

    def unseal() -> None:
        request.headers.pop(name, None)

    return _seal(request, unseal)


def _seal(request: "Request", unseal: "Callable[[], None]") -> "Request":
    request.url = _URLS[type(request)](request.url)
    request.url.unseal = unseal  # type: ignore[attr-defined]
    return request
