"""What the head of a request says, read from the ASGI scope as it arrived."""

from starlette.types import Scope

from authx.exceptions import InvalidRequestError

__all__ = ["content_type", "header_values", "is_json", "read_cookie"]


def header_values(scope: Scope, name: bytes) -> list[bytes]:
    """List a header's values, duplicates too."""
    values = []
    for key, value in scope["headers"]:
        if key == name:
            values.append(value)
    return values


def content_type(scope: Scope) -> bytes:
    """Read a request's media type."""
    values = header_values(scope, b"content-type")
    return values[0].split(b";")[0].strip().lower() if len(values) == 1 else b""


def is_json(scope: Scope) -> bool:
    """Return whether a request says that its body is JSON."""
    return content_type(scope) == b"application/json"


def read_cookie(scope: Scope, name: bytes) -> bytes | None:
    """Read a cookie whose name occurs once, or always with the same value."""
    found = None
    for header in header_values(scope, b"cookie"):
        if name not in header:
            continue
        for item in header.split(b";"):
            key, _, value = item.partition(b"=")
            if key.strip() == name and (value := _unquoted(value.strip(b" \t"))):
                if found is not None and value != found:
                    raise InvalidRequestError(
                        f"The request has two different cookies named {name.decode('latin-1')}, because one was set "
                        "for another path or domain: delete the cookies of this site."
                    )
                found = value
    return found


def _unquoted(value: bytes) -> bytes:
    """Take a matching pair of quotes away (RFC 6265 section 4.1.1); a stray one belongs to the value."""
    return value[1:-1] if len(value) > 1 and value[:1] == value[-1:] == b'"' else value
