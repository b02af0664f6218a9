"""A test client that is logged in, however the application under test wants its tokens."""

from collections.abc import Mapping, Sequence
from email.message import Message
from typing import TYPE_CHECKING, Any, Final
from urllib.request import Request

from starlette.responses import Response
from starlette.types import ASGIApp

from authx.http.cookies import set_cookies
from authx.jose.jws import read_unverified
from authx.main import AuthX
from authx.schema import TokenResponse
from authx.settings.locations import locations_of
from authx.types import TOKEN_TYPES, UID, TokenLocation, TokenType

if TYPE_CHECKING:
    from starlette.testclient import TestClient

__all__ = ["login_client"]

# A client can bring these along with every request; a JSON body belongs to the request.
_CARRIED: Final[frozenset[TokenLocation]] = frozenset({"headers", "cookies", "query"})


def login_client(
    app: ASGIApp,
    auth: AuthX[Any],
    uid: UID,
    *,
    scopes: Sequence[str] | None = None,
    fresh: bool = False,
    data: Mapping[str, Any] | None = None,
    base_url: str = "https://testserver",
) -> "TestClient":
    """Make a test client whose every request comes from a user who is logged in.

    The tokens are a new session's, made by `auth.create_token_pair`, so a session store has no row of it
    before it is refreshed. They travel in the first of the configured locations that can serve every
    request; cookies come with the header that proves they are sent by a page of the application. Where both
    types travel in the same header or query parameter, or prove themselves by the same CSRF header, it
    carries the access token's: give a request for the refresh route its own.

    Args:
        app: The application.
        auth: Its instance.
        uid: The subject: a `str`, `int` or `uuid.UUID`.
        scopes: What both tokens allow.
        fresh: Whether the user has just proved who they are.
        data: Further claims of both tokens.
        base_url: Where the application is; cookies have to fit it.

    Returns:
        The client; use it in a `with` block to run the application's lifespan. Cookies that answers set or
        delete take effect.

    Raises:
        ValueError: Access tokens travel in JSON bodies only, or the cookies do not fit `base_url`.
    """
    from starlette.testclient import TestClient

    client = TestClient(app, base_url=base_url)
    pair = auth.create_token_pair(uid, fresh=fresh, data=data, access_scopes=scopes, refresh_scopes=scopes)
    places = {kind: _place(auth, kind) for kind in TOKEN_TYPES}
    if places["access"] is None:
        raise ValueError("access tokens travel in JSON bodies only, which a client cannot add; send them yourself")
    # The access token last, so that it is what a shared header carries.
    for kind in reversed(TOKEN_TYPES):
        _carry(client, auth, kind, places[kind], pair)
    return client


def _place(auth: AuthX[Any], kind: TokenType) -> TokenLocation | None:
    return next((name for name in locations_of(auth.config, kind) if name in _CARRIED), None)


def _carry(
    client: "TestClient", auth: AuthX[Any], kind: TokenType, place: TokenLocation | None, pair: TokenResponse
) -> None:
    config = auth.config
    token = pair.access_token if kind == "access" else pair.refresh_token
    if place == "headers":
        client.headers[config.JWT_HEADER_NAME] = f"{config.JWT_HEADER_TYPE} {token}".strip()
    elif place == "query":
        client.params = client.params.set(config.JWT_QUERY_STRING_NAME, token)
    elif place == "cookies":
        _put_cookies(client, auth, kind, token)


def _put_cookies(client: "TestClient", auth: AuthX[Any], kind: TokenType, token: str) -> None:
    """Let the client's own jar take the cookies that a login would set, by the rules it has for all others."""
    config, url = auth.config, str(client.base_url)
    response = Response()
    set_cookies(auth._runtime, kind, token, response, None, {"scheme": client.base_url.scheme})
    client.cookies.jar.extract_cookies(_Answer(response), Request(url))  # type: ignore[arg-type] # noqa: S310
    refresh = kind == "refresh"
    name = config.JWT_REFRESH_COOKIE_NAME if refresh else config.JWT_ACCESS_COOKIE_NAME
    kept = next((cookie for cookie in client.cookies.jar if cookie.name == name), None)
    if kept is None:
        raise ValueError(f"JWT_COOKIE_DOMAIN={config.JWT_COOKIE_DOMAIN!r} does not fit base_url={url!r}")
    if kept.secure and client.base_url.scheme != "https":
        raise ValueError(f"the cookies are Secure and base_url={url!r} is not https: they would never be sent")
    if config.JWT_COOKIE_CSRF_PROTECT:
        header = config.JWT_REFRESH_CSRF_HEADER_NAME if refresh else config.JWT_ACCESS_CSRF_HEADER_NAME
        client.headers[header] = str(read_unverified(token.encode())["csrf"])


class _Answer:
    """The part of an answer that the standard library's cookie jar looks at."""

    def __init__(self, response: Response) -> None:
        self._headers = Message()
        for line in response.headers.getlist("set-cookie"):
            self._headers["Set-Cookie"] = line

    def info(self) -> Message:
        """Give the headers, as `urllib` would."""
        return self._headers
