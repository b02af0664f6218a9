"""Requests that are bad in one thing, and the answers they must get."""

import json
from dataclasses import dataclass
from typing import Any

from . import forge
from .forge import access

MiB = 2**20
GOOD = access()
HEAD, BODY, SIGNATURE = GOOD.split(b".")
REFRESH = forge.refresh()
FLATTENED = json.dumps({"protected": HEAD.decode(), "payload": BODY.decode(), "signature": SIGNATURE.decode()})
INVALID = (401, "token_invalid")
EXPIRED = (401, "token_expired")
MISSING = (401, "token_missing")
WRONG_TYPE = (401, "token_wrong_type")
BROKEN = (400, "request_invalid")
CSRF_MISSING = (403, "csrf_missing")
CSRF_WRONG = (403, "csrf_mismatch")
CSRF_ORIGIN = (403, "csrf_origin")
FINE = (200, None)


@dataclass(frozen=True)
class Row:
    """One request and the answer it must get.

    Attributes:
        id: What is bad about it.
        expected: Status and code of the answer.
        headers: Its headers.
        method: Its method.
        path: Its path.
        body: Its body.
        query: Its query string.
        door: The application it goes to.
    """

    id: str
    expected: tuple[int, str | None]
    headers: tuple[tuple[str, bytes], ...] = ()
    method: str = "GET"
    path: str = "/p"
    body: bytes = b""
    query: bytes = b""
    door: str = "plain"


def tokens(rows: dict[str, bytes], expected: tuple[int, str | None] = INVALID, door: str = "plain", **more: Any):
    """Rows that present each token as it should be presented."""
    return [
        Row(name, expected, (("Authorization", b"Bearer " + raw),), door=door, **more) for name, raw in rows.items()
    ]


def headers(rows: dict[str, bytes | tuple[bytes, ...]], expected: tuple[int, str | None], door: str = "plain"):
    """Rows with one or more `Authorization` headers."""
    return [
        Row(
            name,
            expected,
            tuple(("Authorization", value) for value in ((values,) if isinstance(values, bytes) else values)),
            door=door,
        )
        for name, values in rows.items()
    ]


def cookies(rows: dict[str, bytes], expected: tuple[int, str | None], door: str = "cookies", **more: Any):
    """Rows with one `Cookie` header."""
    return [Row(name, expected, (("Cookie", value),), door=door, **more) for name, value in rows.items()]


def posts(
    rows: dict[str, tuple[tuple[str, bytes], ...]],
    expected: tuple[int, str | None],
    door: str = "cookies",
    cookie: bytes = GOOD,
    **more: Any,
):
    """Rows that send a good cookie with an unsafe method, and these headers."""
    carried = ("Cookie", b"access_token_cookie=" + cookie)
    return [Row(name, expected, (carried, *sent), method="POST", door=door, **more) for name, sent in rows.items()]


def bodies(
    rows: dict[str, bytes],
    expected: tuple[int, str | None],
    content_type: bytes = b"application/json",
    door: str = "json",
):
    """Rows with a body where JSON is a location."""
    return [
        Row(name, expected, (("Content-Type", content_type),), method="POST", body=body, door=door)
        for name, body in rows.items()
    ]


def queries(rows: dict[str, bytes], expected: tuple[int, str | None]):
    """Rows with a query string where the query is a location."""
    return [Row(name, expected, query=query, door="query") for name, query in rows.items()]
