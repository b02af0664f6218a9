"""The URL of a PostgreSQL server, as hosting services, libpq and other drivers' users write it.

asyncpg takes some of libpq's parameters and sends every other one to the server, which does not know it. So each
parameter is looked at here: it has its effect, or it has none by its nature, or it is refused by its name.
"""

import re
import shlex
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

from authx.exceptions import BadConfigurationError
from authx.stores.urls import masked_url, options_of, problem_of, shown

__all__ = ["PostgreSQLURL", "read_url"]

CONNECT_SECONDS: Final = 3.0
_MOST_CONNECTIONS: Final = 100
_SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# What asyncpg itself does with a parameter is right.
_FOR_ASYNCPG: Final = frozenset(
    {
        *("host", "port", "user", "password", "dbname", "database", "passfile", "service", "servicefile"),
        *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "sslnegotiation"),
        *("ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs", "krbsrvname", "gsslib"),
    }
)
# Their values; of the others any.
_VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "sslmode": _SSL_MODES,
    "sslnegotiation": ("postgres", "direct"),
    "ssl_min_protocol_version": ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"),
    "ssl_max_protocol_version": ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"),
    "target_session_attrs": ("any", "primary", "standby", "read-write", "read-only", "prefer-standby"),
    # These two cannot be demanded of asyncpg; what is not demanded is not needed.
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer"),
    "pgbouncer": ("true", "false"),
    "client_encoding": ("utf8", "utf-8", "UTF8", "UTF-8", "auto"),
}
_FILES: Final = ("sslcert", "sslkey", "sslrootcert", "sslcrl")
# `ssl=true`, as other drivers have it.
_SSL: Final[Mapping[str, str]] = {
    **{mode: mode for mode in _SSL_MODES},
    **dict.fromkeys(("true", "1", "on", "yes", "no-verify"), "require"),
    **dict.fromkeys(("false", "0", "off", "no"), "disable"),
}
# Of other pools and drivers, or of sockets: without them nothing is less safe.
_WITHOUT_EFFECT: Final = frozenset(
    {
        *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "sslsni"),
        *("channel_binding", "gssencmode", "gssdelegation", "pgbouncer", "client_encoding", "sslcompression"),
        *("connection_limit", "pool_timeout", "socket_timeout", "statement_cache_size", "prepareThreshold"),
        *("prepared_statement_cache_size", "load_balance_hosts", "fallback_application_name"),
    }
)
# Settings of the session, which asyncpg would send like any other parameter.
_SETTINGS: Final = frozenset(
    {
        *("application_name", "search_path", "statement_timeout", "lock_timeout", "timezone", "TimeZone", "role"),
        *("idle_in_transaction_session_timeout", "synchronous_commit", "default_transaction_read_only"),
    }
)
_FOR_US: Final = frozenset({"ssl", "connections", "connect_timeout", "options"})
_SETTING: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PostgreSQLURL:
    """What a URL says."""

    # For asyncpg.
    dsn: str = field(repr=False)
    # For messages.
    where: str
    # Settings of the session, and what `options` says besides, for the server at the start of the connection.
    settings: Mapping[str, str]
    options: str | None
    # How TLS verifies the server, where asyncpg takes no option for it.
    context: ssl.SSLContext | None
    connections: int | None
    connect_seconds: float


def read_url(url: str) -> PostgreSQLURL:
    """Read a URL, and refuse it where it cannot be read for certain, or has a parameter that has no effect here."""
    where = masked_url(url)
    problem = problem_of(url)
    if problem is not None:
        raise BadConfigurationError(f"The store URL {where} {problem}")
    given = options_of(url)
    _check(given, where)
    context = _system_context(given, where)
    settings, startup = _settings(given, where)
    kept = {name: value for name, value in given.items() if name in _FOR_ASYNCPG}
    if context is not None:
        kept = {name: value for name, value in kept.items() if name not in ("sslmode", "sslrootcert")}
    elif "ssl" in given:
        kept["sslmode"] = _ssl_mode(given, where)
    base = url.partition("?")[0]
    if "," in base.partition("://")[2].partition("/")[0] + given.get("host", ""):
        # One of several hosts may be a standby, which takes no writes.
        kept.setdefault("target_session_attrs", "read-write")
    return PostgreSQLURL(
        dsn=f"{base}?{urlencode(kept, quote_via=quote)}" if kept else base,
        where=where,
        settings=settings,
        options=startup,
        context=context,
        connections=_number(given, "connections", _MOST_CONNECTIONS, where),
        connect_seconds=min(
            _number(given, "connect_timeout", 10**9, where, least=0) or CONNECT_SECONDS, CONNECT_SECONDS
        ),
    )


def _check(given: Mapping[str, str], where: str) -> None:
    before: dict[str, str] = {}
    for name, value in given.items():
        if name not in _FOR_ASYNCPG | _WITHOUT_EFFECT | _SETTINGS | _FOR_US:
            raise BadConfigurationError(
                f"The store URL {where} has {shown(name, before)}, which is not supported; leave it out. A setting of "
                "the session is written options=-c%20name%3Dvalue"
            )
        if name in _VALUES and value not in _VALUES[name]:
            raise BadConfigurationError(
                f"The store URL {where} has {name}, which has to be one of {', '.join(_VALUES[name])} here"
            )
        if name in _FILES and value != "system" and not Path(value).is_file():
            raise BadConfigurationError(f"The store URL {where} has {name}, which has to name a file that is there")
        before[name] = value
    if not all(port.isascii() and port.isdigit() for port in given.get("port", "5432").split(",")):
        raise BadConfigurationError(f"The store URL {where} has port, which has to be a number")
    if given.get("channel_binding") == "require" and given.get("sslmode") != "verify-full":
        raise BadConfigurationError(
            f"The store URL {where} has channel_binding=require, which asyncpg cannot do. Leave it out; "
            "sslmode=verify-full, with sslrootcert=system or a file, makes sure of the server instead"
        )


def _ssl_mode(given: Mapping[str, str], where: str) -> str:
    mode = _SSL.get(given["ssl"])
    if mode is None:
        raise BadConfigurationError(f"The store URL {where} has ssl, which has to be true, false or a value of sslmode")
    other = given.get("sslmode", mode)
    if (other == "disable") != (mode == "disable"):
        raise BadConfigurationError(f"The store URL {where} has ssl and sslmode, which contradict each other")
    return other


def _system_context(given: Mapping[str, str], where: str) -> ssl.SSLContext | None:
    """Trust the system's authorities where the URL says so, and then verify the server's name too, as libpq does."""
    if given.get("sslrootcert") != "system":
        return None
    if given.get("sslmode", "verify-full") != "verify-full":
        raise BadConfigurationError(f"The store URL {where} has sslrootcert=system, which needs sslmode=verify-full")
    context = ssl.create_default_context()
    if "sslcert" in given:
        try:
            context.load_cert_chain(given["sslcert"], given.get("sslkey"), given.get("sslpassword"))
        except (OSError, ValueError):
            problem = BadConfigurationError(f"The store URL {where} has sslcert or sslkey, which cannot be read")
        else:
            return context
        raise problem
    return context


def _settings(given: Mapping[str, str], where: str) -> tuple[dict[str, str], str | None]:
    """Find the settings of the session, also in `options`, where nothing else is in there."""
    settings = {name: value for name, value in given.items() if name in _SETTINGS}
    options = given.get("options")
    if options is None:
        return settings, None
    if "\x00" in options:
        raise BadConfigurationError(f"The store URL {where} has options, which cannot be read")
    try:
        words = shlex.split(options)
    except ValueError:
        return settings, options
    found: dict[str, str] = {}
    while words:
        word = words.pop(0)
        text = words.pop(0) if word == "-c" and words else word[2:] if word.startswith(("-c", "--")) else ""
        setting = _SETTING.fullmatch(text)
        if setting is None:
            # Such as the name of a database's endpoint, which a hosting service's proxy looks for.
            return settings, options
        found[setting[1].replace("-", "_")] = setting[2]
    return settings | found, None


def _number(given: Mapping[str, str], name: str, most: int, where: str, *, least: int = 1) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
        raise BadConfigurationError(
            f"The store URL {where} has {name}, which has to be a number from {least} to {most}"
        )
    return int(text)
