"""The route that serves the browser client, with the application's settings filled in."""

import json
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from authx.config import AuthXConfig
from authx.settings.locations import locations_of

__all__ = ["answer_with_client"]

_SLOT: Final = "/* settings */ {}"
# Without what a page imports, the browser would complain of that and never come to the error.
_NAMES: Final = "export class AuthError extends Error {}\nexport const createAuthClient = null\n"
_NO_COOKIE: Final = (
    "authx: a page cannot keep a refresh token safely, so the browser client needs it in a cookie. "
    'Set JWT_REFRESH_TOKEN_LOCATION=["cookies"], or add "cookies" to JWT_TOKEN_LOCATION.'
)


def answer_with_client(request: Request, config: AuthXConfig, paths: Mapping[str, str]) -> Response:
    """Answer a request for the module; caches revalidate it each time (RFC 9110 section 15.4.5)."""
    script = _script(json.dumps(_settings(config, paths)), paths["client"].lstrip("/").count("/"), config)
    tag = f'"{sha256(script).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    known = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(script, media_type="text/javascript", headers=headers)


def _script(settings: str, depth: int, config: AuthXConfig) -> bytes:
    if "cookies" not in locations_of(config, "refresh"):
        return f"{_NAMES}throw new Error({json.dumps(_NO_COOKIE)})\n".encode()
    # Where the router is under its application only the browser knows.
    base = f"new URL('{'../' * depth or './'}', import.meta.url).href"
    return _source().replace(_SLOT, f"{{ base: {base}, ...{settings} }}", 1).encode()


@cache
def _source() -> str:
    source = files("authx").joinpath("clients", "browser", "authx.js").read_text("utf-8")
    if _SLOT not in source:
        raise RuntimeError("authx.js has no place for settings")
    return source


def _settings(config: AuthXConfig, paths: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that the module needs; none is secret."""
    return {
        "paths": {
            "login": paths["login"].lstrip("/"),
            "refresh": paths["refresh"].lstrip("/"),
            "logout": paths["logout"].lstrip("/"),
            "logoutAll": paths["logout_all"].lstrip("/"),
        },
        "header": config.JWT_HEADER_NAME,
        "scheme": config.JWT_HEADER_TYPE,
        "csrfHeaders": {
            "access": config.JWT_ACCESS_CSRF_HEADER_NAME,
            "refresh": config.JWT_REFRESH_CSRF_HEADER_NAME,
        },
        "csrfCookies": {
            "access": config.JWT_ACCESS_CSRF_COOKIE_NAME,
            "refresh": config.JWT_REFRESH_CSRF_COOKIE_NAME,
        },
        "csrfMethods": list(config.JWT_CSRF_METHODS),
        "accessCookie": "cookies" in locations_of(config, "access"),
        "csrfReadable": config.JWT_COOKIE_CSRF_PROTECT
        and config.JWT_CSRF_IN_COOKIES
        and config.JWT_REFRESH_CSRF_COOKIE_PATH == "/",
        "retryHeader": config.JWT_RETRY_KEY_HEADER,
    }
