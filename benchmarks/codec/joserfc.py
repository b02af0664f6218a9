"""joserfc with keys parsed beforehand; its claims registry checks `exp`."""

from collections.abc import Callable, Iterable

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from benchmarks import tokens
from benchmarks.cases import Case
from benchmarks.micro import forged, micro_case

SUBJECT = "joserfc"

Key = OctKey | RSAKey | ECKey | OKPKey


def _keys(algorithm: str) -> tuple[Key, Key]:
    """The signing and the verifying key."""
    if algorithm == "HS256":
        secret = OctKey.import_key(tokens.SECRET.encode())
        return secret, secret
    kinds: dict[str, type[RSAKey | ECKey | OKPKey]] = {
        "RS256": RSAKey,
        "ES256": ECKey,
        "EdDSA": OKPKey,
    }
    kind, pair = kinds[algorithm], tokens.pair(algorithm)
    return kind.import_key(pair.private_pem), kind.import_key(pair.public_pem)


def _verifier(key: Key, algorithm: str) -> Callable[[str], object]:
    allowed, registry = [algorithm], jwt.JWTClaimsRegistry()

    def verify(token: str) -> object:
        decoded = jwt.decode(token, key, algorithms=allowed)
        registry.validate(decoded.claims)
        return decoded.claims

    return verify


def _signer(key: Key, algorithm: str) -> Callable[[tokens.Claims], str]:
    header, allowed = {"alg": algorithm}, [algorithm]
    return lambda claims: jwt.encode(header, claims, key, algorithms=allowed)


def cases() -> Iterable[Case]:
    """Verify and sign with every algorithm."""
    for algorithm in ("HS256", "RS256", "ES256", "EdDSA"):
        private, public = _keys(algorithm)
        ring = tokens.ring(algorithm)
        yield micro_case(
            f"{algorithm} verify joserfc",
            SUBJECT,
            "jwt.decode and claims, prebuilt key",
            _verifier(public, algorithm),
            ring,
            accept=lambda claims: isinstance(claims, dict) and claims["sub"] == tokens.SUBJECT,
            refuse=forged(ring[0]),
            baseline=f"{algorithm} verify floor",
        )
        yield micro_case(
            f"{algorithm} sign joserfc",
            SUBJECT,
            "jwt.encode, prebuilt key",
            _signer(private, algorithm),
            [tokens.claims() for _ in range(tokens.SMALL_RING)],
            accept=lambda token: isinstance(token, str) and token.count(".") == 2,
            baseline=f"{algorithm} sign floor",
        )
