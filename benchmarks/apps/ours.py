"""authx of this repository; imported in its own environment."""

from collections.abc import Iterable

from benchmarks import tokens
from benchmarks.apps.authx_routes import (
    Subject,
    access_tokens,
    injected_case,
    make_auth,
    protected_cases,
    token_cases,
)
from benchmarks.cases import Case

OURS = Subject("authx", "authx", rival="AuthX")


def cases() -> Iterable[Case]:
    """The shared cases, and those about remembered tokens and EdDSA."""
    yield from protected_cases(OURS)

    auth = make_auth()
    yield injected_case(
        OURS,
        "payload first sight",
        "header HS256, payload injected, first sight",
        auth,
        access_tokens(auth, tokens.RING),
        rival="payload",
    )
    auth = make_auth(JWT_TOKEN_CACHE_SIZE=0)
    yield injected_case(
        OURS,
        "payload nothing remembered",
        "the same with JWT_TOKEN_CACHE_SIZE=0",
        auth,
        access_tokens(auth, tokens.RING),
        rival="payload",
    )
    auth = make_auth("headers", "cookies", "query")
    yield injected_case(
        OURS,
        "three locations first sight",
        "three locations, payload injected, first sight",
        auth,
        access_tokens(auth, tokens.RING),
        rival="three locations",
    )
    for algorithm in ("RS256", "ES256", "EdDSA"):
        auth = make_auth(algorithm=algorithm)
        yield injected_case(
            OURS,
            algorithm,
            f"header {algorithm}, payload injected, first sight",
            auth,
            access_tokens(auth, tokens.RING),
        )
    auth = make_auth(algorithm="RS256")
    yield injected_case(
        OURS,
        "RS256 remembered",
        "header RS256, payload injected",
        auth,
        access_tokens(auth, 1),
        rival="RS256",
    )
    yield from token_cases(OURS)
