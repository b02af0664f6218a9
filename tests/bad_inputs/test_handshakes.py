"""WebSockets: a handshake that has no good token is refused before it is accepted."""

import asyncio
from typing import Any

import pytest
from tests.support.asgi import scope_of

from .doors import door
from .rows import GOOD, REFRESH, MiB


async def shake_hands(
    name: str, headers: list[tuple[bytes, bytes]], query: bytes, *, denial: bool
) -> list[dict[str, Any]]:
    scope = scope_of("/ws", query=query, type="websocket", scheme="wss", subprotocols=[])
    scope["headers"] += headers
    scope["extensions"] = {"websocket.http.response": {}} if denial else {}
    arrived = [{"type": "websocket.connect"}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return arrived.pop() if arrived else {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Any) -> None:
        sent.append(message)

    await door(name)(scope, receive, send)
    return sent


COOKIE = (b"cookie", b"access_token_cookie=" + GOOD)
HANDSHAKES: dict[str, tuple[str, list[tuple[bytes, bytes]], bytes, int]] = {
    "a good header": ("plain", [(b"authorization", b"Bearer " + GOOD)], b"", 101),
    "no token": ("plain", [], b"", 401),
    "a bad token": ("plain", [(b"authorization", b"Bearer x")], b"", 401),
    "bytes": ("plain", [(b"authorization", b"Bearer \xff\x00")], b"", 401),
    "a refresh token": ("plain", [(b"authorization", b"Bearer " + REFRESH)], b"", 401),
    "two headers": ("plain", [(b"authorization", b"Bearer " + GOOD)] * 2, b"", 400),
    "8 MiB": ("plain", [(b"authorization", b"Bearer " + b"a" * 8 * MiB)], b"", 400),
    "a query that is no place": ("plain", [], b"token=" + GOOD, 401),
    "a cookie from our own page": ("cookies", [COOKIE, (b"origin", b"https://door.example")], b"", 101),
    "a cookie from another page": ("cookies", [COOKIE, (b"origin", b"https://evil.example")], b"", 403),
    "a cookie from a page of no origin": ("cookies", [COOKIE, (b"origin", b"null")], b"", 403),
    "a cookie from a page of bytes": ("cookies", [COOKIE, (b"origin", b"\xff")], b"", 403),
    "two cookies": ("cookies", [COOKIE, (b"cookie", b"access_token_cookie=x")], b"", 400),
    "a bad cookie": ("cookies", [(b"cookie", b"access_token_cookie=\xe9")], b"", 401),
}


@pytest.mark.parametrize(("name", "headers", "query", "status"), HANDSHAKES.values(), ids=HANDSHAKES)
def test_a_handshake_is_refused_before_it_is_accepted(name, headers, query, status):
    denied = asyncio.run(shake_hands(name, headers, query, denial=True))
    closed = asyncio.run(shake_hands(name, headers, query, denial=False))
    if status == 101:
        assert denied[0]["type"] == closed[0]["type"] == "websocket.accept"
        return
    assert (denied[0]["type"], denied[0]["status"]) == ("websocket.http.response.start", status)
    assert [(message["type"], message["code"]) for message in closed] == [("websocket.close", 1008)]
    assert GOOD.decode() not in str(denied) + str(closed)
