"""New tokens: which claims they carry, and whose signature."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from threading import Lock
from typing import Any, Final, NamedTuple

from authx.core.claims import MAX_DATE
from authx.core.csrf import access_value
from authx.core.ids import refresh_jti, require_session_id, session_created_at, session_id, uuid4
from authx.exceptions import BadConfigurationError, JWTDecodeError, LoginTypeMismatchError
from authx.jose import jws
from authx.jose.json_object import JSONObject
from authx.jose.key import Key
from authx.token import to_seconds, to_subject
from authx.types import CLAIMS, UID, StringOrSequence, TokenType

__all__ = [
    "Issued",
    "Issuer",
    "LoginDetails",
    "SessionIds",
    "TokenRequest",
    "end_of",
    "scope_list",
]

RESERVED: Final = CLAIMS - {"jti", "iat", "login_type"}
# The earliest time that a bare number can mean: 2001-09-09. Anything smaller was meant as a duration.
_EARLIEST: Final = 1_000_000_000


class Issued(NamedTuple):
    """A new token."""

    token: str
    # Seconds since 1970; `None`: never.
    expires_at: int | None
    # Empty where the token needs none.
    csrf: str

    def __repr__(self) -> str:
        return f"Issued(expires_at={self.expires_at})"


class SessionIds:
    """Makes session ids, none earlier than a cutoff of its subject."""

    def __init__(self) -> None:
        # Milliseconds since 1970 of the newest id made here.
        self.newest = 0
        # Returns from when on a subject's new sessions live, in milliseconds.
        self.floor: Callable[[str], int] | None = None
        self._lock = Lock()

    def make(self, uid: str, now: int, not_before: int = 0) -> str:
        """Make the id of a session that begins now, or at `not_before` where that is later; both in milliseconds."""
        created_at = max(now, not_before, 0 if self.floor is None else self.floor(uid))
        with self._lock:
            self.newest = max(self.newest, created_at)
        return session_id(uid, created_at, os.urandom(8))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """What an application may say about one new token."""

    uid: UID
    # `None`: as configured, here and for the audience.
    expiry: datetime | timedelta | float | None = None
    data: Mapping[str, Any] | None = None
    audience: StringOrSequence | None = None
    scopes: Sequence[str] | None = None
    headers: Mapping[str, Any] | None = None
    fresh: bool = False
    # `None` begins a session.
    sid: str | None = None
    # The session's CSRF value; `None` makes a random one.
    csrf: str | None = field(default=None, repr=False)
    # Seconds since 1970 at which it ends at the latest.
    latest: int | None = None


class LoginDetails(NamedTuple):
    """What an application may say about a login; freshness is the access token's, the rest is for both tokens."""

    fresh: bool
    data: Mapping[str, Any] | None
    scopes: Sequence[str] | None
    audience: StringOrSequence | None
    headers: Mapping[str, Any] | None
    access_expiry: datetime | timedelta | float | None
    refresh_expiry: datetime | timedelta | float | None
    device_info: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Makes access and refresh tokens as one configuration says."""

    # `None` where the application only verifies; then the message says which setting is missing.
    signer: Key | None
    missing_key_message: str
    # `None`: tokens without `exp`.
    lifetimes: Mapping[TokenType, timedelta | None]
    # The types whose tokens carry a CSRF value.
    csrf_types: frozenset[TokenType]
    audience: StringOrSequence | None
    issuer: str | None
    # Whether tokens carry `nbf`.
    not_before: bool
    identity_claim: str
    login_type: str | None
    # Raises for claims that the instance would not accept, so that it does not sign them either.
    check_content: Callable[[JSONObject], None]
    ids: SessionIds
    # How long a session lasts at most.
    max_age: timedelta | None = None

    def access_token(self, request: TokenRequest, now: float) -> Issued:
        """Sign an access token."""
        claims = self._claims("access", request, now)
        claims["fresh"] = bool(request.fresh)
        if "access" not in self.csrf_types:
            claims["csrf"] = ""
        elif request.csrf is not None:
            claims["csrf"] = access_value(request.csrf)
        else:
            claims["csrf"] = uuid4(os.urandom(16))
        return self._complete(claims, request)

    def refresh_token(self, request: TokenRequest, now: float, generation: int = 0) -> Issued:
        """Sign the first refresh token of a session; its generation is 1 where the session's row is written with it."""
        claims = self._claims("refresh", request, now)
        claims["gen"] = generation
        claims["jti"] = refresh_jti(str(claims["sid"]), generation)
        claims["csrf"] = self.new_csrf() if request.csrf is None else request.csrf
        return self._complete(claims, request)

    def new_sid(self, uid: UID, now: float) -> str:
        """Make a session id for a subject; see `authx.core.ids.session_id`."""
        return self.ids.make(to_subject(uid), int(now * 1000))

    def new_csrf(self) -> str:
        """Make a session's CSRF value; empty where refresh tokens need none."""
        return uuid4(os.urandom(16)) if "refresh" in self.csrf_types else ""

    def _claims(self, kind: TokenType, request: TokenRequest, now: float) -> JSONObject:
        uid = to_subject(request.uid)
        if request.sid is None:
            sid = self.ids.make(uid, int(now * 1000))
        else:
            sid = require_session_id(request.sid, "sid=", uid)
        issued = int(now)
        claims: JSONObject = {
            "sub": uid,
            "jti": uuid4(os.urandom(16)) if kind == "access" else "",
            "type": kind,
            "sid": sid,
            "iat": issued,
        }
        if self.not_before:
            claims["nbf"] = issued
        expires = self._expires(kind, request.expiry, now)
        # Refresh tokens without an end stay so: their session's age ends them.
        last_second = None if kind == "refresh" and expires is None else self._last_second(sid)
        for latest in (request.latest, last_second):
            if latest is not None:
                expires = latest if expires is None else min(expires, latest)
        if expires is not None:
            claims["exp"] = expires
        return claims

    def _last_second(self, sid: str) -> int | None:
        """Compute the end of a session's absolute age."""
        if self.max_age is None:
            return None
        return int(session_created_at(sid) / 1000 + self.max_age.total_seconds())

    def _expires(self, kind: TokenType, expiry: datetime | timedelta | float | None, now: float) -> int | None:
        if expiry is None:
            expiry = self.lifetimes[kind]
            return None if expiry is None else end_of(int(now), expiry)
        if isinstance(expiry, timedelta):
            if expiry <= timedelta(0):
                raise ValueError(f"expiry={expiry!r} has passed already; a token needs a lifetime of more than 0")
            end: float = end_of(int(now), expiry)
        else:
            end = _point_in_time(expiry, now)
        if not end <= MAX_DATE:
            raise ValueError("expiry= is beyond the year 9999, so no verifier could read it")
        return ceil(end)

    def _complete(self, claims: JSONObject, request: TokenRequest) -> Issued:
        audience = self.audience if request.audience is None else request.audience
        if audience:
            claims["aud"] = audience if isinstance(audience, str) else list(audience)
        if self.issuer:
            claims["iss"] = self.issuer
        if request.scopes is not None:
            claims["scopes"] = scope_list(request.scopes)
        if self.identity_claim != "sub":
            claims[self.identity_claim] = claims["sub"]
        if request.data:
            self.add_data(claims, request.data)
        if self.login_type is not None:
            claims["login_type"] = self.login_type
        if request.data or request.audience:
            self.refuse_unacceptable(claims)
        token = self.sign(claims, request.headers)
        expires: Any = claims.get("exp")
        return Issued(token, expires, str(claims["csrf"]))

    def refuse_unacceptable(self, claims: JSONObject) -> None:
        """Refuse to sign claims that this instance would never accept."""
        try:
            self.check_content(dict(claims))
        except JWTDecodeError as error:
            raise ValueError(str(error).removeprefix("Invalid token: ")) from None
        except LoginTypeMismatchError:
            raise ValueError(
                "login_type is not a claim to set: tokens have the login type of their AuthX; pass "
                'AuthX(config, login_type="...")'
            ) from None

    def sign(self, claims: JSONObject, headers: Mapping[str, Any] | None) -> str:
        """Sign claims as they are, with further members of the JOSE header."""
        if self.signer is None or not self.signer.can_sign:
            raise self.missing_key()
        return jws.encode(claims, self.signer, headers)

    def missing_key(self) -> BadConfigurationError:
        """Make the error for settings without the key that signs."""
        return BadConfigurationError(self.missing_key_message)

    def add_data(self, claims: JSONObject, data: Mapping[str, Any]) -> None:
        """Add an application's claims, none of them reserved; an instance's own login type stays."""
        taken = (RESERVED | {self.identity_claim}) & data.keys()
        if taken:
            names = ", ".join(sorted(taken))
            raise TypeError(f"data= must not set {names}: reserved; there is an argument or a setting for each of them")
        claims.update(data)
        if self.login_type is not None:
            claims["login_type"] = self.login_type


def end_of(issued: int, lifetime: timedelta) -> int:
    """Compute a token's `exp` from its `iat`; the lifetime is rounded up to whole seconds, at least one."""
    return issued + max(1, ceil(lifetime.total_seconds()))


def _point_in_time(expiry: datetime | float, now: float) -> float:
    if not isinstance(expiry, datetime | int | float) or isinstance(expiry, bool):
        raise TypeError(
            f"expiry= is a {type(expiry).__name__}; pass a timedelta, a datetime or seconds since 1970 as a number"
        )
    if not isinstance(expiry, datetime) and expiry < _EARLIEST:
        raise ValueError(
            f"expiry={expiry!r} is a moment in 1970-2001, not a duration; pass timedelta(seconds={expiry!r})"
        )
    end = to_seconds(expiry, now)
    if not end > now:
        raise ValueError(f"expiry={expiry!r} has passed already; pass a timedelta or a time in the future")
    return end


def scope_list(scopes: object) -> list[Any]:
    """Take an application's scopes, which must be a list of texts, as a list of its own."""
    if isinstance(scopes, str) or not isinstance(scopes, Sequence) or not all(isinstance(s, str) for s in scopes):
        raise ValueError("scopes must be a list of texts, for example ['posts:read']")
    return list(scopes)
