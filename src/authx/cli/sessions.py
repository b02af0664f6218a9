"""`authx sessions`: list and end a user's sessions, while the application runs or not."""

import sys
import time
from typing import Annotated, Final

import typer

from authx.cli.browser import browser
from authx.cli.output import AsJson, Failure, console, first_line, printable, say, show_json, wants_json, warn
from authx.cli.stores import DEFAULT_PREFIX, Auth, LoginType, Place, Prefix, StoreURL, operate, run
from authx.cli.words import relative, timestamp
from authx.core.claims import is_subject
from authx.core.ids import is_session_id, is_session_id_of
from authx.schema import SessionInfo
from authx.sessions.service import Sessions

__all__ = ["sessions"]

_MOST: Final = 100  # what a store lists at once
# Columns of a terminal from which on there is room for a whole row, and for what is most of interest in it.
_WIDE: Final = 110
_NARROW: Final = 78
_OF_INTEREST: Final = ("session", "last active", "address", "browser")
_REFUSED: Final = 1

User = Annotated[str, typer.Option("--user", metavar="UID", help="Whose: the uid that the application uses.")]
SessionID = Annotated[str, typer.Argument(metavar="SESSION_ID", help="As `authx sessions list` shows it.")]

sessions = typer.Typer(
    help="List and end the sessions of a user.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)


def list_sessions(
    user: User,
    store: StoreURL = None,
    prefix: Prefix = DEFAULT_PREFIX,
    login_type: LoginType = None,
    auth: Auth = None,
    as_json: AsJson = None,
) -> None:
    """Show a user's live sessions, newest first, at most 100."""
    _require_user(user)
    found = run(_list(Place(store, prefix, login_type, auth), user))
    if wants_json(as_json):
        show_json([_as_json(info) for info in found])
    elif found:
        _show(found)
    else:
        say(f"{printable(user)} has no live session here")
    if len(found) == _MOST:
        warn(f"there may be more: these are the newest {_MOST}")


def revoke(
    session_id: SessionID,
    user: Annotated[
        str | None,
        typer.Option("--user", metavar="UID", help="Refuse if it is not this user's.", show_default=False),
    ] = None,
    store: StoreURL = None,
    prefix: Prefix = DEFAULT_PREFIX,
    login_type: LoginType = None,
    auth: Auth = None,
    as_json: AsJson = None,
) -> None:
    """End one session, of a running application too.

    Its refresh token ends at once, its access tokens within a second.
    """
    if not is_session_id(session_id):
        raise Failure("that is no session id: it has 36 characters, as `authx sessions list` shows it")
    if user is not None:
        _require_user(user)
    found = run(_revoke(Place(store, prefix, login_type, auth), session_id, user))
    if wants_json(as_json):
        show_json({"revoked": session_id, "user": None if found is None else found.uid})
    else:
        say(f"{session_id} has been ended")
    if found is None:
        warn("there was no row of it here: it was never refreshed, or this is another store or prefix")


def revoke_all(
    user: User,
    kept: Annotated[
        str | None,
        typer.Option("--except", metavar="SESSION_ID", help="The one session that goes on.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    store: StoreURL = None,
    prefix: Prefix = DEFAULT_PREFIX,
    login_type: LoginType = None,
    auth: Auth = None,
    as_json: AsJson = None,
) -> None:
    """End all sessions of a user, of a running application too.

    Those that the store has no row of end as well: nobody has to know them.
    """
    _require_user(user)
    if kept is not None and not is_session_id_of(kept, user):
        raise Failure("--except names no session of this user; `authx sessions list` shows their ids")
    place = Place(store, prefix, login_type, auth)
    if not yes and not sys.stdin.isatty():
        raise Failure("nobody can be asked here: give --yes to end all sessions of the user")
    if not yes:
        # Nothing is open while somebody thinks about it.
        listed = len({info.session_id for info in run(_list(place, user))} - {kept})
        if not _confirmed(user, listed, kept):
            raise Failure("nothing was ended", _REFUSED)
    ended = run(_revoke_all(place, user, kept))
    if wants_json(as_json):
        show_json({"user": user, "ended": ended, "spared": kept})
    else:
        say(f"all sessions of {printable(user)} have been ended{_but(kept)}; {ended} of them were listed")


for _name, _command in (("list", list_sessions), ("revoke", revoke), ("revoke-all", revoke_all)):
    sessions.command(_name, short_help=first_line(_command))(_command)


async def _list(place: Place, user: str) -> list[SessionInfo]:
    async with operate(place) as sessions:
        return await sessions.list(user)


async def _revoke(place: Place, session_id: str, user: str | None) -> SessionInfo | None:
    async with operate(place) as sessions:
        found = await sessions.get(session_id)
        if user is not None and not _is_of(session_id, user, found):
            raise Failure(f"this is no session of {printable(user)}; nothing was ended", _REFUSED)
        await sessions.end(session_id)
        return found


def _is_of(session_id: str, user: str, found: SessionInfo | None) -> bool:
    # The id holds a short hash of its user; the row says it for certain. Revoking a session of which there was no row
    # wrote one without a user.
    return is_session_id_of(session_id, user) and (found is None or found.uid in ("", user))


async def _revoke_all(place: Place, user: str, kept: str | None) -> int:
    async with operate(place) as sessions:
        session = None if kept is None else await sessions.get(kept)
        if session is not None and not session.is_active:
            warn("the session that was to go on had been ended before, and stays so")
        before = await _live(sessions, user)
        await sessions.end_subject(user, kept)
        return len(before - await _live(sessions, user))


async def _live(sessions: Sessions, user: str) -> set[str]:
    return {info.session_id for info in await sessions.list(user)}


def _confirmed(user: str, count: int, kept: str | None) -> bool:
    many = f"at least {count}" if count >= _MOST else str(count)
    typer.echo(f"End all sessions of {printable(user)}{_but(kept)}? The store lists {many}. [y/N] ", err=True, nl=False)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _but(kept: str | None) -> str:
    return "" if kept is None else f" but {kept}"


def _require_user(user: str) -> None:
    if not is_subject(user):
        raise Failure("--user has to have 1 to 255 characters")


def _as_json(info: SessionInfo) -> dict[str, object]:
    return {
        "session_id": info.session_id,
        "uid": info.uid,
        "created_at": timestamp(info.created_at.timestamp()),
        "last_active": timestamp(info.last_active.timestamp()),
        "expires_at": None if info.expires_at is None else timestamp(info.expires_at.timestamp()),
        "ip_address": info.ip_address,
        "user_agent": info.user_agent,
        "device_info": info.device_info,
    }


def _show(found: list[SessionInfo]) -> None:
    """Show a table that fits; on a very narrow terminal a paragraph for each session. Ids stay whole, to be copied."""
    from rich.table import Table
    from rich.text import Text

    out, now = console(), time.time()
    names = ("session", "created", "last active", "expires", "address", "browser")
    rows = [
        (
            printable(info.session_id),
            relative(info.created_at.timestamp(), now),
            relative(info.last_active.timestamp(), now),
            "never" if info.expires_at is None else relative(info.expires_at.timestamp(), now),
            printable(info.ip_address or "unknown"),
            printable(browser(info.user_agent)),
        )
        for info in found
    ]
    if out.width < _NARROW:
        for row in rows:
            out.print(Text(row[0], style="bold"))
            for name, value in zip(names[1:], row[1:], strict=True):
                out.print(Text(f"  {name:<12} {value}"))
        return
    table = Table(box=None, pad_edge=False)
    shown = [name for name in names if out.width >= _WIDE or name in _OF_INTEREST]
    for name in shown:
        table.add_column(name, no_wrap=name != "browser")
    for row in rows:
        table.add_row(*[Text(value) for name, value in zip(names, row, strict=True) if name in shown])
    out.print(table)
