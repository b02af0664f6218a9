"""authx's own codec, and the verifier above it that also checks the claims and remembers tokens."""

from collections.abc import Callable, Iterable, Iterator
from time import time

from authx.jose import jws
from authx.jose.json_object import JSONObject
from authx.jose.key import Key, KeyRing, key_from_pem, key_from_secret
from authx.tokens.verifier import Verified, Verifier
from benchmarks import tokens
from benchmarks.cases import Case
from benchmarks.micro import forged_bytes, micro_case

SUBJECT = "authx"
PREFIX = b"Bearer "


def _key(algorithm: str) -> Key:
    if algorithm == "HS256":
        return key_from_secret(tokens.SECRET, algorithm)
    return key_from_pem(tokens.pair(algorithm).private_pem, algorithm)


def _decoder(ring: KeyRing) -> Callable[[bytes], JSONObject]:
    """The codec, and `exp` as the floor checks it."""
    decode = jws.decode

    def verify(token: bytes) -> JSONObject:
        claims = decode(token, ring)
        expires = claims["exp"]
        if not isinstance(expires, int) or expires <= time():
            raise ValueError(expires)
        return claims

    return verify


def _verifier(ring: KeyRing) -> Callable[[bytes], Verified]:
    """Everything that a dependency asks of a token's own text, nothing remembered."""
    verify = Verifier(ring, remember=0).verify
    return lambda token: verify(token, time())


def _remembering(ring: KeyRing) -> Callable[[bytes], Verified]:
    """The same for a token met before, cut out of its header each time as in a request."""
    verify = Verifier(ring, remember=1024).verify
    start = len(PREFIX)
    return lambda header: verify(header[start:], time())


def _is_ours(result: object) -> bool:
    claims = result.claims if isinstance(result, Verified) else result
    return isinstance(claims, dict) and claims["sub"] == tokens.SUBJECT


def _verifying(algorithm: str, ring: KeyRing) -> Iterator[Case]:
    given = tokens.encoded_ring(algorithm)
    for what, title, function in (
        ("", "jws.decode, exp", _decoder(ring)),
        (" whole", "Verifier, nothing remembered", _verifier(ring)),
    ):
        yield micro_case(
            f"{algorithm} verify authx{what}",
            SUBJECT,
            title,
            function,
            given,
            accept=_is_ours,
            refuse=forged_bytes(given[0]),
            baseline=f"{algorithm} verify floor",
        )


def cases() -> Iterable[Case]:
    """Verify and sign with every algorithm, and one token remembered."""
    for algorithm in ("HS256", "RS256", "ES256", "EdDSA"):
        key = _key(algorithm)
        ring = KeyRing(key, (key,))
        yield from _verifying(algorithm, ring)
        if algorithm == "HS256":
            token = tokens.encoded_ring(algorithm)[0]
            yield micro_case(
                "HS256 verify authx remembered",
                SUBJECT,
                "Verifier, remembered",
                _remembering(ring),
                [PREFIX + token],
                accept=_is_ours,
                refuse=PREFIX + forged_bytes(token),
                baseline="HS256 verify floor",
            )
        yield _signing(algorithm, key)


def _signing(algorithm: str, key: Key) -> Case:
    encode = jws.encode
    # orjson's floor takes the same dictionaries; their values are JSON's already.
    claims: list[JSONObject] = [
        {name: value for name, value in tokens.claims().items() if isinstance(value, str | int)}
        for _ in range(tokens.SMALL_RING)
    ]
    return micro_case(
        f"{algorithm} sign authx",
        SUBJECT,
        "jws.encode",
        lambda one: encode(one, key),
        claims,
        accept=lambda token: isinstance(token, str) and token.count(".") == 2,
        baseline=f"{algorithm} sign floor",
    )
