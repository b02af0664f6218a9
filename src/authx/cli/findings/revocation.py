"""What becomes of a logout: whether there is a store, and whether it is asked."""

from collections.abc import Iterator

from authx.cli.findings.finding import Finding, Surroundings, setting
from authx.config import AuthXConfig

__all__ = ["revocation_findings"]

_SQLITE = setting("JWT_STORE_URL", "sqlite:///auth.db")


def revocation_findings(config: AuthXConfig, surroundings: Surroundings) -> Iterator[Finding]:
    """Look at what becomes of a logout.

    Args:
        config: The settings.
        surroundings: Which kind of store there is, and how many processes.

    Yields:
        What is wrong with it.
    """
    if surroundings.store == "none":
        yield Finding(
            "info",
            "store-none",
            "There is no session store.",
            "A logout deletes cookies and no more: tokens work until they expire, and theft is not noticed.",
            _SQLITE,
        )
        return
    if surroundings.store == "memory":
        yield from _memory(config, surroundings.workers)
    if config.JWT_REVOCATION_CHECK == "none":
        yield Finding(
            "warning",
            "revocation-off",
            'JWT_REVOCATION_CHECK is "none": access tokens of ended sessions are not refused.',
            "A logout takes effect when the access token expires.",
            setting("JWT_REVOCATION_CHECK", "feed"),
        )
    elif config.JWT_REVOCATION_MAX_STALENESS is None:
        yield Finding(
            "info",
            "staleness-unbounded",
            "JWT_REVOCATION_MAX_STALENESS is None: requests are served however long the store has been silent.",
            "What is revoked meanwhile is not noticed in a process that has lost its store.",
            setting("JWT_REVOCATION_MAX_STALENESS", 30),
        )


def _memory(config: AuthXConfig, workers: int) -> Iterator[Finding]:
    if workers > 1:
        yield Finding(
            "error",
            "memory-workers",
            f"The store is memory://, and {workers} processes serve the application.",
            "Each has sessions of its own: refreshes fail in all but one, and a logout ends nothing in the others.",
            _SQLITE,
        )
    elif config.JWT_SECRET_KEY or config.JWT_PRIVATE_KEY:
        yield Finding(
            "warning",
            "memory-forgets",
            "The store is memory://: sessions and revocations end with the process.",
            "The keys do not, so a restart brings access tokens back that were revoked.",
            _SQLITE,
        )
