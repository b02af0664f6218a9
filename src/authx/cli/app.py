"""The command line: its commands, and how each of them ends."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand

from authx import __version__
from authx.cli.check import check
from authx.cli.inspect import inspect
from authx.cli.output import USAGE, Failure, first_line, leave_closed_pipe, masked, warn
from authx.cli.prune import prune
from authx.cli.schema import schema
from authx.cli.secret import secret
from authx.cli.sessions import sessions

__all__ = ["app", "run"]

_INTERRUPTED: Final = 130
# Above each mistake in a command line. Typer's versions keep click's classes in different places.
_UsageError: Final[Any] = typer.BadParameter.__mro__[1]

# Plain help and plain messages: they fit into any width. Tracebacks, of our own mistakes only, show no variables,
# for some of them hold secrets.
app = typer.Typer(
    name="authx",
    help="Try, configure and operate authx: access and refresh tokens for FastAPI.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"authx {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


class _Verbatim(TyperCommand):
    """A command that passes on all its arguments, `--help` and `--` among them."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        ctx.args = list(args)
        return []


def _demo(ctx: typer.Context) -> None:
    """Serve the demo application, to try in a browser and with curl."""
    from authx.demo.__main__ import main

    raise typer.Exit(main(ctx.args, name="authx demo"))


app.command("demo", cls=_Verbatim, add_help_option=False, short_help=first_line(_demo))(_demo)
for _command in (secret, inspect, check, schema, prune):
    app.command(short_help=first_line(_command))(_command)
app.add_typer(sessions, name="sessions")


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code.

    0; 1 for a negative answer or a failure; 2 for a mistake in the command line or the settings; 130 after Ctrl-C.
    """
    try:
        try:
            code = app(args=list(arguments), prog_name="authx", standalone_mode=False)
        finally:
            sys.stdout.flush()
    except Failure as failure:
        warn(failure.message)
        return failure.code
    except _UsageError as error:
        # What was typed may be a token.
        error.message = masked(error.message)
        error.show()
        return USAGE
    except BrokenPipeError:
        leave_closed_pipe()
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED
    return code if isinstance(code, int) else 0
