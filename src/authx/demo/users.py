"""Who may log in to the demo."""

import os
from collections.abc import Mapping
from hashlib import scrypt
from hmac import compare_digest
from typing import Final

__all__ = ["Users"]

_HASH_BYTES: Final = 32


class Users:
    """Users and hashes of their passwords, in memory."""

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._salt: Final = os.urandom(16)
        self._hashes: Final = {name: self._hash(password) for name, password in passwords.items()}
        self._nobody: Final = os.urandom(_HASH_BYTES)

    def accept(self, name: str, password: str) -> bool:
        """Return whether a password is the user's, in the same time for users who do not exist."""
        return compare_digest(self._hashes.get(name, self._nobody), self._hash(password))

    def _hash(self, password: str) -> bytes:
        return scrypt(password.encode("utf-8", "surrogatepass"), salt=self._salt, n=2**14, r=8, p=1, dklen=_HASH_BYTES)
