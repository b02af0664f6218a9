"""Claims, keys and ready-made tokens that every case of one process shares."""

import base64
import hmac
import time
import uuid
from dataclasses import dataclass
from functools import cache

import orjson
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

SECRET = "benchmark-secret-of-forty-eight-bytes-0123456789"
SUBJECT = "user-000042"
LIFETIME = 24 * 3600

# Four times what the library remembers by default, so that no token of a ring is met again in time.
RING = 4096
SMALL_RING = 128

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Claims = dict[str, object]


def claims() -> Claims:
    """What an access token carries: the same claims for every library."""
    now = int(time.time())
    return {
        "sub": SUBJECT,
        "jti": str(uuid.uuid4()),
        "iat": now,
        "exp": now + LIFETIME,
        "type": "access",
        "fresh": False,
        "csrf": str(uuid.uuid4()),
    }


@dataclass(frozen=True)
class Pair:
    """A key pair in the forms that libraries ask for."""

    private: PrivateKey

    @property
    def private_pem(self) -> str:
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @property
    def public_pem(self) -> str:
        public = self.private.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@cache
def pair(algorithm: str) -> Pair:
    """The process's key pair for an algorithm: made once, never written anywhere."""
    match algorithm:
        case "RS256":
            return Pair(rsa.generate_private_key(public_exponent=65537, key_size=2048))
        case "ES256":
            return Pair(ec.generate_private_key(ec.SECP256R1()))
        case "EdDSA":
            return Pair(ed25519.Ed25519PrivateKey.generate())
        case _:
            raise ValueError(algorithm)


def b64(data: bytes) -> bytes:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def signing_input(algorithm: str) -> bytes:
    """Header and claims of a new token, encoded and joined."""
    header = orjson.dumps({"alg": algorithm, "typ": "JWT"})
    return b64(header) + b"." + b64(orjson.dumps(claims()))


def raw_signature(algorithm: str, data: bytes) -> bytes:
    """Signs with the bare primitive, in the form RFC 7518 gives it."""
    if algorithm == "HS256":
        return hmac.digest(SECRET.encode(), data, "sha256")
    private = pair(algorithm).private
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(data, padding.PKCS1v15(), SHA256())
    if isinstance(private, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(private.sign(data, ec.ECDSA(SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)
    return private.sign(data)


@cache
def ring(algorithm: str) -> tuple[str, ...]:
    """Distinct tokens to walk through: with a shared secret enough to outlast any cache."""
    size = RING if algorithm == "HS256" else SMALL_RING
    tokens = []
    for _ in range(size):
        data = signing_input(algorithm)
        tokens.append((data + b"." + b64(raw_signature(algorithm, data))).decode())
    return tuple(tokens)


@cache
def encoded_ring(algorithm: str) -> tuple[bytes, ...]:
    """The same tokens as the bytes that a header brings."""
    return tuple(token.encode() for token in ring(algorithm))


def unb64(text: bytes) -> bytes:
    """Decodes base64url without padding."""
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
