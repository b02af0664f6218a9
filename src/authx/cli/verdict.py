"""Every reason for which an application would refuse a token, not only the first."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from authx.cli.reading import Parts
from authx.cli.words import relative
from authx.config import AuthXConfig
from authx.core.claims import check_audience, check_issuer, check_shape
from authx.exceptions import AuthXException, JWTDecodeError, TokenInvalidSignatureError
from authx.jose import jws
from authx.jose.json_object import JSONObject
from authx.jose.key import KeyRing
from authx.settings.feature import duration
from authx.settings.lifetimes import CLOCK_SKEW

__all__ = ["Problem", "Signature", "examine", "problems_of", "signature_of"]


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason to refuse a token: a code for programs, and a message for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Signature:
    """Whether the signature is good, by which kind of key, or why not."""

    state: Literal["good", "bad", "not checked"]
    reason: str


def examine(
    parts: Parts, ring: KeyRing, config: AuthXConfig, now: float, login_type: str | None = None
) -> tuple[Signature, list[Problem]]:
    """Return what is known of a token's signature, and every reason to refuse it; revocations are not looked up."""
    signature, problem = signature_of(parts, ring)
    found = [] if problem is None else [problem]
    # Without a key there is no application whose expectations could be known, unless one was set.
    found += problems_of(parts.claims, config, now, is_ours=bool(ring.verifiers))
    if login_type is not None and parts.claims.get("login_type") != login_type:
        found.append(Problem("login_type", f"its login_type is not {login_type}, so it is of another kind of login"))
    return signature, found


def signature_of(parts: Parts, ring: KeyRing) -> tuple[Signature, Problem | None]:
    """Check a token's signature, and return the reason to refuse it, if it is one."""
    algorithm = parts.header.get("alg")
    if algorithm == "none":
        return Signature("bad", "it is not signed at all"), Problem("unsigned", "it is not signed (alg is none)")
    if not ring.verifiers:
        return Signature("not checked", "no key configured"), None
    try:
        jws.decode(parts.raw, ring)
    except TokenInvalidSignatureError:
        return (
            Signature("bad", f"no configured key for {algorithm} made it"),
            Problem("signature", "its signature is bad: it was changed, or made with another key"),
        )
    except JWTDecodeError as error:
        if isinstance(algorithm, str) and not ring.candidates(algorithm, None):
            accepted = ", ".join(dict.fromkeys(key.algorithm for key in ring.verifiers))
            # What is no algorithm of ours is not quoted.
            return (
                Signature("not checked", f"no key configured for its algorithm; {accepted} is accepted"),
                Problem("algorithm", f"its algorithm is not accepted here: {accepted} is"),
            )
        return Signature("not checked", "its header is refused"), Problem("header", _reason(error))
    return Signature("good", str(algorithm)), None


def problems_of(claims: JSONObject, config: AuthXConfig, now: float, *, is_ours: bool) -> list[Problem]:
    """Return every reason to refuse claims.

    Where the settings are not `is_ours`, an audience that is not expected is no reason.
    """
    claims = dict(claims)
    try:
        check_shape(claims, config.JWT_IDENTITY_CLAIM)
    except JWTDecodeError as error:
        # Nothing that follows can be asked about claims of the wrong types.
        return [Problem("claims", _reason(error))]
    return [*_dates(claims, config, now), *_names(claims, config, is_ours=is_ours)]


def _dates(claims: JSONObject, config: AuthXConfig, now: float) -> Iterator[Problem]:
    leeway = float(config.JWT_DECODE_LEEWAY or 0)
    expires = claims.get("exp")
    if isinstance(expires, int | float) and expires <= now - leeway:
        yield Problem("expired", f"it expired {relative(expires, now)}")
    skew = max(leeway, CLOCK_SKEW)
    for name, text in (("iat", "it was issued in the future"), ("nbf", "it is not valid yet")):
        begins = claims.get(name)
        if isinstance(begins, int | float) and begins > now + skew:
            yield Problem("not_yet_valid", f"{text}: {duration(begins - now)} from now ({name})")
    lifetimes = {"access": config.JWT_ACCESS_TOKEN_EXPIRES, "refresh": config.JWT_REFRESH_TOKEN_EXPIRES}
    kind = claims.get("type")
    if kind not in lifetimes:
        yield Problem("type", "its type is neither access nor refresh, so no route takes it")
    if expires is None and lifetimes.get(str(kind), leeway) is not None:
        yield Problem("endless", "it has no exp, and tokens without one are not accepted")


def _names(claims: JSONObject, config: AuthXConfig, *, is_ours: bool) -> Iterator[Problem]:
    audience = config.JWT_DECODE_AUDIENCE or None
    names = [audience] if isinstance(audience, str) else audience
    if config.JWT_DECODE_ISSUER and _fails(check_issuer, claims, config.JWT_DECODE_ISSUER):
        yield Problem("issuer", f"its issuer (iss) is not the expected {config.JWT_DECODE_ISSUER}")
    if (is_ours or names is not None) and _fails(check_audience, claims, names):
        expected = "none is expected: JWT_DECODE_AUDIENCE is not set" if names is None else f"{', '.join(names)}"
        yield Problem("audience", f"its audience (aud) is for somebody else; expected here: {expected}")


def _fails(check: Callable[..., None], *arguments: object) -> bool:
    try:
        check(*arguments)
    except AuthXException:
        return True
    return False


def _reason(error: JWTDecodeError) -> str:
    return str(error).removeprefix("Invalid token: ")
