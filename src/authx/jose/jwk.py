"""JSON Web Keys (RFC 7517): out for publishing and naming, in for keys that come as JSON."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final, TypeAlias, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from authx.exceptions import BadConfigurationError
from authx.jose import base64url
from authx.jose.json_object import JSONObject, dump_object

__all__ = ["CURVES", "PrivateKey", "PublicKey", "private_or_public_key", "public_jwk", "thumbprint"]

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
_Edwards = TypeVar("_Edwards", ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)
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


def private_or_public_key(jwk: Mapping[str, object]) -> PrivateKey | PublicKey:
    """Read an asymmetric JWK; the private key where the JWK holds one."""
    try:
        kty, crv = jwk["kty"], jwk.get("crv")
        if kty == "RSA":
            return _rsa(jwk)
        if kty == "EC" and isinstance(crv, str):
            numbers = ec.EllipticCurvePublicNumbers(_number(jwk, "x"), _number(jwk, "y"), CURVES[crv])
            if "d" not in jwk:
                return numbers.public_key()
            return ec.EllipticCurvePrivateNumbers(_number(jwk, "d"), numbers).private_key()
        if kty == "OKP" and crv == "Ed25519":
            if "d" not in jwk:
                return ed25519.Ed25519PublicKey.from_public_bytes(_octets(jwk, "x"))
            return _matching(ed25519.Ed25519PrivateKey.from_private_bytes(_octets(jwk, "d")), jwk)
        if kty == "OKP" and crv == "Ed448":
            if "d" not in jwk:
                return ed448.Ed448PublicKey.from_public_bytes(_octets(jwk, "x"))
            return _matching(ed448.Ed448PrivateKey.from_private_bytes(_octets(jwk, "d")), jwk)
    except (KeyError, ValueError, TypeError):
        # The numbers of a private key have no place in a message.
        raise BadConfigurationError("the JWK is incomplete or its numbers are no key") from None
    raise BadConfigurationError("the JWK is of a type or curve that this library does not sign with")


def _rsa(jwk: Mapping[str, object]) -> rsa.RSAPrivateKey | rsa.RSAPublicKey:
    public = rsa.RSAPublicNumbers(_number(jwk, "e"), _number(jwk, "n"))
    if "d" not in jwk:
        return public.public_key()
    d = _number(jwk, "d")
    if "p" in jwk:
        p, q = _number(jwk, "p"), _number(jwk, "q")
    else:
        p, q = rsa.rsa_recover_prime_factors(public.n, public.e, d)
    return rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), public
    ).private_key()


def _matching(key: _Edwards, jwk: Mapping[str, object]) -> _Edwards:
    """Refuse a private key beside the public half of another one."""
    if key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) != _octets(jwk, "x"):
        raise ValueError("x")
    return key


def _octets(jwk: Mapping[str, object], name: str) -> bytes:
    value = jwk[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return base64url.decode(value.encode("ascii"))


def _number(jwk: Mapping[str, object], name: str) -> int:
    return int.from_bytes(_octets(jwk, name))


def _minimal(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


def _text(data: bytes) -> str:
    return base64url.encode(data).decode("ascii")
