"""Token pairs, and the responses that a client reads: new tokens, refusals, `Retry-After`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import inf, isfinite
from typing import Final, NamedTuple

from authx.exceptions import AuthXException
from authx.jose.json_object import JSONObject, load_object
from authx.jose.jws import read_unverified
from authx.types import MASK

__all__ = [
    "MAX_BODY_BYTES",
    "Refusal",
    "TokenPair",
    "may_be_refusal",
    "read_pair",
    "read_refusal",
    "renewal_time",
    "retry_after",
]

# Two tokens as long as a server accepts them, four times over.
MAX_BODY_BYTES: Final = 65_536
# RFC 6750 section 2.1, and nothing that could end a header line.
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
# As servers accept it: visible ASCII without the characters that would need escapes in quotes.
_RETRY_KEY: Final = re.compile(r"[!#-\[\]-~]{16,128}")
_MAX_MARGIN_SHARE: Final = 10
_ACTIONS: Final = {401: ("refresh", "login"), 429: ("retry",), 503: ("retry",)}
_DEFAULT_WAIT: Final = 1.0
_MAX_DIGITS: Final = 9


@dataclass(frozen=True, slots=True, repr=False)
class TokenPair:
    """An access token and the refresh token that renews it.

    `dataclasses.asdict(pair)` returns a dictionary that can be stored as JSON; `TokenPair(**dictionary)` reads it back.

    Args:
        access_token: The access token.
        refresh_token: The refresh token; without it, the access token cannot be renewed.
        expires_at: When the access token expires, in seconds since 1970 by this machine's clock; `None` uses the
            claim `exp`, if the token is a JWT.
        retry_key: Marks all attempts at the refresh of this pair as one, from the first attempt until one succeeds.
            Store it with the pair, as secretly; never make one up.

    Raises:
        ValueError: A token or the key has characters that it cannot have (RFC 6750 section 2.1 for tokens), or
            `expires_at` is not a finite number. The message does not repeat the value.
    """

    access_token: str
    refresh_token: str | None = None
    expires_at: float | None = None
    retry_key: str | None = None

    def __post_init__(self) -> None:
        if not _matches(_TOKEN, self.access_token):
            raise ValueError("access_token is not a readable token")
        if self.refresh_token is not None and not _matches(_TOKEN, self.refresh_token):
            raise ValueError("refresh_token is not a readable token")
        if self.expires_at is not None and _number(self.expires_at) is None:
            raise ValueError("expires_at is a number of seconds since 1970")
        if self.retry_key is not None and not _matches(_RETRY_KEY, self.retry_key):
            raise ValueError("retry_key has 16 to 128 visible ASCII characters, none of them a quote or a backslash")

    def __repr__(self) -> str:
        refresh = MASK if self.refresh_token is not None else None
        key = "" if self.retry_key is None else f", retry_key={MASK!r}"
        return f"TokenPair(access_token={MASK!r}, refresh_token={refresh!r}, expires_at={self.expires_at!r}{key})"


class Refusal(NamedTuple):
    """A response that is no success: its status, the action it asks for and its code; without a status, none came."""

    status: int | None = None
    action: str | None = None
    code: str | None = None


def read_pair(body: bytes, former: TokenPair | None, requested_at: float) -> TokenPair | None:
    """Read the tokens in the response to a login or a refresh of `former` (RFC 6749 section 5.1), if it has any."""
    fields = _load(body)
    access, refresh = fields.get("access_token"), fields.get("refresh_token")
    if refresh is None and former is not None:
        refresh = former.refresh_token  # RFC 6749 section 6: it stays valid
    if not isinstance(access, str) or not isinstance(refresh, str | None):
        return None
    # RFC 6749 section 7.1: a client must not use a token of a type that it does not understand.
    if str(fields.get("token_type", "bearer")).lower() != "bearer":
        return None
    life = _number(fields.get("expires_in"))
    if life is None or life <= 0:
        life = _lifetime(_claims(access))
    try:
        return TokenPair(access, refresh, None if life is None else requested_at + life)
    except ValueError:
        return None


def renewal_time(pair: TokenPair, now: float, margin: float) -> float | None:
    """Return when to renew the access token of a new pair, in seconds since 1970; `None` if its expiry is unknown."""
    claims = _claims(pair.access_token)
    end = pair.expires_at if pair.expires_at is not None else _number(claims.get("exp"))
    if end is None:
        return None
    life = _lifetime(claims)
    if life is None:
        life = max(end - now, 0.0)
    return end - min(margin, life / _MAX_MARGIN_SHARE)


def may_be_refusal(status: int, headers: Mapping[str, str]) -> bool:
    """Return whether the body has to be read to know what a response asks for."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    length = _seconds(headers.get("content-length", "0"))
    return status in _ACTIONS and media_type == "application/json" and length <= MAX_BODY_BYTES


def read_refusal(status: int, body: bytes) -> Refusal:
    """Read what a response asks for; an action counts only with the status that it belongs to."""
    fields = _load(body)
    action, code = fields.get("action"), fields.get("code")
    # The password that was refused here came with the request itself. The session is not affected.
    is_obeyed = action in _ACTIONS.get(status, ()) and code != "credentials_invalid"
    return Refusal(status, str(action) if is_obeyed else None, code if isinstance(code, str) else None)


def retry_after(headers: Mapping[str, str], now: float) -> float:
    """Return the seconds to wait that `Retry-After` says (RFC 9110 section 10.2.3); 1 if it says nothing readable."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return _seconds(text)
    timestamp = _timestamp(text)
    if timestamp is None:
        return _DEFAULT_WAIT
    date = _timestamp(headers.get("date", ""))
    return max(0.0, timestamp - (now if date is None else date))


def _load(body: bytes) -> JSONObject:
    try:
        return load_object(body) if len(body) <= MAX_BODY_BYTES else {}
    except (ValueError, RecursionError):
        return {}


def _claims(token: str) -> JSONObject:
    try:
        return read_unverified(token.encode())
    except AuthXException:
        return {}


def _lifetime(claims: JSONObject) -> float | None:
    """Return the seconds from `iat` to `exp`, which do not depend on this machine's clock."""
    end, begin = _number(claims.get("exp")), _number(claims.get("iat"))
    return end - begin if end is not None and begin is not None and end > begin else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if isfinite(value) else None
    except OverflowError:
        return None


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _seconds(text: str) -> float:
    """Read decimal digits; anything else, and any absurdly large number, is infinite."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else inf


def _timestamp(text: str) -> float | None:
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
