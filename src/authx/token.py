"""Tokens without an application: create one from arguments, decode one with a key, as AuthX does.

These two functions are as lenient as AuthX's: `exp`, `jti` and `type` may be absent, `exp` and `iat`
may have fractions, and there is no leeway. Dependencies and `AuthX.verify_token` are stricter.
"""

import os
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import isfinite
from typing import Any, Final
from uuid import UUID

from authx.core.claims import MAX_SUBJECT_LENGTH, check_audience, check_issuer, check_not_expired, is_subject
from authx.core.ids import uuid4
from authx.exceptions import AuthxArgumentDeprecationWarning, JWTDecodeError
from authx.jose import jws
from authx.jose.json_object import JSONObject
from authx.jose.key import Key, KeyRing, key_from_pem, key_from_secret
from authx.types import CLAIMS, SYMMETRIC_ALGORITHMS, UID, StringOrSequence

__all__ = ["create_token", "decode_token"]

# An integer of more bits has more digits than a subject may have; Python refuses to write very long ones at all.
_MAX_SUBJECT_BITS: Final = 1024
# Each of them has an argument of its own.
RESERVED_CLAIMS: Final = CLAIMS - {"scopes", "login_type", "sid", "gen", "cnf"}


def create_token(
    uid: UID,
    key: str | bytes,
    type: str = "access",  # noqa: A002 - the argument's name is AuthX's
    jti: str | None = None,
    expiry: datetime | timedelta | float | None = None,
    issued: datetime | float | None = None,
    fresh: bool = False,
    csrf: str | bool | None = None,
    algorithm: str = "HS256",
    headers: Mapping[str, Any] | None = None,
    audience: StringOrSequence | None = None,
    issuer: str | None = None,
    additional_data: Mapping[str, Any] | None = None,
    not_before: datetime | timedelta | float | None = None,
    data: Mapping[str, Any] | None = None,
    ignore_errors: bool = True,
) -> str:
    """Sign a token made of these claims.

    Args:
        uid: `sub`; of an `int` or `uuid.UUID`, its text.
        key: The secret, or a PEM private key for asymmetric algorithms.
        type: `type`; `fresh` is written only in access tokens.
        jti: `jti`; a random UUID by default.
        expiry: `exp`: a datetime, a time from now, or seconds since 1970; absent by default.
        issued: `iat`: a datetime or seconds since 1970; now by default.
        fresh: `fresh`.
        csrf: `csrf`: a text as it is, True for a random UUID, nothing else writes none.
        algorithm: The algorithm that signs.
        headers: Further members of the JOSE header.
        audience: `aud`, where not empty.
        issuer: `iss`, where not empty.
        additional_data: Further claims, reserved ones dropped.
        not_before: `nbf`: a datetime, a time from now, or seconds since 1970.
        data: Claims merged last; they replace anything.
        ignore_errors: Whether reserved claims in `additional_data` are dropped or refused.

    Returns:
        The compact token.

    Raises:
        TypeError: `uid` has a wrong type.
        ValueError: A reserved claim in `additional_data` with `ignore_errors=False`, or a value that
            cannot be signed.
        BadConfigurationError: The key does not fit the algorithm.
    """
    now = _now()
    sub = uid if isinstance(uid, str) else to_subject(uid)
    claims: JSONObject = {"sub": sub, "jti": jti or uuid4(os.urandom(16)), "type": type}
    if type == "access":
        claims["fresh"] = fresh
    if isinstance(csrf, str):
        claims["csrf"] = csrf
    elif csrf:
        claims["csrf"] = uuid4(os.urandom(16))
    claims["iat"] = now if issued is None else to_seconds(issued, now)
    if expiry is not None:
        claims["exp"] = to_seconds(expiry, now)
    if not_before is not None:
        claims["nbf"] = to_seconds(not_before, now)
    if audience:
        claims["aud"] = audience if isinstance(audience, str) else list(audience)
    if issuer:
        claims["iss"] = issuer
    for name, value in (additional_data or {}).items():
        if name not in RESERVED_CLAIMS:
            claims[name] = value
        elif not ignore_errors:
            raise ValueError(f"additional_data must not set {name}: it is a reserved claim")
    if data:
        claims.update(data)
    return jws.encode(claims, _key(key, algorithm), headers)


def decode_token(
    token: str | bytes,
    key: str | bytes,
    algorithms: Sequence[str] | None = None,
    audience: StringOrSequence | None = None,
    issuer: str | None = None,
    verify: bool = True,
    data: object = None,
) -> dict[str, Any]:
    """Verify a token with one key and read its claims. There is no leeway.

    Args:
        token: The compact token.
        key: The secret, or a PEM public or private key for asymmetric algorithms.
        algorithms: The algorithms accepted; HS256 by default.
        audience: Expected `aud`: one name or several; a token with `aud` is refused where it is absent.
        issuer: Expected `iss`, if any.
        verify: Whether anything is checked at all.
        data: Accepted for old callers, without effect.

    Returns:
        The claims.

    Raises:
        TokenExpiredError: Its time is over.
        TokenInvalidSignatureError: The key did not sign it.
        TokenInvalidAudienceError: It is for somebody else.
        TokenInvalidIssuerError: Somebody else issued it.
        JWTDecodeError: Anything else is wrong.
        BadConfigurationError: The key does not fit the algorithm.
    """
    if data is not None:
        warnings.warn(
            "decode_token(data=...) has no effect; leave it out",
            AuthxArgumentDeprecationWarning,
            stacklevel=2,
        )
    if not token:
        raise JWTDecodeError("Token must not be empty")
    raw = to_bytes(token)
    if not verify:
        return jws.read_unverified(raw)
    keys = [_key(key, algorithm) for algorithm in algorithms or ("HS256",)]
    claims = jws.decode(raw, KeyRing(None, keys))
    _check(claims, _now(), [audience] if isinstance(audience, str) else audience, issuer)
    return claims


def _check(claims: JSONObject, now: float, audience: Sequence[str] | None, issuer: str | None) -> None:
    """Check claims as leniently as AuthX does: only what is present, and no leeway."""
    for name in ("exp", "nbf", "iat"):
        value = claims.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise JWTDecodeError(f"Invalid token: {name} must be a number")
    for name in ("sub", "jti"):
        if not isinstance(claims.get(name, ""), str):
            raise JWTDecodeError(f"Invalid token: {name} must be a string")
    check_not_expired(claims, now, 0)
    if int(claims.get("iat", 0)) > now:  # type: ignore[arg-type]
        raise JWTDecodeError("Invalid token: it is not yet valid (iat)")
    if int(claims.get("nbf", 0)) > now:  # type: ignore[arg-type]
        raise JWTDecodeError("Invalid token: it is not yet valid (nbf)")
    if issuer is not None and "iss" not in claims:
        raise JWTDecodeError("Invalid token: it has no iss claim")
    check_issuer(claims, issuer)
    if audience is not None and not claims.get("aud"):
        raise JWTDecodeError("Invalid token: it has no aud claim")
    check_audience(claims, audience)


def _now() -> float:
    # freezegun leaves time.time() alone in the first calls of a thread, and datetime.now() never.
    return datetime.now(UTC).timestamp()


def to_bytes(token: str | bytes) -> bytes:
    """Take a token's text as bytes; a character that is not ASCII raises `JWTDecodeError`."""
    if isinstance(token, bytes):
        return token
    try:
        return token.encode("ascii")
    except UnicodeEncodeError:
        raise JWTDecodeError("Invalid token: it holds a character that is not ASCII") from None


def to_seconds(time: datetime | timedelta | float, now: float) -> float:
    """Turn a point in time, or a time from now, into seconds since 1970."""
    if isinstance(time, timedelta):
        return now + time.total_seconds()
    if not isinstance(time, datetime):
        return time
    if time.tzinfo is None and time.astimezone().utcoffset():
        raise ValueError(
            "a datetime without time zone can be local time or UTC, and here these differ; "
            "write datetime.now(timezone.utc) + ..., or pass a timedelta"
        )
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


@lru_cache(maxsize=16)
def _key(key: str | bytes, algorithm: str) -> Key:
    """Parse a key once for many calls."""
    if algorithm in SYMMETRIC_ALGORITHMS:
        return key_from_secret(key, algorithm)
    return key_from_pem(key, algorithm)


def to_subject(uid: object) -> str:
    """Turn an application's user id into the text that tokens and stores hold."""
    if type(uid) is str:
        text = uid
    elif isinstance(uid, str):
        # A subclass may write itself differently: `class Role(str, Enum)` gives "Role.ADMIN".
        text = str.__str__(uid)
    elif isinstance(uid, int) and not isinstance(uid, bool):
        text = int.__repr__(uid) if uid.bit_length() <= _MAX_SUBJECT_BITS else ""
    elif isinstance(uid, UUID):
        text = UUID.__str__(uid)
    else:
        raise TypeError(f"uid must be a str, an int or a uuid.UUID, not {type(uid).__name__}")
    if not is_subject(text):
        raise ValueError(f"uid must have 1 to {MAX_SUBJECT_LENGTH} characters, and no NUL or lone surrogate among them")
    return text
