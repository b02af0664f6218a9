"""How requests are refused."""

from collections.abc import Iterator
from typing import Final, Literal

from pydantic import Field

from authx.settings.feature import FeatureSettings, is_attribute
from authx.settings.finding import Finding

__all__ = ["AnswerSettings", "contradictions", "findings"]

_OTHER_KEYS: Final = frozenset({"error_type", "code", "action", "retry_after", "expected_type", "actual_type"})


class AnswerSettings(FeatureSettings):
    """Error responses."""

    JWT_ERROR_MESSAGE_KEY: str = Field(
        default="msg", description="Key of the message in error bodies, where set; message otherwise."
    )
    JWT_ERROR_STATUS: Literal["rfc", "authx"] = Field(
        default="rfc", description="Statuses and bodies of errors: the standards', or AuthX 1.7's."
    )
    JWT_REALM: str = Field(default="authx", description="realm of every WWW-Authenticate challenge.")


def contradictions(settings: AnswerSettings) -> Iterator[str]:
    """Yield what cannot work."""
    realm, key = settings.JWT_REALM, settings.JWT_ERROR_MESSAGE_KEY
    if not is_attribute(realm) or '"' in realm or "\\" in realm:
        yield "JWT_REALM may hold no quote, backslash, semicolon or control character"
    if not key:
        yield "JWT_ERROR_MESSAGE_KEY is empty"
    if key in _OTHER_KEYS:
        yield f"JWT_ERROR_MESSAGE_KEY={key!r} names another key of error bodies"


def findings(settings: AnswerSettings) -> Iterator[Finding]:
    """Yield what `authx check` says of bodies that front ends cannot act on."""
    if settings.JWT_ERROR_STATUS == "authx":
        yield Finding(
            "info",
            "answers-as-authx",
            'JWT_ERROR_STATUS is "authx": an expired token gets a 422, without code and action.',
            "Front ends cannot see from the body whether to refresh, sign in or retry.",
            "JWT_ERROR_STATUS=rfc, once they use code and action",
        )
