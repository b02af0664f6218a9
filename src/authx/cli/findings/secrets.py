"""Secrets that can be guessed."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

from authx.cli.findings.finding import Finding
from authx.config import AuthXConfig
from authx.jose.key import SECRET_ALGORITHMS

__all__ = ["chosen_algorithms", "is_example", "is_monotonous", "secret_findings"]

_LEAST: Final = 32
_LENGTHS: Final = {"HS256": 32, "HS384": 48, "HS512": 64}
_NEW: Final = 'JWT_SECRET_KEY="$(authx secret)"'
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


def secret_findings(config: AuthXConfig) -> Iterator[Finding]:
    """Look at the secrets that sign or verify.

    Args:
        config: The settings.

    Yields:
        What is wrong with them; never the secrets.
    """
    used = {config.JWT_ALGORITHM, *chosen_algorithms(config)} & SECRET_ALGORITHMS
    if not used:
        return
    for field in ("JWT_SECRET_KEY", "JWT_PREVIOUS_SECRET_KEY"):
        secret: str | None = getattr(config, field)
        if secret:
            yield from _weaknesses(field, secret, max(_LENGTHS[algorithm] for algorithm in used))


def chosen_algorithms(config: AuthXConfig) -> Sequence[str]:
    """List the algorithms that are accepted besides the own one.

    Args:
        config: The settings.

    Returns:
        `JWT_DECODE_ALGORITHMS` where it is set: its default says nothing.
    """
    return config.JWT_DECODE_ALGORITHMS if "JWT_DECODE_ALGORITHMS" in config.model_fields_set else ()


def _weaknesses(field: str, secret: str, fitting: int) -> Iterator[Finding]:
    change = _NEW if field == "JWT_SECRET_KEY" else f"take {field} away: its tokens end with it"
    size = len(secret.encode("utf-8", "surrogatepass"))
    if is_example(secret):
        yield Finding(
            "error",
            "secret-example",
            f"{field} is an example or a placeholder.",
            "Whoever has read the same page can sign tokens for any of your users.",
            change,
        )
    elif size < _LEAST:
        yield Finding(
            "error",
            "secret-short",
            f"{field} has {size} bytes; at least {_LEAST} random ones are needed (RFC 7518 section 3.2).",
            "Whoever has one token can try secrets offline until one fits, and then sign tokens for any of your users.",
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
    elif size < fitting:
        yield Finding(
            "warning",
            "secret-shorter-than-hash",
            f"{field} has {size} bytes, and the algorithm's hash {fitting}.",
            "RFC 7518 section 3.2 asks for a secret that is as long as the hash.",
            f'{field}="$(authx secret --bytes {fitting})"',
        )


@lru_cache(maxsize=16)
def is_example(secret: str) -> bool:
    """Tell whether a secret is one that was written to be replaced.

    Args:
        secret: The secret.

    Returns:
        Whether it is known from a tutorial, or made of such words as "your", "secret" and "change" alone.
    """
    text = secret.strip().lower()
    if text in _PUBLISHED:
        return True
    if sum(map(str.isdigit, text)) > _MOST_DIGITS:
        return False
    letters = re.sub(r"[^a-z]", "", text)
    return bool(letters) and letters.isascii() and _is_made_of_words(letters)


def _is_made_of_words(letters: str) -> bool:
    reached = {0}
    for end in range(1, len(letters) + 1):
        if any(start in reached and letters[start:end] in _WORDS for start in range(max(0, end - _LONGEST_WORD), end)):
            reached.add(end)
    return len(letters) in reached


def is_monotonous(secret: str) -> bool:
    """Tell whether a long secret holds little that cannot be foreseen.

    Args:
        secret: The secret.

    Returns:
        Whether it has few different characters, is one text repeated, or counts up or down.
    """
    if len(set(secret)) < _FEW_CHARACTERS:
        return True
    if _repeats(secret):
        return True
    steps = [ord(after) - ord(before) for before, after in pairwise(secret)]
    return sum(step in (-1, 0, 1) for step in steps) > len(steps) * 3 // 4


def _repeats(secret: str) -> bool:
    """Tell whether a secret is a short text again and again, perhaps cut at its end."""
    return any(
        secret == (secret[:size] * (len(secret) // size + 1))[: len(secret)] for size in range(1, len(secret) // 2 + 1)
    )
