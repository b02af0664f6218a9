"""Public keys as JSON Web Keys (RFC 7517), to publish and to name them."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from authx.jose import base64url
from authx.jose.json_object import JSONObject, dump_object

__all__ = ["CURVES", "PrivateKey", "PublicKey", "public_jwk", "thumbprint"]

PrivateKey: TypeAlias = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
)
PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
# By the names that JWKs give them.
CURVES: Final[dict[str, ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
    "secp256k1": ec.SECP256K1(),
}
_CURVE_NAMES: Final = {curve.name: name for name, curve in CURVES.items()}
_REQUIRED: Final = {
    "RSA": ("e", "kty", "n"),
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
    "oct": ("k", "kty"),
}


def public_jwk(key: PublicKey) -> JSONObject:
    """Write a public key as a JWK with its required members (RFC 7518 section 6, RFC 8037 section 2)."""
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        size = (key.key_size + 7) // 8
        return {"kty": "RSA", "n": _text(numbers.n.to_bytes(size)), "e": _text(_minimal(numbers.e))}
    if isinstance(key, ec.EllipticCurvePublicKey):
        point = key.public_numbers()
        size = (key.key_size + 7) // 8
        crv = _CURVE_NAMES[key.curve.name]
        return {
            "kty": "EC",
            "crv": crv,
            "x": _text(point.x.to_bytes(size)),
            "y": _text(point.y.to_bytes(size)),
        }
    crv = "Ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else "Ed448"
    return {"kty": "OKP", "crv": crv, "x": _text(key.public_bytes(Encoding.Raw, PublicFormat.Raw))}


def thumbprint(jwk: Mapping[str, object]) -> str:
    """Compute a key's thumbprint (RFC 7638 section 3) with SHA-256."""
    try:
        required: JSONObject = {name: str(jwk[name]) for name in _REQUIRED[str(jwk["kty"])]}
    except KeyError as error:
        raise ValueError(f"not a JWK this library knows: {error} is missing or unknown") from None
    return _text(sha256(dump_object(required)).digest())


def _minimal(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


def _text(data: bytes) -> str:
    return base64url.encode(data).decode("ascii")
