"""An HTTP client small enough to send a hundred requests in the same moment."""

import asyncio
import base64
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from tests.support.waiting import PATIENCE


class LostAnswerError(Exception):
    """The connection broke, or could not be made."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, list[str]]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """What an error is for programs."""
        return self.body["code"]

    @property
    def cookies(self) -> dict[str, str]:
        return dict(each.split(";")[0].split("=", 1) for each in self.headers.get("set-cookie", []))


class Line:
    """One connection, which stays open from request to request."""

    def __init__(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.port = port
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, port: int) -> Self:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError as error:
            raise LostAnswerError from error
        return cls(port, reader, writer)

    async def ask(
        self,
        method: str,
        path: str,
        token: str | None = None,
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "host: localhost", f"content-length: {len(sent)}"]
        if body is not None:
            lines.append("content-type: application/json")
        if token is not None:
            lines.append(f"authorization: Bearer {token}")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        try:
            # More than any server here is allowed to take.
            async with asyncio.timeout(PATIENCE):
                self._writer.write("\r\n".join([*lines, "", ""]).encode() + sent)
                return await self._read()
        except (OSError, asyncio.IncompleteReadError) as error:
            raise LostAnswerError from error

    async def _read(self) -> Answer:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers: dict[str, list[str]] = {}
        for line in filter(None, head[1:]):
            name, value = line.split(": ", 1)
            headers.setdefault(name.lower(), []).append(value)
        text = await self._reader.readexactly(int(headers.get("content-length", ["0"])[0]))
        return Answer(int(head[0].split()[1]), headers, text.decode())

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def ask(port: int, method: str, path: str, token: str | None = None, **more: Any) -> Answer:
    """One request on a connection of its own."""
    async with await Line.to(port) as line:
        return await line.ask(method, path, token, **more)


def claims_of(token: str) -> dict[str, Any]:
    segment = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
