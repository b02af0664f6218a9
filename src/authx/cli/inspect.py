"""`authx inspect`: what is in a token, and whether it would be accepted."""

import getpass
import sys
import time
from dataclasses import asdict
from typing import Annotated, Final

import typer

from authx.cli.claims import meanings, shown
from authx.cli.mistakes import settings_of_environment
from authx.cli.output import AsJson, Failure, as_text, console, show_json, show_wrapped, wants_json, without_tokens
from authx.cli.reading import Parts, UnreadableTokenError, read
from authx.cli.stores import Auth
from authx.cli.target import one
from authx.cli.verdict import Problem, Signature, examine
from authx.config import AuthXConfig
from authx.exceptions import BadConfigurationError
from authx.jose.key import KeyRing
from authx.tokens.configured_keys import build_ring

__all__ = ["inspect"]

_REFUSED: Final = 1
_MUCH: Final = 1_000_000  # characters of standard input that are looked at
_TERMINAL_LINE: Final = 4095  # bytes that a terminal gives at once


def inspect(
    token: Annotated[
        str | None,
        typer.Argument(
            metavar="TOKEN", help="The token; -, or nothing, to read it from standard input.", show_default=False
        ),
    ] = None,
    auth: Auth = None,
    as_json: AsJson = None,
) -> None:
    """Show what is in a token, and whether it would be accepted.

    Its signature is checked with the keys of the environment (JWT_SECRET_KEY and the like), or of --auth. A token on
    the command line stays in the shell's history: better give it on standard input.
    """
    config, login_type = _config(auth)
    try:
        parts = read(_given(token), config.JWT_MAX_TOKEN_BYTES)
    except UnreadableTokenError as error:
        raise Failure(f"this is no token that can be read: {error}") from None
    now = time.time()
    signature, problems = examine(parts, _ring(config), config, now, login_type)
    if wants_json(as_json):
        show_json(_report(parts, signature, problems, now))
    else:
        _show(parts, signature, problems, now)
    if problems:
        raise typer.Exit(_REFUSED)


def _config(auth: str | None) -> tuple[AuthXConfig, str | None]:
    if auth is None:
        return settings_of_environment(), None
    instance = one(auth)
    return instance.config, instance.login_type


def _ring(config: AuthXConfig) -> KeyRing:
    try:
        return build_ring(config)
    except BadConfigurationError as error:
        raise Failure(f"the configured keys cannot be used: {error}") from None


def _given(token: str | None) -> str:
    """Return the token from the command line or standard input; a terminal asks for it without echo."""
    if token not in (None, "-"):
        return str(token)
    if sys.stdin.isatty():
        try:
            text = getpass.getpass("Token (it is not shown): ", sys.stderr)
        except EOFError:
            return ""
        if len(text) >= _TERMINAL_LINE:
            raise Failure("terminals cut longer lines off: let it read a file, authx inspect < token.txt")
        return text
    # Bytes that are not UTF-8 are found to be no token's.
    return sys.stdin.buffer.read(_MUCH).decode("utf-8", "replace")


def _report(parts: Parts, signature: Signature, problems: list[Problem], now: float) -> dict[str, object]:
    in_header, in_claims = meanings(parts.header, parts.claims, now)
    return {
        "accepted": False if problems else True if signature.state == "good" else None,
        "signature": asdict(signature),
        "problems": [asdict(problem) for problem in problems],
        "header": without_tokens(parts.header),
        "claims": without_tokens(shown(parts.claims)),
        "meaning": {"header": in_header, "claims": in_claims},
    }


def _show(parts: Parts, signature: Signature, problems: list[Problem], now: float) -> None:
    from rich.text import Text

    out = console()
    colour = {"good": "green", "bad": "red", "not checked": "yellow"}[signature.state]
    out.print(Text.assemble("signature: ", (signature.state, colour), f" ({as_text(signature.reason)})"))
    if problems:
        for problem in problems:
            out.print(Text.assemble(("refused: ", "red"), as_text(problem.message)))
    elif signature.state == "good":
        kind = f" as {as_text(parts.claims['type'])} token (whether its session was ended is not looked up)"
        out.print(Text.assemble(("accepted", "green"), kind))
    else:
        out.print(Text.assemble(("readable", "yellow"), ": nothing is wrong with it but that anybody may have made it"))
    in_header, in_claims = meanings(parts.header, parts.claims, now)
    for title, members, known in (
        ("header", parts.header, in_header),
        ("claims", shown(parts.claims), in_claims),
    ):
        out.print()
        out.print(Text(title, style="bold"))
        width = max(map(len, map(as_text, members)), default=0) + 4
        for name, value in members.items():
            meaning = f" ({known[name]})" if name in known else ""
            text = as_text(without_tokens(value)) + as_text(meaning)
            show_wrapped(out, text, f"  {as_text(name)}".ljust(width), " " * width)
