"""Where the server is, and how a token travels to it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from authx.clients.bodies import is_in_memory
from authx.clients.libraries import read_url
from authx.clients.sealing import seal, seal_header
from authx.clients.tokens import TokenPair

if TYPE_CHECKING:
    from httpx2 import URL, Request, Response

__all__ = ["Credentials", "Paths", "Server"]

Origin: TypeAlias = tuple[str, bytes, int | None]

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PORTS: Final = {"http": 80, "https": 443}
_NONE: Final[Mapping[str, str]] = {}
_OWN_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is known by the user alone.

    Attributes:
        username: The user name.
        password: The password.
    """

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Paths:
    """Paths below the base URL, each with its slash.

    Attributes:
        login: Where to log in.
        refresh: Where to refresh.
        logout: Where to log out.
    """

    login: str
    refresh: str
    logout: str

    def __post_init__(self) -> None:
        for path in (self.login, self.refresh, self.logout):
            if not path.startswith("/"):
                raise ValueError("login_path, refresh_path and logout_path begin with a slash")


class Server:
    """The server, and the requests that are made to it besides the application's own.

    Args:
        base: The URL that the paths are below.
        paths: The paths.
        origins: Further origins that get tokens.
        header: The header that carries a token.
        scheme: What stands before the token; empty for nothing.
        retry_key_header: The header that carries a retry key; `None`: none is sent.
        headers: Further headers of its own requests.

    Raises:
        ValueError: A URL is not absolute, or has parts that it should not have; a header's name is none.
        TypeError: The origins are one text.
    """

    def __init__(
        self,
        base: str,
        paths: Paths,
        *,
        origins: Iterable[str],
        header: str,
        scheme: str,
        retry_key_header: str | None,
        headers: Mapping[str, str],
    ) -> None:
        if isinstance(origins, str):
            raise TypeError("origins takes several texts, such as a list")
        if not _NAME.fullmatch(header) or not _NAME.fullmatch(scheme or "none"):
            raise ValueError("header_name and header_type are names without spaces")
        if retry_key_header is not None and not _NAME.fullmatch(retry_key_header):
            raise ValueError("retry_key_header is a name without spaces, or None")
        own = {header.lower(), *([] if retry_key_header is None else [retry_key_header.lower()])}
        if retry_key_header is not None and len(own) == 1:
            raise ValueError("header_name and retry_key_header are two headers")
        if taken := own & {name.lower() for name in headers}:
            raise ValueError(f"headers has the header of the token or of the retry key, {min(taken)}")
        self.base: Final = base.rstrip("/")
        self._paths = paths
        self._origins = {_origin(_read("base", base)), *(_origin(_read("origins", one, "/")) for one in origins)}
        self._header = header
        self._retry_key_header = retry_key_header
        self._scheme = f"{scheme} " if scheme else ""
        self._headers = {**headers, **_OWN_HEADERS}
        self._cookies: frozenset[str] = frozenset()

    def gets_token(self, request: "Request") -> bool:
        """Tell whether a request is to be given a token.

        Args:
            request: The request.

        Returns:
            Whether it goes to one of the origins and has nothing in the place of the token.
        """
        return self._header not in request.headers and self.owns(request.url)

    def owns(self, url: "URL") -> bool:
        """Tell whether a URL is of one of the origins.

        Args:
            url: The URL.

        Returns:
            Whether it is.
        """
        return _origin(url) in self._origins

    def with_token(self, request: "Request", token: str) -> "Request":
        """Give a request a token (RFC 6750 section 2.1).

        Args:
            request: The request, which is left as it is.
            token: The token.

        Returns:
            A copy of the request, with the token in its header and without the token cookies that the client may
            have kept: they do not always follow a refresh. No redirect takes the token to another origin.
        """
        headers = request.headers.copy()
        headers[self._header] = self._scheme + token
        if self._cookies and "cookie" in headers:
            kept = [one for one in headers["cookie"].split("; ") if one.partition("=")[0] not in self._cookies]
            del headers["cookie"]
            if kept:
                headers["cookie"] = "; ".join(kept)
        copy = type(request)(
            request.method, request.url, headers=headers, stream=request.stream, extensions=request.extensions
        )
        if is_in_memory(request):
            copy.read()
        # The other one does not need it: clients take it off themselves, and at another origin only.
        return copy if self._header.lower() == "authorization" else seal_header(copy, self._header)

    def login(self, like: "Request", credentials: Credentials) -> "Request":
        """Make the request that logs in.

        Args:
            like: A request of the same client.
            credentials: Of the user.

        Returns:
            The request.
        """
        body = {"username": credentials.username, "password": credentials.password}
        return self._request(like, self._paths.login, json=body)

    def refresh(self, like: "Request", token: str, retry_key: str) -> "Request":
        """Make the request that exchanges a refresh token.

        Args:
            like: A request of the same client.
            token: The refresh token.
            retry_key: What marks all attempts at this exchange as one.

        Returns:
            The request.
        """
        more = {} if self._retry_key_header is None else {self._retry_key_header: retry_key}
        return self._request(like, self._paths.refresh, token=token, more=more)

    def logout(self, like: "Request", pair: TokenPair | None) -> "Request":
        """Make the request that ends the session.

        Args:
            like: A request of the same client.
            pair: The tokens of the session.

        Returns:
            The request.
        """
        token = None if pair is None else pair.refresh_token or pair.access_token
        return self._request(like, self._paths.logout, token=token)

    @property
    def logout_url(self) -> str:
        """Where to log out."""
        return self.base + self._paths.logout

    def note_cookies(self, answer: "Response", pair: TokenPair) -> None:
        """Note the names of the cookies that carry the same tokens as an answer's body.

        Args:
            answer: The answer of a login or a refresh.
            pair: What its body holds.
        """
        tokens = (pair.access_token, pair.refresh_token)
        self._cookies |= {cookie.name for cookie in answer.cookies.jar if cookie.value in tokens}

    def _request(
        self, like: "Request", path: str, *, token: str | None = None, json: Any = None, more: Mapping[str, str] = _NONE
    ) -> "Request":
        headers = {**self._headers, **more}
        if "user-agent" in like.headers:
            headers.setdefault("User-Agent", like.headers["user-agent"])
        if token is not None:
            headers[self._header] = self._scheme + token
        # A request without this extension has no time-out at all.
        extensions = {name: value for name, value in like.extensions.items() if name == "timeout"}
        return seal(type(like)("POST", self.base + path, headers=headers, json=json, extensions=extensions))


def _read(argument: str, text: str, path: str | None = None) -> "URL":
    # The message names no URL: somebody may have put a password into it.
    try:
        url = read_url(text)
    except ValueError:
        raise ValueError(f"{argument}: not a URL") from None
    if url.scheme not in _PORTS or not url.host:
        raise ValueError(f"{argument}: a URL begins with https:// or http:// and a host")
    if url.userinfo or url.query or url.fragment:
        raise ValueError(f"{argument}: no user name, password, query or fragment belongs here")
    if path is not None and url.path != path:
        raise ValueError(f"{argument}: an origin ends after its host or port")
    return url


def _origin(url: "URL") -> Origin:
    return url.scheme, url.raw_host.lower(), url.port or _PORTS.get(url.scheme)
