"""How the names of a store's tables, channels and keys begin, and how each login type gets names of its own."""

import re
from hashlib import sha256
from typing import Final

from authx.exceptions import BadConfigurationError

__all__ = ["NamespacePrefix", "namespace_prefix", "require_prefix"]

# PostgreSQL cuts names after 63 bytes, silently. The longest name that follows a prefix has 19.
_LONGEST: Final = 32
_LONGEST_OF_NAMESPACE: Final = 40
# Databases ignore the case of names, so capital letters could make two login types one.
_PLAIN: Final = re.compile(r"[a-z0-9]{1,16}")


class NamespacePrefix(str):
    """The prefix of a login type's namespace, which only `namespace_prefix` makes."""

    __slots__ = ()


def require_prefix(prefix: str) -> str:
    """Return a prefix, or refuse one that is not safe to write into SQL and into the keys of a Redis cluster."""
    if isinstance(prefix, NamespacePrefix):
        return prefix
    if not (isinstance(prefix, str) and prefix.isascii() and prefix.isidentifier() and len(prefix) <= _LONGEST):
        raise BadConfigurationError(
            f"The prefix {prefix!r} (JWT_STORE_PREFIX) must begin with a letter and hold at most {_LONGEST} letters, "
            "digits and _."
        )
    if "__" in prefix:
        raise BadConfigurationError(
            f"The prefix {prefix!r} (JWT_STORE_PREFIX) must not hold two _ in a row: they begin a login type."
        )
    return prefix


def namespace_prefix(prefix: str, name: str) -> NamespacePrefix:
    """Extend a store's prefix by the name of a namespace, which may be any text.

    Two names never give the same prefix, and no name gives that of a store without a namespace. A short name of
    lower-case letters and digits stays readable: `authx_` and `admin` make `authx__admin_`. Of any other, what is
    readable is followed by a hash.
    """
    # The characters of a string enumeration's member; formatting would write its name.
    part = name = str.__str__(name)
    if not _PLAIN.fullmatch(name):
        readable = "".join(re.findall(r"[a-z0-9]", name))[:8] or "x"
        part = f"{readable}_{_hash(name)}"
    extended = f"{prefix}_{part}_"
    # Where the prefix does not end with _, the one that is added here would not be the second of two.
    if not prefix.endswith("_") or len(extended) > _LONGEST_OF_NAMESPACE:
        # A prefix has no slash, so no other pair reads like this one.
        extended = f"{prefix[:12].rstrip('_')}__{_hash(f'{prefix}/{name}', 24)}_"
    return NamespacePrefix(extended)


def _hash(text: str, digits: int = 16) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]
