"""Scope matching: a granted scope covers a required one."""

from collections.abc import Sequence

__all__ = ["has_required_scopes", "match_scope"]


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
