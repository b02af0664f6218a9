"""For programs that call an application: logging in, refreshing and retrying, for httpx2 and httpx.

`src/authx/clients/browser` holds the client for browsers; it is no Python.
"""

from typing import TYPE_CHECKING, Any, Final

from authx.clients.tokens import TokenPair

if TYPE_CHECKING:
    from authx.clients.auth import AuthXAuth
    from authx.clients.errors import LoginError

__all__ = ["AuthXAuth", "LoginError", "TokenPair"]

_LAZY: Final = {"AuthXAuth": "auth", "LoginError": "errors"}


def __getattr__(name: str) -> Any:
    # These two need one of the client libraries, which whoever serves the browser's client may do without.
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
