"""The `authx` command: `pip install 'authx-fastapi[cli]'`."""

import sys
from importlib.util import find_spec

__all__ = ["main"]


def main() -> int:
    """Run the command with the arguments of the process, and return the exit code."""
    try:
        if any(find_spec(name) is None for name in ("typer", "rich")):
            sys.stderr.write("authx: this command needs typer and rich: pip install 'authx-fastapi[cli]'\n")
            return 1
        from authx.cli.app import run

        return run(sys.argv[1:])
    except KeyboardInterrupt:
        return 130
