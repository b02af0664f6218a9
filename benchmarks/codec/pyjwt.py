"""PyJWT with keys parsed beforehand."""

from collections.abc import Callable, Iterable

import jwt

from benchmarks import tokens
from benchmarks.cases import Case
from benchmarks.micro import forged, micro_case

SUBJECT = "PyJWT"


def _verifier(algorithm: str) -> Callable[[str], object]:
    key = tokens.SECRET.encode() if algorithm == "HS256" else tokens.pair(algorithm).private.public_key()
    allowed = [algorithm]
    return lambda token: jwt.decode(token, key, algorithms=allowed)


def _signer(algorithm: str) -> Callable[[tokens.Claims], str]:
    key = tokens.SECRET.encode() if algorithm == "HS256" else tokens.pair(algorithm).private
    return lambda claims: jwt.encode(claims, key, algorithm=algorithm)


def cases() -> Iterable[Case]:
    """Verify and sign with every algorithm."""
    for algorithm in ("HS256", "RS256", "ES256", "EdDSA"):
        ring = tokens.ring(algorithm)
        yield micro_case(
            f"{algorithm} verify PyJWT",
            SUBJECT,
            "jwt.decode, prebuilt key",
            _verifier(algorithm),
            ring,
            accept=lambda claims: isinstance(claims, dict) and claims["sub"] == tokens.SUBJECT,
            refuse=forged(ring[0]),
            baseline=f"{algorithm} verify floor",
        )
        yield micro_case(
            f"{algorithm} sign PyJWT",
            SUBJECT,
            "jwt.encode, prebuilt key",
            _signer(algorithm),
            [tokens.claims() for _ in range(tokens.SMALL_RING)],
            accept=lambda token: isinstance(token, str) and token.count(".") == 2,
            baseline=f"{algorithm} sign floor",
        )
