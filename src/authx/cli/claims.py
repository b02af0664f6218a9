"""What is in a token, in words."""

from typing import Final

from authx.cli.words import relative, timestamp
from authx.core.ids import is_session_id, session_created_at
from authx.jose.json_object import JSONObject, JSONValue
from authx.types import MASK

__all__ = ["meanings", "shown"]

_HEADER: Final = {
    "alg": "the algorithm of the signature",
    "typ": "what kind of thing it is",
    "kid": "the id of the key that signed",
    "cty": "what kind of thing the payload is",
}
_CLAIMS: Final = {
    "sub": "the subject: whose token it is",
    "jti": "the token's own id",
    "type": "what it is good for",
    "sid": "the session it belongs to",
    "iss": "the issuer: who made it",
    "aud": "the audience: for whom it was made",
    "csrf": "the CSRF value that has to come along with a cookie; not shown",
    "scopes": "what it allows",
    "login_type": "the kind of login it is from",
    "cnf": "it is bound to a key, which is not accepted here",
}
# In words for the past, and for the future.
_DATES: Final = {"exp": ("expired", "expires"), "iat": ("issued", "issued"), "nbf": ("valid since", "valid")}
_TYPES: Final = {
    "access": "an access token: it opens protected routes",
    "refresh": "a refresh token: it is exchanged for new tokens, and opens nothing",
}


def shown(claims: JSONObject) -> JSONObject:
    """Return the claims with the CSRF value masked."""
    return {name: MASK if name == "csrf" and value else value for name, value in claims.items()}


def meanings(header: JSONObject, claims: JSONObject, now: float) -> tuple[dict[str, str], dict[str, str]]:
    """Return the meaning of each known member of a token's header, and of each known claim."""
    known = {name: meaning for name, value in claims.items() if (meaning := _meaning(name, value, now))}
    return {name: _HEADER[name] for name in header if name in _HEADER}, known


def _meaning(name: str, value: JSONValue, now: float) -> str | None:
    if name in _DATES and isinstance(value, int | float) and not isinstance(value, bool):
        past, ahead = _DATES[name]
        return f"{ahead if value > now else past} {relative(value, now)}, at {timestamp(value)}"
    if name == "csrf" and not value:
        return "it needs no CSRF value"
    if name == "type" and isinstance(value, str) and value in _TYPES:
        return _TYPES[value]
    if name == "sid" and is_session_id(value):
        created = session_created_at(str(value)) / 1000
        return f"the session it belongs to, begun {relative(created, now)}, at {timestamp(created)}"
    if name == "gen" and isinstance(value, int):
        return f"how many exchanges came before it: {value}" if value else "no exchange came before it"
    if name == "fresh" and isinstance(value, bool):
        return "from a login" if value else "not from a login just now: a refresh, or made without one"
    return _CLAIMS.get(name)
