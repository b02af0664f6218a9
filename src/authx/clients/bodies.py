"""Which bodies of requests can be sent twice."""

from typing import TYPE_CHECKING, Any, Final

from authx.clients.libraries import LIBRARIES

if TYPE_CHECKING:
    from httpx2 import Request

__all__ = ["can_be_resent", "is_in_memory"]

_BYTES: Final = tuple(library.ByteStream for library in LIBRARIES)


def is_in_memory(request: "Request") -> bool:
    """Tell whether a request's body has been read.

    Args:
        request: The request.

    Returns:
        Whether it has; a request without a body has one of no bytes.
    """
    try:
        _ = request.content
    except RuntimeError:  # RequestNotRead, of either library
        return False
    return True


def can_be_resent(request: "Request") -> bool:
    """Tell whether a request's body can be sent once more.

    Args:
        request: The request.

    Returns:
        Whether it is in memory, or a form whose files can be read from their beginning again.
    """
    # A request that a client has made to follow a redirect counts as not read.
    if is_in_memory(request) or isinstance(request.stream, _BYTES):
        return True
    fields = getattr(request.stream, "fields", None)
    if not isinstance(fields, list):
        return False
    return all(_is_rewound(getattr(one, "file", b"")) for one in fields)


def _is_rewound(file: Any) -> bool:
    if isinstance(file, bytes | str):
        return True
    seekable = getattr(file, "seekable", None)
    return callable(seekable) and bool(seekable())
