"""The retry key: it marks all attempts at one refresh, so that one that comes late is known for what it is."""

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

__all__ = ["retry_hash", "usable_key"]

# Visible ASCII without the quote and the backslash, maybe in quotes, as RFC 8941 writes a string.
_KEY: Final = re.compile(rb'(?P<quote>"?)(?P<key>[!#-\[\]-~]{16,128})(?P=quote)')


def usable_key(values: Iterable[bytes]) -> bytes | None:
    """Read the retry key in the values of its header; one that cannot be used, or two that differ, count as none."""
    keys = set()
    for value in values:
        match = _KEY.fullmatch(value.strip(b" \t"))
        if match is None:
            return None
        keys.add(match["key"])
    return keys.pop() if len(keys) == 1 else None


def retry_hash(sid: str, generation: int, key: bytes) -> str:
    """Hash the retry key of a request, bound to the refresh token that it presents."""
    return sha256(b"authx-retry\0%s\0%d\0%s" % (sid.encode("utf-8", "surrogatepass"), generation, key)).hexdigest()[:32]
