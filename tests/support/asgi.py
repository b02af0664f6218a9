"""Requests byte for byte: what no client library would send, and every header that came back."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from authx import AuthX, AuthXConfig
from authx.testing import Clock

SECRET = "a secret of more than thirty-two letters for the door"
OTHER_SECRET = "another secret of more than thirty-two letters, too"
NOW = 1_900_000_000
COOKIES: dict[str, Any] = {"JWT_TOKEN_LOCATION": ["cookies"]}

Headers = Mapping[str, str | bytes] | Iterable[tuple[str, str | bytes]]


_configs: dict[str, AuthXConfig] = {}


def make_auth(clock: Clock | None = None, **fields: Any) -> AuthX[Any]:
    fields = {"JWT_SECRET_KEY": SECRET} | fields
    # Reading the environment for every field takes most of a test's time; a copy takes none.
    config = _configs.get(repr(fields))
    if config is None:
        config = _configs[repr(fields)] = AuthXConfig(**fields)
    return AuthX(config=deepcopy(config), clock=clock or Clock())


@dataclass(frozen=True)
class Answer:
    """What an application sent."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    raised: Exception | None = None
    reads: int = 0
    scope: dict[str, Any] = field(default_factory=dict, repr=False)

    def all(self, name: str) -> list[str]:
        """The values of a header, in order."""
        return [value for key, value in self.headers if key == name.lower()]

    def get(self, name: str) -> str | None:
        """The value of a header that may occur once."""
        values = self.all(name)
        assert len(values) < 2, values
        return values[0] if values else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def cookies(self) -> list[str]:
        """The `Set-Cookie` lines."""
        return self.all("set-cookie")

    @property
    def cookie_names(self) -> list[str]:
        return [line.partition("=")[0] for line in self.cookies]


def authorization(token: str | bytes) -> tuple[str, bytes]:
    raw = token.encode() if isinstance(token, str) else token
    return "Authorization", b"Bearer " + raw


def cookies(**values: str | bytes) -> tuple[str, bytes]:
    """A `Cookie` header."""
    raw = {name: value.encode() if isinstance(value, str) else value for name, value in values.items()}
    return "Cookie", b"; ".join(name.encode() + b"=" + value for name, value in raw.items())


def scope_of(
    path: str = "/p",
    method: str = "GET",
    headers: Headers = (),
    *,
    query: str | bytes = b"",
    host: str | None = "door.example",
    **more: Any,
) -> dict[str, Any]:
    """The ASGI scope of a request, byte for byte; `more` replaces entries."""
    items = headers.items() if isinstance(headers, Mapping) else headers
    raw = [(name.lower().encode(), value.encode() if isinstance(value, str) else value) for name, value in items]
    if host is not None:
        raw.insert(0, (b"host", host.encode()))
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode() if isinstance(query, str) else query,
        "headers": raw,
        "client": ("192.0.2.1", 40000),
        "server": ("192.0.2.2", 443),
        "state": {},
        **more,
    }


def request_of(headers: Headers = (), **scope: Any) -> Request:
    """A request for a call by hand."""
    return Request(scope_of(headers=headers, **scope))


def knock(app: Any, *request: Any, **more: Any) -> Answer:
    """Does as `knock_once`, on an event loop of its own."""
    return asyncio.run(knock_once(app, *request, **more))


async def knock_once(
    app: Any,
    path: str = "/p",
    method: str = "GET",
    headers: Headers = (),
    body: bytes = b"",
    query: str | bytes = b"",
    scheme: str = "https",
    host: str | None = "door.example",
) -> Answer:
    """Sends one request, exactly as given, and collects the answer; an exception that escapes is in it."""
    scope = scope_of(path, method, headers, query=query, scheme=scheme, host=host)
    sent: list[dict[str, Any]] = []
    reads = 0

    async def receive() -> dict[str, Any]:
        nonlocal reads
        reads += 1
        if reads > 1:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    raised = None
    try:
        await app(scope, receive, send)
    except Exception as error:  # noqa: BLE001 - the answer was sent before it escaped
        raised = error
    starts = [message for message in sent if message["type"] == "http.response.start"]
    assert len(starts) == 1, raised
    return Answer(
        status=starts[0]["status"],
        headers=[(name.decode().lower(), value.decode("latin-1")) for name, value in starts[0]["headers"]],
        body=b"".join(message.get("body", b"") for message in sent),
        raised=raised,
        reads=reads,
        scope=scope,
    )
