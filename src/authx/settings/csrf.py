"""What keeps pages of other sites from using the cookies."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from pydantic import Field

from authx.settings.cookies import CookieSettings
from authx.settings.feature import is_header_name
from authx.settings.finding import Finding
from authx.settings.locations import locations_of
from authx.types import HTTPMethod, HTTPMethods

__all__ = ["CSRFSettings", "contradictions", "findings"]

_UNSAFE: Final[list[HTTPMethod]] = ["POST", "PUT", "PATCH", "DELETE"]
_ORIGIN: Final = re.compile(
    r"([a-z][a-z0-9+.-]*)://([a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?"
)
_MAX_PORT: Final = 65535
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


class CSRFSettings(CookieSettings):
    """CSRF."""

    JWT_COOKIE_CSRF_PROTECT: bool = Field(
        default=True, description="Whether cookies need a CSRF value on unsafe methods."
    )
    JWT_CSRF_IN_COOKIES: bool = Field(default=True, description="Whether the CSRF value is set as a cookie.")
    JWT_CSRF_METHODS: HTTPMethods = Field(default=_UNSAFE, description="Methods that need a CSRF value.")
    JWT_CSRF_CHECK_FORM: bool = Field(default=False, description="Whether form fields may carry it too.")
    JWT_ORIGINS: Sequence[str] = Field(
        default=[], description="The application's own origins; empty: as the Host header says."
    )
    JWT_CSRF_TRUSTED_ORIGINS: Sequence[str] = Field(
        default=[],
        description="Origins of other pages that may send cookies; with JWT_ORIGINS empty too, none are checked.",
    )
    JWT_ACCESS_CSRF_HEADER_NAME: str = Field(default="X-CSRF-TOKEN", description="Header with the access CSRF value.")
    JWT_REFRESH_CSRF_HEADER_NAME: str = Field(default="X-CSRF-TOKEN", description="Header with the refresh CSRF value.")
    JWT_ACCESS_CSRF_FIELD_NAME: str = Field(default="csrf_token", description="Form field with the access CSRF value.")
    JWT_REFRESH_CSRF_FIELD_NAME: str = Field(
        default="csrf_token", description="Form field with the refresh CSRF value."
    )


def contradictions(settings: CSRFSettings) -> Iterator[str]:
    """Yield what cannot work."""
    for field in ("JWT_ACCESS_CSRF_HEADER_NAME", "JWT_REFRESH_CSRF_HEADER_NAME"):
        name: str = getattr(settings, field)
        if not is_header_name(name):
            yield f"{field} is no header name: use letters, digits and -"
        if name.lower() == settings.JWT_HEADER_NAME.lower():
            yield f"{field} is JWT_HEADER_NAME too: one header cannot carry both values"
    for field in ("JWT_ACCESS_CSRF_FIELD_NAME", "JWT_REFRESH_CSRF_FIELD_NAME"):
        if settings.JWT_CSRF_CHECK_FORM and not getattr(settings, field):
            yield f"{field} is empty while JWT_CSRF_CHECK_FORM looks for that field"
    for field in ("JWT_ORIGINS", "JWT_CSRF_TRUSTED_ORIGINS"):
        for origin in getattr(settings, field):
            if not _is_origin(origin):
                yield (
                    f"{field}: {origin!r} is not an origin; write scheme://host or scheme://host:port as browsers "
                    "do, for example https://www.example.com: in lower case, without a path, a trailing slash, "
                    "a wildcard or the scheme's default port"
                )


def _is_origin(text: str) -> bool:
    """Return whether a text is an origin as browsers send it: never with the scheme's own port."""
    parts = _ORIGIN.fullmatch(text)
    if parts is None:
        return False
    return parts[3] is None or (parts[3] != _DEFAULT_PORTS.get(parts[1]) and int(parts[3]) <= _MAX_PORT)


def findings(settings: CSRFSettings) -> Iterator[Finding]:
    """Yield what `authx check` says of the protection of cookies, where tokens travel in them."""
    if not settings.has_location("cookies") and "cookies" not in locations_of(settings, "refresh"):
        return
    everywhere = settings.JWT_COOKIE_SAMESITE in (None, "none")
    if not settings.JWT_COOKIE_CSRF_PROTECT:
        yield Finding(
            "error" if everywhere else "warning",
            "csrf-off",
            "JWT_COOKIE_CSRF_PROTECT is off while tokens travel in cookies.",
            "Browsers send cookies automatically: a page of another site can send requests in your user's name."
            if everywhere
            else "Only SameSite protects them: pages on your other subdomains can send requests in your user's name.",
            "JWT_COOKIE_CSRF_PROTECT=True",
        )
        return
    missing = [method for method in _UNSAFE if method not in settings.JWT_CSRF_METHODS]
    if missing:
        yield Finding(
            "warning",
            "csrf-methods",
            f"JWT_CSRF_METHODS lacks {', '.join(missing)}.",
            "Requests of these methods need no CSRF value, whatever they change.",
            f"JWT_CSRF_METHODS={_UNSAFE}".replace("'", '"'),
        )
    if settings.JWT_COOKIE_SAMESITE == "none" and not settings.JWT_CSRF_TRUSTED_ORIGINS:
        yield Finding(
            "warning",
            "cookie-samesite-none",
            'JWT_COOKIE_SAMESITE is "none", and JWT_CSRF_TRUSTED_ORIGINS is empty.',
            "Pages of every site send the cookies; only the CSRF value stops them.",
            'JWT_CSRF_TRUSTED_ORIGINS=["https://your-front-end.example"], or JWT_COOKIE_SAMESITE=lax where front end '
            "and API are on one site",
        )
