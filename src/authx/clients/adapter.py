"""The parts of httpx2 and httpx that the client builds on. The two libraries have the same classes, unrelated by type.

Annotations name the classes of httpx2; those of httpx have the same members.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import httpx
    import httpx2
    from httpx2 import Request

__all__ = ["LIBRARIES", "AuthBase", "HTTPError", "LimitedStream", "can_be_resent", "is_in_memory", "protect"]


def _load(name: str) -> ModuleType | None:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None


LIBRARIES: Final = tuple(library for library in map(_load, ("httpx2", "httpx")) if library is not None)
if not LIBRARIES:
    raise ImportError("authx.clients.AuthXAuth needs httpx2 or httpx: pip install 'authx-fastapi[client]'")

_BYTE_STREAMS: Final = tuple(library.ByteStream for library in LIBRARIES)

if TYPE_CHECKING:
    # `Any`, because no type is a request, or a response, of both libraries.
    class AuthBase(httpx2.Auth, httpx.Auth):  # noqa: D101
        def auth_flow(self, request: Any) -> Generator[Any, Any, None]: ...  # noqa: D102
        def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]: ...  # noqa: D102
        def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]: ...  # noqa: D102

    class HTTPError(httpx2.HTTPError, httpx.HTTPError):  # type: ignore[misc] # noqa: D101
        request: Any

    class _StreamBase(httpx2.SyncByteStream, httpx2.AsyncByteStream): ...
else:

    def _subclass(*bases: str) -> type:
        return type(bases[0], tuple(getattr(library, base) for library in LIBRARIES for base in bases), {})

    AuthBase, HTTPError = _subclass("Auth"), _subclass("HTTPError")
    _StreamBase = _subclass("SyncByteStream", "AsyncByteStream")


def is_in_memory(request: "Request") -> bool:
    """Return whether the body of a request has been read; an empty body counts as read."""
    try:
        _ = request.content
    except RuntimeError:  # RequestNotRead, of either library
        return False
    return True


def can_be_resent(request: "Request") -> bool:
    """Return whether the body is in memory, or is a form whose files can be read from the beginning again."""
    # The body of a request that a client makes to follow a redirect does not count as read.
    if is_in_memory(request) or isinstance(request.stream, _BYTE_STREAMS):
        return True
    fields = getattr(request.stream, "fields", None)
    if not isinstance(fields, list):
        return False
    files = [getattr(field, "file", b"") for field in fields]
    return all(isinstance(file, bytes | str) or getattr(file, "seekable", bool)() for file in files)


class _WatchedURL:
    """Calls `on_redirect` when its fragment is read: only where a request is built that follows a redirect.

    A fragment is never sent, but it is passed on to the new URL (RFC 9110 section 10.2.2).
    """

    on_redirect: Callable[[], None]

    @property
    def fragment(self) -> str:
        self.on_redirect()
        return str(super().fragment)  # type: ignore[misc] # of the library's URL


_WATCHED_URLS: Final = {library.URL: type("WatchedURL", (_WatchedURL, library.URL), {}) for library in LIBRARIES}


def protect(request: "Request", header: str | None = None) -> "Request":
    """Keep a header from following a redirect; without `header`, all headers and the body.

    A client follows redirects without asking the auth object. It repeats all headers except `Authorization`, to any
    origin, and the body too after 307 and 308.
    """

    def strip() -> None:
        if header is not None:
            request.headers.pop(header, None)
        else:
            empty = type(request)("POST", request.url)
            request.headers, request.stream = empty.headers, empty.stream

    url: Any = _WATCHED_URLS[type(request.url)](request.url)
    url.on_redirect = strip
    request.url = url
    return request


class LimitedStream(_StreamBase):
    """The first bytes of a body, however long it is."""

    def __init__(self, stream: Any, limit: int) -> None:
        self._stream, self._limit = stream, limit

    def __iter__(self) -> Iterator[bytes]:
        left = self._limit
        for chunk in self._stream:
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._limit
        chunks = aiter(self._stream)
        try:
            async for chunk in chunks:
                yield chunk[:left]
                left -= len(chunk)
                if left <= 0:
                    return
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()

    def close(self) -> None:  # noqa: D102
        self._stream.close()

    async def aclose(self) -> None:  # noqa: D102
        await self._stream.aclose()
