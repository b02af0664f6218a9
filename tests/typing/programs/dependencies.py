"""Routes ask for tokens in every way that the documentation shows."""

from dataclasses import dataclass
from typing import Annotated, assert_type

from fastapi import Depends, FastAPI, Response, Security, WebSocket

from authx import AuthX, AuthXConfig, AuthXDependency, RequestToken, TokenPayload


@dataclass
class User:
    name: str


app = FastAPI()
auth: AuthX[User] = AuthX(AuthXConfig(JWT_TOKEN_LOCATION=["headers", "cookies"]), model=User)
auth.handle_errors(app)

Payload = Annotated[TokenPayload, Depends(auth.access_token_required)]


@auth.set_subject_getter
async def find_user(uid: str) -> User | None:
    return User(uid)


@auth.set_token_blocklist(inline=True)
def is_revoked(token: str) -> bool:
    return token == ""


@app.get("/me")
async def me(payload: Payload) -> str:
    assert_type(payload.sub, str)
    assert_type(payload.sid, str | None)
    return payload.sub


@app.get("/defaults")
async def defaults(payload: TokenPayload = auth.ACCESS_REQUIRED, token: RequestToken | None = auth.ACCESS_TOKEN) -> str:
    return payload.sub if token is None else token.location


@app.get("/fresh", dependencies=[Depends(auth.fresh_token_required)])
def fresh() -> None: ...


@app.get("/scopes")
def scopes(payload: Annotated[TokenPayload, Depends(auth.scopes_required("posts:read"))]) -> list[str] | None:
    assert_type(payload.scopes, list[str] | None)
    return payload.scopes


@app.get("/security")
def security(payload: Annotated[TokenPayload, Security(auth.access_token_required, scopes=["posts:read"])]) -> str:
    return payload.sub


@app.get("/user")
async def user(user: Annotated[User | None, Depends(auth.get_current_subject)]) -> str:
    return "" if user is None else user.name


@app.post("/bundle")
def bundle(bundle: Annotated[AuthXDependency[User], Depends(auth.get_dependency)], response: Response) -> str:
    token = bundle.create_access_token("anna", data={"tenant": 7})
    assert_type(token, str)
    bundle.set_access_cookies(token, response)
    return token


@app.websocket("/socket")
async def socket(websocket: WebSocket, payload: Payload) -> None:
    await websocket.accept()
    await websocket.send_text(payload.sub)


async def by_hand(websocket: WebSocket) -> None:
    assert_type(await auth.access_token_required(websocket), TokenPayload)
    assert_type(await auth.get_current_subject(websocket), User | None)
