"""Where tokens travel: cookies without protection, URLs."""

from collections.abc import Iterator

from authx.cli.findings.finding import Finding, locations_of, setting
from authx.config import AuthXConfig

__all__ = ["cookie_findings", "location_findings"]

_UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


def location_findings(config: AuthXConfig) -> Iterator[Finding]:
    """Look at where tokens travel.

    Args:
        config: The settings.

    Yields:
        What is risky about it.
    """
    for field in ("JWT_TOKEN_LOCATION", "JWT_REFRESH_TOKEN_LOCATION"):
        places = getattr(config, field)
        if places and "query" in places:
            others = [f'"{place}"' for place in places if place != "query"] or ['"headers"']
            yield Finding(
                "warning",
                "token-in-query",
                f"{field} has query in it: tokens are taken from URLs.",
                "URLs are kept in logs, histories and Referer headers, and with them the tokens.",
                setting(field, f"[{', '.join(others)}]"),
            )


def cookie_findings(config: AuthXConfig) -> Iterator[Finding]:
    """Look at cookies, where tokens travel in them.

    Args:
        config: The settings.

    Yields:
        What is wrong with them.
    """
    in_cookies = [kind for kind in ("access", "refresh") if "cookies" in locations_of(config, kind)]
    if not in_cookies:
        return
    yield from _attributes(config)
    yield from _csrf(config)
    if "refresh" in in_cookies and config.JWT_REFRESH_COOKIE_PATH == "/":
        yield Finding(
            "info",
            "cookie-refresh-path",
            "JWT_REFRESH_COOKIE_PATH is /: the refresh token travels with every request.",
            "Only refresh and logout need it; a token that is sent less often is harder to steal.",
            setting("JWT_REFRESH_COOKIE_PATH", "/auth") + ", if all of these routes are below /auth",
        )
    if config.JWT_COOKIE_DOMAIN is not None:
        yield Finding(
            "info",
            "cookie-domain",
            f"JWT_COOKIE_DOMAIN is {config.JWT_COOKIE_DOMAIN}: its subdomains get the cookies too.",
            "Whatever runs on one of them can use the tokens.",
            "take JWT_COOKIE_DOMAIN away, unless they are needed there",
        )


def _attributes(config: AuthXConfig) -> Iterator[Finding]:
    if config.JWT_COOKIE_SECURE is False:
        yield Finding(
            "error",
            "cookie-insecure",
            "JWT_COOKIE_SECURE is off: cookies travel over http too.",
            "Whoever can read the traffic of one such request has the tokens.",
            setting("JWT_COOKIE_SECURE", "True") + ', or "auto" for development over http',
        )
    elif config.JWT_COOKIE_SECURE == "auto":
        yield Finding(
            "info",
            "cookie-secure-auto",
            "JWT_COOKIE_SECURE is auto: cookies of requests over http are not Secure.",
            "Behind a proxy that ends TLS, requests look like http unless the server trusts the proxy's headers.",
            setting("JWT_COOKIE_SECURE", "True") + " in production",
        )
    if not config.JWT_COOKIE_HTTP_ONLY:
        yield Finding(
            "error",
            "cookie-readable",
            "JWT_COOKIE_HTTP_ONLY is off: scripts can read the tokens.",
            "One script that an attacker gets into a page takes them along, and they work elsewhere.",
            setting("JWT_COOKIE_HTTP_ONLY", "True"),
        )
    if config.JWT_COOKIE_SAMESITE is None:
        yield Finding(
            "warning",
            "cookie-samesite-missing",
            "JWT_COOKIE_SAMESITE is None: cookies have no SameSite attribute.",
            "Not every browser takes that for lax; in the others, pages of any site send the cookies along.",
            setting("JWT_COOKIE_SAMESITE", "lax"),
        )


def _csrf(config: AuthXConfig) -> Iterator[Finding]:
    everywhere = config.JWT_COOKIE_SAMESITE in (None, "none")
    if not config.JWT_COOKIE_CSRF_PROTECT:
        yield Finding(
            "error" if everywhere else "warning",
            "csrf-off",
            "JWT_COOKIE_CSRF_PROTECT is off while tokens travel in cookies.",
            "Browsers send cookies by themselves: a page of another site can post in your user's name."
            if everywhere
            else "SameSite alone protects: pages on other subdomains of your site can post in your user's name.",
            setting("JWT_COOKIE_CSRF_PROTECT", "True"),
        )
        return
    missing = [method for method in _UNSAFE if method not in config.JWT_CSRF_METHODS]
    if missing:
        yield Finding(
            "warning",
            "csrf-methods",
            f"JWT_CSRF_METHODS is without {', '.join(missing)}.",
            "Requests of these methods need no CSRF value, whatever they change.",
            setting("JWT_CSRF_METHODS", '["POST", "PUT", "PATCH", "DELETE"]'),
        )
    if config.JWT_COOKIE_SAMESITE == "none" and not config.JWT_CSRF_TRUSTED_ORIGINS:
        yield Finding(
            "warning",
            "cookie-samesite-none",
            'JWT_COOKIE_SAMESITE is "none" and no origin is named as trusted.',
            "Pages of every site send the cookies along; the CSRF value is all that stops them.",
            setting("JWT_CSRF_TRUSTED_ORIGINS", '["https://your-front-end.example"]')
            + ", or JWT_COOKIE_SAMESITE=lax where front end and API are on one site",
        )
