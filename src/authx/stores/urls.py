"""Reading a store's URL strictly, and showing it without a part of its password, whatever characters that holds.

A password with a character that has a meaning in URLs makes the rest of it look like a host, a path, an option or a
fragment. So nothing is guessed: a URL in which an `@` may be out of place is refused, and only its scheme is shown.
"""

import re
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from authx.exceptions import BadConfigurationError

__all__ = ["HIDDEN", "masked_url", "options_of", "problem_of"]

HIDDEN: Final = "**********"
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,19}")
# Its user and password, hosts, path and query, in which an @ stands nowhere else than before the hosts.
_PARTS: Final = re.compile(r"(?:([^@/?#\[\]]*)@)?([^@/?#]*)(/[^@?#]*)?(?:\?([^@#]*))?")
_HOST: Final = re.compile(r"(?:\[[0-9a-fA-F:.%]*\]|[\w.%~-]*)(?::(\d{1,5}))?", re.ASCII)
_SAFE_PATH: Final = re.compile(r"[\w./~+-]*")
_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.]{0,39}")
# After one of these, what looks like a further option may be the rest of a password with an unescaped &.
_SECRETS: Final = frozenset({"password", "sslpassword", "passwd", "pwd", "secret", "token", "key"})
_ADVICE: Final = "percent-encode what is special in its user name and password (@ as %40, / as %2F, ? as %3F, # as %23)"


def problem_of(url: str) -> str | None:
    """Return why the URL of a server cannot be read for certain, without a word of it; `None` if it can be read."""
    _, _, rest = url.partition("://")
    if not rest.isprintable() or " " in rest or "\\" in rest:
        return f"has a space or another character that cannot stand in a URL; {_ADVICE}"
    parts = _PARTS.fullmatch(rest)
    if parts is None:
        return f"cannot be read; {_ADVICE}"
    for host in parts[2].split(","):
        found = _HOST.fullmatch(host)
        if found is None or (found[1] is not None and not 0 < int(found[1]) < 65536):
            return f"cannot be read: a host or a port is none; {_ADVICE}"
    try:
        # What drivers read it with has objections of its own, such as to letters that look like / or @.
        urlsplit(url)
    except ValueError:
        return f"cannot be read; {_ADVICE}"
    return None


def masked_url(url: str) -> str:
    """Write a store's URL for messages, without its user name, its password and all that could be a part of them.

    Args:
        url: The URL.

    Returns:
        It, with `**********` for what is not shown.
    """
    scheme, found, rest = url.partition("://")
    if not found or not _SCHEME.fullmatch(scheme):
        return HIDDEN
    parts = _PARTS.fullmatch(rest)
    if parts is None or problem_of(url) is not None or not _SAFE_PATH.fullmatch(parts[3] or ""):
        return f"{scheme}://{HIDDEN}"
    # Not the user's name either: where a colon was forgotten, it is the beginning of the password.
    user = f"{HIDDEN}@" if parts[1] else ""
    return f"{scheme}://{user}{parts[2]}{parts[3] or ''}"


def options_of(url: str) -> dict[str, str]:
    """Read the options in the query of a URL that has no problem; each needs a value, and none may be there twice."""
    query = url.partition("?")[2]
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if not value:
            raise BadConfigurationError(f"The store URL {masked_url(url)} has {shown(name, options)} without a value")
        if name in options:
            raise BadConfigurationError(f"The store URL {masked_url(url)} has {shown(name, options)} twice")
        options[name] = value
    return options


def shown(name: str, before: dict[str, str] | None = None) -> str:
    """Write the name of an option for messages, unless it could be a part of a password."""
    if not _NAME.fullmatch(name) or (before is not None and not _SECRETS.isdisjoint(before)):
        return "an option whose name is not shown, because it may be a part of a password (& is %26 there)"
    return f"the option {name}"
