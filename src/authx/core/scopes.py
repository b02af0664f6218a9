"""Scope matching: a granted scope covers a required one."""

from collections.abc import Sequence

from authx.jose.json_object import JSONObject

__all__ = ["granted_scopes", "has_required_scopes", "match_scope", "missing_scopes", "require_scope_names"]


def granted_scopes(claims: JSONObject) -> list[str] | None:
    """Read the scopes of a token.

    Args:
        claims: Claims of good shape.

    Returns:
        The list in `scopes`. Without that claim, the entries of a space-separated `scope`, as other issuers
        write it (RFC 8693 section 4.2, RFC 9068 section 2.2.3). `None` if the token has neither.
    """
    scopes = claims.get("scopes")
    if isinstance(scopes, list):
        return [str(scope) for scope in scopes]
    scope = claims.get("scope")
    # Only spaces separate: any other white space is part of a name that nothing asks for.
    return [name for name in scope.split(" ") if name] if isinstance(scope, str) else None


def match_scope(required: str, granted: str) -> bool:
    """Tell whether one granted scope satisfies one required scope.

    A granted scope that ends in `:*` covers the part before it and everything below it. Matching is
    case-sensitive; a wildcard in the required scope is satisfied by an equal or wider wildcard only.

    Args:
        required: The scope a route asks for.
        granted: A scope a token has.

    Returns:
        Whether `granted` covers `required`.
    """
    if granted == required:
        return True
    if not granted.endswith(":*"):
        return False
    return required == granted[:-2] or required.startswith(granted[:-1])


def has_required_scopes(required: Sequence[str], granted: Sequence[str] | None, all_required: bool = True) -> bool:
    """Tell whether a token's scopes satisfy a route's.

    Args:
        required: The scopes the route asks for; none asked and none granted always passes.
        granted: The scopes of the token; `None` if it carries none.
        all_required: Whether every required scope must be covered, or any one of them.

    Returns:
        Whether the token may pass.
    """
    if granted is None:
        return not required
    verdicts = (any(match_scope(scope, own) for own in granted) for scope in required)
    return all(verdicts) if all_required else any(verdicts)


def missing_scopes(required: Sequence[str], granted: Sequence[str] | None) -> list[str]:
    """List the required scopes that no granted one covers.

    Args:
        required: The scopes a route asks for.
        granted: The scopes of the token; `None` if it carries none.

    Returns:
        The missing ones.
    """
    return [scope for scope in required if not any(match_scope(scope, own) for own in granted or ())]


def require_scope_names(scopes: Sequence[object], call: str) -> tuple[str, ...]:
    """Check scopes that an application passes as arguments.

    Args:
        scopes: The arguments.
        call: The name of the function they were passed to, for the message.

    Returns:
        The scopes; of string enumerations, the characters they hold.

    Raises:
        TypeError: One of them is not a `str`: a list of scopes, for example.
    """
    for scope in scopes:
        if not isinstance(scope, str):
            raise TypeError(
                f"{call} takes each scope as an argument of its own, not a {type(scope).__name__}: "
                f'write {call}("posts:read", "posts:write")'
            )
    return tuple(str.__str__(scope) for scope in scopes if isinstance(scope, str))
