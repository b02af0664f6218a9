"""httpx2 and httpx, whichever are installed: their classes that ours have to be children of."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Final

__all__ = ["LIBRARIES", "AuthBase", "HTTPError", "StreamBase", "read_url"]

_NAMES: Final = ("httpx2", "httpx")


def _load(name: str) -> ModuleType | None:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None


LIBRARIES: Final = tuple(library for library in map(_load, _NAMES) if library is not None)
if not LIBRARIES:
    raise ImportError("authx.clients.AuthXAuth needs httpx2 or httpx: pip install 'authx-fastapi[client]'")

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    import httpx
    import httpx2

    class _Auth(httpx2.Auth, httpx.Auth):
        def auth_flow(self, request: Any) -> Generator[Any, Any, None]: ...
        def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]: ...
        def async_auth_flow(self, request: Any) -> Any: ...

    class _HTTPError(httpx2.HTTPError, httpx.HTTPError):  # type: ignore[misc] # each has a request of its own kind
        request: Any

    class _Stream(httpx2.SyncByteStream, httpx2.AsyncByteStream): ...
else:
    _Auth = type("_Auth", tuple(one.Auth for one in LIBRARIES), {})
    _HTTPError = type("_HTTPError", tuple(one.HTTPError for one in LIBRARIES), {})
    _Stream = type(
        "_Stream", tuple(getattr(one, f"{kind}ByteStream") for one in LIBRARIES for kind in ("Sync", "Async")), {}
    )


class AuthBase(_Auth):
    """What a client takes as `auth=`: it knows only children of its own library's class, so this is one of both."""


class HTTPError(_HTTPError):
    """What `except httpx2.HTTPError` catches, and `except httpx.HTTPError`."""


class StreamBase(_Stream):
    """The body of a request or an answer."""


def read_url(text: str) -> "httpx2.URL":
    """Read a URL as the clients do.

    Args:
        text: The URL.

    Returns:
        The URL of the library that is installed.

    Raises:
        ValueError: It is none. The message does not repeat it, for a password may be in it.
    """
    library = LIBRARIES[0]
    try:
        url: httpx2.URL = library.URL(text)
    except library.InvalidURL:
        raise ValueError("not a URL") from None
    return url
