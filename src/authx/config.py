"""Every setting: its type, its default, what it governs, and which combinations cannot work."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self
from weakref import WeakMethod

from pydantic import BeforeValidator, Field, PrivateAttr, TypeAdapter, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from authx.exceptions import BadConfigurationError
from authx.settings.environment import TextSource, annotated_type
from authx.types import AlgorithmType, HTTPMethods, SameSitePolicy, TokenLocation, TokenLocations

__all__ = ["AuthXConfig"]

_SYMMETRIC: Final = frozenset({"HS256", "HS384", "HS512"})
_ASYMMETRIC: Final = frozenset(
    {"ES256", "ES256K", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"}
)
_ERROR_KEYS: Final = frozenset({"error_type", "code", "action", "retry_after", "expected_type", "actual_type"})
# Beyond it an expiry could pass the year 9999, the last that a datetime holds.
_MAX_LIFETIME: Final = timedelta(days=365_000)
_MAX_GRACE: Final = timedelta(minutes=5)
# Headers of requests whose value is something else.
_TAKEN_HEADERS: Final = frozenset(
    {"authorization", "content-length", "content-type", "cookie", "host", "origin", "referer", "user-agent"}
)
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ATTRIBUTE: Final = re.compile(r"[\x20-\x3a\x3c-\x7e]*")
_SECRETS: Final = frozenset({"JWT_SECRET_KEY", "JWT_PRIVATE_KEY", "JWT_PREVIOUS_SECRET_KEY", "JWT_STORE_URL"})
# White space around these belongs to them.
_VERBATIM: Final = frozenset({"JWT_SECRET_KEY", "JWT_PREVIOUS_SECRET_KEY"})
_RESERVED_CLAIMS: Final = frozenset(
    {
        "jti",
        "type",
        "iat",
        "exp",
        "nbf",
        "iss",
        "aud",
        "csrf",
        "scopes",
        "fresh",
        "login_type",
        "sid",
        "gen",
        "cnf",
    }
)


def _duration(value: object) -> object:
    """Let a keyword spell a duration as plain seconds and no duration as `null` or `none`."""
    if isinstance(value, str):
        text = value.strip().lower()
        if text in ("null", "none"):
            return None
        if re.fullmatch(r"[+-]?\d+(\.\d+)?", text):
            return float(text)
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
OptionalDuration = Annotated[timedelta | None, BeforeValidator(_duration)]
Names = str | Sequence[str] | None


def _header_or_none(value: object) -> object:
    # In the environment None is a text, as it is for every other setting; no header is called so.
    return None if isinstance(value, str) and value.lower() in ("none", "null") else value


OptionalHeader = Annotated[str | None, BeforeValidator(_header_or_none)]


class _Watchers:
    """Who wants to be told of assignments: bound methods, held weakly. A copy of the settings has none."""

    __slots__ = ("_methods",)

    def __init__(self) -> None:
        self._methods: list[WeakMethod[Callable[[], None]]] = []

    def add(self, method: Callable[[], None]) -> None:
        """Hold a bound method, once, as long as its object lives."""
        known = WeakMethod(method, self._methods.remove)
        if known not in self._methods:
            self._methods.append(known)

    def notify(self) -> None:
        """Call them."""
        for known in tuple(self._methods):
            method = known()
            if method is not None:
                method()

    def __eq__(self, other: object) -> bool:
        # Being watched makes no two settings different.
        return isinstance(other, _Watchers)

    __hash__ = None  # type: ignore[assignment]

    def __deepcopy__(self, memo: dict[int, object]) -> "_Watchers":
        return _Watchers()

    def __reduce__(self) -> tuple[type["_Watchers"], tuple[()]]:
        return _Watchers, ()


class _Assigned(set[str]):
    """The names of fields that were assigned and not looked at yet; they make no two settings different."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Assigned)

    __hash__ = None


class AuthXConfig(BaseSettings):
    """Settings of one `AuthX` instance, from keyword arguments, then the environment, then defaults.

    An environment variable has the field's own name; an empty one counts as unset. Lists are separated
    by commas there, or JSON; durations are seconds, ISO 8601 (`PT15M`) or clock form (`00:15:00`).
    Fields may be assigned later; what is derived from them is made again at the next use.

    Raises:
        pydantic.ValidationError: A keyword is unknown, or its value is of a wrong type.
        BadConfigurationError: A variable cannot be read, or the values contradict each other; the message
            says what to do.
    """

    model_config = SettingsConfigDict(
        extra="forbid",
        case_sensitive=False,
        hide_input_in_errors=True,
        env_file=None,
        validate_default=False,
        enable_decoding=False,
    )

    # Keys, algorithm, lifetime
    JWT_ALGORITHM: AlgorithmType = Field(
        default="HS256", description="Algorithm that signs; tokens of it are always accepted."
    )
    JWT_SECRET_KEY: str | None = Field(default=None, description="Secret of HS256, HS384 and HS512.")
    JWT_PRIVATE_KEY: str | None = Field(
        default=None, description="PEM private key that signs with an asymmetric algorithm."
    )
    JWT_PUBLIC_KEY: str | None = Field(
        default=None, description="PEM public key or certificate that verifies; derived from the private key if absent."
    )
    JWT_PREVIOUS_SECRET_KEY: str | None = Field(
        default=None, description="Former secret: its tokens are still accepted."
    )
    JWT_PREVIOUS_PUBLIC_KEY: str | None = Field(
        default=None, description="Former public key or certificate: its tokens are still accepted."
    )
    JWT_ACCESS_TOKEN_EXPIRES: OptionalDuration = Field(
        default=timedelta(minutes=15), description="Lifetime of access tokens; None: no exp."
    )
    JWT_REFRESH_TOKEN_EXPIRES: OptionalDuration = Field(
        default=timedelta(days=20), description="Lifetime of refresh tokens; None: no exp."
    )
    JWT_DECODE_ALGORITHMS: Sequence[AlgorithmType] = Field(
        default=["HS256"],
        description="Algorithms accepted besides JWT_ALGORITHM, where set and where a key of theirs is configured.",
    )
    JWT_DECODE_AUDIENCE: Names = Field(default=None, description="Expected aud: one name or several.")
    JWT_DECODE_ISSUER: str | None = Field(default=None, description="Expected iss.")
    JWT_DECODE_LEEWAY: int | None = Field(
        default=0, description="Seconds by which exp may be past; nbf and iat may be ahead by this or 10 s."
    )
    JWT_ENCODE_AUDIENCE: Names = Field(default=None, description="aud of new tokens.")
    JWT_ENCODE_ISSUER: str | None = Field(default=None, description="iss of new tokens.")
    JWT_ENCODE_NBF: bool = Field(default=True, description="Whether new tokens carry nbf, equal to iat.")
    JWT_IDENTITY_CLAIM: str = Field(
        default="sub", description="Claim that holds the subject; another than sub is written beside it."
    )
    JWT_ERROR_MESSAGE_KEY: str = Field(
        default="msg", description="Key of the message in error bodies, where set; message otherwise."
    )
    JWT_ERROR_STATUS: Literal["rfc", "authx"] = Field(
        default="rfc", description="Statuses and bodies of errors: the standards', or AuthX 1.7's."
    )
    JWT_REALM: str = Field(default="authx", description="realm of every WWW-Authenticate challenge.")

    # Where tokens travel
    JWT_TOKEN_LOCATION: TokenLocations = Field(
        default=["headers"], description="Where tokens are looked for, in this order."
    )
    JWT_REFRESH_TOKEN_LOCATION: Sequence[TokenLocation] | None = Field(
        default=None, description="Where refresh tokens are looked for; None: as JWT_TOKEN_LOCATION."
    )
    JWT_HEADER_NAME: str = Field(default="Authorization", description="Header that carries the token.")
    JWT_HEADER_TYPE: str = Field(default="Bearer", description="Scheme before the token in the header; empty: none.")
    JWT_QUERY_STRING_NAME: str = Field(default="token", description="Query parameter that carries the token.")
    JWT_JSON_KEY: str = Field(default="access_token", description="Body key of access tokens.")
    JWT_REFRESH_JSON_KEY: str = Field(default="refresh_token", description="Body key of refresh tokens.")
    JWT_MAX_TOKEN_BYTES: int = Field(default=8192, ge=256, description="Longest token looked at, in bytes.")
    JWT_MAX_BODY_BYTES: int = Field(
        default=1_048_576, ge=1024, description="How much of a body is read in search of a token or CSRF value."
    )
    JWT_TOKEN_CACHE_SIZE: int = Field(
        default=1024, ge=0, description="Verified tokens remembered per process; 0: none."
    )

    # Cookies
    JWT_ACCESS_COOKIE_NAME: str = Field(default="access_token_cookie", description="Name of the access cookie.")
    JWT_ACCESS_COOKIE_PATH: str = Field(default="/", description="Path of the access cookie.")
    JWT_REFRESH_COOKIE_NAME: str = Field(default="refresh_token_cookie", description="Name of the refresh cookie.")
    JWT_REFRESH_COOKIE_PATH: str = Field(default="/", description="Path of the refresh cookie.")
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

    # CSRF
    JWT_COOKIE_CSRF_PROTECT: bool = Field(
        default=True, description="Whether cookies need a CSRF value on unsafe methods."
    )
    JWT_CSRF_IN_COOKIES: bool = Field(default=True, description="Whether the CSRF value is set as a cookie.")
    JWT_CSRF_METHODS: HTTPMethods = Field(
        default=["POST", "PUT", "PATCH", "DELETE"], description="Methods that need a CSRF value."
    )
    JWT_CSRF_CHECK_FORM: bool = Field(default=False, description="Whether form fields may carry it too.")
    JWT_ORIGINS: Sequence[str] = Field(
        default=[], description="The application's own origins; empty: the Host header tells its origin."
    )
    JWT_CSRF_TRUSTED_ORIGINS: Sequence[str] = Field(
        default=[],
        description="Origins of other pages that may send cookies; with JWT_ORIGINS empty too, none are checked.",
    )
    JWT_ACCESS_CSRF_COOKIE_NAME: str = Field(default="csrf_access_token", description="Name of the access CSRF cookie.")
    JWT_REFRESH_CSRF_COOKIE_NAME: str = Field(
        default="csrf_refresh_token", description="Name of the refresh CSRF cookie."
    )
    JWT_ACCESS_CSRF_COOKIE_PATH: str = Field(default="/", description="Path of the access CSRF cookie.")
    JWT_REFRESH_CSRF_COOKIE_PATH: str = Field(default="/", description="Path of the refresh CSRF cookie.")
    JWT_ACCESS_CSRF_HEADER_NAME: str = Field(default="X-CSRF-TOKEN", description="Header with the access CSRF value.")
    JWT_REFRESH_CSRF_HEADER_NAME: str = Field(default="X-CSRF-TOKEN", description="Header with the refresh CSRF value.")
    JWT_ACCESS_CSRF_FIELD_NAME: str = Field(default="csrf_token", description="Form field with the access CSRF value.")
    JWT_REFRESH_CSRF_FIELD_NAME: str = Field(
        default="csrf_token", description="Form field with the refresh CSRF value."
    )

    # Sessions
    JWT_STORE_URL: str | None = Field(
        default=None, description="The session store; AuthX(store=...) goes first. None: no store."
    )
    JWT_STORE_PREFIX: str = Field(default="authx_", description="Begins the names of the store's tables or keys.")
    JWT_STORE_CREATE_SCHEMA: bool = Field(
        default=True, description="Whether the store's tables are created at start-up where they are missing."
    )
    JWT_SESSION_MAX_AGE: OptionalDuration = Field(
        default=timedelta(days=90), description="How long a session lasts at most, with a store; None: no bound."
    )
    JWT_REFRESH_GRACE_PERIOD: Duration = Field(
        default=timedelta(seconds=30),
        description="How long a rotated refresh token is answered again with its successor; 0: never.",
    )
    JWT_RETRY_KEY_HEADER: OptionalHeader = Field(
        default="Idempotency-Key",
        description="Header with the key that marks all attempts at one refresh; None: such keys are ignored.",
    )
    JWT_REVOCATION_CHECK: Literal["feed", "store", "none"] = Field(
        default="feed", description="How access tokens are checked for revocation, with a store."
    )
    JWT_REVOCATION_POLL_INTERVAL: Duration = Field(
        default=timedelta(seconds=0.5), description="How often a store is asked that does not tell by itself."
    )
    JWT_REVOCATION_MAX_STALENESS: OptionalDuration = Field(
        default=timedelta(seconds=30),
        description="How long the store may be silent before protected routes answer 503; None: serve on.",
    )
    JWT_SESSION_TRACKING: bool = Field(
        default=False, description="Accepted for AuthX applications; a store tracks sessions by itself."
    )
    JWT_SESSION_UPDATE_LAST_ACTIVE: bool = Field(
        default=True, description="Accepted for AuthX applications; each refresh updates it by itself."
    )

    # Implicit refresh
    JWT_IMPLICIT_REFRESH_ROUTE_EXCLUDE: list[str] = Field(
        default=[], description="Exact paths that never renew a cookie."
    )
    JWT_IMPLICIT_REFRESH_ROUTE_INCLUDE: list[str] = Field(
        default=[], description="Exact paths that renew it whatever the method."
    )
    JWT_IMPLICIT_REFRESH_METHOD_EXCLUDE: HTTPMethods = Field(default=[], description="Methods that never renew it.")
    JWT_IMPLICIT_REFRESH_METHOD_INCLUDE: HTTPMethods = Field(
        default=[], description="Methods that renew it; empty: all."
    )
    JWT_IMPLICIT_REFRESH_DELTATIME: Duration = Field(
        default=timedelta(minutes=10), description="Remaining life below which it is renewed."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the sources know it
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """As `BaseSettings.settings_customise_sources`."""
        texts = (env_settings, dotenv_settings, file_secret_settings)
        return (init_settings, *(TextSource(source, _VERBATIM) for source in texts))

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        self.check()
        return self

    def settle(self) -> None:
        """Take fields that were assigned since construction as construction would have taken them.

        Raises:
            BadConfigurationError: One of them is of a wrong type, or they contradict each other.
        """
        for name in sorted(self._assigned):
            kind = annotated_type(type(self).model_fields[name])
            try:
                self.__dict__[name] = TypeAdapter(kind).validate_python(self.__dict__[name])
            except ValidationError as error:
                problem = error.errors(include_input=False)[0]["msg"]
                raise BadConfigurationError(f"{name} was assigned a value that it cannot have: {problem}") from None
        self._assigned.clear()
        self.check()

    def check(self) -> None:
        """Refuse combinations that cannot work.

        Raises:
            BadConfigurationError: With every mistake found, and what to do about each.
        """
        mistakes = [
            *self._cookie_mistakes(),
            *self._text_mistakes(),
            *self._token_mistakes(),
            *self._session_mistakes(),
        ]
        if mistakes:
            raise BadConfigurationError(*mistakes)

    def _cookie_mistakes(self) -> Iterator[str]:
        if self.JWT_COOKIE_SAMESITE == "none" and self.JWT_COOKIE_SECURE is not True:
            yield ('JWT_COOKIE_SAMESITE="none" needs JWT_COOKIE_SECURE=True: browsers drop such cookies without Secure')
        cookies = self._cookies()
        names = [name for name, _, _ in cookies]
        if len(set(names)) < len(names):
            yield f"The four cookies need four different names, these are {', '.join(names)}"
        for name, path, path_field in cookies:
            if not _HEADER_NAME.fullmatch(name):
                field = path_field.replace("_PATH", "_NAME")
                yield f"{field}={name!r} cannot be a cookie's name: use letters, digits, - and _"
            if not path.startswith("/") or not _ATTRIBUTE.fullmatch(path):
                yield f"{path_field} must begin with / and hold no ; or control character"
            if name.startswith("__Host-") and (
                self.JWT_COOKIE_DOMAIN is not None or path != "/" or self.JWT_COOKIE_SECURE is not True
            ):
                yield (
                    f"{name}: a __Host- cookie needs JWT_COOKIE_SECURE=True, no JWT_COOKIE_DOMAIN and {path_field}=/"
                )
            elif name.startswith("__Secure-") and self.JWT_COOKIE_SECURE is not True:
                yield f"{name}: a __Secure- cookie needs JWT_COOKIE_SECURE=True"
        if self.JWT_COOKIE_MAX_AGE is not None and self.JWT_COOKIE_MAX_AGE < 0:
            yield "JWT_COOKIE_MAX_AGE is negative; it is a number of seconds, and None follows JWT_SESSION_COOKIE"
        if self.JWT_COOKIE_DOMAIN is not None and not re.fullmatch(r"\.?[A-Za-z0-9.-]+", self.JWT_COOKIE_DOMAIN):
            yield "JWT_COOKIE_DOMAIN must be a host name without scheme, port or path"

    def _cookies(self) -> list[tuple[str, str, str]]:
        """List name, path and the path's field of the four cookies."""
        kinds = ("ACCESS", "REFRESH", "ACCESS_CSRF", "REFRESH_CSRF")
        return [
            (
                getattr(self, f"JWT_{kind}_COOKIE_NAME"),
                getattr(self, f"JWT_{kind}_COOKIE_PATH"),
                f"JWT_{kind}_COOKIE_PATH",
            )
            for kind in kinds
        ]

    def _text_mistakes(self) -> Iterator[str]:
        for field in ("JWT_HEADER_NAME", "JWT_ACCESS_CSRF_HEADER_NAME", "JWT_REFRESH_CSRF_HEADER_NAME"):
            if not _HEADER_NAME.fullmatch(getattr(self, field)):
                yield f"{field} is no header name: use letters, digits and -"
        if self.JWT_HEADER_TYPE and not _HEADER_NAME.fullmatch(self.JWT_HEADER_TYPE):
            yield "JWT_HEADER_TYPE is no authentication scheme: use one word such as Bearer, or an empty text"
        if not _ATTRIBUTE.fullmatch(self.JWT_REALM) or '"' in self.JWT_REALM or "\\" in self.JWT_REALM:
            yield "JWT_REALM may hold no quote, backslash, semicolon or control character"
        for field in (
            "JWT_QUERY_STRING_NAME",
            "JWT_JSON_KEY",
            "JWT_REFRESH_JSON_KEY",
            "JWT_ERROR_MESSAGE_KEY",
        ):
            if not getattr(self, field):
                yield f"{field} is empty"
        if self.JWT_ERROR_MESSAGE_KEY in _ERROR_KEYS:
            yield f"JWT_ERROR_MESSAGE_KEY={self.JWT_ERROR_MESSAGE_KEY!r} names another key of error bodies"
        for field in ("JWT_ORIGINS", "JWT_CSRF_TRUSTED_ORIGINS"):
            for origin in getattr(self, field):
                if not _is_origin(origin):
                    yield (
                        f"{field}: {origin!r} is not an origin; write scheme://host or scheme://host:port as browsers "
                        "do, for example https://www.example.com: in lower case, without a path, a trailing slash, "
                        "a wildcard or the scheme's default port"
                    )
        yield from self._csrf_mistakes()

    def _csrf_mistakes(self) -> Iterator[str]:
        for field in ("JWT_ACCESS_CSRF_HEADER_NAME", "JWT_REFRESH_CSRF_HEADER_NAME"):
            if getattr(self, field).lower() == self.JWT_HEADER_NAME.lower():
                yield f"{field} is JWT_HEADER_NAME too: one header cannot carry both values"
        if self.JWT_CSRF_CHECK_FORM:
            for field in ("JWT_ACCESS_CSRF_FIELD_NAME", "JWT_REFRESH_CSRF_FIELD_NAME"):
                if not getattr(self, field):
                    yield f"{field} is empty while JWT_CSRF_CHECK_FORM looks for that field"

    def _retry_key_mistakes(self) -> Iterator[str]:
        header = self.JWT_RETRY_KEY_HEADER
        if header is None:
            return
        if not _HEADER_NAME.fullmatch(header):
            yield "JWT_RETRY_KEY_HEADER is no header name: use letters, digits and -; None ignores retry keys"
        others = ("JWT_HEADER_NAME", "JWT_ACCESS_CSRF_HEADER_NAME", "JWT_REFRESH_CSRF_HEADER_NAME")
        for field in others:
            if getattr(self, field).lower() == header.lower():
                yield f"JWT_RETRY_KEY_HEADER is {field} too: one header cannot carry both values"
        if header.lower() in _TAKEN_HEADERS:
            yield f"JWT_RETRY_KEY_HEADER={header!r} has a meaning of its own: name a header that nothing else uses"

    def _session_mistakes(self) -> Iterator[str]:
        yield from self._retry_key_mistakes()
        if not timedelta(0) <= self.JWT_REFRESH_GRACE_PERIOD <= _MAX_GRACE:
            yield "JWT_REFRESH_GRACE_PERIOD must be from 0 to 5 minutes: within it a stolen token can be used unseen"
        if self.JWT_SESSION_MAX_AGE is not None and timedelta(0) >= self.JWT_SESSION_MAX_AGE:
            yield "JWT_SESSION_MAX_AGE must be longer than 0; None is no bound"
        if timedelta(0) >= self.JWT_REVOCATION_POLL_INTERVAL:
            yield "JWT_REVOCATION_POLL_INTERVAL must be longer than 0"
        staleness = self.JWT_REVOCATION_MAX_STALENESS
        if staleness is not None and staleness <= 2 * self.JWT_REVOCATION_POLL_INTERVAL:
            yield "JWT_REVOCATION_MAX_STALENESS must be longer than two JWT_REVOCATION_POLL_INTERVAL; None is no bound"

    def _token_mistakes(self) -> Iterator[str]:
        if self.JWT_DECODE_LEEWAY is not None and self.JWT_DECODE_LEEWAY < 0:
            yield "JWT_DECODE_LEEWAY is negative; it is the number of seconds that clocks may differ"
        for field in ("JWT_PUBLIC_KEY", "JWT_PREVIOUS_PUBLIC_KEY"):
            key = getattr(self, field)
            if isinstance(key, str) and "PRIVATE KEY-----" in key:
                yield f"{field} holds a private key; put that into JWT_PRIVATE_KEY and nowhere else"
        for field in ("JWT_ACCESS_TOKEN_EXPIRES", "JWT_REFRESH_TOKEN_EXPIRES"):
            lifetime = getattr(self, field)
            if lifetime is not None and not timedelta(0) < lifetime <= _MAX_LIFETIME:
                yield f"{field} must be longer than 0 and at most 1000 years; None makes tokens without exp"
        if self.JWT_IDENTITY_CLAIM in _RESERVED_CLAIMS or not self.JWT_IDENTITY_CLAIM:
            yield f"JWT_IDENTITY_CLAIM={self.JWT_IDENTITY_CLAIM!r} is no claim of your own; use sub or another name"
        for field in ("JWT_SECRET_KEY", "JWT_PREVIOUS_SECRET_KEY"):
            secret = getattr(self, field)
            if self.is_algo_symmetric and isinstance(secret, str) and "-----BEGIN " in secret:
                yield (
                    f"{field} is a PEM key while JWT_ALGORITHM={self.JWT_ALGORITHM}: anyone who has the public key "
                    "could forge tokens. Use RS256, ES256 or EdDSA with JWT_PRIVATE_KEY, or a random secret"
                )

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in type(self).model_fields:
            self._assigned.add(name)
            self._watchers.notify()

    _watchers: _Watchers = PrivateAttr(default_factory=_Watchers)
    _assigned: _Assigned = PrivateAttr(default_factory=_Assigned)

    def __copy__(self) -> Self:
        copied = super().__copy__()
        # A copy is watched by nobody yet, and has its own assignments to account for.
        copied._watchers, copied._assigned = _Watchers(), _Assigned(self._assigned)
        return copied

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy the settings; what is changed on the way is looked at like any assignment."""
        copied = super().model_copy(deep=deep)
        for name, value in (update or {}).items():
            setattr(copied, name, value)
        return copied

    def watch(self, notify: Callable[[], None]) -> None:
        """Ask to be told when a field is assigned.

        Args:
            notify: A bound method, called without arguments after each assignment as long as its object lives.
        """
        self._watchers.add(notify)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, "**********" if name in _SECRETS and value is not None else value

    @property
    def is_algo_symmetric(self) -> bool:
        """Whether `JWT_ALGORITHM` signs with a shared secret."""
        return self.JWT_ALGORITHM in _SYMMETRIC

    @property
    def is_algo_asymmetric(self) -> bool:
        """Whether `JWT_ALGORITHM` signs with a private key."""
        return self.JWT_ALGORITHM in _ASYMMETRIC

    @property
    def private_key(self) -> str:
        """The key that signs.

        Raises:
            BadConfigurationError: It is not configured, or the algorithm is unknown.
        """
        return self._key("JWT_SECRET_KEY", "JWT_PRIVATE_KEY")

    @property
    def public_key(self) -> str:
        """The key that verifies.

        Raises:
            BadConfigurationError: It is not configured, or the algorithm is unknown.
        """
        return self._key("JWT_SECRET_KEY", "JWT_PUBLIC_KEY")

    @property
    def previous_public_key(self) -> str | None:
        """The former key that still verifies, if any."""
        if self.is_algo_symmetric:
            return self.JWT_PREVIOUS_SECRET_KEY
        return self.JWT_PREVIOUS_PUBLIC_KEY if self.is_algo_asymmetric else None

    def _key(self, symmetric: str, asymmetric: str) -> str:
        if not self.is_algo_symmetric and not self.is_algo_asymmetric:
            raise BadConfigurationError(f"JWT_ALGORITHM={self.JWT_ALGORITHM!r} is not supported")
        field = symmetric if self.is_algo_symmetric else asymmetric
        value: str | None = getattr(self, field)
        if not value:
            raise BadConfigurationError(
                f"{field} is not set; JWT_ALGORITHM={self.JWT_ALGORITHM} needs it "
                f"(AuthXConfig({field}=...) or the environment variable {field})"
            )
        return value

    def has_location(self, location: TokenLocation) -> bool:
        """Tell whether tokens are looked for there.

        Args:
            location: `headers`, `cookies`, `json` or `query`.

        Returns:
            Whether it is in `JWT_TOKEN_LOCATION`.
        """
        return location in self.JWT_TOKEN_LOCATION


_ORIGIN: Final = re.compile(
    r"([a-z][a-z0-9+.-]*)://([a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?"
)
_MAX_PORT: Final = 65535
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


def _is_origin(text: str) -> bool:
    """Tell whether a text is an origin as browsers send it: never with the scheme's own port."""
    parts = _ORIGIN.fullmatch(text)
    if parts is None:
        return False
    return parts[3] is None or (parts[3] != _DEFAULT_PORTS.get(parts[1]) and int(parts[3]) <= _MAX_PORT)
