"""Findings about an instance in its application: whether its errors are answered."""

from collections.abc import Iterator
from typing import Any

from authx import AuthX
from authx.cli.target import Target, is_handled
from authx.exceptions import AuthXException
from authx.http.sharing import shared_between, shares_a_key
from authx.settings.finding import Finding

__all__ = ["app_findings", "login_findings"]


def app_findings(auth: AuthX[Any], target: Target) -> Iterator[Finding]:
    """Yield where `handle_errors` was not called."""
    apps = [target.app] if target.app is not None else target.neighbours
    if auth._runtime.applications and target.app is None:
        return
    if not apps:
        yield Finding(
            "info",
            "handler-unseen",
            f"handle_errors was not called while {target.name} was imported.",
            "Perhaps another module does so; that can only be seen from there.",
            f"name the application instead: authx check {target.name.partition(':')[0]}:app",
        )
    for app in apps:
        if is_handled(auth, app):
            continue
        if AuthXException not in app.exception_handlers:
            yield Finding(
                "warning",
                "handler-missing",
                "handle_errors was never called with the application.",
                "Cookies get lost where a route returns a response of its own, calls inside of routes answer 500, and "
                "a store is opened only by the first request that needs it.",
                "auth.handle_errors(app)",
            )
        elif auth._runtime.sessions is not None:
            yield Finding(
                "info",
                "lifespan-missing",
                "This instance's own handle_errors was never called with the application; another one's was.",
                "Errors are answered, but its store is opened by the first request that needs it, and not closed.",
                "auth.handle_errors(app), with this instance too",
            )


def login_findings(auth: AuthX[Any], other: AuthX[Any], label: str) -> Iterator[Finding]:
    """Yield what two instances of one application share; `label` names the other one."""
    kinds = auth.login_type, other.login_type
    if shares_a_key(auth._runtime, other._runtime) and (None in kinds or kinds[0] == kinds[1]):
        yield Finding(
            "warning",
            "login-type-missing",
            f"This instance and {label} share a key, and no login type distinguishes their tokens.",
            "Without a store, an instance that has no login type accepts the tokens of the other one: user 1 of one is "
            "user 1 of both.",
            'AuthX(config, login_type="admin"), with another login_type for each, or another key for each',
        )
        return
    shared = shared_between(auth._runtime, other._runtime)
    if shared:
        yield Finding(
            "warning",
            "logins-share",
            f"This instance and {label} share {'; '.join(shared)}.",
            "What two kinds of login share is where a mistake of one reaches the other.",
            "give each its own JWT_SECRET_KEY, JWT_STORE_PREFIX and cookie names, where they need not be shared",
        )
