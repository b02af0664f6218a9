"""`authx secret`: a key for JWT_SECRET_KEY."""

import secrets
from typing import Annotated, Final

import typer

from authx.cli.output import say

__all__ = ["secret"]

_LEAST: Final = 32
_MOST: Final = 1024
_DEFAULT: Final = 48


def secret(
    size: Annotated[
        int, typer.Option("--bytes", metavar="N", min=_LEAST, max=_MOST, help="How many random bytes.")
    ] = _DEFAULT,
) -> None:
    """Print a random JWT_SECRET_KEY and nothing else.

    export JWT_SECRET_KEY="$(authx secret)"
    """
    say(secrets.token_urlsafe(size))
