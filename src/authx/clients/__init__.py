"""The Python client: `AuthXAuth` logs in, refreshes and retries for httpx2 and httpx.

The directory `browser` holds the client for browsers, in JavaScript.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from authx.clients.tokens import TokenPair

if TYPE_CHECKING:
    from authx.clients.auth import AuthXAuth
    from authx.clients.errors import LoginError

__all__ = ["AuthXAuth", "LoginError", "TokenPair"]

_LAZY: Final = {"AuthXAuth": "auth", "LoginError": "errors"}


def __getattr__(name: str) -> object:
    # These two need httpx2 or httpx. A server that only delivers the browser client has neither.
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
