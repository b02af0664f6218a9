"""The demo's application: the ready-made routes for sessions, and one that is protected."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.types import ASGIApp

from authx import AuthX, AuthXConfig, __version__
from authx.demo.curl import ADDRESS
from authx.demo.front import add_page
from authx.demo.lab import Lab, LoseAnswers, StoppableStore, lab_routes
from authx.demo.place import own_secret, own_store
from authx.demo.users import Users
from authx.stores import open_store

__all__ = ["MEMORY", "check_store", "create_app", "demo_config", "is_in_memory"]

MEMORY: Final = "memory://"
# Short enough to watch, long enough to copy a token into a shell by hand.
_ACCESS_TOKEN_EXPIRES: Final = timedelta(minutes=2)


class _Demo(FastAPI):
    """An application that loses answers together with what its outermost middleware adds to them."""

    def build_middleware_stack(self) -> ASGIApp:
        return LoseAnswers(super().build_middleware_stack())


class Message(BaseModel):
    """A text for people."""

    message: str


def demo_config(store: str | None = None) -> AuthXConfig:
    """Read the demo's settings: tokens in headers and cookies, the environment, and defaults for store and secret."""
    config = AuthXConfig(JWT_TOKEN_LOCATION=["headers", "cookies"], JWT_COOKIE_SECURE="auto")
    config.JWT_STORE_URL = store or config.JWT_STORE_URL or own_store()
    if "JWT_ACCESS_TOKEN_EXPIRES" not in config.model_fields_set:
        config.JWT_ACCESS_TOKEN_EXPIRES = _ACCESS_TOKEN_EXPIRES
    if config.is_algo_symmetric and not config.JWT_SECRET_KEY:
        # What a store in memory knows of logouts ends with the process, and so must its tokens.
        config.JWT_SECRET_KEY = secrets.token_urlsafe(48) if is_in_memory(config) else own_secret()
    _ = config.private_key  # a demo that cannot sign should not start
    return config


def is_in_memory(config: AuthXConfig) -> bool:
    """Return whether the sessions end with the process."""
    return (config.JWT_STORE_URL or "").lower().startswith(MEMORY)


async def check_store(config: AuthXConfig) -> None:
    """Open the store and create its tables, to see that it works."""
    auth: AuthX[str] = AuthX(config)
    try:
        await auth.open()
    finally:
        await auth.close()


def create_app(
    config: AuthXConfig | None = None,
    *,
    address: str = ADDRESS,
    clock: Callable[[], float] | None = None,
    lab_file: str = ":memory:",
) -> FastAPI:
    """Make the demo application; `lab_file` is shared by the workers, `address` is shown on the front page."""
    app = _Demo(title="authx demo", version=__version__)
    config = config or demo_config(MEMORY)
    lab = app.state.lab = Lab(lab_file)
    store = StoppableStore(open_store(config.JWT_STORE_URL or MEMORY, config.JWT_STORE_PREFIX), lab)
    auth: AuthX[str] = AuthX(config, store=store, clock=clock)
    auth.handle_errors(app)
    users = Users({"test": "test", "alice": "alice"})

    def authenticate(username: str, password: str) -> str | None:
        return username if users.accept(username, password) else None

    app.include_router(auth.router(authenticate, tags=["sessions"]))

    @app.get("/protected", dependencies=[auth.ACCESS_REQUIRED])
    async def protected() -> Message:
        """Answer every request with an access token."""
        return Message(message="You have access")

    app.include_router(lab_routes(auth, lab))
    add_page(app, address)
    return app
