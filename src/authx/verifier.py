"""From token text to claims that can be trusted, and the memory that makes the second look cheap."""

from collections.abc import Collection
from contextlib import suppress
from math import inf
from typing import Final

from authx.core import checks, codec
from authx.core.keys import KeyRing
from authx.core.strict_json import JSONObject
from authx.exceptions import JWTDecodeError

__all__ = ["Verifier"]

# Hosts' clocks differ: a token from the next machine may be issued some seconds ahead of this one's time.
_CLOCK_SKEW: Final = 10.0


class Verifier:
    """Signature, shape, times, issuer and audience of a token; its type and all that follows is the caller's.

    A token once verified is remembered, text and claims, until its `exp`. Times are checked again each
    time; everything else depends on the text and on this object alone.

    Args:
        ring: The keys that may have signed.
        leeway: Seconds by which `exp` may be past.
        issuer: The expected `iss`, if any.
        audience: The expected `aud` values, if any.
        identity_claim: The claim that holds the subject.
        may_lack_exp: Types whose tokens may go without `exp`.
        remember: How many tokens to remember; 0 turns it off.
    """

    __slots__ = (
        "_audience",
        "_identity_claim",
        "_issuer",
        "_leeway",
        "_may_lack_exp",
        "_remembered",
        "_room",
        "_skew",
        "ring",
    )

    def __init__(
        self,
        ring: KeyRing,
        *,
        leeway: float = 0,
        issuer: str | None = None,
        audience: Collection[str] | None = None,
        identity_claim: str = "sub",
        may_lack_exp: Collection[str] = (),
        remember: int = 0,
    ) -> None:
        self.ring = ring
        self._leeway = leeway
        self._skew = max(leeway, _CLOCK_SKEW)
        self._issuer = issuer
        self._audience = audience
        self._identity_claim = identity_claim
        self._may_lack_exp = may_lack_exp
        self._room = remember
        self._remembered: dict[bytes, tuple[JSONObject, float, float]] = {}

    def verify(self, token: bytes, now: float) -> JSONObject:
        """Verify a token.

        Args:
            token: The compact token.
            now: Seconds since 1970.

        Returns:
            Its claims, of good shape. They are shared: do not change them, and copy what you hand out.

        Raises:
            JWTDecodeError: Or a child of it, that says what is wrong.
        """
        known = self._remembered.get(token)
        if known is not None:
            claims, expires, begins = known
            if expires > now and begins <= now:
                return claims
            self._remembered.pop(token, None)
            checks.dates(claims, now, self._leeway, self._skew)
            return claims
        claims = codec.decode(token, self.ring)
        checks.shape(claims, self._identity_claim)
        checks.dates(claims, now, self._leeway, self._skew)
        if "exp" not in claims and claims.get("type") not in self._may_lack_exp:
            raise JWTDecodeError("Invalid token: exp is missing")
        checks.issuer(claims, self._issuer)
        checks.audience(claims, self._audience)
        if self._room:
            self._remember(token, claims)
        return claims

    def _remember(self, token: bytes, claims: JSONObject) -> None:
        remembered = self._remembered
        if len(remembered) >= self._room:
            # Where another thread makes room at the same moment, that is room enough.
            with suppress(RuntimeError, StopIteration):
                remembered.pop(next(iter(remembered)), None)
        exp, nbf = claims.get("exp", inf), claims.get("nbf", 0)
        expires = exp + self._leeway  # type: ignore[operator]
        begins = max(claims["iat"], nbf) - self._skew  # type: ignore[type-var, operator]
        remembered[token] = (claims, expires, begins)
