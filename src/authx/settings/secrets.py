"""Whether a secret can be guessed."""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Final

from authx.settings.finding import Finding

__all__ = ["MIN_SECRET_BYTES", "is_example", "is_monotonous", "secret_findings"]

MIN_SECRET_BYTES: Final = 32
# Words that examples and placeholders are made of.
_WORDS: Final = frozenset(
    re.findall(
        "[a-z]+",
        """
        a an and app at auth authx be bit bits change changeit changeme char characters chars default dev development
        do example fastapi for generate here hs in insecure is it jwt key least length long longer me min minimum must
        my no not of one only password placeholder please prod production put random really replace safe secret secure
        set should some something string strong super test testing than that the this to todo token top unsafe use
        value very with you your
        """,
    )
)
_LONGEST_WORD: Final = max(map(len, _WORDS))
# In tutorials for everybody to read: FastAPI's own.
_PUBLISHED: Final = frozenset({"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7"})
_MOST_DIGITS: Final = 6
# Forty random digits have fewer different ones once in a thousand million times.
_FEW_CHARACTERS: Final = 6


def secret_findings(field: str, secret: str, hash_size: int) -> Iterator[Finding]:
    """Yield what is wrong with a secret that signs or verifies by a hash of that many bytes; never the secret."""
    is_own = field == "JWT_SECRET_KEY"
    change = 'JWT_SECRET_KEY="$(authx secret)"' if is_own else f"remove {field}; its tokens are refused from then on"
    size = len(secret.encode("utf-8", "surrogatepass"))
    if is_example(secret):
        yield Finding(
            "error",
            "secret-example",
            f"{field} is an example or a placeholder.",
            "Anyone who has read the same page can sign tokens for any of your users.",
            change,
        )
    elif size < MIN_SECRET_BYTES:
        yield Finding(
            "error",
            "secret-short",
            f"{field} has {size} bytes; at least {MIN_SECRET_BYTES} random ones are needed (RFC 7518 section 3.2).",
            "Anyone who has one token can guess the secret offline, and then sign tokens for any of your users.",
            change,
        )
    elif is_monotonous(secret):
        yield Finding(
            "error",
            "secret-monotonous",
            f"{field} is long, but made of few characters, or of a text that repeats or counts.",
            "Programs that guess secrets try such texts first.",
            change,
        )
    elif size < hash_size:
        yield Finding(
            "warning",
            "secret-shorter-than-hash",
            f"{field} has {size} bytes, and the algorithm's hash {hash_size}.",
            "RFC 7518 section 3.2 asks for a secret that is as long as the hash.",
            f'{field}="$(authx secret --bytes {hash_size})"',
        )


@lru_cache(maxsize=16)
def is_example(secret: str) -> bool:
    """Return whether a secret is known from a tutorial, or made of words like "your", "secret" and "change" alone."""
    text = secret.strip().lower()
    if text in _PUBLISHED:
        return True
    if sum(map(str.isdigit, text)) > _MOST_DIGITS:
        return False
    letters = re.sub(r"[^a-z]", "", text)
    reached = {0}
    for end in range(1, len(letters) + 1):
        if any(start in reached and letters[start:end] in _WORDS for start in range(max(0, end - _LONGEST_WORD), end)):
            reached.add(end)
    return bool(letters) and len(letters) in reached


def is_monotonous(secret: str) -> bool:
    """Return whether a long secret has few different characters, is one text repeated, or counts up or down."""
    if len(set(secret)) < _FEW_CHARACTERS or _repeats(secret):
        return True
    steps = [ord(after) - ord(before) for before, after in pairwise(secret)]
    return sum(step in (-1, 0, 1) for step in steps) > len(steps) * 3 // 4


def _repeats(secret: str) -> bool:
    """Return whether a secret is a short text again and again, perhaps cut at its end."""
    return any(
        secret == (secret[:size] * (len(secret) // size + 1))[: len(secret)] for size in range(1, len(secret) // 2 + 1)
    )
