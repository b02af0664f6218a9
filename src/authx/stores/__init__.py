"""Session stores: one protocol, a folder for each server, and `open_store` that finds it by the URL's scheme.

A store decides nothing. It keeps one row a session, moves it forward by compare-and-swap, and keeps the list of
revocations; what a presented token means is decided by `authx.core.rotation.decide`, for all stores.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Final, TypeAlias

from authx.core.session import Cutoff, Revocation, Rotation, Session
from authx.exceptions import BadConfigurationError
from authx.stores.prefixes import require_prefix
from authx.stores.protocol import InvalidRowError, NamespacedStore, Store
from authx.stores.protocol import Revocations as Revocations
from authx.stores.protocol import Sessions as Sessions
from authx.stores.urls import masked_url

__all__ = [
    "Cutoff",
    "InvalidRowError",
    "NamespacedStore",
    "Revocation",
    "Rotation",
    "Session",
    "Store",
    "masked_url",
    "namespace_of",
    "open_store",
]


_Factory: TypeAlias = Callable[[str, str], Store]
# Scheme -> module, the driver it imports, the extra that installs it.
_SCHEMES: Final[dict[str, tuple[str, str, str | None]]] = {
    "memory": ("authx.stores.memory", "", None),
    "sqlite": ("authx.stores.sqlite.store", "sqlite3", None),
    "postgresql": ("authx.stores.postgresql.store", "asyncpg", "postgresql"),
    "postgres": ("authx.stores.postgresql.store", "asyncpg", "postgresql"),
    "redis": ("authx.stores.redis.store", "redis", "redis"),
    "rediss": ("authx.stores.redis.store", "redis", "redis"),
    "redis+cluster": ("authx.stores.redis.store", "redis", "redis"),
    "rediss+cluster": ("authx.stores.redis.store", "redis", "redis"),
}


def open_store(url: str, prefix: str = "authx_") -> Store:
    """Make the store that a URL names. Nothing is opened yet: `await store.open()` does.

    Args:
        url: `memory://`, `sqlite:///file.db`, `postgresql://…`, `redis://…`, `rediss://…` or
            `redis+cluster://…`.
        prefix: Begins the names of its tables or keys: letters, digits and `_`.

    Returns:
        The store.

    Raises:
        BadConfigurationError: The scheme is unknown, the driver is not installed, or the URL makes no
            sense; the message says what to do, and masks passwords.
    """
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    if scheme not in _SCHEMES:
        raise BadConfigurationError(f"The store URL {masked_url(url)} {_scheme_problem(url, scheme)}")
    require_prefix(prefix)
    module, driver, extra = _SCHEMES[scheme]
    try:
        factory: _Factory = import_module(module).from_url
    except ModuleNotFoundError as error:
        if extra is None or error.name is None or error.name.partition(".")[0] != driver:
            raise
        raise BadConfigurationError(
            f"The store {masked_url(url)} needs {driver}: pip install 'authx-fastapi[{extra}]'"
        ) from None
    return factory(url, prefix)


def _scheme_problem(url: str, scheme: str) -> str:
    if url.startswith(('"', "'")) or url != url.strip():
        return "begins or ends with a quote or a space; remove that"
    dialect, plus, _ = scheme.partition("+")
    if plus and dialect in _SCHEMES:
        return f"names a driver, as URLs of SQLAlchemy do; begin it with {dialect}:// instead"
    known = ", ".join(f"{name}://" for name in _SCHEMES)
    return f"has no scheme that is known here; use one of {known}"


def namespace_of(store: Store, login_type: str | None) -> Store:
    """Return the login type's namespace in a shared store.

    Args:
        store: The store.
        login_type: The login type; `None` for an instance without one, which uses the store itself.

    Raises:
        BadConfigurationError: The store has no namespaces, or the login type is not a string.
    """
    if login_type is None:
        return store
    if not isinstance(login_type, str):
        raise BadConfigurationError(f"login_type must be a str, not {type(login_type).__name__}.")
    if not isinstance(store, NamespacedStore):
        raise BadConfigurationError(
            f"The store {type(store).__name__} cannot keep login types apart: give it a method namespace(name), as "
            "authx.stores.NamespacedStore describes it. Where each AuthX has a store of its own, that may return self."
        )
    return store.namespace(login_type)
