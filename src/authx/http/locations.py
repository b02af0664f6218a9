"""Where a token can be: one small object for each place, made from the configuration once."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol, TypeAlias
from urllib.parse import parse_qsl

from starlette.requests import HTTPConnection, Request
from starlette.types import Scope

from authx.exceptions import CSRFError, InvalidRequestError, MissingCSRFTokenError
from authx.http.body import known_form_field, read_body, read_form_field
from authx.http.headers import header_values, is_json, read_cookie
from authx.http.origins import Origins
from authx.jose.json_object import NotAnObjectError, load_object
from authx.types import TokenLocation

__all__ = [
    "UNCLEAR",
    "CookieLocation",
    "Found",
    "HeaderLocation",
    "JSONLocation",
    "Location",
    "QueryLocation",
    "Screen",
]

_MAX_QUERY_FIELDS: Final = 1000
_QUOTE: Final = 34
# What `glance` returns where only a closer look can tell.
UNCLEAR: Final = (b"", None)
# Says of a token whether it could be accepted, before a body is read for its sake.
Screen: TypeAlias = Callable[[bytes], bool]


class Found(NamedTuple):
    """A token in a request.

    Attributes:
        token: Its bytes, unverified.
        location: Where it was.
        csrf: The CSRF value that came with it, where one is needed; `None` also where the token is bad, and
            the body was not read for its sake.
        csrf_exempt: Whether the request needs none.
    """

    token: bytes
    location: TokenLocation
    csrf: str | None = None
    csrf_exempt: bool = True

    def __repr__(self) -> str:
        return f"Found(location={self.location!r}, csrf_exempt={self.csrf_exempt})"


class Location(Protocol):
    """A place to look for a token."""

    @property
    def name(self) -> TokenLocation:
        """Its name in the configuration."""
        ...

    @property
    def label(self) -> str:
        """What to call it in a message."""
        ...

    @property
    def reads_body(self) -> bool:
        """Whether the request's body may have to be read; then `find_in_body` is asked instead of `find`."""
        ...

    def glance(self, scope: Scope, verify_csrf: bool | None) -> tuple[bytes, str | None] | None:
        """Look for a token that is just as it usually is, in one pass over the headers."""
        ...

    def find(self, scope: Scope, verify_csrf: bool | None) -> Found | None:
        """Look for a token."""
        ...

    async def find_in_body(self, connection: HTTPConnection, verify_csrf: bool | None, screen: Screen) -> Found | None:
        """As `find`, for a location that may have to wait for the body."""
        ...


class _InHead:
    """A location that the head of a request holds: there is nothing to wait for."""

    reads_body: Final = False

    def glance(self, scope: Scope, verify_csrf: bool | None) -> tuple[bytes, str | None] | None:  # noqa: ARG002
        """See `Location.glance`."""
        return UNCLEAR

    def find(self, scope: Scope, verify_csrf: bool | None) -> Found | None:
        """See `Location.find`."""
        raise NotImplementedError

    async def find_in_body(self, connection: HTTPConnection, verify_csrf: bool | None, screen: Screen) -> Found | None:  # noqa: ARG002
        """See `Location.find_in_body`."""
        return self.find(connection.scope, verify_csrf)


class HeaderLocation(_InHead):
    """A token in a header, after its scheme (RFC 6750 section 2.1)."""

    name: Final = "headers"

    def __init__(self, header: str, scheme: str) -> None:
        self._header = header.lower().encode("latin-1")
        self._label = header
        self.label: Final = f"no header {header} with {f'{scheme} and ' if scheme else ''}a token"
        self._scheme = scheme.lower().encode("latin-1")
        self._prefix = f"{scheme} ".encode("latin-1")
        self._length = len(self._scheme)

    def find(self, scope: Scope, verify_csrf: bool | None) -> Found | None:  # noqa: ARG002
        """See `Location.find`."""
        values = header_values(scope, self._header)
        if not values:
            return None
        if len(values) > 1:
            raise InvalidRequestError(f"The request has two {self._label} headers: send only one.")
        value = values[0]
        token = value[self._length + 1 :] if value.startswith(self._prefix) else self._after_scheme(value)
        if not token:
            return None
        if b" " in token or b"\t" in token or b"," in token:
            token = token.strip(b" ")
            if not token:
                return None
        if b" " in token or b"\t" in token or b"," in token:
            raise InvalidRequestError(f"The {self._label} header holds more than one token: send only one.")
        return Found(token, "headers")

    def glance(self, scope: Scope, verify_csrf: bool | None) -> tuple[bytes, str | None] | None:  # noqa: ARG002
        """See `Location.glance`."""
        value = None
        name = self._header
        for key, candidate in scope["headers"]:
            if key == name:
                if value is not None:
                    return UNCLEAR
                value = candidate
        if value is None:
            return None
        if not value.startswith(self._prefix):
            return UNCLEAR
        token: bytes = value[self._length + 1 :]
        # A space or a comma in it makes it no token; that is looked for where it cannot be verified.
        return (token, None) if token else UNCLEAR

    def _after_scheme(self, value: bytes) -> bytes | None:
        if not self._scheme:
            return value.strip(b" \t")
        if value[: self._length].lower() != self._scheme:
            return None
        rest = value[self._length :]
        if rest.startswith(b"\t"):
            raise InvalidRequestError(f"The {self._label} header has a tab after its scheme: send one space instead.")
        return rest.strip(b" ") if rest.startswith(b" ") else None


class QueryLocation(_InHead):
    """A token in the URL's query; off unless configured, for URLs end up in logs."""

    name: Final = "query"

    def __init__(self, parameter: str) -> None:
        self.label: Final = f"no query parameter {parameter}"
        self._parameter = parameter

    def glance(self, scope: Scope, verify_csrf: bool | None) -> tuple[bytes, str | None] | None:  # noqa: ARG002
        """See `Location.glance`."""
        return UNCLEAR if scope.get("query_string") else None

    def find(self, scope: Scope, verify_csrf: bool | None) -> Found | None:  # noqa: ARG002
        """See `Location.find`."""
        query = scope.get("query_string", b"")
        if not query:
            return None
        try:
            fields = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
        except ValueError:
            raise InvalidRequestError(f"The query has more than {_MAX_QUERY_FIELDS} parameters: send fewer.") from None
        values = {value for name, value in fields if name == self._parameter}
        if len(values) > 1:
            raise InvalidRequestError(f"The query has two different {self._parameter} parameters: send only one.")
        return Found(_raw(values.pop()), "query") if values else None


class JSONLocation:
    """A token in a JSON body."""

    name: Final = "json"
    reads_body: Final = True

    def __init__(self, key: str, limit: int) -> None:
        self.label: Final = f"no key {key} in a body of the content type application/json"
        self._key = key
        self._limit = limit

    def glance(self, scope: Scope, verify_csrf: bool | None) -> tuple[bytes, str | None] | None:  # noqa: ARG002
        """See `Location.glance`."""
        return UNCLEAR

    def find(self, scope: Scope, verify_csrf: bool | None) -> Found | None:  # noqa: ARG002
        """Nothing can be found in the head alone."""
        return None

    async def find_in_body(self, connection: HTTPConnection, verify_csrf: bool | None, screen: Screen) -> Found | None:  # noqa: ARG002
        """See `Location.find_in_body`."""
        if not isinstance(connection, Request) or not is_json(connection.scope):
            return None
        body = await read_body(connection, self._limit)
        if not body.strip():
            return None
        try:
            fields = load_object(body)
        except NotAnObjectError:
            return None
        except (ValueError, RecursionError):
            raise InvalidRequestError("The request body is not readable as JSON.") from None
        token = fields.get(self._key)
        return Found(_raw(token), "json") if isinstance(token, str) else None


class CookieLocation:
    """A token in a cookie, with the CSRF value that proves that our own page sent the request."""

    name: Final = "cookies"

    def __init__(
        self,
        cookie: str,
        *,
        csrf_cookie: str,
        csrf_header: str,
        csrf_field: str | None,
        csrf_methods: Iterable[str],
        csrf_protect: bool,
        origins: Origins,
        body_limit: int,
    ) -> None:
        self.label: Final = f"no cookie {cookie}"
        self._cookie = cookie.encode("latin-1")
        self._csrf_cookie = csrf_cookie
        self._csrf_label = csrf_header
        self._csrf_header = csrf_header.lower().encode("latin-1")
        self._csrf_field = csrf_field
        self.reads_body: Final = csrf_field is not None
        self._csrf_methods = frozenset(csrf_methods)
        self._csrf_protect = csrf_protect
        self._origins = origins
        self._body_limit = body_limit

    def glance(self, scope: Scope, verify_csrf: bool | None) -> tuple[bytes, str | None] | None:
        """See `Location.glance`."""
        cookies = csrf = None
        csrf_name = self._csrf_header
        for key, value in scope["headers"]:
            if key == b"cookie":
                if cookies is not None:
                    return UNCLEAR
                cookies = value
            elif key == csrf_name:
                if csrf is not None:
                    return UNCLEAR
                csrf = value
        if cookies is None:
            return None
        name = self._cookie
        if cookies.count(name) != 1:
            # None at all, or perhaps the same name twice, or a part of another one.
            return UNCLEAR if name in cookies else None
        start = cookies.index(name)
        begin = start + len(name) + 1
        end = cookies.find(b";", begin)
        token = cookies[begin:] if end < 0 else cookies[begin:end]
        if (start and cookies[start - 2 : start] != b"; ") or cookies[begin - 1 : begin] != b"=":
            return UNCLEAR
        # What `read_cookie` would take away at the ends: spaces, tabs and quotes.
        if scope["type"] != "http" or self._origins.configured or not token or min(token[0], token[-1]) <= _QUOTE:
            return UNCLEAR
        if not (
            verify_csrf if verify_csrf is not None else self._csrf_protect and scope["method"] in self._csrf_methods
        ):
            return token, None
        return (token, csrf.decode("latin-1")) if csrf else UNCLEAR

    def find(self, scope: Scope, verify_csrf: bool | None) -> Found | None:
        """See `Location.find`."""
        token = read_cookie(scope, self._cookie)
        if token is None:
            return None
        if not self._needs_csrf(scope, verify_csrf):
            return Found(token, "cookies")
        value = self._csrf_from_header(scope)
        if value is None:
            raise MissingCSRFTokenError(self._advice())
        return Found(token, "cookies", value, csrf_exempt=False)

    async def find_in_body(self, connection: HTTPConnection, verify_csrf: bool | None, screen: Screen) -> Found | None:
        """See `Location.find_in_body`; only the CSRF value can be in the body, as a form field."""
        try:
            return self.find(connection.scope, verify_csrf)
        except MissingCSRFTokenError:
            token = read_cookie(connection.scope, self._cookie)
            if token is None or self._csrf_field is None or not isinstance(connection, Request):
                raise
            if not screen(token):
                return Found(token, "cookies", None, csrf_exempt=False)
            value = await read_form_field(connection, self._csrf_field, self._body_limit)
            if value is None:
                raise
            return Found(token, "cookies", value, csrf_exempt=False)

    def _needs_csrf(self, scope: Scope, verify_csrf: bool | None) -> bool:
        if scope["type"] == "websocket":
            # A handshake has no method and no CSRF header; its Origin is what tells whose page it is.
            self._origins.refuse_foreign(scope)
            return False
        changes = scope["method"] in self._csrf_methods
        needed = (changes and self._csrf_protect) if verify_csrf is None else verify_csrf
        if self._origins.configured and (changes or needed):
            self._origins.refuse_foreign(scope)
        return needed

    def sent_csrf(self, scope: Scope) -> str | None:
        """Find the CSRF value of a request; one in a form counts if the form was read before."""
        try:
            value = self._csrf_from_header(scope)
        except CSRFError:
            return None
        return value if value is not None or self._csrf_field is None else known_form_field(scope, self._csrf_field)

    def _csrf_from_header(self, scope: Scope) -> str | None:
        values = set(header_values(scope, self._csrf_header))
        if len(values) > 1:
            raise CSRFError(f"two different {self._csrf_label} headers")
        value = values.pop() if values else b""
        return value.decode("latin-1") or None

    def _advice(self) -> str:
        form = f" (or the form field {self._csrf_field}, before any file)" if self._csrf_field is not None else ""
        return (
            f"Missing CSRF token: send the value of the cookie {self._csrf_cookie} in the header "
            f"{self._csrf_label}{form}"
        )


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
