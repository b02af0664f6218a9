"""The server as configured: which requests get a token, and the requests for login, refresh and logout."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from authx.clients.adapter import LIBRARIES, is_in_memory, protect
from authx.clients.tokens import TokenPair

if TYPE_CHECKING:
    from httpx2 import URL, Request, Response

__all__ = ["Server"]

_Origin: TypeAlias = tuple[str, bytes, int | None]

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PORTS: Final = {"http": 80, "https": 443}
_OWN_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}


@dataclass(eq=False, repr=False)
class Server:
    """Makes requests; for its fields see `AuthXAuth`. The paths are those of login, refresh and logout."""

    base: str
    paths: tuple[str, str, str]
    header_name: str
    header_type: str
    retry_key_header: str | None
    headers: Mapping[str, str]
    credentials: dict[str, str] | None
    origins: Iterable[str]

    def __post_init__(self) -> None:
        if isinstance(self.origins, str):
            raise TypeError("origins takes several strings, such as a list")
        if not all(path.startswith("/") for path in self.paths):
            raise ValueError("login_path, refresh_path and logout_path begin with a slash")
        key_header = self.retry_key_header
        if not all(
            map(_NAME.fullmatch, (self.header_name, self.header_type or "-", "-" if key_header is None else key_header))
        ):
            raise ValueError("header_name, header_type and retry_key_header are names without spaces")
        if key_header is not None and key_header.lower() == self.header_name.lower():
            raise ValueError("header_name and retry_key_header are two headers")
        if taken := {self.header_name.lower(), (key_header or "").lower()} & {name.lower() for name in self.headers}:
            raise ValueError(f"headers has the header of the token or of the retry key, {min(taken)}")
        self._origins = {
            _origin(_parse("base", self.base)),
            *(_origin(_parse("origins", o, "/")) for o in self.origins),
        }
        self._login_url, self._refresh_url, self.logout_url = (self.base + path for path in self.paths)
        self.can_log_in = self.credentials is not None
        self._token_cookies: frozenset[str] = frozenset()

    def owns(self, url: "URL") -> bool:
        """Return whether a URL is of one of the origins."""
        return _origin(url) in self._origins

    def gets_token(self, request: "Request") -> bool:
        """Return whether a request goes to one of the origins and has no token yet."""
        return self.header_name not in request.headers and self.owns(request.url)

    def with_token(self, request: "Request", token: str) -> "Request":
        """Return a copy of a request with the token (RFC 6750 section 2.1), which no redirect takes to another origin.

        The copy has no token cookies: the client does not always replace them at a refresh.
        """
        headers = request.headers.copy()
        headers.update(self._token_header(token))
        if self._token_cookies and "cookie" in headers:
            cookies = [one for one in headers["cookie"].split("; ") if one.partition("=")[0] not in self._token_cookies]
            del headers["cookie"]
            if cookies:
                headers["cookie"] = "; ".join(cookies)
        stream, extensions = request.stream, request.extensions
        copy = type(request)(request.method, request.url, headers=headers, stream=stream, extensions=extensions)
        if is_in_memory(request):
            copy.read()
        # Clients remove Authorization themselves, and only at another origin.
        return copy if self.header_name.lower() == "authorization" else protect(copy, self.header_name)

    def login(self, like: "Request") -> "Request":
        """Make the request that logs in, for the client that sends `like`."""
        return self._request(like, self._login_url, None, json=self.credentials)

    def refresh(self, like: "Request", token: str, retry_key: str) -> "Request":
        """Make the request that exchanges a refresh token (RFC 6749 section 6)."""
        request = self._request(like, self._refresh_url, token)
        if self.retry_key_header is not None:
            request.headers[self.retry_key_header] = retry_key
        return request

    def logout(self, like: "Request", pair: TokenPair | None) -> "Request":
        """Make the request that ends the session."""
        return self._request(like, self.logout_url, (pair.refresh_token or pair.access_token) if pair else None)

    def note_token_cookies(self, response: "Response", pair: TokenPair) -> None:
        """Remember the names of cookies that carry the same tokens as the body of a response."""
        tokens = (pair.access_token, pair.refresh_token)
        self._token_cookies |= {cookie.name for cookie in response.cookies.jar if cookie.value in tokens}

    def _token_header(self, token: str) -> dict[str, str]:
        return {self.header_name: f"{self.header_type} {token}".lstrip()}

    def _request(self, like: "Request", url: str, token: str | None, json: dict[str, str] | None = None) -> "Request":
        headers = {**self.headers, **_OWN_HEADERS, **(self._token_header(token) if token else {})}
        if "user-agent" in like.headers:
            headers.setdefault("User-Agent", like.headers["user-agent"])
        # A request without this extension has no time-out at all.
        extensions = {name: value for name, value in like.extensions.items() if name == "timeout"}
        return protect(type(like)("POST", url, headers=headers, json=json, extensions=extensions))


def _parse(argument: str, text: str, path: str | None = None) -> "URL":
    # The message names no URL, because it may contain a password.
    library = LIBRARIES[0]
    try:
        url: URL = library.URL(text)
    except library.InvalidURL:
        raise ValueError(f"{argument}: not a URL") from None
    if url.scheme not in _PORTS or not url.host:
        raise ValueError(f"{argument}: a URL begins with https:// or http:// and a host")
    if url.userinfo or url.query or url.fragment:
        raise ValueError(f"{argument}: no user name, password, query or fragment belongs here")
    if path is not None and url.path != path:
        raise ValueError(f"{argument}: an origin ends after its host or port")
    return url


def _origin(url: "URL") -> _Origin:
    return url.scheme, url.raw_host.lower(), url.port or _PORTS.get(url.scheme)
