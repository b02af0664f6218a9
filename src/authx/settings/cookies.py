"""The cookies that tokens and CSRF values travel in."""

import re
from collections.abc import Iterator
from typing import Final, Literal

from pydantic import Field

from authx.settings.feature import is_attribute, is_header_name
from authx.settings.finding import Finding
from authx.settings.locations import LocationSettings, locations_of
from authx.types import SameSitePolicy

__all__ = ["CookieSettings", "contradictions", "findings"]

_NAMES: Final = tuple(f"JWT_{kind}_COOKIE_NAME" for kind in ("ACCESS", "REFRESH", "ACCESS_CSRF", "REFRESH_CSRF"))


class CookieSettings(LocationSettings):
    """Cookies."""

    JWT_ACCESS_COOKIE_NAME: str = Field(default="access_token_cookie", description="Name of the access cookie.")
    JWT_ACCESS_COOKIE_PATH: str = Field(default="/", description="Path of the access cookie.")
    JWT_REFRESH_COOKIE_NAME: str = Field(default="refresh_token_cookie", description="Name of the refresh cookie.")
    JWT_REFRESH_COOKIE_PATH: str = Field(default="/", description="Path of the refresh cookie.")
    JWT_ACCESS_CSRF_COOKIE_NAME: str = Field(default="csrf_access_token", description="Name of the access CSRF cookie.")
    JWT_ACCESS_CSRF_COOKIE_PATH: str = Field(default="/", description="Path of the access CSRF cookie.")
    JWT_REFRESH_CSRF_COOKIE_NAME: str = Field(
        default="csrf_refresh_token", description="Name of the refresh CSRF cookie."
    )
    JWT_REFRESH_CSRF_COOKIE_PATH: str = Field(default="/", description="Path of the refresh CSRF cookie.")
    JWT_COOKIE_DOMAIN: str | None = Field(default=None, description="Domain of all cookies; None: this host.")
    JWT_COOKIE_MAX_AGE: int | None = Field(
        default=None, description="Max-Age of all cookies in seconds; None: see JWT_SESSION_COOKIE."
    )
    JWT_COOKIE_SAMESITE: SameSitePolicy | None = Field(
        default="lax", description="SameSite of all cookies; None: no such attribute."
    )
    JWT_COOKIE_SECURE: bool | Literal["auto"] = Field(
        default=True, description="Secure of all cookies; auto: as the request's scheme is."
    )
    JWT_COOKIE_HTTP_ONLY: bool = Field(default=True, description="HttpOnly of the two token cookies.")
    JWT_SESSION_COOKIE: bool = Field(
        default=True, description="Whether cookies end with the browser; False: with their token."
    )


def contradictions(settings: CookieSettings) -> Iterator[str]:
    """Yield what cannot work."""
    secure, domain = settings.JWT_COOKIE_SECURE is True, settings.JWT_COOKIE_DOMAIN
    if settings.JWT_COOKIE_SAMESITE == "none" and not secure:
        yield 'JWT_COOKIE_SAMESITE="none" needs JWT_COOKIE_SECURE=True: browsers drop such cookies without Secure'
    names = {field: str(getattr(settings, field)) for field in _NAMES}
    if len(set(names.values())) < len(names):
        yield f"The four cookies need four different names, these are {', '.join(names.values())}"
    for field, name in names.items():
        path_field = field.replace("_NAME", "_PATH")
        path: str = getattr(settings, path_field)
        if not is_header_name(name):
            yield f"{field}={name!r} cannot be a cookie's name: use letters, digits, - and _"
        if not path.startswith("/") or not is_attribute(path):
            yield f"{path_field} must begin with / and hold no ; or control character"
        if name.startswith("__Host-") and (domain is not None or path != "/" or not secure):
            yield f"{name}: a __Host- cookie needs JWT_COOKIE_SECURE=True, no JWT_COOKIE_DOMAIN and {path_field}=/"
        elif name.startswith("__Secure-") and not secure:
            yield f"{name}: a __Secure- cookie needs JWT_COOKIE_SECURE=True"
    if settings.JWT_COOKIE_MAX_AGE is not None and settings.JWT_COOKIE_MAX_AGE < 0:
        yield "JWT_COOKIE_MAX_AGE is negative; it is a number of seconds, and None follows JWT_SESSION_COOKIE"
    if domain is not None and not re.fullmatch(r"\.?[A-Za-z0-9.-]+", domain):
        yield "JWT_COOKIE_DOMAIN must be a host name without scheme, port or path"


def findings(settings: CookieSettings) -> Iterator[Finding]:
    """Yield what `authx check` says of cookies, where tokens travel in them."""
    refresh_in_cookies = "cookies" in locations_of(settings, "refresh")
    if not refresh_in_cookies and not settings.has_location("cookies"):
        return
    if settings.JWT_COOKIE_SECURE is False:
        yield Finding(
            "error",
            "cookie-insecure",
            "JWT_COOKIE_SECURE is off: cookies travel over http too.",
            "Anyone who can read the traffic of one such request has the tokens.",
            'JWT_COOKIE_SECURE=True, or "auto" for development over http',
        )
    elif settings.JWT_COOKIE_SECURE == "auto":
        yield Finding(
            "info",
            "cookie-secure-auto",
            "JWT_COOKIE_SECURE is auto: cookies of requests over http are not Secure.",
            "Behind a proxy that ends TLS, requests look like http unless the server trusts the proxy's headers.",
            "JWT_COOKIE_SECURE=True in production",
        )
    if not settings.JWT_COOKIE_HTTP_ONLY:
        yield Finding(
            "error",
            "cookie-readable",
            "JWT_COOKIE_HTTP_ONLY is off: scripts can read the tokens.",
            "A script that an attacker injects into a page can steal them and use them elsewhere.",
            "JWT_COOKIE_HTTP_ONLY=True",
        )
    if settings.JWT_COOKIE_SAMESITE is None:
        yield Finding(
            "warning",
            "cookie-samesite-missing",
            "JWT_COOKIE_SAMESITE is None: cookies have no SameSite attribute.",
            "Not every browser treats that as lax; in the others, pages of any site send the cookies.",
            "JWT_COOKIE_SAMESITE=lax",
        )
    if refresh_in_cookies and settings.JWT_REFRESH_COOKIE_PATH == "/":
        yield Finding(
            "info",
            "cookie-refresh-path",
            "JWT_REFRESH_COOKIE_PATH is /: the refresh token travels with every request.",
            "Only refresh and logout need it, and a token that is sent less often is harder to steal.",
            "JWT_REFRESH_COOKIE_PATH=/auth, if all of these routes are below /auth",
        )
    if settings.JWT_COOKIE_DOMAIN is not None:
        yield Finding(
            "info",
            "cookie-domain",
            f"JWT_COOKIE_DOMAIN is {settings.JWT_COOKIE_DOMAIN}: its subdomains get the cookies too.",
            "Every application on one of them can use the tokens.",
            "remove JWT_COOKIE_DOMAIN, unless a subdomain needs the cookies",
        )
