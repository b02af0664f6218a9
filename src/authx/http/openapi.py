"""What protected routes look like in the OpenAPI document: their errors, each with its status."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol, runtime_checkable

from fastapi import FastAPI, routing
from fastapi.dependencies.models import Dependant

from authx.schema import ErrorBody

__all__ = ["Describable", "describe_errors"]

_LACKS_SCOPE: Final = "the token lacks a scope"
_REFERENCE = {"application/json": {"schema": {"$ref": "#/components/schemas/AuthXError"}}}


@runtime_checkable
class Describable(Protocol):
    """A dependency that can say which statuses it answers with."""

    def error_statuses(self, method: str) -> dict[int, str]:
        """Name the statuses of its errors for an HTTP method, each with a description."""
        ...


def describe_errors(app: FastAPI) -> None:
    """Add the errors of protected routes to an application's OpenAPI document."""
    original = app.openapi
    if getattr(original, "authx_describes", False):
        return
    described: list[dict[str, Any]] = []

    def openapi() -> dict[str, Any]:
        schema = original()
        if not described or described[0] is not schema:
            _describe(schema, app)
            described[:] = [schema]
        return schema

    openapi.authx_describes = True  # type: ignore[attr-defined]
    app.openapi = openapi  # type: ignore[method-assign]


def _describe(schema: dict[str, Any], app: FastAPI) -> None:
    found = False
    for path, method, dependant in _operations(app):
        operation = schema.get("paths", {}).get(path, {}).get(method.lower())
        if operation is None:
            continue
        for status, description in sorted(_statuses(dependant, method).items()):
            found = True
            # What the application says of a status itself stays.
            operation.setdefault("responses", {}).setdefault(
                str(status), {"description": description, "content": _REFERENCE}
            )
    if found:
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        schemas.setdefault("AuthXError", ErrorBody.model_json_schema())


def _operations(app: FastAPI) -> Iterator[tuple[str, str, Dependant]]:
    # FastAPI from 0.13x on keeps included routers as they are; this walks into them.
    walk = getattr(routing, "iter_route_contexts", None)
    routes: Iterable[Any] = walk(app.routes) if walk is not None else app.routes
    for route in routes:
        dependant = getattr(route, "dependant", None)
        methods = getattr(route, "methods", None)
        if isinstance(dependant, Dependant) and methods:
            for method in methods:
                yield route.path_format, method, dependant


def _statuses(dependant: Dependant, method: str) -> dict[int, str]:
    statuses: dict[int, str] = {}
    for child in dependant.dependencies:
        dependency: object = child.call
        if isinstance(dependency, Describable):
            statuses.update(dependency.error_statuses(method))
            if child.security_scopes_param_name is not None and _asks_for_scopes(child):
                others = statuses.get(403, "")
                if _LACKS_SCOPE not in others.lower():
                    statuses[403] = f"{others} or {_LACKS_SCOPE}" if others else _LACKS_SCOPE.capitalize()
        statuses.update(_statuses(child, method))
    return statuses


def _asks_for_scopes(dependant: Dependant) -> bool:
    # Older versions of FastAPI keep the scopes of all levels in one list.
    names = ("own_oauth_scopes", "parent_oauth_scopes", "security_scopes")
    return any(getattr(dependant, name, None) for name in names)
