"""What the commands print: JSON where something reads it, text for people on a terminal, and never a secret."""

import json
import os
import re
import sys
from collections.abc import Callable
from shutil import get_terminal_size
from textwrap import fill, wrap
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NoReturn

import typer

from authx.types import MASK

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "USAGE",
    "AsJson",
    "Failure",
    "as_text",
    "console",
    "first_line",
    "leave_closed_pipe",
    "masked",
    "printable",
    "say",
    "show_json",
    "show_wrapped",
    "wants_json",
    "warn",
    "without_tokens",
]

USAGE: Final = 2
_CLOSED_PIPE: Final = 141  # as a shell has it: 128 and SIGPIPE
_LEAST_ROOM: Final = 20
_TOKEN: Final = re.compile(r"ey[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_PASSWORD: Final = re.compile(r"(://[^/\s:@]*:)[^\s/]+@")

AsJson = Annotated[
    bool | None,
    typer.Option(
        "--json/--table", help="JSON, or text for people. Default: text on a terminal, else JSON.", show_default=False
    ),
]


class Failure(Exception):  # noqa: N818 - a message for the user, no error of the program
    """Ends a command with a message on standard error."""

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def wants_json(choice: bool | None) -> bool:
    """Return whether to print JSON: as the user chose, or where standard output is no terminal."""
    return not sys.stdout.isatty() if choice is None else choice


def show_json(value: object) -> None:
    """Print a value as JSON; everything beyond ASCII is escaped, so nothing in it can drive a terminal."""
    say(json.dumps(value, indent=2))


def say(text: str, end: str = "\n") -> None:
    """Print a text on standard output, and end quietly where nobody reads it."""
    try:
        sys.stdout.write(text + end)
        sys.stdout.flush()
    except BrokenPipeError:
        # Typer would turn it into the code that says: not good.
        leave_closed_pipe()


def warn(text: str) -> None:
    """Print a message on standard error."""
    message = f"authx: {masked(text)}"
    if sys.stderr.isatty():
        message = fill(message, get_terminal_size().columns, break_long_words=False, break_on_hyphens=False)
    typer.echo(message, err=True)


def printable(text: str) -> str:
    """Write a text so that it can drive no terminal: what an attacker chose is shown, not obeyed."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def masked(text: str) -> str:
    """Take tokens, and passwords in URLs, out of a text that somebody else wrote."""
    return "\n".join(map(printable, str(without_tokens(text)).splitlines()))


def console(*, stderr: bool = False) -> "Console":
    """Return a console that takes no text for markup, knows the terminal's width and obeys NO_COLOR."""
    from rich.console import Console

    class _Console(Console):
        def on_broken_pipe(self) -> None:
            leave_closed_pipe()

    # rich would still write bold text.
    colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    return _Console(stderr=stderr, color_system=colours, highlight=False, markup=False, emoji=False)


def show_wrapped(out: "Console", text: str, first: str, others: str) -> None:
    """Print a text in lines that fit, without cutting a word: it may be one to copy."""
    from rich.text import Text

    for line in wrap(
        text,
        max(out.width, len(others) + _LEAST_ROOM),
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    ):
        out.print(Text(line))


def leave_closed_pipe() -> NoReturn:
    """End quietly because nobody reads any more."""
    # What is still buffered has nowhere to go, and must not fail at the interpreter's end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(_CLOSED_PIPE)


def without_tokens(value: Any) -> Any:
    """Take tokens and passwords out of the texts in a JSON value."""
    if isinstance(value, str):
        return _TOKEN.sub(MASK, _PASSWORD.sub(rf"\g<1>{MASK}@", value))
    if isinstance(value, dict):
        return {name: without_tokens(inner) for name, inner in value.items()}
    return [without_tokens(inner) for inner in value] if isinstance(value, list) else value


def first_line(command: Callable[..., None]) -> str:
    """Return the first line of a command's description, which typer would cut."""
    return (command.__doc__ or "").partition("\n")[0]


def as_text(value: Any) -> str:
    """Write a JSON value on one line for people, texts without quotes, as `printable` does."""
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
