"""Who asks: address and user agent, cut to what a row or an event holds."""

from typing import Final

from starlette.requests import HTTPConnection

from authx.sessions.service import Client

__all__ = ["client_of"]

_MAX_TEXT: Final = 512


def client_of(connection: HTTPConnection) -> Client:
    """Tell who asks.

    Args:
        connection: The request or WebSocket.

    Returns:
        Address and user agent, without what a database would refuse.
    """
    address = connection.client
    return Client(
        ip=None if address is None else _clean(address.host), user_agent=_clean(connection.headers.get("user-agent"))
    )


def _clean(text: str | None) -> str | None:
    if text is None:
        return None
    return text.replace("\0", "")[:_MAX_TEXT].encode("utf-8", "replace").decode("utf-8") or None
