"""The checks that follow a good signature: one function each, time always an argument.

`shape` and `dates` are the strict reading for tokens at an application's door. Claims that pass it
can be used without asking again what type they are of.
"""

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
    "check_token_type",
    "is_subject",
    "wrong_type",
]

MAX_GENERATION: Final = 2**31 - 1
MAX_SUBJECT_LENGTH: Final = 255
# The last second that a datetime can hold: 9999-12-31T23:59:59Z.
_MAX_DATE: Final = 253402300799
_MAX_ID_LENGTH: Final = 255
_TEXTS: Final = ("type", "csrf", "login_type")


def _invalid(reason: str) -> JWTDecodeError:
    return JWTDecodeError(f"Invalid token: {reason}")


def _is_texts(value: JSONValue) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_generation(value: JSONValue) -> bool:
    return type(value) is int and 0 <= value <= MAX_GENERATION


def _is_date(value: JSONValue) -> bool:
    # A comparison with NaN is false, and infinity is out of range.
    return (type(value) is int or type(value) is float) and 0 <= value <= _MAX_DATE


def _is_id(value: JSONValue) -> bool:
    return type(value) is str and 0 < len(value) <= _MAX_ID_LENGTH


def is_subject(sub: object) -> bool:
    """Tell whether a value can be a subject: 1 to 255 characters, no NUL, no lone surrogate.

    Args:
        sub: Any value.

    Returns:
        Whether it can stand in `sub`.
    """
    if type(sub) is not str or not 0 < len(sub) <= MAX_SUBJECT_LENGTH or "\0" in sub:
        return False
    return sub.isascii() or not any("\ud800" <= character <= "\udfff" for character in sub)


def check_shape(claims: JSONObject, identity_claim: str = "sub") -> None:
    """Check that every claim this library reads is there where it must be, and of its type.

    `exp` and `type` may be absent here: whether they may is a matter of the token's type.

    Args:
        claims: The claims; where the identity is in another claim than `sub`, `sub` is filled in.
        identity_claim: The name of the claim that holds the subject beside or instead of `sub`.

    Raises:
        JWTDecodeError: A claim is missing or of a wrong type.
    """
    if identity_claim != "sub":
        _unify_identity(claims, identity_claim)
    get = claims.get
    sub = get("sub")
    if not is_subject(sub):
        raise _invalid("sub is not a text of 1 to 255 characters")
    if not _is_id(get("jti")):
        raise _invalid("jti is not a text of 1 to 255 characters")
    if not _is_date(get("iat")) or not _is_date(get("exp", 0)) or not _is_date(get("nbf", 0)):
        raise _invalid("iat, exp or nbf is not a date")
    for name in _TEXTS:
        value = get(name)
        if value is not None and type(value) is not str:
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
    if "sid" in claims or "gen" in claims or "cnf" in claims:
        _binding(claims, str(sub))


def _binding(claims: JSONObject, sub: str) -> None:
    """Check what ties a token to a session or a key."""
    if "gen" in claims and not _is_generation(claims["gen"]):
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
    """Check `exp` (RFC 7519 section 4.1.4): the token is good strictly before it.

    Args:
        claims: Claims of good shape.
        now: Seconds since 1970.
        leeway: Seconds that clocks may differ.

    Raises:
        TokenExpiredError: Its time is over.
    """
    exp = claims.get("exp")
    if exp is not None and exp <= now - leeway:  # type: ignore[operator]
        raise TokenExpiredError("Token has expired")


def check_dates(claims: JSONObject, now: float, leeway: float, skew: float) -> None:
    """Check `exp`, `nbf` and `iat`.

    Args:
        claims: Claims of good shape.
        now: Seconds since 1970.
        leeway: Seconds by which `exp` may be past.
        skew: Seconds by which `nbf` and `iat` may be ahead: hosts' clocks differ.

    Raises:
        TokenExpiredError: Its time is over.
        JWTDecodeError: Its time has not come yet.
    """
    check_not_expired(claims, now, leeway)
    if claims["iat"] > now + skew:  # type: ignore[operator]
        raise _invalid("issued in the future (iat)")
    nbf = claims.get("nbf")
    if nbf is not None and nbf > now + skew:  # type: ignore[operator]
        raise _invalid("not yet valid (nbf)")


def check_issuer(claims: JSONObject, expected: str | None) -> None:
    """Check `iss` where an issuer is expected.

    Args:
        claims: The claims.
        expected: The one issuer; `None` checks nothing.

    Raises:
        TokenInvalidIssuerError: Another issuer, or none.
    """
    if expected is not None and claims.get("iss") != expected:
        raise TokenInvalidIssuerError("Invalid issuer")


def check_audience(claims: JSONObject, expected: Collection[str] | None) -> None:
    """Check `aud` (RFC 7519 section 4.1.3): a token for somebody else is not for us.

    Args:
        claims: The claims.
        expected: Names of this service; `None` if it has none, then a token with `aud` is refused.

    Raises:
        TokenInvalidAudienceError: None of the token's audiences is expected.
    """
    given = claims.get("aud")
    if expected is None:
        if given:
            raise TokenInvalidAudienceError("Invalid audience")
        return
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not any(name in expected for name in names):
        raise TokenInvalidAudienceError("Invalid audience")


def check_login_type(claims: JSONObject, expected: str | None) -> None:
    """Check `login_type`: a token of another kind of login names another user.

    Args:
        claims: Claims of good shape.
        expected: The instance's login type; `None` if it has none, and then a token must have none either.

    Raises:
        LoginTypeMismatchError: The token has another one.
    """
    actual = claims.get("login_type")
    if actual == expected:
        return
    if expected is None:
        raise LoginTypeMismatchError("", str(actual), "Token type mismatch: expected a token without a login type")
    raise LoginTypeMismatchError(expected, actual if isinstance(actual, str) else None)


def check_token_type(claims: JSONObject, expected: str) -> None:
    """Check `type`: an access token is no refresh token, and the reverse.

    Args:
        claims: The claims.
        expected: `access` or `refresh`.

    Raises:
        AccessTokenRequiredError: An access token was expected.
        RefreshTokenRequiredError: A refresh token was expected.
    """
    if claims.get("type") != expected:
        raise wrong_type(expected)


def wrong_type(expected: str) -> TokenTypeError:
    """Make the error for a token that is not of the expected type.

    Args:
        expected: `access` or `refresh`.

    Returns:
        The error to raise.
    """
    if expected == "refresh":
        return RefreshTokenRequiredError("Refresh token required")
    return AccessTokenRequiredError("Access token required")


def check_fresh(claims: JSONObject) -> None:
    """Check that the user proved who they are when this token was issued.

    Args:
        claims: The claims.

    Raises:
        FreshTokenRequiredError: The token came from a refresh.
    """
    if claims.get("fresh") is not True:
        raise FreshTokenRequiredError("Fresh token required")


def check_scopes(claims: JSONObject, required: Collection[str], all_required: bool) -> None:
    """Check that the token's scopes cover the route's.

    Args:
        claims: Claims of good shape.
        required: Scopes the route asks for.
        all_required: Whether all of them are needed, or any one.

    Raises:
        InsufficientScopeError: They do not; its message names the missing ones.
    """
    granted = granted_scopes(claims)
    if has_required_scopes(list(required), granted, all_required):
        return
    missing = missing_scopes(list(required), granted)
    some = "Missing required scopes" if all_required else "Missing one of the scopes"
    raise InsufficientScopeError(list(required), granted, f"{some}: {missing}. Provided: {granted or []}")
