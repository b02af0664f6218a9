"""CSRF values: derive the access token's from the session's, compare without a clock to watch."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from hmac import compare_digest

__all__ = ["access_value", "same_value"]


def access_value(session_value: str) -> str:
    """Derive the CSRF value of a session's access tokens from that of its refresh token.

    It depends on nothing else, so a refresh in one tab leaves the form open in another one valid.

    Args:
        session_value: The refresh token's `csrf` claim; empty where CSRF protection is off.

    Returns:
        base64url(SHA-256(value + ":access")) without padding, or an empty text for an empty one.
    """
    if not session_value:
        return ""
    digest = sha256(f"{session_value}:access".encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def same_value(expected: str, given: str) -> bool:
    """Compare a token's CSRF claim with the value the client sent, in constant time.

    Args:
        expected: The claim; an empty one matches nothing.
        given: The value of the header or form field, any text at all.

    Returns:
        Whether they are equal and not empty.
    """
    return bool(expected) and compare_digest(
        expected.encode("utf-8", "surrogatepass"), given.encode("utf-8", "surrogatepass")
    )
