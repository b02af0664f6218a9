"""AuthX 1.7.1; imported in the peers' environment, where `authx` is the original."""

from collections.abc import Iterable

from benchmarks.apps.authx_routes import (
    Subject,
    access_tokens,
    injected_case,
    make_auth,
    protected_cases,
    token_cases,
)
from benchmarks.cases import Case

AUTHX = Subject("AuthX 1.7.1", "AuthX")


def cases() -> Iterable[Case]:
    """What AuthX can do; it has no EdDSA."""
    yield from protected_cases(AUTHX)
    for algorithm in ("RS256", "ES256"):
        auth = make_auth(algorithm=algorithm)
        # It remembers nothing, so one token is as good as many, and an RS256 token takes it long to make.
        yield injected_case(AUTHX, algorithm, f"header {algorithm}, payload injected", auth, access_tokens(auth, 1))
    yield from token_cases(AUTHX)
