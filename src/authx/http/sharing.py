"""What two instances of one application share, and what follows from it."""

from collections.abc import Iterator

from authx.http.runtime import Runtime
from authx.jose.key import KeyRing
from authx.types import TOKEN_TYPES

__all__ = ["shared_between", "shares_a_key"]


def shared_between(one: Runtime, other: Runtime) -> list[str]:
    """List what two instances share, as far as their settings tell."""
    shared = []
    if shares_a_key(one, other):
        shared.append("a key (only their login types tell their tokens apart)")
    if _store_of(one) is not None and _store_of(one) == _store_of(other):
        shared.append("the store and its prefix (only their login types tell their sessions apart)")
    names = sorted(set(_cookie_names(one)) & set(_cookie_names(other)))
    domains = {one.config.JWT_COOKIE_DOMAIN, other.config.JWT_COOKIE_DOMAIN}
    if names and (len(domains) == 1 or None in domains):
        shared.append(f"the cookie names {', '.join(names)} (a login of one replaces the cookies of the other)")
    return shared


def shares_a_key(one: Runtime, other: Runtime) -> bool:
    """Return whether one of two instances accepts signatures that the other one makes."""
    rings = one.verifier.ring, other.verifier.ring
    public = one.config.JWT_PUBLIC_KEY
    same_public = bool(public) and public == other.config.JWT_PUBLIC_KEY
    return same_public or _signs_for(*rings) or _signs_for(*reversed(rings))


def _signs_for(signing: KeyRing, verifying: KeyRing) -> bool:
    probe = b"probe"
    keys = {id(key): key for key in (signing.signer, *signing.verifiers) if key is not None and key.can_sign}
    return any(
        theirs.algorithm == key.algorithm and theirs.verify(probe, key.sign(probe))
        for key in keys.values()
        for theirs in verifying.verifiers
    )


def _store_of(runtime: Runtime) -> object:
    """Identify a store, whatever namespace in it is used; a store in memory that a URL names is never shared."""
    if runtime.sessions is None or runtime.sessions.origin is None:
        return None
    place, prefix, _ = runtime.sessions.origin
    if isinstance(place, str):
        return None if place.startswith("memory:") else (place, prefix)
    return id(place)


def _cookie_names(runtime: Runtime) -> Iterator[str]:
    for kind in TOKEN_TYPES:
        if "cookies" in runtime.names[kind]:
            pair = runtime.cookies[kind]
            yield pair.token.name
            if pair.csrf is not None:
                yield pair.csrf.name
