"""A token's text, taken apart: what is wrong with one that cannot be read."""

import re
from dataclasses import dataclass, field
from typing import Final, Literal

from authx.jose import base64url
from authx.jose.json_object import JSONObject, NotAnObjectError, load_object

__all__ = ["Parts", "UnreadableTokenError", "read"]

_SCHEME: Final = re.compile(r"^(?:authorization\s*:\s*)?(?:bearer\s+)?", re.IGNORECASE)
_FOREIGN: Final = re.compile(rb"[^A-Za-z0-9_-]")
_PARTS: Final = 3
_PARTS_ENCRYPTED: Final = 5
_NAMES: Final = {" ": "a space", "\t": "a tab", "\n": "a line break", "\r": "a line break", "=": "the padding ="}


class UnreadableTokenError(Exception):
    """A text is not a token; the message says why, and repeats no more of it than a character."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A readable token: the compact form, and its unverified header and claims."""

    raw: bytes = field(repr=False)
    header: JSONObject
    claims: JSONObject = field(repr=False)


def read(text: str, longest: int) -> Parts:
    """Take a token apart, with `Bearer` and white space before it or without; it has at most `longest` characters."""
    text = text.strip()
    token = _SCHEME.sub("", text, count=1)
    if not token:
        raise UnreadableTokenError("there is no token: the input is empty")
    if len(token) > longest:
        raise UnreadableTokenError(
            f"it has {len(token):,} characters, and tokens of more than {longest:,} are not looked at "
            "(JWT_MAX_TOKEN_BYTES)"
        )
    if token[0] in "\"'`" or token[-1] in "\"'`":
        raise UnreadableTokenError("there are quotes around it: leave them away")
    parts = token.encode("utf-8", "replace").split(b".")
    if len(parts) == _PARTS_ENCRYPTED:
        raise UnreadableTokenError("it has five parts: that is an encrypted token (JWE), and this library's are signed")
    if len(parts) != _PARTS:
        raise UnreadableTokenError(
            f"a token has three parts with dots between them, and this has {len(parts)}: was all of it copied?"
        )
    header, claims = _object(parts[0], "header"), _object(parts[1], "payload")
    _decoded(parts[2], "signature")
    return Parts(b".".join(parts), header, claims)


_Part = Literal["header", "payload", "signature"]


def _decoded(part: bytes, name: _Part) -> bytes:
    foreign = _FOREIGN.search(part)
    if foreign is not None:
        character = foreign[0].decode("ascii", "replace")
        called = _NAMES.get(character, f"the character {character!r}")
        raise UnreadableTokenError(f"its {name} is not base64url: it holds {called}")
    try:
        return base64url.decode(part)
    except ValueError:
        raise UnreadableTokenError(
            f"its {name} is not base64url: it ends in the middle of a byte. Was all of it copied?"
        ) from None


def _object(part: bytes, name: _Part) -> JSONObject:
    if not part:
        raise UnreadableTokenError(f"its {name} is empty")
    raw = _decoded(part, name)
    try:
        return load_object(raw)
    except NotAnObjectError:
        raise UnreadableTokenError(f"its {name} is JSON, but no object") from None
    except (ValueError, RecursionError) as error:
        reason = "a name occurs in it twice" if "twice" in str(error) else "it cannot be read as JSON in UTF-8"
        raise UnreadableTokenError(f"its {name} is no strict JSON object: {reason}") from None
