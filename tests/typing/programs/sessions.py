"""Sessions by the ready-made router and by hand, with events and stores."""

from datetime import timedelta
from typing import assert_type

from fastapi import Depends, FastAPI, Request, Response

from authx import AuthX, AuthXConfig, SessionInfo
from authx.schema import SessionTokens
from authx.stores import Store, open_store

store: Store = open_store("sqlite:///auth.db")
auth = AuthX(AuthXConfig(JWT_ACCESS_TOKEN_EXPIRES=timedelta(minutes=5)), store=store)
app = FastAPI()


def authenticate(username: str, password: str) -> str | None:
    return username if password == "test" else None


async def authenticate_later(username: str, password: str) -> str | None:
    return authenticate(username, password)


app.include_router(auth.router(authenticate), prefix="/auth")
app.include_router(auth.router(authenticate_later, dependencies=[Depends(auth.access_token_required)]), prefix="/later")


@app.post("/login")
async def login(request: Request, response: Response) -> SessionTokens:
    tokens = await auth.login("anna", request, response, scopes=["posts:read"], device_info={"name": "phone"})
    assert_type(tokens, SessionTokens)
    assert_type(tokens.expires_in, int | None)
    return tokens


@app.post("/refresh")
async def refresh(request: Request, response: Response) -> SessionTokens:
    return await auth.refresh(request, response)


async def administer() -> None:
    assert_type(await auth.list_sessions("anna"), list[SessionInfo])
    assert_type(await auth.get_session("-"), SessionInfo | None)
    await auth.revoke_session("-")
    await auth.revoke_all_sessions("anna", except_session=None)
    await auth.revoke_everyone()
    await auth.open()
    await auth.close()
