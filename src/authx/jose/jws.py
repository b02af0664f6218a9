"""Compact JWS with a JSON object inside (RFC 7515, RFC 7519): the only code that trusts a signature.

`decode` answers one question: did one of our keys sign exactly these bytes, and what do they say? It
checks no time, no issuer, no audience and no type; `authx.core.claims` does.
"""

import re
from collections.abc import Mapping
from typing import Final

from authx.exceptions import BadConfigurationError, JWTDecodeError, TokenInvalidSignatureError
from authx.jose import base64url
from authx.jose.json_object import JSONObject, JSONValue, dump_object, load_object
from authx.jose.key import Key, KeyRing, header_segment

__all__ = ["decode", "encode", "read_unverified", "spellings"]

_TYPES: Final = frozenset({"jwt", "at+jwt"})
# Members that ask the verifier to do something else than check this signature with a key of its own.
_REFUSED: Final = frozenset({"crit", "b64", "zip", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256"})
_KID: Final = re.compile(r"[A-Za-z0-9._~:@+=-]{1,128}")


def encode(claims: JSONObject, key: Key, headers: Mapping[str, JSONValue] | None = None) -> str:
    """Sign claims, in the order given; what `decode` would not accept is refused."""
    if headers:
        header = header_segment(key.algorithm, key.kid, headers)
        problem = _problem_of({"alg": key.algorithm, **headers})
        if problem is not None or headers.get("alg", key.algorithm) != key.algorithm:
            raise ValueError(f"headers= cannot be used in a token: {problem or 'alg belongs to the key'}")
    else:
        header = key.header
    signing_input = header + b"." + base64url.encode(dump_object(claims))
    return (signing_input + b"." + key.sign(signing_input)).decode("ascii")


def decode(token: bytes, ring: KeyRing) -> JSONObject:
    """Verify a token's signature and read its claims, a new dictionary at each call."""
    signing_input, _, signature = token.rpartition(b".")
    header, _, payload = signing_input.partition(b".")
    known = ring.by_header.get(header)
    keys = _keys_for_header(header, ring) if known is None else known
    for key in keys:
        if key.verify(signing_input, signature):
            break
    else:
        raise TokenInvalidSignatureError("Signature verification failed")
    if known is None:
        # Only the holder of a key can make a header be remembered.
        ring.remember(header, keys)
    return _claims(payload)


def spellings(token: bytes, ring: KeyRing) -> list[bytes]:
    """List the texts that are as good as a verified token's: itself, and with ECDSA its twin.

    A list of revoked texts has to be asked about each.
    """
    signing_input, _, signature = token.rpartition(b".")
    keys = ring.by_header.get(signing_input.partition(b".")[0], ring.verifiers)
    signers = (key for key in keys if key.algorithm.startswith("ES") and key.verify(signing_input, signature))
    twins = [key.twin(signature) for key in signers]
    return [token, *(signing_input + b"." + twin for twin in twins if twin is not None)]


def read_unverified(token: bytes) -> JSONObject:
    """Read the claims of a token without asking who signed it."""
    parts = token.split(b".")
    if len(parts) != 3:
        raise JWTDecodeError("Invalid token: not three segments")
    _header(parts[0])
    return _claims(parts[1])


def _claims(payload: bytes) -> JSONObject:
    try:
        return load_object(base64url.decode(payload))
    except (ValueError, RecursionError):
        raise JWTDecodeError("Invalid token: the payload is not a strict JSON object") from None


def _header(segment: bytes) -> JSONObject:
    try:
        return load_object(base64url.decode(segment))
    except (ValueError, RecursionError):
        raise JWTDecodeError("Invalid token: the header is not a strict JSON object") from None


def _keys_for_header(segment: bytes, ring: KeyRing) -> tuple[Key, ...]:
    """Parse a header never seen before, and find the keys that its signature could be of."""
    if not ring.verifiers:
        raise BadConfigurationError(
            "no key verifies tokens here: set JWT_SECRET_KEY, or JWT_PUBLIC_KEY for an asymmetric algorithm"
        )
    header = _header(segment)
    problem = _problem_of(header)
    if problem is not None:
        raise JWTDecodeError(f"Invalid token: {problem}")
    algorithm, kid = header["alg"], header.get("kid")
    keys = ring.candidates(str(algorithm), None if kid is None else str(kid))
    if not keys:
        raise JWTDecodeError("Invalid token: the specified alg value is not allowed")
    return keys


def _problem_of(header: Mapping[str, JSONValue]) -> str | None:
    """Say what is wrong with a header, in constant texts: a client's header is never quoted."""
    if not isinstance(header.get("alg"), str):
        return "the header has no alg"
    if not _REFUSED.isdisjoint(header):
        return f"the header has a member that is not accepted ({', '.join(sorted(_REFUSED & header.keys()))})"
    typ = header.get("typ", "JWT")
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") not in _TYPES:
        return "the header's typ is neither JWT nor at+jwt"
    if not isinstance(header.get("cty", ""), str):
        return "the header's cty is not a text"
    if "kid" in header:
        kid = header["kid"]
        if not isinstance(kid, str) or _KID.fullmatch(kid) is None:
            return "the header's kid is not 1 to 128 characters of A-Z a-z 0-9 . _ ~ : @ + = -"
    return None
