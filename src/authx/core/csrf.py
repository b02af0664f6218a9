"""CSRF values: derive the access token's from the session's, compare without a clock to watch."""

from hashlib import sha256
from hmac import compare_digest

from authx.jose import base64url

__all__ = ["access_value", "same_value"]


def access_value(session_value: str) -> str:
    """Derive the CSRF value of a session's access tokens from that of its refresh token, and from nothing else."""
    # So a refresh in one tab leaves the form open in another one valid.
    if not session_value:
        return ""
    return base64url.encode(sha256(f"{session_value}:access".encode()).digest()).decode()


def same_value(expected: str, given: str) -> bool:
    """Compare a token's CSRF claim with the value the client sent, in constant time; an empty one matches nothing."""
    return bool(expected) and compare_digest(
        expected.encode("utf-8", "surrogatepass"), given.encode("utf-8", "surrogatepass")
    )
