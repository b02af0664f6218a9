"""Which bodies of requests can be sent twice."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from httpx2 import Request

__all__ = ["can_be_resent", "is_in_memory"]


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
    if is_in_memory(request):
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
