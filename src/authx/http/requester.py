"""Who asks: address and user agent, cut to what a row or an event holds."""

from typing import Final

from starlette.requests import HTTPConnection

from authx.sessions.requester import Requester

__all__ = ["requester_of"]

_MAX_TEXT: Final = 512


def requester_of(connection: HTTPConnection) -> Requester:
    """Read who asks, without what a database would refuse."""
    address = connection.client
    return Requester(
        ip=None if address is None else _clean(address.host), user_agent=_clean(connection.headers.get("user-agent"))
    )


def _clean(text: str | None) -> str | None:
    if text is None:
        return None
    return text.replace("\0", "")[:_MAX_TEXT].encode("utf-8", "replace").decode("utf-8") or None
