"""Asymmetric keys: RSA (PKCS #1 v1.5 and PSS), ECDSA and EdDSA, on prebuilt `cryptography` objects."""

from collections.abc import Callable
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from authx.exceptions import BadConfigurationError
from authx.jose import base64url
from authx.jose.jwk import CURVES, PrivateKey, PublicKey, public_jwk, thumbprint
from authx.jose.key import UnfittingKeyError, header_segment
from authx.jose.pem import read_key

__all__ = ["AsymmetricKey", "PrivateKey", "PublicKey", "load_pem"]

_Sign: TypeAlias = Callable[[bytes], bytes]
_Verify: TypeAlias = Callable[[bytes, bytes], None]

_MIN_RSA_BITS: Final = 2048
_HASHES: Final[dict[str, Callable[[], hashes.HashAlgorithm]]] = {
    "256": hashes.SHA256,
    "384": hashes.SHA384,
    "512": hashes.SHA512,
}
_CURVES: Final = {
    "ES256": CURVES["P-256"],
    "ES384": CURVES["P-384"],
    "ES512": CURVES["P-521"],
    "ES256K": CURVES["secp256k1"],
}
_ALGORITHMS: Final = {"EdDSA", *_CURVES} | {f"{family}{bits}" for family in ("RS", "PS") for bits in _HASHES}
# The orders of the curves' base points (SEC 2, sections 2.4.1, 2.4.2, 2.5.1 and 2.6.1).
_ORDERS: Final = {
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES256K": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    "ES384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "ES512": int(
        "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
        "FA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409",
        16,
    ),
}


class AsymmetricKey:
    """A private or public key with the one algorithm it may be used with."""

    __slots__ = ("_sign", "_signature_length", "_verify", "algorithm", "can_sign", "header", "kid", "public")

    def __init__(self, key: PrivateKey | PublicKey, algorithm: str, kid: str | None = None) -> None:
        private = None if isinstance(key, PublicKey) else key
        public = key if isinstance(key, PublicKey) else key.public_key()
        sign, verify, size = _operations(private, public, algorithm)
        self._sign = sign
        self._verify = verify
        self._signature_length = -(-size * 4 // 3)
        self.public = public
        self.algorithm = algorithm
        self.kid: str | None = kid or thumbprint(public_jwk(public))
        self.can_sign = sign is not None
        self.header = header_segment(algorithm, self.kid)

    def sign(self, signing_input: bytes) -> bytes:
        """Return the encoded signature of `header.payload`."""
        if self._sign is None:
            raise BadConfigurationError(f"this {self.algorithm} key is public: it can verify, not sign")
        return base64url.encode(self._sign(signing_input))

    def verify(self, signing_input: bytes, signature: bytes) -> bool:
        """Return whether an encoded signature is this key's."""
        if len(signature) != self._signature_length:
            return False
        try:
            self._verify(base64url.decode(signature), signing_input)
        except (InvalidSignature, ValueError):
            return False
        return True

    def twin(self, signature: bytes) -> bytes | None:
        """Return the signature (r, n - s) of an ECDSA signature (r, s): anyone who sees one can compute the other."""
        order = _ORDERS.get(self.algorithm)
        if order is None:
            return None
        raw = base64url.decode(signature)
        half = len(raw) // 2
        return base64url.encode(raw[:half] + (order - int.from_bytes(raw[half:])).to_bytes(half))

    def __repr__(self) -> str:
        return f"AsymmetricKey(algorithm={self.algorithm!r}, kid={self.kid!r}, can_sign={self.can_sign})"


def _operations(private: PrivateKey | None, public: PublicKey, algorithm: str) -> tuple[_Sign | None, _Verify, int]:
    """Bind the two operations and the length of a signature in bytes."""
    family = algorithm[:2]
    if algorithm not in _ALGORITHMS:
        raise BadConfigurationError(f"{algorithm} is no algorithm that signs with a key pair")
    if family in ("RS", "PS") and isinstance(public, rsa.RSAPublicKey):
        assert private is None or isinstance(private, rsa.RSAPrivateKey)  # noqa: S101 - halves of one key
        return _rsa(private, public, algorithm)
    if family == "ES" and isinstance(public, ec.EllipticCurvePublicKey):
        assert private is None or isinstance(private, ec.EllipticCurvePrivateKey)  # noqa: S101 - the same
        return _ecdsa(private, public, algorithm)
    if algorithm == "EdDSA" and isinstance(public, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        assert private is None or isinstance(private, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)  # noqa: S101
        size = 64 if isinstance(public, ed25519.Ed25519PublicKey) else 114
        return (private.sign if private else None), public.verify, size
    kind = type(public).__name__.removesuffix("PublicKey").lstrip("_")
    raise UnfittingKeyError(f"{algorithm} cannot use this key, which is of type {kind}: {_advice(public)}")


def _advice(public: PublicKey) -> str:
    """Say which algorithm a key fits."""
    if isinstance(public, rsa.RSAPublicKey):
        fitting = "RS256"
    elif isinstance(public, ec.EllipticCurvePublicKey):
        fitting = next((name for name, curve in _CURVES.items() if curve.name == public.curve.name), "")
    else:
        fitting = "EdDSA"
    return f"set JWT_ALGORITHM={fitting}, or pass another key" if fitting else "pass another key"


def _rsa(
    private: rsa.RSAPrivateKey | None, public: rsa.RSAPublicKey, algorithm: str
) -> tuple[_Sign | None, _Verify, int]:
    if public.key_size < _MIN_RSA_BITS:
        raise BadConfigurationError(
            f"{algorithm} needs an RSA key of at least {_MIN_RSA_BITS} bits (RFC 7518 section 3.3); "
            f"this one has {public.key_size}"
        )
    digest = _HASHES[algorithm[2:]]()
    scheme: padding.PSS | padding.PKCS1v15 = (
        padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH) if algorithm[0] == "P" else padding.PKCS1v15()
    )
    verify_with = public.verify

    def verify(signature: bytes, data: bytes) -> None:
        verify_with(signature, data, scheme, digest)

    size = (public.key_size + 7) // 8
    if private is None:
        return None, verify, size
    sign_with = private.sign
    return (lambda data: sign_with(data, scheme, digest)), verify, size


def _ecdsa(
    private: ec.EllipticCurvePrivateKey | None, public: ec.EllipticCurvePublicKey, algorithm: str
) -> tuple[_Sign | None, _Verify, int]:
    curve = _CURVES[algorithm]
    if public.curve.name != curve.name:
        raise UnfittingKeyError(
            f"{algorithm} needs a key on curve {curve.name}, and this one is on {public.curve.name}: {_advice(public)}"
        )
    digest = _HASHES[algorithm[2:5]]()
    half = (public.key_size + 7) // 8
    plain = ec.ECDSA(digest)
    verify_with = public.verify

    def verify(signature: bytes, data: bytes) -> None:
        r, s = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
        verify_with(encode_dss_signature(r, s), data, plain)

    if private is None:
        return None, verify, 2 * half
    sign_with, scheme = private.sign, _signing_scheme(private, digest)

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(sign_with(data, scheme))
        return r.to_bytes(half) + s.to_bytes(half)

    return sign, verify, 2 * half


def _signing_scheme(private: ec.EllipticCurvePrivateKey, digest: hashes.HashAlgorithm) -> ec.ECDSA:
    """Prefer deterministic signatures (RFC 6979): the same claims give the same token again."""
    deterministic = ec.ECDSA(digest, deterministic_signing=True)
    try:
        private.sign(b"", deterministic)
    except UnsupportedAlgorithm:  # OpenSSL before 3.2
        return ec.ECDSA(digest)
    return deterministic


def load_pem(pem: str | bytes, algorithm: str, kid: str | None = None) -> AsymmetricKey:
    """Read a PEM key; see `authx.jose.key.key_from_pem`."""
    key = read_key(pem)
    if not isinstance(key, PrivateKey | PublicKey):
        raise BadConfigurationError(f"{algorithm} cannot use a key of type {type(key).__name__}")
    return AsymmetricKey(key, algorithm, kid)
