"""fastapi-users with its JWT strategy and one user in memory, wired as its documentation shows."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi_users import (  # type: ignore[import-not-found, unused-ignore]
    BaseUserManager,
    FastAPIUsers,
    UUIDIDMixin,
)
from fastapi_users.authentication import (  # type: ignore[import-not-found, unused-ignore]
    AuthenticationBackend,
    BearerTransport,
    JWTStrategy,
)
from fastapi_users.db import BaseUserDatabase  # type: ignore[import-not-found, unused-ignore]

from benchmarks import tokens
from benchmarks.apps.floor import HELLO
from benchmarks.asgi import answers, bearer, http_case
from benchmarks.cases import Case
from benchmarks.micro import forged

SUBJECT = "fastapi-users"


@dataclass
class User:
    """A user as the library's protocol wants it."""

    id: uuid.UUID
    email: str = "test@example.com"
    hashed_password: str = ""
    is_active: bool = True
    is_superuser: bool = False
    is_verified: bool = True


USERS = {user.id: user for user in (User(uuid.uuid4()),)}


class Users(BaseUserDatabase[User, uuid.UUID]):  # type: ignore[misc, unused-ignore]
    """Users in a dictionary."""

    async def get(self, id: uuid.UUID) -> User | None:  # noqa: A002
        return USERS.get(id)


class Manager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):  # type: ignore[misc, unused-ignore]
    """The library's user manager."""

    reset_password_token_secret = tokens.SECRET
    verification_token_secret = tokens.SECRET


async def user_db() -> AsyncIterator[Users]:
    """The library's documentation makes this a dependency."""
    yield Users()


async def user_manager(users: Annotated[Users, Depends(user_db)]) -> AsyncIterator[Manager]:
    """The library's documentation makes this a dependency."""
    yield Manager(users)


def jwt_strategy() -> JWTStrategy[User, uuid.UUID]:
    """A plain function in the library's documentation, so here too."""
    return JWTStrategy(secret=tokens.SECRET, lifetime_seconds=tokens.LIFETIME)


BACKEND = AuthenticationBackend(name="jwt", transport=BearerTransport(tokenUrl="login"), get_strategy=jwt_strategy)
CURRENT = FastAPIUsers[User, uuid.UUID](user_manager, [BACKEND]).current_user(active=True)


def cases() -> Iterable[Case]:
    """Protected routes, at the route and with the user injected."""
    at_route, injected = FastAPI(), FastAPI()

    @at_route.get("/protected", dependencies=[Depends(CURRENT)], response_model=None)
    async def route() -> dict[str, str]:
        return HELLO

    @injected.get("/protected", response_model=None)
    async def route_with_user(user: Annotated[User, Depends(CURRENT)]) -> dict[str, str]:
        return {"sub": str(user.id)}

    (user,) = USERS.values()
    token = asyncio.run(jwt_strategy().write_token(user))
    yield http_case(
        "header fastapi-users",
        SUBJECT,
        "header HS256, at the route",
        at_route,
        "GET",
        "/protected",
        [bearer(token)],
        accept=answers(HELLO),
        refuse=bearer(forged(token)),
        baseline="bare GET",
    )
    yield http_case(
        "payload fastapi-users",
        SUBJECT,
        "header HS256, user injected",
        injected,
        "GET",
        "/protected",
        [bearer(token)],
        accept=answers({"sub": str(user.id)}),
        refuse=bearer(forged(token)),
        baseline="bare GET",
    )
