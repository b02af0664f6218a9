"""What went wrong between a store and its PostgreSQL server, in this library's words and never with a password."""

import ssl
from socket import gaierror
from typing import Final

import asyncpg  # type: ignore[import-untyped]

from authx.exceptions import BadConfigurationError, StoreUnavailableError

__all__ = ["breaks_connection", "explained", "is_read_only", "refused", "transaction_mode"]

# Classes of SQLSTATE (PostgreSQL's Appendix A): connection, transaction state (a standby is read-only), rollback,
# resources, object state (lock timeouts), operator intervention, system, internal.
_UNAVAILABLE: Final = frozenset({"08", "25", "40", "53", "55", "57", "58", "XX"})
# Of a statement that was ended alone; the connection goes on.
_STATEMENT_ONLY: Final = frozenset({"25", "40", "53", "55"})
_QUERY_CANCELED: Final = "57014"
# Of a server that is no primary any more: the same name may lead to the new one by now.
_READ_ONLY: Final = "25006"
# A prepared statement that the server has forgotten, or whose table has changed.
_LOST: Final = frozenset({"26000", "42P05"})
_STALE: Final = _LOST | {"0A000"}
# A table or a column that is not there.
_MISSING: Final = frozenset({"42P01", "42703"})
_REFUSALS: Final = {
    "42704": "does not know a setting in the URL's options",
    "22023": "does not take the value of a setting in the URL's options",
    "28000": "refuses this user; check the user name in the URL and the server's pg_hba.conf",
    "28P01": "refuses the password; check the user name and the password in the URL",
    "3D000": "has no such database; create it, or name another in the URL",
    "3F000": "has no schema to put tables in; set the user's search_path",
    "42501": "does not let this user create or use the tables; grant it, or have the owner of the database run what "
    "`authx schema postgresql` prints",
}
_UNREACHABLE: Final = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)


def explained(error: Exception, where: str) -> Exception:
    """Return the error to raise for one that a statement met; one that is about the statement itself stays as it is."""
    state = _state_of(error)
    if state:
        if state in _MISSING:
            return BadConfigurationError(
                f"{where} lacks a table or a column of the session store: create or upgrade the schema with "
                "JWT_STORE_CREATE_SCHEMA, or run what `authx schema postgresql` prints"
            )
        if state == _READ_ONLY:
            return StoreUnavailableError(f"{where} is read-only: a standby, or a failover is under way")
        if state[:2] in _UNAVAILABLE or state in _STALE or state in _REFUSALS:
            return StoreUnavailableError(f"{where} does not answer: {type(error).__name__}")
        return error
    # A value that PostgreSQL cannot hold is a `ValueError`, and a mistake of the caller.
    if isinstance(error, _UNREACHABLE) and not isinstance(error, ValueError):
        return _unreachable(error, where)
    return error


def refused(error: Exception, where: str) -> Exception:
    """Return the error to raise for one that was met while connecting for the first time."""
    if _state_of(error) in _REFUSALS:
        return BadConfigurationError(f"{where} {_REFUSALS[_state_of(error)]}")
    if _state_of(error) in _LOST:
        # On a connection that is new: somebody else uses it at the same time.
        return transaction_mode(where)
    if isinstance(error, ssl.SSLCertVerificationError):
        return BadConfigurationError(
            f"{where} has a TLS certificate that is not trusted: name its authority with sslrootcert, and its host as "
            "the certificate has it"
        )
    if isinstance(error, ConnectionError) and "SSL upgrade" in str(error):
        return BadConfigurationError(f"{where} does not offer TLS, which sslmode in the URL asks for")
    if isinstance(error, ValueError):
        # What asyncpg says of a URL it cannot read may quote it.
        return BadConfigurationError(f"The store URL {where} is not one that asyncpg can read; check its parts")
    return explained(error, where)


def transaction_mode(where: str) -> BadConfigurationError:
    """Return the error for a pooler that lends a connection for no longer than a transaction."""
    return BadConfigurationError(
        f"{where} is a connection pooler in transaction mode or statement mode, where LISTEN, settings and prepared "
        "statements of a session get lost: connect to the server directly, or to a pooler in session mode "
        "(pool_mode=session in PgBouncer)"
    )


def is_read_only(error: Exception) -> bool:
    """Return whether a server took no write because it is read-only; no connection to it is used again."""
    return _state_of(error) == _READ_ONLY


def breaks_connection(error: Exception) -> bool:
    """Return whether a connection that met an error should not be used again."""
    state = _state_of(error)
    if not state:
        return not isinstance(error, ValueError)
    return state in (*_STALE, _READ_ONLY) or (
        state[:2] in _UNAVAILABLE and state[:2] not in _STATEMENT_ONLY and state != _QUERY_CANCELED
    )


def _unreachable(error: Exception, where: str) -> StoreUnavailableError:
    reason = type(error).__name__
    if isinstance(error, gaierror):
        reason = f"its host name is not known ({reason}). Check the host in the URL"
    elif isinstance(error, ConnectionRefusedError | FileNotFoundError):
        reason = f"nothing listens there ({reason}). Check the host and the port in the URL, and that the server runs"
    elif isinstance(error, TimeoutError):
        reason = f"no answer in time ({reason}). Check the host and the port in the URL, and firewalls"
    return StoreUnavailableError(f"{where} cannot be reached: {reason}")


def _state_of(error: Exception) -> str:
    # Only what the server says has one.
    state: str | None = getattr(error, "sqlstate", None)
    return state or ""
