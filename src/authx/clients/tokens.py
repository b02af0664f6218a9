"""The pair of tokens a client holds: read from an answer, handed to whoever keeps it."""

import re
from dataclasses import dataclass
from math import isfinite
from typing import Final, TypeGuard

from authx.clients.answers import MAX_BODY_BYTES
from authx.core.codec import read_unverified
from authx.core.strict_json import JSONObject, load_object
from authx.exceptions import AuthXException

__all__ = ["TokenPair", "read_pair", "renewal_time"]

_MASK: Final = "**********"
# What a server reads as one: visible ASCII without the characters that would need escapes in quotes.
_RETRY_KEY: Final = re.compile(r"[!#-\[\]-~]{16,128}")
# RFC 6750 section 2.1, and nothing that could end a header line.
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_EARLY_SHARE: Final = 10


@dataclass(frozen=True, slots=True, repr=False)
class TokenPair:
    """An access token, and what renews it.

    `dataclasses.asdict(pair)` gives a dictionary that can be kept as JSON; `TokenPair(**dictionary)` reads it back.

    Args:
        access_token: The access token.
        refresh_token: The refresh token; without it, the access token cannot be renewed.
        expires_at: When the access token ends, in seconds since 1970 by this machine's clock; `None`: as its claim
            `exp` says, if it is a JWT.
        retry_key: What marks all attempts at the refresh of this pair as one, from the first attempt until one has
            succeeded. Keep it with the pair, as secretly; never make one up.

    Raises:
        ValueError: A token has characters that a token cannot have (RFC 6750 section 2.1), or the key has.
    """

    access_token: str
    refresh_token: str | None = None
    expires_at: float | None = None
    retry_key: str | None = None

    def __post_init__(self) -> None:
        if not _is_token(self.access_token):
            raise ValueError("access_token is no token")
        if self.refresh_token is not None and not _is_token(self.refresh_token):
            raise ValueError("refresh_token is no token")
        if self.expires_at is not None and not _is_number(self.expires_at):
            raise ValueError("expires_at is no time in seconds since 1970")
        if self.retry_key is not None and not _is_retry_key(self.retry_key):
            raise ValueError("retry_key is none: it has 16 to 128 visible ASCII characters, none of them a quote or \\")

    def __repr__(self) -> str:
        refresh = _MASK if self.refresh_token is not None else None
        key = "" if self.retry_key is None else f", retry_key={_MASK!r}"
        return f"TokenPair(access_token={_MASK!r}, refresh_token={refresh!r}, expires_at={self.expires_at!r}{key})"


def read_pair(body: bytes, former: TokenPair | None, asked_at: float) -> TokenPair | None:
    """Read the answer of a login or a refresh (RFC 6749 section 5.1).

    Args:
        body: The answer's body.
        former: The pair that was refreshed. Its refresh token stays where the answer has none (RFC 6749 section 6).
        asked_at: When the request was made, in seconds since 1970.

    Returns:
        The new pair; `None` if there is no usable one in the answer.
    """
    try:
        fields = load_object(body) if len(body) <= MAX_BODY_BYTES else {}
    except (ValueError, RecursionError):
        return None
    access, refresh = fields.get("access_token"), fields.get("refresh_token")
    if refresh is None and former is not None:
        refresh = former.refresh_token
    if not isinstance(access, str) or not isinstance(refresh, str | None):
        return None
    # RFC 6749 section 7.1: a token of a kind that one does not understand must not be used.
    if str(fields.get("token_type", "bearer")).lower() != "bearer":
        return None
    life = _lifetime(fields, access)
    try:
        return TokenPair(access, refresh, None if life is None else asked_at + life)
    except ValueError:
        return None


def renewal_time(pair: TokenPair, now: float, margin: float) -> float | None:
    """Tell when to renew an access token.

    Args:
        pair: The pair, which has just been received or taken.
        now: Seconds since 1970.
        margin: Seconds before the token's end; less for a token that lives less than ten times as long.

    Returns:
        Seconds since 1970; `None` if nothing tells when the token ends.
    """
    claims = _claims(pair.access_token)
    end = pair.expires_at if pair.expires_at is not None else _number(claims, "exp")
    if end is None:
        return None
    life = _life_claimed(claims)
    if life is None:
        life = end - now
    return end - min(margin, max(life, 0.0) / _EARLY_SHARE)


def _lifetime(fields: JSONObject, access: str) -> float | None:
    """Find how many seconds a new access token lives, without asking which time it is."""
    told = _number(fields, "expires_in")
    if told is not None and told > 0:
        return told
    return _life_claimed(_claims(access))


def _life_claimed(claims: JSONObject) -> float | None:
    end, begin = _number(claims, "exp"), _number(claims, "iat")
    return end - begin if end is not None and begin is not None and end > begin else None


def _claims(token: str) -> JSONObject:
    try:
        return read_unverified(token.encode())
    except AuthXException:
        return {}


def _number(fields: JSONObject, name: str) -> float | None:
    value = fields.get(name)
    return float(value) if _is_number(value) else None


def _is_number(value: object) -> TypeGuard[int | float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return isfinite(value)
    except OverflowError:
        return False


def _is_token(value: object) -> bool:
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _is_retry_key(value: object) -> bool:
    return isinstance(value, str) and _RETRY_KEY.fullmatch(value) is not None
