"""An application with one route, and the nodes of its dependencies."""

from fastapi import Depends, FastAPI


def one_route(dependency, path="/p", app=None):
    """An application with one route that injects a dependency and answers whether it gave anything."""
    app = FastAPI() if app is None else app
    required = Depends(dependency)

    @app.get(path)
    async def route(given=required):
        return type(given).__name__

    return app


def nodes(dependant):
    """Every dependency of a route, at any depth."""
    return [node for child in dependant.dependencies for node in (child, *nodes(child))]


def nodes_of_only_route(app):
    (route,) = [route for route in app.routes if getattr(route, "path", "") == "/p"]
    return nodes(route.dependant)


async def async_answer(argument, answer=None):
    return answer
