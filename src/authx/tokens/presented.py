"""The tokens of a refresh: a successor that can be made again to the byte, and a new access token.

The successor is a function of the presented token and the session's row, of nothing else. So whoever
repeats a refresh, on whatever worker, is given the same token.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from math import ceil
from typing import Any, Final

from authx.core.csrf import access_value
from authx.core.ids import refresh_jti, session_created_at, session_id, uuid4
from authx.core.retry_keys import retry_hash
from authx.core.rotation import Presented, RefreshUse, earlier
from authx.core.session import Session
from authx.jose import base64url
from authx.jose.json_object import JSONObject, JSONValue, dump_object, load_object
from authx.tokens.issuer import RESERVED, Issued, Issuer, end_of, scope_list

__all__ = ["Refreshable", "read_refresh_token"]

# Members of a JOSE header that come from the key and not from the application.
_OWN_HEADER: Final = frozenset({"alg", "kid"})
# Claims whose value each token gets of its own.
_OWN_CLAIMS: Final = RESERVED | {"jti", "iat", "login_type"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshable:
    """A verified refresh token, and what its session can make of it.

    Attributes:
        claims: Its claims; those of other issuers completed with `sid`, `gen` and `csrf`.
        headers: What the application put into its JOSE header.
        use: What it says about its session.
    """

    claims: JSONObject = field(repr=False)
    headers: Mapping[str, JSONValue]
    use: RefreshUse

    def successor(self, row: Session, last_second: int | None, issuer: Issuer) -> Issued:
        """Make the refresh token that follows.

        Args:
            row: The session's row after the rotation.
            last_second: The end of the session's absolute age, in milliseconds.
            issuer: Signs.

        Returns:
            The token.
        """
        claims = dict(self.claims)
        issued = row.rotated_at // 1000
        claims["gen"] = row.generation
        claims["jti"] = refresh_jti(row.sid, row.generation)
        claims["iat"] = issued
        if "nbf" in claims:
            claims["nbf"] = issued
        end = self._end(row, last_second)
        if end is not None:
            claims["exp"] = end
        return Issued(issuer.sign(claims, self.headers), end, str(claims.get("csrf") or ""))

    def _end(self, row: Session, last_second: int | None) -> int | None:
        if self.use.lifetime is None:
            return None
        # A row without an end holds tokens of both kinds: this one's is counted from the rotation.
        end = row.expires_at
        if end is None:
            end = row.rotated_at // 1000 * 1000 + self.use.lifetime
        return earlier(end, last_second) // 1000

    def access_token(self, issuer: Issuer, *, last_second: int | None, more: Mapping[str, Any] | None) -> Issued:
        """Make a new access token for the session; it is never fresh.

        Args:
            issuer: Signs.
            last_second: The end of the session, in milliseconds.
            more: Claims that replace those of the refresh token; `scopes` replaces the scopes.

        Returns:
            The token.

        Raises:
            TypeError: `more` sets a reserved claim.
        """
        issued = self.use.now // 1000
        claims: JSONObject = {"sub": self.claims["sub"], "jti": uuid4(os.urandom(16)), "type": "access"}
        claims["sid"] = self.claims["sid"]
        claims["iat"] = issued
        if issuer.not_before:
            claims["nbf"] = issued
        lifetime = issuer.lifetimes["access"]
        end = None if lifetime is None else end_of(issued, lifetime)
        if last_second is not None:
            end = earlier(last_second // 1000, end)
        if end is not None:
            claims["exp"] = end
        claims["fresh"] = False
        claims["csrf"] = access_value(str(self.claims.get("csrf") or "")) if "access" in issuer.csrf_types else ""
        for name in ("aud", "iss", "scopes", "login_type"):
            if self.claims.get(name) is not None:
                claims[name] = self.claims[name]
        custom = {name: value for name, value in self.claims.items() if name not in _OWN_CLAIMS}
        claims.update(custom)
        if more:
            replaced = dict(more)
            if "scopes" in replaced:
                claims["scopes"] = list(replaced.pop("scopes") or [])
                # Another issuer's `scope` would still name the scopes that were replaced.
                claims.pop("scope", None)
            issuer.add_data(claims, replaced)
        return Issued(issuer.sign(claims, self.headers), end, str(claims["csrf"]))

    def check_more(self, issuer: Issuer, more: Mapping[str, Any]) -> None:
        """Find out whether an application's fresh claims can stand in a token, before anything is consumed.

        Args:
            issuer: Signs.
            more: The claims.

        Raises:
            TypeError: One of them is reserved, or has no place in JSON.
            ValueError: A number is not finite.
        """
        replaced = {name: value for name, value in more.items() if name != "scopes"}
        scratch: JSONObject = {"sub": self.claims["sub"], "jti": "-", "iat": 0}
        scratch["scopes"] = scope_list(more.get("scopes") or [])
        issuer.add_data(scratch, replaced)
        issuer.refuse_unacceptable(scratch)
        dump_object(scratch)


def read_refresh_token(token: bytes, claims: JSONObject, now: float, retry_key: bytes | None = None) -> Refreshable:
    """Read what a verified refresh token says about its session.

    A token of another issuer has no session. It is given one that its text alone determines, so that from
    there on nothing about it is special.

    Args:
        token: The compact token.
        claims: Its verified claims.
        now: Seconds since 1970.
        retry_key: The retry key of the request, where it refreshes.

    Returns:
        The token, ready to be refreshed.
    """
    sub = str(claims["sub"])
    issued: Any = claims["iat"]
    complete = dict(claims)
    if not isinstance(complete.get("sid"), str):
        seed = sha256(token.split(b".")[1]).digest()
        complete["sid"] = session_id(sub, int(issued * 1000), seed)
        complete["gen"] = 0
    complete.setdefault("gen", 0)
    complete.setdefault("csrf", "")
    sid = str(complete["sid"])
    generation = complete["gen"] if isinstance(complete["gen"], int) else 0
    exp: Any = claims.get("exp")
    return Refreshable(
        claims=complete,
        headers=_application_headers(token),
        use=RefreshUse(
            presented=Presented(
                sid=sid,
                sub=sub,
                generation=generation,
                created_at=session_created_at(sid),
                retry_hash=None if retry_key is None else retry_hash(sid, generation, retry_key),
            ),
            expires_at=None if exp is None else ceil(exp) * 1000,
            lifetime=None if exp is None else max(0, ceil(exp - issued)) * 1000,
            now=int(now * 1000),
        ),
    )


def _application_headers(token: bytes) -> Mapping[str, JSONValue]:
    header = load_object(base64url.decode(token.split(b".")[0]))
    kept = {name: value for name, value in header.items() if name not in _OWN_HEADER}
    return {} if kept == {"typ": "JWT"} else kept
