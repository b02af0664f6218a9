"""The least work that verifies and signs: no library around the primitives."""

import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Iterator

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks import tokens
from benchmarks.cases import Case
from benchmarks.micro import forged_bytes, micro_case

SUBJECT = "floor"

_SECRET = tokens.SECRET.encode()
_HEADER = tokens.b64(orjson.dumps({"alg": "HS256", "typ": "JWT"})) + b"."
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_TO_URL = bytes.maketrans(b"+/", b"-_")

_BLOCK = _SECRET.ljust(64, b"\0")
_INNER = hashlib.sha256(bytes(byte ^ 0x36 for byte in _BLOCK))
_OUTER = hashlib.sha256(bytes(byte ^ 0x5C for byte in _BLOCK))

Signed = tuple[bytes, bytes]


class RefusedError(Exception):
    """The token is not valid."""


def verify(raw: bytes) -> tokens.Claims:
    """Verifies an HS256 token with `hmac.digest`, strictly, and checks `exp`."""
    end = raw.rfind(b".")
    signature = hmac.digest(_SECRET, raw[:end], "sha256")
    # Comparing the text, not the bytes, leaves one spelling of a signature.
    text = binascii.b2a_base64(signature, newline=False).translate(_TO_URL, b"=")
    if not hmac.compare_digest(text, raw[end + 1 :]) or not raw.startswith(_HEADER):
        raise RefusedError
    payload = raw[len(_HEADER) : end]
    claims: tokens.Claims = orjson.loads(binascii.a2b_base64(payload.translate(_FROM_URL) + b"=="))
    expires = claims["exp"]
    if not isinstance(expires, int) or expires <= time.time():
        raise RefusedError
    return claims


def verify_prekeyed(raw: bytes) -> tokens.Claims:
    """The same, with the key already in two hash states."""
    end = raw.rfind(b".")
    inner, outer = _INNER.copy(), _OUTER.copy()
    inner.update(raw[:end])
    outer.update(inner.digest())
    text = binascii.b2a_base64(outer.digest(), newline=False).translate(_TO_URL, b"=")
    if not hmac.compare_digest(text, raw[end + 1 :]) or not raw.startswith(_HEADER):
        raise RefusedError
    payload = raw[len(_HEADER) : end]
    claims: tokens.Claims = orjson.loads(binascii.a2b_base64(payload.translate(_FROM_URL) + b"=="))
    expires = claims["exp"]
    if not isinstance(expires, int) or expires <= time.time():
        raise RefusedError
    return claims


def sign(claims: tokens.Claims) -> str:
    """Signs with HS256: JSON, base64, HMAC."""
    payload = binascii.b2a_base64(orjson.dumps(claims), newline=False).translate(_TO_URL, b"=")
    data = _HEADER + payload
    signature = binascii.b2a_base64(hmac.digest(_SECRET, data, "sha256"), newline=False)
    return (data + b"." + signature.translate(_TO_URL, b"=")).decode("ascii")


def _verifier(algorithm: str) -> Callable[[Signed], bool]:
    public = tokens.pair(algorithm).private.public_key()
    scheme, hashing, ecdsa = padding.PKCS1v15(), SHA256(), ec.ECDSA(SHA256())
    if isinstance(public, rsa.RSAPublicKey):
        rsa_verify = public.verify

        def check_rsa(signed: Signed) -> bool:
            rsa_verify(signed[0], signed[1], scheme, hashing)
            return True

        return check_rsa
    if isinstance(public, ec.EllipticCurvePublicKey):
        ec_verify = public.verify

        def check_ec(signed: Signed) -> bool:
            ec_verify(signed[0], signed[1], ecdsa)
            return True

        return check_ec
    ed_verify = public.verify

    def check_ed(signed: Signed) -> bool:
        ed_verify(signed[0], signed[1])
        return True

    return check_ed


def _converting_verifier() -> Callable[[Signed], bool]:
    verify_der = _verifier("ES256")

    def check(signed: Signed) -> bool:
        raw = signed[0]
        der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
        return verify_der((der, signed[1]))

    return check


def _signer(algorithm: str) -> Callable[[bytes], bytes]:
    private = tokens.pair(algorithm).private
    if isinstance(private, rsa.RSAPrivateKey):
        scheme, hashing, rsa_sign = padding.PKCS1v15(), SHA256(), private.sign
        return lambda data: rsa_sign(data, scheme, hashing)
    if isinstance(private, ec.EllipticCurvePrivateKey):
        ecdsa, ec_sign = ec.ECDSA(SHA256()), private.sign
        return lambda data: ec_sign(data, ecdsa)
    assert isinstance(private, ed25519.Ed25519PrivateKey)
    return private.sign


def _converting_signer() -> Callable[[bytes], bytes]:
    sign_der = _signer("ES256")

    def convert(data: bytes) -> bytes:
        r, s = decode_dss_signature(sign_der(data))
        return r.to_bytes(32) + s.to_bytes(32)

    return convert


def _refuses(verify_raw: Callable[[Signed], bool], signed: Signed) -> bool:
    try:
        return not verify_raw((signed[0], signed[1] + b"x"))
    except InvalidSignature:
        return True


def _is_ours(result: object) -> bool:
    return isinstance(result, dict) and result["sub"] == tokens.SUBJECT


def _asymmetric(algorithm: str) -> Iterator[Case]:
    inputs = [tokens.signing_input(algorithm) for _ in range(tokens.SMALL_RING)]
    sign_raw = _signer(algorithm)
    signed = [(sign_raw(data), data) for data in inputs]
    check = _verifier(algorithm)
    if not _refuses(check, signed[0]):
        raise RefusedError(algorithm)
    form = " (DER)" if algorithm == "ES256" else ""
    yield micro_case(f"{algorithm} verify floor", SUBJECT, f"raw verify{form}", check, signed, accept=bool)
    yield micro_case(f"{algorithm} sign floor", SUBJECT, f"raw sign{form}", sign_raw, inputs, accept=bool)
    if algorithm == "ES256":
        convert = _converting_signer()
        yield micro_case(
            "ES256 verify floor converted",
            SUBJECT,
            "r and s to DER, raw verify",
            _converting_verifier(),
            [(convert(data), data) for data in inputs],
            accept=bool,
            baseline="ES256 verify floor",
        )
        yield micro_case(
            "ES256 sign floor converted",
            SUBJECT,
            "raw sign, DER to r and s",
            convert,
            inputs,
            accept=bool,
            baseline="ES256 sign floor",
        )


def cases() -> Iterable[Case]:
    """The floors of every algorithm."""
    ring = tokens.encoded_ring("HS256")
    yield micro_case(
        "HS256 verify floor",
        SUBJECT,
        "header match, hmac.digest, base64, orjson, exp",
        verify,
        ring,
        accept=_is_ours,
        refuse=forged_bytes(ring[0]),
    )
    yield micro_case(
        "HS256 verify floor prekeyed",
        SUBJECT,
        "the same with pre-keyed SHA-256",
        verify_prekeyed,
        ring,
        accept=_is_ours,
        refuse=forged_bytes(ring[0]),
        baseline="HS256 verify floor",
    )
    yield micro_case(
        "HS256 sign floor",
        SUBJECT,
        "orjson, base64, hmac.digest",
        sign,
        [tokens.claims() for _ in range(tokens.SMALL_RING)],
        accept=lambda token: isinstance(token, str) and _is_ours(verify(token.encode())),
    )
    for algorithm in ("RS256", "ES256", "EdDSA"):
        yield from _asymmetric(algorithm)
