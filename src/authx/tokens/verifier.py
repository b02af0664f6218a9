"""From token text to claims that can be trusted, and the memory that makes the second look cheap."""

from collections import OrderedDict
from collections.abc import Callable, Collection
from copy import deepcopy
from datetime import UTC, datetime
from functools import lru_cache, partial
from math import inf
from typing import Any, Final

from pydantic import BaseModel

from authx.core.claims import check_audience, check_dates, check_issuer, check_login_type, check_shape
from authx.core.ids import session_created_at
from authx.core.scopes import granted_scopes
from authx.exceptions import JWTDecodeError, LoginTypeMismatchError, TokenExpiredError
from authx.jose import jws
from authx.jose.json_object import JSONObject
from authx.jose.key import KeyRing
from authx.schema import TokenPayload
from authx.settings.lifetimes import CLOCK_SKEW

__all__ = ["Verified", "Verifier"]

_DEFAULTS: Final[dict[str, Any]] = {
    name: None if field.default_factory is not None else field.default
    for name, field in TokenPayload.model_fields.items()
}
# Many tokens of a busy service end in the same second.
_utc: Final = lru_cache(maxsize=1024)(partial(datetime.fromtimestamp, tz=UTC))
# What validation sets, set without it.
_new: Final = object.__new__
_set_fields: Final = vars(BaseModel)["__dict__"].__set__
_set_names: Final = vars(BaseModel)["__pydantic_fields_set__"].__set__
_set_extra: Final = vars(BaseModel)["__pydantic_extra__"].__set__
_set_private: Final = vars(BaseModel)["__pydantic_private__"].__set__


def _parts_of(claims: JSONObject) -> tuple[dict[str, Any], set[str], dict[str, Any]]:
    """Sort claims that `check_shape` accepted into fields, names that were given, and extra claims."""
    fields: dict[str, Any] = _DEFAULTS | claims
    extra: dict[str, Any] = {}
    if len(fields) != len(_DEFAULTS):
        extra = {name: fields.pop(name) for name in claims if name not in _DEFAULTS}
        if fields["scopes"] is None:
            fields["scopes"] = granted_scopes(extra)
    exp = fields["exp"]
    if exp is not None:
        fields["exp"] = _utc(exp)
    return fields, set(claims), extra


def _payload_of(fields: dict[str, Any], names: set[str], extra: dict[str, Any]) -> TokenPayload:
    """Make a payload of parts; it keeps the first two."""
    # The claims are shared and the payload is not: what is mutable in them is copied.
    if fields["scopes"] is not None:
        fields["scopes"] = fields["scopes"].copy()
    if fields["aud"].__class__ is list:
        fields["aud"] = fields["aud"].copy()
    payload = _new(TokenPayload)
    _set_fields(payload, fields)
    _set_names(payload, names)
    _set_extra(payload, deepcopy(extra) if extra else {})
    _set_private(payload, None)
    return payload


class Verified:
    """The claims of a verified token; they are shared: do not change them, and hand out `payload()`."""

    __slots__ = (
        "_asked",
        "_parts",
        "begins",
        "claims",
        "cleared_in",
        "cleared_until",
        "expires",
        "kind",
        "known_at",
    )

    def __init__(self, claims: JSONObject, expires: float, begins: float) -> None:
        self.claims = claims
        # Seconds since 1970: good strictly before the one, and from the other on.
        self.expires = expires
        self.begins = begins
        self.kind = claims.get("type")
        # Seconds since 1970 at which it was last known not to be revoked: when it was issued, or later.
        self.known_at: float = claims["iat"]  # type: ignore[assignment]
        # The state of the revocation feed in which it was found not to be revoked, and until when that answers for it.
        self.cleared_in: object = None
        self.cleared_until = 0.0
        self._asked = False
        self._parts: tuple[dict[str, Any], set[str], dict[str, Any]] | None = None

    def payload(self) -> TokenPayload:
        """Make a payload of the claims, of its own for each caller."""
        parts = self._parts
        if parts is None:
            parts = _parts_of(self.claims)
            if not self._asked:
                # Most tokens of a busy service are seen once: the first payload is made without a copy.
                self._asked = True
                return _payload_of(*parts)
            self._parts = parts
        fields, names, extra = parts
        return _payload_of(fields.copy(), names.copy(), extra)


class Verifier:
    """Signature, shape, times, issuer, audience and login type of a token; the caller checks what follows.

    A token once verified is remembered, text and claims, until newer ones need its room. Times are checked again each
    time; everything else depends on the text and on this object alone.
    """

    __slots__ = (
        "_audience",
        "_checks_login_type",
        "_identity_claim",
        "_issuer",
        "_leeway",
        "_login_type",
        "_max_age",
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
        login_type: str | None = None,
        checks_login_type: bool = False,
        may_lack_exp: Collection[str] = (),
        max_age: float | None = None,
        remember: int = 0,
    ) -> None:
        self.ring = ring
        self._leeway = leeway
        self._skew = max(leeway, CLOCK_SKEW)
        self._issuer = issuer
        self._audience = audience
        self._identity_claim = identity_claim
        self._login_type = login_type
        # With a store, tokens of another login type have their sessions and revocations in a namespace not read here.
        self._checks_login_type = checks_login_type or login_type is not None
        # Types whose tokens may go without `exp`.
        self._may_lack_exp = may_lack_exp
        # Seconds that a session lasts at most, and with it its access tokens.
        self._max_age = max_age
        self._room = remember
        self._remembered: OrderedDict[bytes, Verified] = OrderedDict()

    def read(self, token: bytes) -> JSONObject:
        """Read a token whatever its age, to end it: signature, shape and login type are checked, nothing else."""
        claims = jws.decode(token, self.ring)
        try:
            self.check_content(claims)
        except LoginTypeMismatchError as error:
            raise JWTDecodeError(str(error)) from None
        return claims

    def check_content(self, claims: JSONObject) -> None:
        """Check the shape of claims and their login type, which nothing but this configuration decides."""
        check_shape(claims, self._identity_claim)
        if self._checks_login_type:
            check_login_type(claims, self._login_type)

    def verify(self, token: bytes, now: float) -> Verified:
        """Verify a token, or raise what says which check it failed."""
        known = self._remembered.get(token)
        if known is not None and known.begins <= now < known.expires:
            return known
        claims = jws.decode(token, self.ring)
        check_shape(claims, self._identity_claim)
        get: Callable[..., Any] = claims.get
        iat, exp, kind = get("iat"), get("exp", inf), get("type")
        nbf = get("nbf", iat)
        begins: float = (iat if nbf == iat else max(iat, nbf)) - self._skew
        expires: float = exp + self._leeway
        # Most tokens pass; for the others, the function says why not.
        if not begins <= now < expires:
            check_dates(claims, now, self._leeway, self._skew)
        if exp is inf and kind not in self._may_lack_exp:
            raise JWTDecodeError("Invalid token: exp is missing")
        if self._issuer is not None:
            check_issuer(claims, self._issuer)
        if self._audience is not None or "aud" in claims:
            check_audience(claims, self._audience)
        if self._checks_login_type and get("login_type") != self._login_type:
            check_login_type(claims, self._login_type)
        # An access token ends with its session. The age of a refresh token is checked with the rest of its session.
        if self._max_age is not None and kind != "refresh" and "sid" in claims:
            end = session_created_at(get("sid")) / 1000 + self._max_age + self._leeway
            if end < expires:
                if end <= now:
                    raise TokenExpiredError("Session has expired")
                expires = end
        verified = Verified(claims, expires, begins)
        if self._room:
            self._remember(token, verified)
        return verified

    def _remember(self, token: bytes, verified: Verified) -> None:
        remembered = self._remembered
        if len(remembered) >= self._room:
            try:  # noqa: SIM105 - `suppress` costs as much as all checks of the claims
                remembered.popitem(last=False)
            except KeyError:
                pass  # another thread made room
        remembered[token] = verified
