"""A key pair of each kind, and how they look in PEM."""

from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from authx.jose import base64url

MAKERS = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "Ed448": ed448.Ed448PrivateKey.generate,
}
# Algorithm, kind of key, bytes of a signature.
ASYMMETRIC = [
    ("RS256", "RSA", 256),
    ("RS384", "RSA", 256),
    ("RS512", "RSA", 256),
    ("PS256", "RSA", 256),
    ("PS384", "RSA", 256),
    ("PS512", "RSA", 256),
    ("ES256", "P-256", 64),
    ("ES384", "P-384", 96),
    ("ES512", "P-521", 132),
    ("ES256K", "secp256k1", 64),
    ("EdDSA", "Ed25519", 64),
    ("EdDSA", "Ed448", 114),
]
KINDS = [pytest.param(algorithm, kind, size, id=f"{algorithm} {kind}") for algorithm, kind, size in ASYMMETRIC]


@cache
def private(kind: str) -> Any:
    return MAKERS[kind]()


def private_pem(key: Any, encryption: Any = None, form: Any = serialization.PrivateFormat.PKCS8) -> str:
    pem: bytes = key.private_bytes(serialization.Encoding.PEM, form, encryption or serialization.NoEncryption())
    return pem.decode()


def public_pem(key: Any) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    pem: bytes = key.public_key().public_bytes(serialization.Encoding.PEM, form)
    return pem.decode()


def flip(encoded: bytes, bit: int) -> bytes:
    """Change one bit of an encoded signature."""
    raw = bytearray(base64url.decode(encoded))
    raw[bit // 8 % len(raw)] ^= 1 << bit % 8
    return base64url.encode(bytes(raw))
