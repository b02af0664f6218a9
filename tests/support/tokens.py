"""Compact tokens read and forged by hand, so that no test trusts the library's own codec."""

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

SECRET = "the secret every compatibility test signs with"
OTHER_SECRET = "a secret that no server of these tests has got"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def header_of(token: str) -> dict[str, Any]:
    return _segment(token, 0)


def claims_of(token: str) -> dict[str, Any]:
    return _segment(token, 1)


def forge(claims: Mapping[str, Any], secret: str = SECRET, **header: Any) -> str:
    """Signs any claims with HS256 (or says another ``alg`` and signs with HS256 all the same)."""
    signed = b".".join(_encode(part) for part in ({"alg": "HS256", "typ": "JWT"} | header, claims))
    return (signed + b"." + _base64url(hmac.digest(secret.encode(), signed, hashlib.sha256))).decode()


def forge_access(secret: str = SECRET, **claims: Any) -> str:
    """Signs what another AuthX would have issued a moment ago, with claims replaced."""
    now = int(time.time())
    usual = {"sub": "alice", "type": "access", "fresh": False, "csrf": "", "jti": "0b6e4f0e", "iat": now}
    return forge(usual | {"exp": now + 3600} | claims, secret)


def _encode(part: Mapping[str, Any]) -> bytes:
    return _base64url(json.dumps(part, separators=(",", ":")).encode())


def _base64url(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def _segment(token: str, index: int) -> dict[str, Any]:
    segment = token.split(".")[index]
    value: dict[str, Any] = json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return value
