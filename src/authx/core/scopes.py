"""Scope matching: a granted scope covers a required one."""

from collections.abc import Sequence

from authx.jose.json_object import JSONObject

__all__ = ["granted_scopes", "has_required_scopes", "match_scope", "missing_scopes", "require_scope_names"]


def granted_scopes(claims: JSONObject) -> list[str] | None:
    """Read the scopes of a token: `scopes`, or the entries of `scope` (RFC 8693 section 4.2), or `None`."""
    scopes = claims.get("scopes")
    if isinstance(scopes, list):
        return [str(scope) for scope in scopes]
    scope = claims.get("scope")
    # Only spaces separate: any other white space is part of a name that nothing asks for.
    return [name for name in scope.split(" ") if name] if isinstance(scope, str) else None


def match_scope(required: str, granted: str) -> bool:
    """Return whether a granted scope covers a required one: an equal one does, and `a:*` covers `a` and all below."""
    if granted == required:
        return True
    if not granted.endswith(":*"):
        return False
    return required == granted[:-2] or required.startswith(granted[:-1])


def has_required_scopes(required: Sequence[str], granted: Sequence[str] | None, all_required: bool = True) -> bool:
    """Return whether a token's scopes cover all that a route requires, or any one."""
    if granted is None:
        return not required
    verdicts = (any(match_scope(scope, own) for own in granted) for scope in required)
    return all(verdicts) if all_required else any(verdicts)


def missing_scopes(required: Sequence[str], granted: Sequence[str] | None) -> list[str]:
    """List the required scopes that no granted one covers."""
    return [scope for scope in required if not any(match_scope(scope, own) for own in granted or ())]


def require_scope_names(scopes: Sequence[object], call: str) -> tuple[str, ...]:
    """Check scopes that an application passes as arguments of `call`."""
    for scope in scopes:
        if not isinstance(scope, str):
            raise TypeError(
                f"{call} takes each scope as an argument of its own, not a {type(scope).__name__}: "
                f'write {call}("posts:read", "posts:write")'
            )
    return tuple(str.__str__(scope) for scope in scopes if isinstance(scope, str))
