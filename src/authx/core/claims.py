"""The checks that follow a good signature; time is always an argument.

Claims that passed `check_shape` can be used without asking again what type they are of.
"""

import re
from collections.abc import Collection
from typing import Final

from authx.core.ids import is_session_id_of
from authx.core.scopes import granted_scopes, has_required_scopes, missing_scopes
from authx.exceptions import (
    AccessTokenRequiredError,
    FreshTokenRequiredError,
    InsufficientScopeError,
    JWTDecodeError,
    LoginTypeMismatchError,
    RefreshTokenRequiredError,
    TokenExpiredError,
    TokenInvalidAudienceError,
    TokenInvalidIssuerError,
    TokenTypeError,
)
from authx.jose.json_object import JSONObject, JSONValue

__all__ = [
    "MAX_DATE",
    "MAX_GENERATION",
    "MAX_SUBJECT_LENGTH",
    "check_audience",
    "check_dates",
    "check_fresh",
    "check_issuer",
    "check_login_type",
    "check_not_expired",
    "check_scopes",
    "check_shape",
    "is_subject",
    "wrong_type",
]

MAX_GENERATION: Final = 2**31 - 1
MAX_SUBJECT_LENGTH: Final = 255
# The last second that a datetime can hold: 9999-12-31T23:59:59Z.
MAX_DATE: Final = 253_402_300_799
_MAX_ID_LENGTH: Final = 255
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_TEXTS: Final = ("type", "csrf", "login_type")


def _invalid(reason: str) -> JWTDecodeError:
    return JWTDecodeError(f"Invalid token: {reason}")


def _is_texts(value: JSONValue) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_date(value: JSONValue) -> bool:
    # A comparison with NaN is false, and infinity is out of range.
    return (type(value) is int or type(value) is float) and 0 <= value <= MAX_DATE


def is_subject(sub: object) -> bool:
    """Return whether a value can be a subject: 1 to 255 characters, no NUL, no lone surrogate."""
    return (
        type(sub) is str
        and 0 < len(sub) <= MAX_SUBJECT_LENGTH
        and "\0" not in sub
        and (sub.isascii() or _SURROGATE.search(sub) is None)
    )


# It runs for each new token: without a function for each kind of value, it takes two thirds of the time.
def check_shape(claims: JSONObject, identity_claim: str = "sub") -> None:  # noqa: C901 - see above
    """Check that every claim this library reads is there where it must be, and of its type.

    `exp` and `type` may be absent: the token's type decides that. Where the identity is in another claim than
    `sub`, `sub` is filled in.
    """
    if identity_claim != "sub":
        _unify_identity(claims, identity_claim)
    get = claims.get
    sub, jti = get("sub"), get("jti")
    if (
        type(sub) is not str
        or not 0 < len(sub) <= MAX_SUBJECT_LENGTH
        or "\0" in sub
        or not (sub.isascii() or _SURROGATE.search(sub) is None)
    ):
        raise _invalid("sub is not a text of 1 to 255 characters")
    if type(jti) is not str or not 0 < len(jti) <= _MAX_ID_LENGTH:
        raise _invalid("jti is not a text of 1 to 255 characters")
    iat, exp, nbf = get("iat"), get("exp", 0), get("nbf", 0)
    if type(iat) is int and type(exp) is int and type(nbf) is int:
        good = 0 <= iat <= MAX_DATE and 0 <= exp <= MAX_DATE and 0 <= nbf <= MAX_DATE
    else:
        good = _is_date(iat) and _is_date(exp) and _is_date(nbf)
    if not good:
        raise _invalid("iat, exp or nbf is not a date")
    for name in _TEXTS:
        text = get(name)
        if text is not None and type(text) is not str:
            raise _invalid(f"{name} is not a text")
    fresh = get("fresh", False)
    if fresh is not True and fresh is not False:
        raise _invalid("fresh is neither true nor false")
    scopes = get("scopes")
    if scopes is not None and not _is_texts(scopes):
        raise _invalid("scopes is not a list of texts")
    if type(get("iss", "")) is not str:
        raise _invalid("iss is not a text")
    audience = get("aud", "")
    if type(audience) is not str and not _is_texts(audience):
        raise _invalid("aud is neither a text nor a list of texts")
    if "gen" in claims:
        generation = claims["gen"]
        if type(generation) is not int or not 0 <= generation <= MAX_GENERATION:
            raise _invalid("gen is not a generation")
    if "sid" in claims and not is_session_id_of(claims["sid"], sub):
        raise _invalid("sid is not a session id of this subject")
    if "cnf" in claims:
        # Bound to a key that nobody asks for here, it is no bearer token (RFC 9449 section 7.2).
        raise _invalid("the token is bound to a key (cnf)")


def _unify_identity(claims: JSONObject, name: str) -> None:
    if name in claims and claims.setdefault("sub", claims[name]) != claims[name]:
        raise _invalid(f"sub and {name} differ")


def check_not_expired(claims: JSONObject, now: float, leeway: float) -> None:
    """Check `exp` (RFC 7519 section 4.1.4): the token is good strictly before it."""
    exp = claims.get("exp")
    if exp is not None and exp <= now - leeway:  # type: ignore[operator]
        raise TokenExpiredError("Token has expired")


def check_dates(claims: JSONObject, now: float, leeway: float, skew: float) -> None:
    """Check `exp`, which may be past by `leeway`, and `nbf` and `iat`, which may be ahead by `skew`: clocks differ."""
    check_not_expired(claims, now, leeway)
    if claims["iat"] > now + skew:  # type: ignore[operator]
        raise _invalid("issued in the future (iat)")
    nbf = claims.get("nbf")
    if nbf is not None and nbf > now + skew:  # type: ignore[operator]
        raise _invalid("not yet valid (nbf)")


def check_issuer(claims: JSONObject, expected: str | None) -> None:
    """Check `iss` where an issuer is expected."""
    if expected is not None and claims.get("iss") != expected:
        raise TokenInvalidIssuerError("Invalid issuer")


def check_audience(claims: JSONObject, expected: Collection[str] | None) -> None:
    """Check `aud` (RFC 7519 section 4.1.3); a service without a name, `None`, refuses every token that has one."""
    given = claims.get("aud")
    if expected is None:
        if given:
            raise TokenInvalidAudienceError("Invalid audience")
        return
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not any(name in expected for name in names):
        raise TokenInvalidAudienceError("Invalid audience")


def check_login_type(claims: JSONObject, expected: str | None) -> None:
    """Check `login_type`, which must be absent where none is expected: another kind of login names another user."""
    actual = claims.get("login_type")
    if actual == expected:
        return
    if expected is None:
        raise LoginTypeMismatchError("", str(actual), "Token type mismatch: expected a token without a login type")
    raise LoginTypeMismatchError(expected, actual if isinstance(actual, str) else None)


def wrong_type(expected: str) -> TokenTypeError:
    """Make the error for a token that is not of the expected type."""
    if expected == "refresh":
        return RefreshTokenRequiredError("Refresh token required")
    return AccessTokenRequiredError("Access token required")


def check_fresh(claims: JSONObject) -> None:
    """Check that the user proved who they are when this token was issued."""
    if claims.get("fresh") is not True:
        raise FreshTokenRequiredError("Fresh token required")


def check_scopes(claims: JSONObject, required: Collection[str], all_required: bool) -> None:
    """Check that the token's scopes cover the route's: all of them, or any one."""
    granted = granted_scopes(claims)
    if has_required_scopes(list(required), granted, all_required):
        return
    missing = missing_scopes(list(required), granted)
    some = "Missing required scopes" if all_required else "Missing one of the scopes"
    raise InsufficientScopeError(list(required), granted, f"{some}: {missing}. Provided: {granted or []}")
