"""Tokens made by hand, of any bytes at all, with nothing of the library."""

import base64
import hmac
import json
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SECRET = "a secret of more than thirty-two letters for the door"
OTHER_SECRET = "another secret of more than thirty-two letters, too"
NOW = 1_900_000_000
DROP = object()
HEADER = {"alg": "HS256", "typ": "JWT"}
CSRF = "the-value-of-this-session"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


def b64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def text(value: Any) -> bytes:
    """Writes JSON, unless it is bytes already."""
    return value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a good access token of now, with some changed or dropped."""
    good = {
        "sub": "user",
        "jti": "5f0b9d0e-7a44-4b43-9c55-0d3a3f2d9b11",
        "type": "access",
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 900,
        "fresh": False,
        "csrf": CSRF,
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not DROP}


def unsigned(header: Any = HEADER, payload: Any = None) -> bytes:
    return b64(text(header)) + b"." + b64(text(claims() if payload is None else payload))


def signed(signing_input: bytes, secret: str | bytes = SECRET, digest: str = "sha256") -> bytes:
    raw = secret.encode() if isinstance(secret, str) else secret
    return signing_input + b"." + b64(hmac.digest(raw, signing_input, digest))


def token(header: Any = HEADER, payload: Any = None, secret: str | bytes = SECRET, digest: str = "sha256") -> bytes:
    """A token that is good in everything but what is given."""
    return signed(unsigned(header, payload), secret, digest)


def access(**changes: Any) -> bytes:
    return token(payload=claims(**changes))


def refresh(**changes: Any) -> bytes:
    return token(payload=claims(**{"type": "refresh", "fresh": DROP, "exp": NOW + 9000} | changes))


def with_header(**members: Any) -> bytes:
    return token({**HEADER, **members})


def spliced(payload: bytes, extra: bytes) -> bytes:
    """A payload with one more member, written as it stands."""
    return payload[:-1] + b"," + extra + b"}"


def raw_claims(extra: bytes) -> bytes:
    """A token whose payload has one more member, written as it stands."""
    return token(payload=spliced(text(claims()), extra))


def raw_claim(name: str, value: bytes) -> bytes:
    """A token in which one claim's value is written as it stands."""
    return token(payload=spliced(text(claims(**{name: DROP})), f'"{name}":'.encode() + value))


def of_size(size: int) -> bytes:
    """A good token of exactly so many bytes."""
    for padding_of_header in ("", "x", "xx"):
        made = token({**HEADER, "x": padding_of_header}, claims(filling=""))
        missing = (size - len(made)) * 3 // 4
        for filling in range(missing - 3, missing + 4):
            made = token({**HEADER, "x": padding_of_header}, claims(filling="x" * filling))
            if len(made) == size:
                return made
    raise AssertionError(f"no token has exactly {size} bytes")


# Key pairs


@cache
def rsa_pair() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_pair(curve: str = "secp256r1") -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key({"secp256r1": ec.SECP256R1(), "secp384r1": ec.SECP384R1()}[curve])


@cache
def ed25519_pair() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def pem(pair: Any) -> str:
    return pair.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def rs256(signing_input: bytes | None = None, *, pss: bool = False) -> bytes:
    data = signing_input or unsigned({"alg": "RS256"})
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if pss else padding.PKCS1v15()
    return data + b"." + b64(rsa_pair().sign(data, scheme, hashes.SHA256()))


def numbers(signing_input: bytes, pair: ec.EllipticCurvePrivateKey | None = None) -> tuple[int, int]:
    return decode_dss_signature((pair or ec_pair()).sign(signing_input, ec.ECDSA(hashes.SHA256())))


def es256(r: int | None = None, s: int | None = None, *, payload: Any = None) -> bytes:
    """An ES256 token, with one or both halves of the signature replaced."""
    data = unsigned({"alg": "ES256"}, payload)
    good_r, good_s = numbers(data)
    halves = (good_r if r is None else r, good_s if s is None else s)
    return data + b"." + b64(b"".join(half.to_bytes(32) for half in halves))


def es256_twin(made: bytes) -> bytes:
    """The same token with the other signature that ECDSA takes for it."""
    data, _, signature = made.rpartition(b".")
    raw = base64.urlsafe_b64decode(signature + b"==")
    return data + b"." + b64(raw[:32] + (P256_ORDER - int.from_bytes(raw[32:])).to_bytes(32))


def es256_in_der() -> bytes:
    data = unsigned({"alg": "ES256"})
    return data + b"." + b64(encode_dss_signature(*numbers(data)))


def es256_of_length(length: int) -> bytes:
    data, _, signature = es256().rpartition(b".")
    return data + b"." + b64(base64.urlsafe_b64decode(signature + b"==").ljust(length, b"\0")[:length])


def es256_by_p384() -> bytes:
    data = unsigned({"alg": "ES256"})
    return data + b"." + b64(b"".join(half.to_bytes(48) for half in numbers(data, ec_pair("secp384r1"))))


def eddsa(*, beyond_order: bool = False) -> bytes:
    data = unsigned({"alg": "EdDSA"})
    raw = ed25519_pair().sign(data)
    if beyond_order:
        raw = raw[:32] + (int.from_bytes(raw[32:], "little") + ED25519_ORDER).to_bytes(32, "little")
    return data + b"." + b64(raw)


def by_public_key(pair: Any, form: str, header: Any = HEADER) -> bytes:
    """A token whose HMAC secret is what everybody may know of a key pair."""
    public = pair.public_key()
    secrets = {
        "PEM": lambda: public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "PEM without its last newline": lambda: public.public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        ).strip(),
        "DER": lambda: public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "OpenSSH": lambda: public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "modulus": lambda: public.public_numbers().n.to_bytes(256),
        "JWK": lambda: text({"e": "AQAB", "kty": "RSA", "n": b64(public.public_numbers().n.to_bytes(256)).decode()}),
    }
    return token(header, secret=secrets[form]())


def by_embedded_key() -> bytes:
    """A token signed by a key of its own, which it brings along."""
    own = rsa.generate_private_key(65537, 2048)
    modulus = b64(own.public_key().public_numbers().n.to_bytes(256)).decode()
    data = unsigned({"alg": "RS256", "jwk": {"kty": "RSA", "e": "AQAB", "n": modulus}})
    return data + b"." + b64(own.sign(data, padding.PKCS1v15(), hashes.SHA256()))
