"""What an answer asks a client to do: pure functions over its status, headers and body."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Final

from authx.core.strict_json import load_object

__all__ = ["MAX_BODY_BYTES", "Action", "Refusal", "may_be_refusal", "read_challenge", "read_refusal", "seconds_to_wait"]

# Two tokens as long as a server accepts them, four times over.
MAX_BODY_BYTES: Final = 65_536
_UNAUTHORIZED: Final = 401
_STATUSES: Final = {_UNAUTHORIZED: ("refresh", "login"), 429: ("retry",), 503: ("retry",)}
_MAX_DIGITS: Final = 9


class Action(Enum):
    """What a client can do by itself about a refused request."""

    REFRESH = "refresh"
    LOGIN = "login"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused request.

    Attributes:
        action: What to do; `None` if nothing can be done by itself.
        code: The body's code, if it has one.
    """

    action: Action | None
    code: str | None = None


def may_be_refusal(status: int, headers: Mapping[str, str]) -> bool:
    """Tell from the head of an answer whether its body may ask for something.

    Args:
        status: The answer's status.
        headers: Its headers.

    Returns:
        Whether the body has to be read to know.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    length = headers.get("content-length", "0")
    return status in _STATUSES and kind == "application/json" and _digits(length) <= MAX_BODY_BYTES


def read_refusal(status: int, body: bytes) -> Refusal:
    """Read what a refused request's answer asks for.

    Args:
        status: The answer's status.
        body: Its body.

    Returns:
        The action where it goes with the status, and the code.
    """
    try:
        fields = load_object(body) if len(body) <= MAX_BODY_BYTES else {}
    except (ValueError, RecursionError):
        fields = {}
    action, code = fields.get("action"), fields.get("code")
    # A password that was refused is one in the request's own body; it says nothing about the token.
    obeyed = action in _STATUSES.get(status, ()) and code != "credentials_invalid"
    return Refusal(Action(action) if obeyed else None, code if isinstance(code, str) else None)


def read_challenge(status: int, headers: Mapping[str, str]) -> Refusal:
    """Read what the answer to a `HEAD` asks for, which has no body that could say it.

    Args:
        status: The answer's status.
        headers: Its headers.

    Returns:
        Refresh, where the token was found invalid (RFC 6750 section 3.1): if the session is over, the answer to that
        will say so.
    """
    is_invalid = status == _UNAUTHORIZED and 'error="invalid_token"' in headers.get("www-authenticate", "")
    return Refusal(Action.REFRESH if is_invalid else None)


def seconds_to_wait(headers: Mapping[str, str], now: float, default: float) -> float:
    """Read `Retry-After` (RFC 9110 section 10.2.3): a number of seconds, or a moment.

    Args:
        headers: The answer's headers. A moment is compared with its own `Date`, where it has one.
        now: Seconds since 1970 by this machine's clock, for an answer without `Date`.
        default: Seconds to wait where the header is missing or says nothing.

    Returns:
        Seconds to wait, 0 or more; infinite for a number beyond all reason.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return _digits(text)
    moment = _moment(text)
    if moment is None:
        return default
    told = _moment(headers.get("date", ""))
    return max(0.0, moment - (now if told is None else told))


def _digits(text: str) -> float:
    if not (text.isascii() and text.isdigit()) or len(text) > _MAX_DIGITS:
        return float("inf")
    return int(text)


def _moment(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
