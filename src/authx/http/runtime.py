"""Everything derived from one configuration, made once and thrown away when a setting changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

from authx.config import AuthXConfig
from authx.core.cookies import Cookie, CookiePair
from authx.exceptions import BadConfigurationError
from authx.http.locations import CookieLocation, HeaderLocation, JSONLocation, Location, QueryLocation
from authx.http.origins import Origins
from authx.tokens.configured_keys import build_ring, missing_key_message
from authx.tokens.issuer import Issuer, SessionIds
from authx.tokens.verifier import Verifier
from authx.types import StringOrSequence, TokenLocation, TokenType

__all__ = ["Wiring", "wire"]

_TYPES: Final[tuple[TokenType, ...]] = ("access", "refresh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What requests need of a configuration, ready to use.

    Attributes:
        config: The configuration it was made from.
        verifier: Verifies tokens.
        issuer: Makes them.
        configured: The locations looked at for each type, in order.
        header_first: The header, for types that are looked for there first.
        reads_body: Whether looking for a type's tokens may have to wait for the body.
        locations: Every location by type and name, for calls that name their own.
        cookie_places: The cookie location of each type.
        cookies: The cookies of each type.
        uses_cookies: Whether cookies are a location of any type.
        origins: Whose pages may send cookies.
        max_token_bytes: The longest token looked at.
        retry_key_header: The name of the header with the retry key, in lower case; `None`: keys are ignored.
    """

    config: AuthXConfig
    verifier: Verifier
    issuer: Issuer
    configured: Mapping[TokenType, tuple[Location, ...]]
    header_first: Mapping[TokenType, HeaderLocation | None]
    reads_body: Mapping[TokenType, bool]
    locations: Mapping[TokenType, Mapping[TokenLocation, Location]]
    cookie_places: Mapping[TokenType, CookieLocation]
    cookies: Mapping[TokenType, CookiePair]
    uses_cookies: bool
    origins: Origins
    max_token_bytes: int
    retry_key_header: bytes | None

    def secure(self, scheme: str | None) -> bool:
        """Tell whether cookies are to be Secure.

        Args:
            scheme: The request's scheme; `None` where the request is not known.

        Returns:
            The setting, or what the scheme says where it is `auto`.
        """
        setting = self.config.JWT_COOKIE_SECURE
        return scheme != "http" if setting == "auto" else setting


def location_names(config: AuthXConfig, kind: TokenType) -> Sequence[TokenLocation]:
    """List where tokens of a type travel.

    Args:
        config: The settings.
        kind: `access` or `refresh`.

    Returns:
        The names of the locations, in order.
    """
    if kind == "refresh" and config.JWT_REFRESH_TOKEN_LOCATION is not None:
        return config.JWT_REFRESH_TOKEN_LOCATION
    return config.JWT_TOKEN_LOCATION


def wire(config: AuthXConfig, login_type: str | None, ids: SessionIds, *, with_store: bool) -> Wiring:
    """Derive everything from a configuration.

    Args:
        config: The settings.
        login_type: The instance's login type, if it has one.
        ids: Makes session ids.
        with_store: Whether there is a session store: without one, sessions have no absolute age.

    Returns:
        What requests need.

    Raises:
        BadConfigurationError: The settings contradict each other, or a key cannot be used.
    """
    config.check()
    if config.JWT_CSRF_CHECK_FORM and find_spec("python_multipart") is None:
        raise BadConfigurationError("JWT_CSRF_CHECK_FORM needs python-multipart: pip install 'authx-fastapi[form]'")
    ring = build_ring(config)
    lifetimes = {"access": config.JWT_ACCESS_TOKEN_EXPIRES, "refresh": config.JWT_REFRESH_TOKEN_EXPIRES}
    origins = Origins(config.JWT_ORIGINS, config.JWT_CSRF_TRUSTED_ORIGINS)
    cookie_places = {kind: _cookie_location(config, kind, origins) for kind in _TYPES}
    all_locations: dict[TokenType, dict[TokenLocation, Location]] = {
        kind: _locations(config, kind, cookie_places[kind]) for kind in _TYPES
    }
    configured = {
        kind: tuple(all_locations[kind][name] for name in dict.fromkeys(location_names(config, kind)))
        for kind in _TYPES
    }
    retry_header = config.JWT_RETRY_KEY_HEADER
    with_cookies = frozenset(kind for kind in _TYPES if "cookies" in location_names(config, kind))
    max_age = config.JWT_SESSION_MAX_AGE if with_store else None
    return Wiring(
        config=config,
        verifier=Verifier(
            ring,
            leeway=config.JWT_DECODE_LEEWAY or 0,
            issuer=config.JWT_DECODE_ISSUER or None,
            audience=_names(config.JWT_DECODE_AUDIENCE),
            identity_claim=config.JWT_IDENTITY_CLAIM,
            login_type=login_type,
            checks_login_type=with_store,
            may_lack_exp=[kind for kind, lifetime in lifetimes.items() if lifetime is None],
            max_age=None if max_age is None else max_age.total_seconds(),
            remember=config.JWT_TOKEN_CACHE_SIZE,
        ),
        issuer=Issuer(
            signer=ring.signer,
            missing_key_message=missing_key_message(config),
            lifetimes={
                "access": config.JWT_ACCESS_TOKEN_EXPIRES,
                "refresh": config.JWT_REFRESH_TOKEN_EXPIRES,
            },
            csrf_types=with_cookies if config.JWT_COOKIE_CSRF_PROTECT else frozenset(),
            audience=config.JWT_ENCODE_AUDIENCE,
            issuer=config.JWT_ENCODE_ISSUER,
            not_before=config.JWT_ENCODE_NBF,
            identity_claim=config.JWT_IDENTITY_CLAIM,
            login_type=login_type,
            checks_login_type=with_store,
            ids=ids,
            max_age=max_age,
        ),
        configured=configured,
        header_first={kind: _header_first(configured[kind]) for kind in _TYPES},
        reads_body={kind: any(place.reads_body for place in configured[kind]) for kind in _TYPES},
        locations=all_locations,
        cookie_places=cookie_places,
        cookies={kind: _cookies(config, kind) for kind in _TYPES},
        uses_cookies=bool(with_cookies),
        origins=origins,
        max_token_bytes=config.JWT_MAX_TOKEN_BYTES,
        retry_key_header=None if retry_header is None else retry_header.lower().encode("latin-1"),
    )


def _header_first(places: tuple[Location, ...]) -> HeaderLocation | None:
    return places[0] if places and isinstance(places[0], HeaderLocation) else None


def _names(setting: StringOrSequence | None) -> frozenset[str] | None:
    if not setting:
        return None
    return frozenset([setting] if isinstance(setting, str) else setting)


def _locations(config: AuthXConfig, kind: TokenType, cookies: CookieLocation) -> dict[TokenLocation, Location]:
    key = config.JWT_REFRESH_JSON_KEY if kind == "refresh" else config.JWT_JSON_KEY
    return {
        "headers": HeaderLocation(config.JWT_HEADER_NAME, config.JWT_HEADER_TYPE),
        "cookies": cookies,
        "json": JSONLocation(key, config.JWT_MAX_BODY_BYTES),
        "query": QueryLocation(config.JWT_QUERY_STRING_NAME),
    }


def _cookie_location(config: AuthXConfig, kind: TokenType, origins: Origins) -> CookieLocation:
    refresh = kind == "refresh"
    field = config.JWT_REFRESH_CSRF_FIELD_NAME if refresh else config.JWT_ACCESS_CSRF_FIELD_NAME
    return CookieLocation(
        config.JWT_REFRESH_COOKIE_NAME if refresh else config.JWT_ACCESS_COOKIE_NAME,
        csrf_cookie=config.JWT_REFRESH_CSRF_COOKIE_NAME if refresh else config.JWT_ACCESS_CSRF_COOKIE_NAME,
        csrf_header=config.JWT_REFRESH_CSRF_HEADER_NAME if refresh else config.JWT_ACCESS_CSRF_HEADER_NAME,
        csrf_field=field if config.JWT_CSRF_CHECK_FORM else None,
        csrf_methods=config.JWT_CSRF_METHODS,
        csrf_protect=config.JWT_COOKIE_CSRF_PROTECT,
        origins=origins,
        body_limit=config.JWT_MAX_BODY_BYTES,
    )


def _cookies(config: AuthXConfig, kind: TokenType) -> CookiePair:
    refresh = kind == "refresh"
    token = Cookie(
        name=config.JWT_REFRESH_COOKIE_NAME if refresh else config.JWT_ACCESS_COOKIE_NAME,
        path=config.JWT_REFRESH_COOKIE_PATH if refresh else config.JWT_ACCESS_COOKIE_PATH,
        domain=config.JWT_COOKIE_DOMAIN,
        same_site=config.JWT_COOKIE_SAMESITE,
        http_only=config.JWT_COOKIE_HTTP_ONLY,
    )
    if not (config.JWT_COOKIE_CSRF_PROTECT and config.JWT_CSRF_IN_COOKIES):
        return CookiePair(token, None)
    csrf = Cookie(
        name=config.JWT_REFRESH_CSRF_COOKIE_NAME if refresh else config.JWT_ACCESS_CSRF_COOKIE_NAME,
        path=config.JWT_REFRESH_CSRF_COOKIE_PATH if refresh else config.JWT_ACCESS_CSRF_COOKIE_PATH,
        domain=config.JWT_COOKIE_DOMAIN,
        same_site=config.JWT_COOKIE_SAMESITE,
        http_only=False,
    )
    return CookiePair(token, csrf)
