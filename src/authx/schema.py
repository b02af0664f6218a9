"""What the library hands out and takes in: payloads, tokens found in requests, token pairs, sessions."""

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from authx.core.claims import check_fresh, wrong_type
from authx.core.csrf import same_value
from authx.core.ids import uuid4
from authx.core.scopes import granted_scopes, has_required_scopes, require_scope_names
from authx.exceptions import CSRFError, JWTDecodeError
from authx.token import create_token, decode_token, to_seconds
from authx.types import MASK, StringOrSequence, TokenLocation, TokenType

__all__ = ["RequestToken", "SessionInfo", "SessionTokens", "TokenPayload", "TokenResponse"]

_SECRET_FIELDS: Final = frozenset({"access_token", "refresh_token", "csrf_token", "refresh_csrf_token"})


def _random_id() -> str:
    return uuid4(os.urandom(16))


def _now() -> datetime:
    return datetime.now(UTC)


class TokenPayload(BaseModel):
    """The claims of a token. Claims beyond the named ones are kept, as attributes and in `extra_dict`."""

    model_config = ConfigDict(extra="allow", from_attributes=True, hide_input_in_errors=True)

    jti: str | None = Field(default_factory=_random_id)
    sub: str
    type: str | None = "access"
    fresh: bool = False
    csrf: str | None = ""
    scopes: list[str] | None = None
    iat: float | int | datetime | timedelta | None = Field(default_factory=lambda: int(_now().timestamp()))
    exp: datetime | timedelta | None = None
    nbf: float | int | datetime | timedelta | None = None
    iss: str | None = None
    aud: StringOrSequence | None = None
    login_type: str | None = None
    sid: str | None = None
    gen: int | None = None

    @field_validator("exp", "nbf", mode="before")
    @classmethod
    def _as_seconds(cls, value: object) -> object:
        if isinstance(value, datetime | timedelta):
            return to_seconds(value, _now().timestamp())
        return value

    @field_validator("exp", mode="after")
    @classmethod
    def _with_zone(cls, value: datetime | timedelta | None) -> datetime | timedelta | None:
        return value.astimezone(UTC) if isinstance(value, datetime) else value

    @model_validator(mode="after")
    def _read_scope(self) -> Self:
        """Show the scopes of tokens whose issuer writes them as one text, without changing what was given."""
        if self.scopes is None:
            self.__dict__["scopes"] = granted_scopes(self.extra_dict)
        return self

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, MASK if name == "csrf" and value else value

    @property
    def extra_dict(self) -> dict[str, Any]:
        """The claims beyond the named ones."""
        return dict(self.__pydantic_extra__ or {})

    @property
    def issued_at(self) -> datetime:
        """When the token was issued, in UTC.

        Raises:
            TypeError: `iat` is no time.
        """
        if isinstance(self.iat, datetime):
            return self.iat
        if isinstance(self.iat, int | float):
            return datetime.fromtimestamp(self.iat, UTC)
        raise TypeError("iat is neither a number nor a datetime")

    @property
    def expiry_datetime(self) -> datetime:
        """When the token expires, in UTC.

        Raises:
            TypeError: It has no `exp`, or one that is no time.
        """
        exp: object = self.exp
        if isinstance(exp, datetime):
            return exp
        if isinstance(exp, timedelta):
            return self.issued_at + exp
        if isinstance(exp, int | float):
            return datetime.fromtimestamp(exp, UTC)
        raise TypeError("the token has no exp" if exp is None else "exp is no moment")

    @property
    def time_until_expiry(self) -> timedelta:
        """How long the token is still good; negative once it has expired.

        Raises:
            TypeError: It has no `exp`.
        """
        return self.expiry_datetime - _now()

    @property
    def time_since_issued(self) -> timedelta:
        """How long ago the token was issued.

        Raises:
            TypeError: `iat` is no time.
        """
        return _now() - self.issued_at

    def has_scopes(self, *scopes: str, all_required: bool = True) -> bool:
        """Return whether the token's scopes cover others.

        Args:
            *scopes: The scopes asked for, each an argument of its own.
            all_required: Whether all of them are needed, or any one.

        Returns:
            Whether they do.

        Raises:
            TypeError: A scope is not a `str`.
        """
        require_scope_names(scopes, "has_scopes")
        return has_required_scopes(scopes, self.scopes, all_required)

    def encode(
        self,
        key: str,
        algorithm: str = "HS256",
        ignore_errors: bool = True,
        headers: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> str:
        """Sign the named claims.

        Args:
            key: The secret, or a PEM private key.
            algorithm: The algorithm that signs.
            ignore_errors: Passed on to `create_token`.
            headers: Further members of the JOSE header.
            data: Further claims; they replace any.

        Returns:
            The compact token.
        """
        more = dict(data or {})
        if self.scopes is not None:
            more.setdefault("scopes", self.scopes)
        issued = self.iat
        return create_token(
            uid=self.sub,
            key=key,
            type=self.type or "",
            jti=self.jti,
            expiry=self.exp,
            issued=None if isinstance(issued, timedelta) else issued,
            fresh=self.fresh,
            csrf=self.csrf,
            algorithm=algorithm,
            headers=headers,
            audience=self.aud,
            issuer=self.iss,
            not_before=self.nbf,
            data=more,
            ignore_errors=ignore_errors,
        )

    @classmethod
    def decode(
        cls,
        token: str,
        key: str,
        algorithms: Sequence[str] | None = None,
        audience: StringOrSequence | None = None,
        issuer: str | None = None,
        verify: bool = True,
    ) -> Self:
        """Verify a token with one key and read its payload; see `authx.token.decode_token`.

        Args:
            token: The compact token.
            key: The secret, or a PEM key.
            algorithms: The algorithms accepted; HS256 by default.
            audience: Expected `aud`.
            issuer: Expected `iss`.
            verify: Whether anything is checked at all.

        Returns:
            The payload.

        Raises:
            JWTDecodeError: Or a child of it.
            pydantic.ValidationError: The claims do not fit the model.
        """
        return cls.model_validate(decode_token(token, key, algorithms, audience, issuer, verify))


class RequestToken(BaseModel):
    """A token as it was found in a request; nothing about it has been verified.

    Attributes:
        token: The compact token.
        csrf: The CSRF value that came with it, if any.
        type: What it was looked for as.
        location: Where it was found.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    token: str
    csrf: str | None = None
    type: TokenType = "access"
    location: TokenLocation
    # Set by extraction where the request needs no CSRF value; one built by hand is always compared.
    _csrf_exempt: bool = PrivateAttr(default=False)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, MASK if name in ("token", "csrf") and value else value

    def check_csrf(self, expected: object) -> None:
        """Compare the CSRF value of a cookie's token, where one is needed.

        Args:
            expected: The token's `csrf` claim.

        Raises:
            CSRFError: There is none, or it is another one.
        """
        if self.location != "cookies" or self._csrf_exempt:
            return
        if self.csrf is None or not isinstance(expected, str) or not same_value(expected, self.csrf):
            raise CSRFError("CSRF double submit does not match")

    def verify(
        self,
        key: str,
        algorithms: Sequence[str] | None = None,
        audience: StringOrSequence | None = None,
        issuer: str | None = None,
        verify_jwt: bool = True,
        verify_type: bool = True,
        verify_csrf: bool = True,
        verify_fresh: bool = False,
    ) -> TokenPayload:
        """Verify this token with one key, as leniently as AuthX; `AuthX.verify_token` is stricter.

        Args:
            key: The secret, or a PEM key.
            algorithms: The algorithms accepted; HS256 by default.
            audience: Expected `aud`.
            issuer: Expected `iss`.
            verify_jwt: Whether signature, times, audience and issuer are checked.
            verify_type: Whether the token must be of this object's `type`.
            verify_csrf: Whether a cookie's token must come with its CSRF value.
            verify_fresh: Whether the token must be fresh.

        Returns:
            The payload.

        Raises:
            JWTDecodeError: Or a child of it.
            TokenTypeError: It is of the other type.
            FreshTokenRequiredError: It is not fresh.
            CSRFError: The CSRF value is missing or another one.
        """
        claims = decode_token(self.token, key, algorithms, audience, issuer, verify_jwt)
        try:
            payload = TokenPayload.model_validate(claims)
        except ValidationError:
            raise JWTDecodeError("Invalid token: its claims are of wrong types") from None
        if verify_type and payload.type != self.type:
            raise wrong_type(self.type)
        if verify_fresh:
            check_fresh({"fresh": payload.fresh})
        if verify_csrf:
            self.check_csrf(payload.csrf)
        return payload


class TokenResponse(BaseModel):
    """A token pair, in the form of RFC 6749 section 5.1.

    Attributes:
        access_token: The access token.
        refresh_token: The refresh token.
        token_type: `bearer`.
    """

    access_token: str
    refresh_token: str
    token_type: str = "bearer"  # noqa: S105 - no password

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, MASK if name in _SECRET_FIELDS and value else value


class SessionTokens(TokenResponse):
    """What login and refresh give: the tokens, and what a front end has to know of them.

    As JSON it leaves out tokens that only cookies carry, and what has no value.

    Attributes:
        expires_in: Seconds until the access token ends.
        refresh_expires_in: Seconds until the refresh token ends.
        csrf_token: The value to send with unsafe requests that carry the access cookie.
        refresh_csrf_token: The value to send with unsafe requests that carry the refresh cookie.
    """

    # A token that only a cookie carries is not in the body.
    model_config = ConfigDict(json_schema_extra={"required": ["token_type"]})

    expires_in: int | None = None
    refresh_expires_in: int | None = None
    csrf_token: str | None = None
    refresh_csrf_token: str | None = None
    _only_in_cookies: frozenset[str] = PrivateAttr(default=frozenset())

    @model_serializer(mode="wrap")
    def _without_what_cookies_carry(self, handler: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]  # noqa: ANN202 - with a type, OpenAPI would show that instead of the fields
        fields: dict[str, Any] = handler(self)
        hidden = self._only_in_cookies
        return {name: value for name, value in fields.items() if value is not None and name not in hidden}


class SessionInfo(BaseModel):
    """A login on one device.

    Attributes:
        session_id: The session's id.
        uid: Whose it is.
        created_at: When it began, in UTC.
        last_active: When it was last refreshed, in UTC.
        ip_address: Address it was last used from, if known.
        user_agent: Browser or program it was last used with, if known.
        device_info: What the application noted about the device.
        is_active: Whether it can still be used.
        expires_at: When it ends unless it is refreshed, in UTC; `None`: never, or not known.
        current: Whether it is the one that asks.
    """

    session_id: str = Field(default_factory=_random_id)
    uid: str
    created_at: datetime = Field(default_factory=_now)
    last_active: datetime = Field(default_factory=_now)
    ip_address: str | None = None
    user_agent: str | None = None
    device_info: dict[str, Any] | None = None
    is_active: bool = True
    expires_at: datetime | None = None
    current: bool = False


class ErrorBody(BaseModel):
    """The body of every error: for people, for programs, and what to do next."""

    message: str
    error_type: str
    code: str
    action: Literal["refresh", "login", "retry", "reauthenticate", "csrf", "forbidden"]
