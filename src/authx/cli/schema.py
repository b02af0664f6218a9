"""`authx schema`: the statements that create a store's tables."""

from typing import Annotated, Final

import typer

from authx.cli.output import Failure, say, warn
from authx.cli.stores import DEFAULT_PREFIX, LoginType, Prefix
from authx.exceptions import BadConfigurationError
from authx.stores.prefixes import namespace_prefix, require_prefix

__all__ = ["schema"]

_SQL: Final = {"postgresql": "postgresql", "postgres": "postgresql", "sqlite": "sqlite"}
_WITHOUT: Final = {
    "redis": "Redis and Valkey keep keys, and need no schema: there is nothing to create",
    "memory": "memory:// keeps sessions in the process, and needs no schema: there is nothing to create",
}


def schema(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="postgresql or sqlite.")],
    prefix: Prefix = DEFAULT_PREFIX,
    login_type: LoginType = None,
) -> None:
    """Print the SQL that creates a store's tables, for migrations of your own.

    No driver is needed for it. Redis and memory have no schema.
    """
    name = kind.lower()
    if name in _WITHOUT:
        warn(_WITHOUT[name])
        return
    if name not in _SQL:
        raise Failure(f"there is no schema for {kind!r}; use postgresql or sqlite")
    try:
        say(tables(name, prefix, login_type), end="")
    except BadConfigurationError as error:
        raise Failure(str(error)) from None


def tables(kind: str, prefix: str, login_type: str | None = None) -> str:
    """Return the statements, which may be run again, for `postgresql` or `sqlite`."""
    names = require_prefix(prefix) if login_type is None else namespace_prefix(require_prefix(prefix), login_type)
    if _SQL[kind] == "postgresql":
        from authx.stores.postgresql.statements import schema as statements
    else:
        from authx.stores.sqlite.statements import schema as statements
    return statements(names)
