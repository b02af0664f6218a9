"""What one instance has found out in one request, kept on the ASGI scope: several dependencies ask once."""

import os
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import Scope
from starlette.websockets import WebSocket, WebSocketState

from authx.core.retry_keys import usable_key
from authx.http.headers import header_values
from authx.tokens.verifier import Verified
from authx.types import TokenType

__all__ = ["RequestState", "state_of"]

# Seconds for which dependencies share what one of them found out.
_SHARED_SECONDS: Final = 5.0


class RequestState:
    """What is known of a request.

    Attributes:
        verified: The tokens that were verified in it, by their text.
        since: Seconds since 1970 at which the first of them was.
    """

    __slots__ = ("_refreshed_at", "_retry_key", "since", "verified")

    def __init__(self, now: float) -> None:
        self.verified: dict[bytes, Verified] = {}
        self.since = now
        self._refreshed_at: float | None = None
        self._retry_key: bytes | None = None

    def known(self, token: bytes, connection: HTTPConnection, now: float) -> Verified | None:
        """Return a token that was verified a moment ago; a socket may stay open for hours, and that proves nothing."""
        if isinstance(connection, WebSocket) and connection.application_state is not WebSocketState.CONNECTING:
            return None
        return self.verified.get(token) if 0 <= now - self.since <= _SHARED_SECONDS else None

    def add(self, token: bytes, verified: Verified, now: float) -> None:
        """Note a token that has just been verified; what is older than it is shared no longer."""
        if not self.verified or not 0 <= now - self.since <= _SHARED_SECONDS:
            self.verified, self.since = {}, now
        self.verified[token] = verified

    def refreshed_at(self, now: float) -> int:
        """Return the time at which everything happens that a refresh in this request does, in milliseconds."""
        if self._refreshed_at is None:
            self._refreshed_at = now
        return int(self._refreshed_at * 1000)

    def has(self, kind: TokenType) -> bool:
        """Return whether a token of a type was verified."""
        return any(one.kind == kind for one in self.verified.values())

    def retry_key(self, scope: Scope, header: bytes | None) -> bytes:
        """Return the client's retry key, or one that is drawn for this request alone.

        By the latter, a request recognizes its own rotation if a driver repeats a statement that was committed.
        """
        key = self._retry_key
        if key is None:
            sent = [] if header is None else header_values(scope, header)
            key = self._retry_key = (usable_key(sent) if sent else None) or os.urandom(16)
        return key


def state_of(scope: Scope, key: str, now: float) -> RequestState:
    """Find the state of a request, or begin one at `now`."""
    state: RequestState | None = scope.get(key)
    if state is None:
        state = scope[key] = RequestState(now)
    return state
