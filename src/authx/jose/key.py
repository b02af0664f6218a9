"""Keys: each belongs to one algorithm, and a ring of them knows which may have made a signature."""

from collections.abc import Iterable, Mapping
from hashlib import sha256, sha384, sha512
from hmac import compare_digest
from typing import Final, Protocol, TypeAlias

from authx.exceptions import BadConfigurationError
from authx.jose import base64url
from authx.jose.json_object import JSONValue, dump_object

__all__ = ["Key", "KeyRing", "SecretKey", "UnfittingKeyError", "key_from_pem", "key_from_secret"]

_HASHES: Final = {"HS256": sha256, "HS384": sha384, "HS512": sha512}
_MAX_REMEMBERED_HEADERS: Final = 64
_Headers: TypeAlias = Mapping[str, JSONValue]


class UnfittingKeyError(BadConfigurationError):
    """The key is good, but of another kind than its algorithm uses."""


class Key(Protocol):
    """What signs, verifies, or both, with one algorithm."""

    # The `alg` of everything this key signs (RFC 7518 section 3.1).
    algorithm: str
    kid: str | None
    # Whether the private half is here.
    can_sign: bool
    # The encoded header segment of tokens this key signs.
    header: bytes

    def sign(self, signing_input: bytes) -> bytes:
        """Return the encoded signature of `header.payload`."""
        ...

    def verify(self, signing_input: bytes, signature: bytes) -> bool:
        """Return whether an encoded signature is this key's, over exactly these bytes."""
        ...

    def twin(self, signature: bytes) -> bytes | None:
        """Return the other encoded signature that is as good for the same bytes, if the algorithm has one."""
        ...


def header_segment(algorithm: str, kid: str | None, extra: _Headers | None = None) -> bytes:
    """Encode a JOSE header; `extra` may replace `typ` and `kid`."""
    header: dict[str, JSONValue] = {"alg": algorithm, "typ": "JWT"}
    if kid is not None:
        header["kid"] = kid
    if extra:
        header.update(extra)
    return base64url.encode(dump_object(header))


class SecretKey:
    """An HMAC key (RFC 7518 section 3.2); the hash states are keyed once, and each use copies them."""

    __slots__ = ("_inner", "_outer", "algorithm", "can_sign", "header", "kid")

    def __init__(self, secret: bytes, algorithm: str, kid: str | None = None) -> None:
        make = _HASHES[algorithm]
        block = make().block_size
        padded = (make(secret).digest() if len(secret) > block else secret).ljust(block, b"\0")
        self._inner = make(bytes(byte ^ 0x36 for byte in padded))
        self._outer = make(bytes(byte ^ 0x5C for byte in padded))
        self.algorithm = algorithm
        self.kid = kid
        self.can_sign = True
        self.header = header_segment(algorithm, kid)

    def sign(self, signing_input: bytes) -> bytes:
        """Return the encoded MAC of `header.payload`."""
        inner = self._inner.copy()
        inner.update(signing_input)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return base64url.encode(outer.digest())

    def verify(self, signing_input: bytes, signature: bytes) -> bool:
        """Return whether an encoded MAC is this key's; the encoded texts are compared, in constant time."""
        # `sign`, written out: it runs for each token that is new.
        inner = self._inner.copy()
        inner.update(signing_input)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return compare_digest(base64url.encode(outer.digest()), signature)

    def twin(self, signature: bytes) -> bytes | None:  # noqa: ARG002
        """Return nothing: a MAC is unique."""
        return None

    def __repr__(self) -> str:
        return f"SecretKey(algorithm={self.algorithm!r}, kid={self.kid!r})"


class KeyRing:
    """One key signs, all verify; the token's header chooses among them, never the algorithm of a key."""

    __slots__ = ("by_header", "signer", "verifiers")

    def __init__(self, signer: Key | None, verifiers: Iterable[Key]) -> None:
        self.signer = signer
        self.verifiers = tuple(verifiers)
        self.by_header: dict[bytes, tuple[Key, ...]] = {}
        for key in self.verifiers:
            for kid in {key.kid, None}:
                self.remember(header_segment(key.algorithm, kid), self.candidates(key.algorithm, kid))

    def candidates(self, algorithm: str, kid: str | None) -> tuple[Key, ...]:
        """Find the keys that may have signed a token: the one with its `kid`, else all of its algorithm."""
        fitting = tuple(key for key in self.verifiers if key.algorithm == algorithm)
        named = tuple(key for key in fitting if kid is not None and key.kid == kid)
        return named or fitting

    def remember(self, header: bytes, keys: tuple[Key, ...]) -> None:
        """Keep the answer for a header segment; call it only for headers whose signature was good."""
        if len(self.by_header) < _MAX_REMEMBERED_HEADERS:
            self.by_header[header] = keys

    def __repr__(self) -> str:
        return f"KeyRing(signer={self.signer!r}, verifiers={self.verifiers!r})"


def key_from_secret(secret: str | bytes, algorithm: str, kid: str | None = None) -> SecretKey:
    """Make an HMAC key; a text is taken as UTF-8."""
    raw = secret.encode("utf-8", "surrogatepass") if isinstance(secret, str) else secret
    if algorithm not in _HASHES:
        raise BadConfigurationError(f"{algorithm} does not sign with a secret; it needs a key pair in PEM form")
    if not raw.strip():
        raise BadConfigurationError("the secret is empty; make one with: authx secret, or: openssl rand -base64 48")
    if b"-----BEGIN " in raw or raw.startswith((b"ssh-rsa ", b"ssh-ed25519 ", b"ecdsa-sha2-")):
        # Anyone who has the public key could sign with it as a secret (RFC 8725 section 2.1).
        raise BadConfigurationError(
            f"The secret for {algorithm} is a PEM or SSH key; use an asymmetric algorithm with it, or a random secret"
        )
    return SecretKey(raw, algorithm, kid)


def key_from_pem(pem: str | bytes, algorithm: str, kid: str | None = None) -> Key:
    """Read a private or public key in PEM form; its id is by default its thumbprint (RFC 7638)."""
    # Only those who use asymmetric keys pay for importing them.
    from authx.jose.asymmetric_key import load_pem

    return load_pem(pem, algorithm, kid)
