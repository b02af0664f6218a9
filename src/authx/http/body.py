"""A request's body, read within a bound and left for the route as it came."""

from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.types import Message, Scope

from authx.exceptions import InvalidRequestError
from authx.http.headers import content_type, header_values

__all__ = ["known_form_field", "read_body", "read_form_field"]

_MAX_FORM_FIELDS: Final = 1000
_FIELDS: Final = "authx.form_fields"


async def read_body(request: Request, limit: int) -> bytes:
    """Read a body of limited length; the route can read it again."""
    kept: bytes | None = getattr(request, "_body", None)
    declared = header_values(request.scope, b"content-length")
    if any(length.isdigit() and int(length[:20]) > limit for length in declared) or len(kept or b"") > limit:
        raise _too_long(limit)
    if kept is not None:
        return kept
    chunks = _Chunks(request)
    body = bytearray()
    async for chunk in chunks.read():
        body += chunk
        if len(body) > limit:
            chunks.put_back()
            raise _too_long(limit)
    # Where Starlette keeps a body that was read, for everybody who asks later.
    request._body = bytes(body)
    request._stream_consumed = True
    return request._body


async def read_form_field(request: Request, name: str, limit: int) -> str | None:
    """Find one text field of a form.

    Of a form with files, only the part before the field is read, and no file is stored: the route reads all
    of it afterwards, within its own limits.
    """
    known: dict[str, str | None] = request.scope.setdefault(_FIELDS, {})
    if name not in known:
        known[name] = await _find_field(request, name, limit)
    return known[name]


def known_form_field(scope: Scope, name: str) -> str | None:
    """Find what `read_form_field` found earlier in a request."""
    known: dict[str, str | None] = scope.get(_FIELDS, {})
    return known.get(name)


async def _find_field(request: Request, name: str, limit: int) -> str | None:
    if request._form is not None:
        # FastAPI reads the forms of routes with form parameters before anything else.
        return next((value for value in request._form.getlist(name) if isinstance(value, str) and value), None)
    media_type = content_type(request.scope)
    if media_type == b"application/x-www-form-urlencoded":
        text = (await read_body(request, limit)).decode("latin-1")
        try:
            fields = parse_qsl(text, errors="replace", max_num_fields=_MAX_FORM_FIELDS)
        except ValueError:
            raise InvalidRequestError(f"The form has more than {_MAX_FORM_FIELDS} fields.") from None
        return next((value for field, value in fields if field == name), None)
    if media_type == b"multipart/form-data":
        return await _scan(request, name, limit)
    return None


class _Chunks:
    """The chunks of a body as the server hands them over, which can be put back."""

    def __init__(self, request: Request) -> None:
        self._request: Final = request
        self._taken: Final[deque[Message]] = deque()

    async def read(self) -> AsyncIterator[bytes]:
        """Take one chunk after the other."""
        kept: bytes | None = getattr(self._request, "_body", None)
        if kept is not None:
            yield kept
            return
        more = not self._request._stream_consumed
        while more:
            message = await self._request.receive()
            if message["type"] != "http.request":
                raise InvalidRequestError("The client disconnected before its request body was read.")
            self._taken.append(message)
            more = message.get("more_body", False)
            yield message.get("body", b"")

    def put_back(self) -> None:
        """Let the next reader begin at the first chunk."""
        if not self._taken:
            return
        taken, receive = self._taken, self._request.receive

        async def receive_again() -> Message:
            return taken.popleft() if taken else await receive()

        self._request._receive = receive_again


class _FieldScan:
    """Reads a multipart form until one text field of it is complete.

    Attributes:
        value: The field's value, once it is complete.
    """

    def __init__(self, content_type: bytes, name: str) -> None:
        # It belongs to an extra of this package, and AuthX was not made without it where forms are looked at.
        from python_multipart.exceptions import FormParserError
        from python_multipart.multipart import MultipartParser, parse_options_header

        self.value: str | None = None
        self._errors: Final = FormParserError
        self._options: Final = parse_options_header
        self._name: Final = name.encode()
        self._header: tuple[bytes, bytes] = (b"", b"")
        self._disposition = b""
        self._wanted = False
        # Grows in place: a body in tiny chunks must not be copied with each of them.
        self._data = bytearray()
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise _unreadable()
        callbacks: Any = {
            "on_part_begin": self._begin_part,
            "on_header_field": lambda data, start, end: self._extend_header(data[start:end], b""),
            "on_header_value": lambda data, start, end: self._extend_header(b"", data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._extend_data,
            "on_part_end": self._end_part,
        }
        try:
            self._parser: Final = MultipartParser(boundary, callbacks)
        except FormParserError:
            # A boundary longer than any client makes.
            raise _unreadable() from None

    def feed(self, chunk: bytes) -> None:
        """Read on."""
        try:
            self._parser.write(chunk)
        except self._errors:
            if self.value is None:
                raise _unreadable() from None

    def _begin_part(self) -> None:
        self._disposition, self._data, self._wanted = b"", bytearray(), False

    def _extend_header(self, name: bytes, value: bytes) -> None:
        self._header = (self._header[0] + name, self._header[1] + value)

    def _end_header(self) -> None:
        name, value = self._header
        self._header = (b"", b"")
        if name.lower() == b"content-disposition":
            self._disposition = value

    def _end_headers(self) -> None:
        _, options = self._options(self._disposition)
        if b"name" not in options:
            raise _unreadable()
        self._wanted = options.get(b"name") == self._name and b"filename" not in options

    def _extend_data(self, data: bytes, start: int, end: int) -> None:
        if self._wanted and self.value is None:
            self._data += data[start:end]

    def _end_part(self) -> None:
        if self._wanted and self._data and self.value is None:
            self.value = self._data.decode("utf-8", "replace")


async def _scan(request: Request, name: str, limit: int) -> str | None:
    scan, chunks, left = _FieldScan(header_values(request.scope, b"content-type")[0], name), _Chunks(request), limit
    try:
        async for chunk in chunks.read():
            scan.feed(chunk[:left])
            left -= len(chunk)
            if scan.value is not None or left <= 0:
                break
    finally:
        chunks.put_back()
    return scan.value


def _too_long(limit: int) -> InvalidRequestError:
    return InvalidRequestError(f"The request body is longer than {limit} bytes.")


def _unreadable() -> InvalidRequestError:
    return InvalidRequestError("The form in the request body is not readable.")
