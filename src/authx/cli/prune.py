"""`authx prune`: delete what no token can need any more."""

import sys
import time
from collections.abc import Callable
from typing import Annotated, Final

import typer

from authx.cli.output import AsJson, console, say, show_json, wants_json
from authx.cli.stores import DEFAULT_PREFIX, Auth, LoginType, Place, Prefix, StoreURL, operate, run
from authx.stores import Store

__all__ = ["prune", "prune_in_slices"]

_MOST: Final = 100_000
_DEFAULT: Final = 1000


def prune(
    store: StoreURL = None,
    prefix: Prefix = DEFAULT_PREFIX,
    login_type: LoginType = None,
    auth: Auth = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=_MOST, help="How many rows at a time.")
    ] = _DEFAULT,
    as_json: AsJson = None,
) -> None:
    """Delete sessions and revocations that no token can need any more.

    Applications do so by themselves, once a minute. This is for a store that none of them has run on for long.
    """
    deleted = run(_prune(Place(store, prefix, login_type, auth), limit))
    if wants_json(as_json):
        show_json({"deleted": deleted})
    else:
        say(f"{deleted:,} deleted")


async def _prune(place: Place, limit: int) -> int:
    async with operate(place) as sessions:
        if not sys.stderr.isatty():
            return await prune_in_slices(sessions.store.store, limit, lambda _: None)
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        # How much there is nobody knows before: the bar runs to and fro.
        columns = (BarColumn(20), TextColumn("{task.completed:,} deleted"), TimeElapsedColumn())
        with Progress(*columns, console=console(stderr=True), transient=True) as progress:
            task = progress.add_task("", total=None)
            return await prune_in_slices(
                sessions.store.store, limit, lambda done: progress.update(task, completed=done)
            )


async def prune_in_slices(store: Store, limit: int, report: Callable[[int], None]) -> int:
    """Delete slice by slice, so that nobody else waits for long, and report the number after each."""
    deleted = 0
    while True:
        some = await store.prune(int(time.time() * 1000), limit)
        deleted += some
        report(deleted)
        if some < limit:
            return deleted
