"""The demo's page: files of the package, and the headers that let a browser take nothing but them."""

from collections.abc import Awaitable, Callable
from functools import cache
from html import escape
from importlib.resources import files
from typing import Final

from fastapi import FastAPI
from starlette.responses import Response

from authx.demo.curl import curl_lines

__all__ = ["add_page"]

_FILES: Final = {
    "/": ("index.html", "text/html"),
    "/demo.css": ("demo.css", "text/css"),
    "/demo.js": ("demo.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_LINES: Final = "{lines}"
_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def add_page(app: FastAPI, address: str) -> None:
    """Serve the page at `/`, with shell lines for the address where it is served."""
    for path, (name, media_type) in _FILES.items():
        content = _read(name).replace(_LINES, escape(curl_lines(address)))
        app.add_api_route(path, _answering(content, media_type), methods=["GET"], include_in_schema=False)


def _answering(content: str, media_type: str) -> Callable[[], Awaitable[Response]]:
    async def answer() -> Response:
        return Response(content, media_type=media_type, headers=_HEADERS)

    return answer


@cache
def _read(name: str) -> str:
    return files("authx.demo").joinpath("page", name).read_text("utf-8")
