"""Which pages a browser may send requests from: the application's own, trusted ones, and all others."""

from collections.abc import Iterable
from typing import Final

from starlette.types import Scope

from authx.exceptions import CSRFOriginError
from authx.http.headers import header_values

__all__ = ["Origins"]

_FOREIGN: Final = (
    "The request comes from a page of another origin. If that page is yours, add its origin to "
    "JWT_CSRF_TRUSTED_ORIGINS or JWT_ORIGINS, or let the server trust its proxy's headers."
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_FOREIGN_SITES: Final = (b"cross-site", b"same-site")


class Origins:
    """Compares the origin of the page that made a request with those of the application.

    Attributes:
        configured: Whether either was named: then requests with cookies must not come from other pages.
    """

    def __init__(self, own: Iterable[str], trusted: Iterable[str]) -> None:
        self._own: Final = frozenset(own)
        self._known: Final = self._own | frozenset(trusted)
        self.configured: Final = bool(self._known)

    def is_foreign(self, scope: Scope) -> bool:
        """Return whether a browser says that a page of another origin made a request.

        `Origin` counts, else `Sec-Fetch-Site` (Fetch Metadata). A request with neither is not foreign: no
        browser of the last years omits both from what another site's form or script sends.
        """
        sites = header_values(scope, b"sec-fetch-site")
        origins = header_values(scope, b"origin")
        # Pages that hide their address send "null"; the browser still says which site they belong to.
        if origins and not (sites and set(origins) == {b"null"}):
            return any(self._is_other(origin.decode("latin-1"), scope, sites) for origin in origins)
        return any(site in _FOREIGN_SITES for site in sites)

    def refuse_foreign(self, scope: Scope) -> None:
        """Refuse a request that a page of another origin made."""
        if self.is_foreign(scope):
            raise CSRFOriginError(_FOREIGN)

    def _is_other(self, origin: str, scope: Scope, sites: list[bytes]) -> bool:
        if origin in self._known:
            return False
        if self._own:
            return True
        # Behind a proxy that hides scheme or host from the server, the browser still knows its own page.
        return origin != _own_origin(scope) and sites != [b"same-origin"]


def _own_origin(scope: Scope) -> str | None:
    """Write the origin that a request was sent to as a browser would; `None` if it does not name one host."""
    hosts = header_values(scope, b"host")
    if len(hosts) != 1:
        return None
    scheme = str({"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"]))
    host = hosts[0].decode("latin-1").lower()
    return f"{scheme}://{host.removesuffix(f':{_DEFAULT_PORTS.get(scheme)}')}"
