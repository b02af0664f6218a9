"""Where a token can be: one small object for each place, made from the configuration once."""

from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.types import Scope

from authx.core.strict_json import NotAnObjectError, load_object
from authx.exceptions import CSRFError, CSRFOriginError, InvalidRequestError, MissingCSRFTokenError
from authx.types import TokenLocation

__all__ = ["CookieLocation", "Found", "HeaderLocation", "JSONLocation", "Location", "QueryLocation"]

_MAX_QUERY_FIELDS: Final = 1000
_FOREIGN: Final = (
    "the request comes from a page of another origin; if that is one of yours, add it to JWT_CSRF_TRUSTED_ORIGINS, "
    "and let the server trust its proxy's headers"
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Found(NamedTuple):
    """A token in a request.

    Attributes:
        token: Its bytes, unverified.
        location: Where it was.
        csrf: The CSRF value that came with it, where one is needed.
        csrf_exempt: Whether the request needs none.
    """

    token: bytes
    location: TokenLocation
    csrf: str | None = None
    csrf_exempt: bool = True


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

    def find(self, scope: Scope, verify_csrf: bool | None) -> Found | None:
        """Look for a token.

        Args:
            scope: The ASGI scope of a request or WebSocket.
            verify_csrf: Whether a cookie needs its CSRF value; `None`: as the method demands.

        Returns:
            The token, or `None` if there is none.

        Raises:
            InvalidRequestError: There are two, or the request cannot be read.
            MissingCSRFTokenError: There is one without the CSRF value it needs.
            CSRFError: The request was made by a page of another origin, or carries two CSRF values.
        """
        ...

    async def find_in_body(self, connection: HTTPConnection, verify_csrf: bool | None) -> Found | None:
        """As `find`, for a location that may have to wait for the body."""
        ...


def header_values(scope: Scope, name: bytes) -> list[bytes]:
    """List a header's values as they arrived, duplicates too.

    Args:
        scope: The ASGI scope.
        name: The header's name in lower case.

    Returns:
        The values.
    """
    return [value for key, value in scope["headers"] if key == name]


class _InHead:
    """A location that the head of a request holds: there is nothing to wait for."""

    reads_body: Final = False

    def find(self, scope: Scope, verify_csrf: bool | None) -> Found | None:
        """See `Location.find`."""
        raise NotImplementedError

    async def find_in_body(self, connection: HTTPConnection, verify_csrf: bool | None) -> Found | None:
        """See `Location.find_in_body`."""
        return self.find(connection.scope, verify_csrf)


class HeaderLocation(_InHead):
    """A token in a header, after its scheme (RFC 6750 section 2.1).

    Args:
        header: The header's name.
        scheme: The scheme, compared without regard to case; empty for none.
    """

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
            raise InvalidRequestError(f"two {self._label} headers; send one")
        value = values[0]
        token = value[self._length + 1 :] if value.startswith(self._prefix) else self._after_scheme(value)
        if not token:
            return None
        if b" " in token or b"\t" in token or b"," in token:
            token = token.strip(b" ")
            if not token:
                return None
        if b" " in token or b"\t" in token or b"," in token:
            raise InvalidRequestError(f"the {self._label} header holds more than one token")
        return Found(token, "headers")

    def peek(self, scope: Scope) -> bytes | None:
        """Read a token that stands alone after the scheme as it is usually written.

        Args:
            scope: The ASGI scope.

        Returns:
            What may be a token; `None` where a closer look is needed.
        """
        value = None
        name = self._header
        for key, candidate in scope["headers"]:
            if key == name:
                if value is not None:
                    return None
                value = candidate
        if value is None or not value.startswith(self._prefix):
            return None
        token: bytes = value[self._length + 1 :]
        return token

    def _after_scheme(self, value: bytes) -> bytes | None:
        if not self._scheme:
            return value.strip(b" \t")
        if value[: self._length].lower() != self._scheme:
            return None
        rest = value[self._length :]
        if rest.startswith(b"\t"):
            raise InvalidRequestError(f"the {self._label} header has a tab after its scheme; send one space")
        return rest.strip(b" ") if rest.startswith(b" ") else None


class QueryLocation(_InHead):
    """A token in the URL's query; off unless configured, for URLs end up in logs.

    Args:
        parameter: The parameter's name.
    """

    name: Final = "query"

    def __init__(self, parameter: str) -> None:
        self.label: Final = f"no query parameter {parameter}"
        self._parameter = parameter

    def find(self, scope: Scope, verify_csrf: bool | None) -> Found | None:  # noqa: ARG002
        """See `Location.find`."""
        query = scope.get("query_string", b"")
        if not query:
            return None
        try:
            fields = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
        except ValueError:
            raise InvalidRequestError("the query has too many parameters") from None
        values = {value for name, value in fields if name == self._parameter}
        if len(values) > 1:
            raise InvalidRequestError(f"two different {self._parameter} parameters; send one")
        return Found(_raw(values.pop()), "query") if values else None


class JSONLocation:
    """A token in a JSON body.

    Args:
        key: The key that holds it.
    """

    name: Final = "json"
    reads_body: Final = True

    def __init__(self, key: str) -> None:
        self.label: Final = f"no key {key} in a body of the content type application/json"
        self._key = key

    def find(self, scope: Scope, verify_csrf: bool | None) -> Found | None:  # noqa: ARG002
        """Nothing can be found in the head alone."""
        return None

    async def find_in_body(self, connection: HTTPConnection, verify_csrf: bool | None) -> Found | None:  # noqa: ARG002
        """See `Location.find_in_body`."""
        if not isinstance(connection, Request) or not is_json(connection.scope):
            return None
        try:
            body = await connection.body()
        except ClientDisconnect:
            raise InvalidRequestError("the client went away before its body was read") from None
        if not body.strip():
            return None
        try:
            fields = load_object(body)
        except NotAnObjectError:
            return None
        except (ValueError, RecursionError):
            raise InvalidRequestError("the body is not readable as JSON") from None
        token = fields.get(self._key)
        return Found(_raw(token), "json") if isinstance(token, str) else None


class CookieLocation:
    """A token in a cookie, with the CSRF value that proves that our own page sent the request.

    Args:
        cookie: The token cookie's name.
        csrf_cookie: The name of the cookie with the CSRF value, for messages.
        csrf_header: The header that carries the CSRF value.
        csrf_field: The form field that may carry it; `None` if forms are not looked at.
        csrf_methods: Methods that need it; none where protection is off.
        trusted_origins: Origins whose pages may send cookies, besides the own; empty checks none.
    """

    name: Final = "cookies"

    def __init__(
        self,
        cookie: str,
        *,
        csrf_cookie: str,
        csrf_header: str,
        csrf_field: str | None,
        csrf_methods: Iterable[str],
        trusted_origins: Iterable[str],
    ) -> None:
        self.label: Final = f"no cookie {cookie}"
        self._cookie = cookie.encode("latin-1")
        self._csrf_cookie = csrf_cookie
        self._csrf_label = csrf_header
        self._csrf_header = csrf_header.lower().encode("latin-1")
        self._csrf_field = csrf_field
        self.reads_body: Final = csrf_field is not None
        self._csrf_methods = frozenset(csrf_methods)
        self._trusted_origins = frozenset(trusted_origins)

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

    async def find_in_body(self, connection: HTTPConnection, verify_csrf: bool | None) -> Found | None:
        """See `Location.find_in_body`; only the CSRF value can be in the body, as a form field."""
        try:
            return self.find(connection.scope, verify_csrf)
        except MissingCSRFTokenError:
            value = await self._csrf_from_form(connection)
            token = read_cookie(connection.scope, self._cookie)
            if value is None or token is None:
                raise
            return Found(token, "cookies", value, csrf_exempt=False)

    def _needs_csrf(self, scope: Scope, verify_csrf: bool | None) -> bool:
        if scope["type"] == "websocket":
            # A handshake has no method and no CSRF header; its Origin is what tells whose page it is.
            self._check_origin(scope)
            return False
        needed = scope["method"] in self._csrf_methods if verify_csrf is None else verify_csrf
        if needed and self._trusted_origins:
            self._check_origin(scope)
        return needed

    def _csrf_from_header(self, scope: Scope) -> str | None:
        values = set(header_values(scope, self._csrf_header))
        if len(values) > 1:
            raise CSRFError(f"two different {self._csrf_label} headers")
        value = values.pop() if values else b""
        return value.decode("latin-1") or None

    async def _csrf_from_form(self, connection: HTTPConnection) -> str | None:
        if self._csrf_field is None or not isinstance(connection, Request):
            return None
        try:
            form = await connection.form()
        except (HTTPException, ValueError, ClientDisconnect):
            raise InvalidRequestError("the form in the body is not readable") from None
        request_ends = connection.scope.get("fastapi_inner_astack")
        if request_ends is not None:
            # FastAPI closes only forms that it read itself; an uploaded file would stay open.
            request_ends.push_async_callback(form.close)
        value = form.get(self._csrf_field)
        return value if isinstance(value, str) and value else None

    def _advice(self) -> str:
        form = f" (or the form field {self._csrf_field})" if self._csrf_field is not None else ""
        return (
            f"Missing CSRF token: send the value of the cookie {self._csrf_cookie} in the header "
            f"{self._csrf_label}{form}"
        )

    def _check_origin(self, scope: Scope) -> None:
        """Refuse a request that a browser says another site's page made."""
        origins = header_values(scope, b"origin")
        if origins:
            if any(self._is_foreign(origin.decode("latin-1"), scope) for origin in origins):
                raise CSRFOriginError(_FOREIGN)
            return
        sites = header_values(scope, b"sec-fetch-site")
        if any(site in (b"cross-site", b"same-site") for site in sites):
            raise CSRFOriginError(_FOREIGN)

    def _is_foreign(self, origin: str, scope: Scope) -> bool:
        return origin not in self._trusted_origins and origin != own_origin(scope)


def own_origin(scope: Scope) -> str | None:
    """Write the origin a request was sent to, as a browser on it would.

    Args:
        scope: The ASGI scope.

    Returns:
        `scheme://host` or `scheme://host:port`; `None` if the request does not name one host.
    """
    hosts = header_values(scope, b"host")
    if len(hosts) != 1:
        return None
    scheme = str({"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"]))
    host = hosts[0].decode("latin-1").lower()
    return f"{scheme}://{host.removesuffix(f':{_DEFAULT_PORTS.get(scheme)}')}"


def read_cookie(scope: Scope, name: bytes) -> bytes | None:
    """Read a cookie whose name occurs once, or always with the same value.

    Args:
        scope: The ASGI scope.
        name: The cookie's name, compared with regard to case.

    Returns:
        Its value, `None` if it is absent or empty.

    Raises:
        InvalidRequestError: Two cookies of that name differ; their order proves nothing.
    """
    found = None
    for header in header_values(scope, b"cookie"):
        if name not in header:
            continue
        for item in header.split(b";"):
            key, _, value = item.partition(b"=")
            if key.strip() == name and (value := value.strip(b' \t"')):
                if found is not None and value != found:
                    raise InvalidRequestError(
                        f"two different cookies named {name.decode('latin-1')}: one of them was set for another path "
                        "or domain; delete the cookies of this site"
                    )
                found = value
    return found


def is_json(scope: Scope) -> bool:
    """Tell whether a request says that its body is JSON.

    Args:
        scope: The ASGI scope.

    Returns:
        Whether its content type is application/json, in any case and with any parameters.
    """
    values = header_values(scope, b"content-type")
    return len(values) == 1 and values[0].split(b";")[0].strip().lower() == b"application/json"


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
