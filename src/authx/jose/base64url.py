"""Base64url without padding (RFC 7515 section 2), and nothing but its one canonical spelling."""

from binascii import a2b_base64, b2a_base64

__all__ = ["decode", "encode"]

_TO_URL = bytes.maketrans(b"+/", b"-_")
# The standard alphabet's own characters and padding become `!`, which strict decoding refuses.
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING = (b"", b"", b"==", b"=")
# The last character of a final group of two or three carries four or two bits that must be zero; one alone is no group.
_CANONICAL_LAST = (frozenset[int](), frozenset[int](), frozenset(b"AQgw"), frozenset(b"AEIMQUYcgkosw048"))


def encode(data: bytes) -> bytes:
    """Encode bytes as base64url text without padding."""
    return b2a_base64(data, newline=False).translate(_TO_URL, b"=")


def decode(text: bytes) -> bytes:
    """Decode base64url text, strictly: no padding, no other alphabet, no spare bits set."""
    rest = len(text) & 3
    if not rest:
        return a2b_base64(text.translate(_FROM_URL), strict_mode=True)
    if text[-1] not in _CANONICAL_LAST[rest]:
        raise ValueError("not canonical base64url")
    return a2b_base64(text.translate(_FROM_URL) + _PADDING[rest], strict_mode=True)
