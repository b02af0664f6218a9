"""What a presented token says, and the tokens that a refresh makes of it.

The successor is a function of the presented token and the session's row, of nothing else. So whoever repeats a
refresh, on whatever worker, is given the same token, to the byte. The access token is a new one each time.
"""

import os
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from math import ceil
from typing import Any, Final

from authx.core.csrf import access_value
from authx.core.ids import refresh_jti, session_created_at, session_id, uuid4
from authx.core.retry_keys import retry_hash
from authx.core.rotation import PresentedToken
from authx.core.session import Session
from authx.jose import base64url
from authx.jose.json_object import JSONObject, JSONValue, dump_object, load_object
from authx.tokens.issuer import Issued, Issuer, end_of, scope_list
from authx.types import CLAIMS

__all__ = ["check_claims", "present", "renewed_access_token", "successor"]

# Members of a JOSE header that come from the key and not from the application.
_OWN_HEADER: Final = frozenset({"alg", "kid"})
# The claims that a renewed access token takes from the refresh token as they are.
_KEPT_CLAIMS: Final = ("aud", "iss", "scopes", "login_type")


def present(token: bytes, claims: JSONObject, retry_key: bytes | None = None) -> PresentedToken:
    """Read what a verified token says about its session; the retry key is that of the request, where it refreshes."""
    complete = dict(claims)
    sub = str(claims["sub"])
    issued: Any = claims["iat"]
    exp: Any = claims.get("exp")
    sid = complete.get("sid")
    if not isinstance(sid, str):
        sid = complete["sid"] = session_id(sub, int(issued * 1000), sha256(token.split(b".")[1]).digest())
        complete["gen"] = 0
    generation = complete.setdefault("gen", 0)
    complete.setdefault("csrf", "")
    if not isinstance(generation, int):
        generation = 0
    return PresentedToken(
        sid=sid,
        sub=sub,
        generation=generation,
        created_at=session_created_at(sid),
        expires_at=None if exp is None else ceil(exp) * 1000,
        lifetime=None if exp is None else max(0, ceil(exp - issued)) * 1000,
        claims=complete,
        headers=_application_headers(token.partition(b".")[0]),
        retry_hash=None if retry_key is None else retry_hash(sid, generation, retry_key),
    )


def successor(presented: PresentedToken, row: Session, last_second: int | None, issuer: Issuer) -> Issued:
    """Make the refresh token that follows, as the session's row after the rotation determines it."""
    claims = dict(presented.claims)
    issued = row.rotated_at // 1000
    claims["gen"] = row.generation
    claims["jti"] = refresh_jti(row.sid, row.generation)
    claims["iat"] = issued
    if "nbf" in claims:
        claims["nbf"] = issued
    end = None
    if presented.lifetime is not None:
        # A row without an end holds tokens of both kinds: this one's is counted from the rotation.
        ms = issued * 1000 + presented.lifetime if row.expires_at is None else row.expires_at
        end = claims["exp"] = (ms if last_second is None else min(ms, last_second)) // 1000
    return Issued(issuer.sign(claims, presented.headers), end, str(claims["csrf"] or ""))


def renewed_access_token(
    presented: PresentedToken, issuer: Issuer, now: int, *, last_second: int | None, more: Mapping[str, Any] | None
) -> Issued:
    """Make a new access token for the session, never fresh; `more` replaces claims of the refresh token."""
    old, issued = presented.claims, now // 1000
    claims: JSONObject = {
        "sub": old["sub"],
        "jti": uuid4(os.urandom(16)),
        "type": "access",
        "sid": old["sid"],
        "iat": issued,
    }
    if issuer.not_before:
        claims["nbf"] = issued
    lifetime = issuer.lifetimes["access"]
    end = None if lifetime is None else end_of(issued, lifetime)
    if last_second is not None:
        end = last_second // 1000 if end is None else min(end, last_second // 1000)
    if end is not None:
        claims["exp"] = end
    claims["fresh"] = False
    claims["csrf"] = access_value(str(old["csrf"] or "")) if "access" in issuer.csrf_types else ""
    for name in _KEPT_CLAIMS:
        if old.get(name) is not None:
            claims[name] = old[name]
    for name, value in old.items():
        if name not in CLAIMS:
            claims[name] = value
    if more:
        replaced = dict(more)
        if "scopes" in replaced:
            claims["scopes"] = list(replaced.pop("scopes") or [])
            # Another issuer's `scope` would still name the scopes that were replaced.
            claims.pop("scope", None)
        issuer.add_data(claims, replaced)
    return Issued(issuer.sign(claims, presented.headers), end, str(claims["csrf"]))


def check_claims(presented: PresentedToken, issuer: Issuer, more: Mapping[str, Any]) -> None:
    """Find out whether an application's fresh claims can stand in a token, before anything is consumed."""
    replaced = {name: value for name, value in more.items() if name != "scopes"}
    scratch: JSONObject = {"sub": presented.sub, "jti": "-", "iat": 0}
    scratch["scopes"] = scope_list(more.get("scopes") or [])
    issuer.add_data(scratch, replaced)
    issuer.refuse_unacceptable(scratch)
    dump_object(scratch)


# The tokens of an application have few different headers.
@lru_cache(maxsize=64)
def _application_headers(segment: bytes) -> Mapping[str, JSONValue]:
    header = load_object(base64url.decode(segment))
    kept = {name: value for name, value in header.items() if name not in _OWN_HEADER}
    return {} if kept == {"typ": "JWT"} else kept
