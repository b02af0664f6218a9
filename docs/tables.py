"""Writes the tables of the documentation that follow from the code, between the markers where they stand.

Run it with `scripts/docs`; `scripts/docs --check` only tells whether they are up to date.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from authx import AuthXConfig, exceptions
from authx.exceptions import AuthXException
from authx.settings.feature import FeatureSettings
from authx.types import AlgorithmType, HTTPMethod, TokenLocation

__all__ = ["TABLES", "updated"]

FOLDER: Final = Path(__file__).parent

_WITHOUT_ERROR: Final = {401: "none"}
# Unions that are better named than spelt out.
_NAMED: Final = {
    get_args(AlgorithmType): "algorithm",
    get_args(HTTPMethod): "method",
    get_args(TokenLocation): "location",
}


def settings() -> str:
    """Write a table for each feature's settings, in the order of the fields."""
    lines: list[str] = []
    for feature in reversed(AuthXConfig.__mro__):
        if not issubclass(feature, FeatureSettings) or feature in (FeatureSettings, AuthXConfig):
            continue
        lines += ["", f"### {(feature.__doc__ or '').removesuffix('.')}", ""]
        lines += ["| setting | type | default | meaning |", "| --- | --- | --- | --- |"]
        for name in inspect.get_annotations(feature):
            field = AuthXConfig.model_fields[name]
            default, meaning = _value(field.get_default(call_default_factory=True)), _cell(field.description or "")
            lines.append(f"| `{name}` | {_type(field.annotation)} | {default} | {meaning} |")
    return "\n".join(lines[1:])


def errors() -> str:
    """Write a table of the errors that clients get."""
    lines = [
        "| `error_type` | status | in AuthX | `code` | `action` | `error` of the challenge | means |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for kind in sorted(_answered(), key=lambda kind: (kind.status or 0, kind.code, kind.__name__)):
        codes = " or ".join(f"`{code}`" for code in dict.fromkeys((kind.code, kind.refresh_code)) if code is not None)
        challenge = f"`{kind.challenge}`" if kind.challenge else _WITHOUT_ERROR.get(kind.status or 0, "no challenge")
        meaning = _cell((inspect.getdoc(kind) or "").partition("\n")[0])
        lines.append(
            f"| `{kind.__name__}` | {kind.status} | {kind.authx_status or 'unknown'} | {codes} | `{kind.action}` "
            f"| {challenge} | {meaning} |"
        )
    return "\n".join(lines)


def _answered() -> Iterator[type[AuthXException]]:
    for name in exceptions.__all__:
        kind = getattr(exceptions, name)
        if isinstance(kind, type) and issubclass(kind, AuthXException) and kind.status is not None:
            yield kind


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin is Literal:
        return _NAMED.get(arguments) or ", ".join(f"`{value!r}`".replace("'", '"') for value in arguments)
    if origin in (Union, UnionType):
        return " or ".join(_type(argument) for argument in arguments)
    if arguments:
        return f"list of {_type(arguments[0])}"
    plain = {str: "text", int: "integer", bool: "boolean", timedelta: "duration", NoneType: "`None`"}
    return plain[annotation]


def _value(value: object) -> str:
    if isinstance(value, timedelta):
        for unit, seconds in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
            count, rest = divmod(value.total_seconds(), seconds)
            if not rest and count:
                return f"{count:.0f} {unit}{'s' if count != 1 else ''}"
        return f"{value.total_seconds():g} s"
    text = repr(list(value)) if isinstance(value, list | tuple) else repr(value)
    return f"`{text}`".replace("'", '"')


def _cell(text: str) -> str:
    """Write a text as a table's cell, with the names of settings and claims as code."""
    text = re.sub(r"\b(JWT_[A-Z_]+\w)", r"`\1`", text)
    return text.replace("|", "\\|")


TABLES: Final[dict[str, Callable[[], str]]] = {"settings": settings, "errors": errors}


def updated(text: str) -> str:
    """Write the tables of a page anew.

    Args:
        text: The page, with markers `<!-- table: NAME -->` and `<!-- end of table -->`.

    Returns:
        The page.
    """

    def fill(marker: re.Match[str]) -> str:
        return f"{marker[1]}\n\n{TABLES[marker[2]]()}\n\n{marker[3]}"

    return re.sub(r"(<!-- table: (\w+) -->).*?(<!-- end of table -->)", fill, text, flags=re.DOTALL)


def main() -> int:
    """Update every page, or tell which are out of date."""
    stale = [page for page in sorted(FOLDER.glob("*.md")) if updated(page.read_text()) != page.read_text()]
    check = sys.argv[1:] == ["--check"]
    for page in stale:
        if not check:
            page.write_text(updated(page.read_text()))
        sys.stdout.write(f"{'out of date' if check else 'written'}: {page.name}\n")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
