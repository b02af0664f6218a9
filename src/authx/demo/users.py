"""Who may log in to the demo."""

import os
from collections.abc import Mapping
from hashlib import scrypt
from hmac import compare_digest
from typing import Final

__all__ = ["Users"]

_HASH_BYTES: Final = 32


class Users:
    """Names and hashed passwords, in memory.

    Args:
        passwords: Each user's password, in clear; only hashes of them are kept.
    """

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._salt: Final = os.urandom(16)
        self._hashes: Final = {name: self._hash(password) for name, password in passwords.items()}
        self._nobody: Final = os.urandom(_HASH_BYTES)

    def accept(self, name: str, password: str) -> bool:
        """Compare a password, with as much work for a user who does not exist as for one who does.

        Args:
            name: The user's name.
            password: What was given as the password.

        Returns:
            Whether it is theirs.
        """
        return compare_digest(self._hashes.get(name, self._nobody), self._hash(password))

    def _hash(self, password: str) -> bytes:
        return scrypt(password.encode("utf-8", "surrogatepass"), salt=self._salt, n=2**14, r=8, p=1, dklen=_HASH_BYTES)
