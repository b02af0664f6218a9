"""A page that keeps its access token in memory and its refresh token in a cookie that it cannot read.

The access token travels in a header, so no page of another site can make the browser send it. The refresh token
travels to `/session/...` only, together with a CSRF value that only this site's pages can read.
"""

import os
import secrets
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from authx import AuthX, AuthXConfig, TokenPayload

app = FastAPI()
auth = AuthX(
    AuthXConfig(
        JWT_SECRET_KEY=os.environ.get("JWT_SECRET_KEY") or secrets.token_urlsafe(48),
        JWT_TOKEN_LOCATION=["headers"],
        JWT_REFRESH_TOKEN_LOCATION=["cookies"],
        JWT_REFRESH_COOKIE_PATH="/session",
        JWT_COOKIE_SAMESITE="strict",
        JWT_COOKIE_SECURE="auto",
    )
)
auth.handle_errors(app)


class Login(BaseModel):
    """What the page's form sends."""

    username: str
    password: str


@app.post("/session/login")
def login(data: Login, response: Response) -> dict[str, str]:
    """Begin a session: the access token in the body, the refresh token in a cookie."""
    if (data.username, data.password) != ("test", "test"):
        raise HTTPException(401, "Wrong name or password")
    pair = auth.create_token_pair(uid=data.username)
    auth.set_refresh_cookies(pair.refresh_token, response)
    return {"access_token": pair.access_token}


@app.post("/session/refresh")
def refresh(payload: Annotated[TokenPayload, Depends(auth.refresh_token_required)]) -> dict[str, str]:
    """Go on with the session of the cookie."""
    return {"access_token": auth.create_access_token(uid=payload.sub, sid=payload.sid)}


@app.post("/session/logout")
def logout(response: Response) -> dict[str, str]:
    """End the session in this browser."""
    auth.unset_refresh_cookies(response)
    return {"message": "Logged out"}


@app.get("/me")
def me(payload: Annotated[TokenPayload, Depends(auth.access_token_required)]) -> dict[str, str]:
    """Say who asks."""
    return {"name": payload.sub}


@app.get("/")
def page() -> HTMLResponse:
    """Serve the page."""
    return HTMLResponse(PAGE)


PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Single page</title>
<form id="login">
  <label>Name <input name="username" value="test" autocomplete="username"></label>
  <label>Password <input name="password" type="password" value="test" autocomplete="current-password"></label>
  <button>Log in</button>
</form>
<button id="me">Who am I?</button>
<button id="logout">Log out</button>
<p id="answer" role="status"></p>
<script>
let accessToken = null

function cookie(name) {
  return document.cookie.split('; ').find((item) => item.startsWith(name + '='))?.slice(name.length + 1) ?? ''
}

async function session(step, body) {
  const answer = await fetch('/session/' + step, {
    method: 'POST',
    headers: { 'X-CSRF-TOKEN': cookie('csrf_refresh_token'), ...(body && { 'Content-Type': 'application/json' }) },
    body: body && JSON.stringify(body),
  })
  accessToken = answer.ok ? (await answer.json()).access_token ?? null : null
  return answer.ok
}

let refreshing = null
let refreshes = 0

function refresh() {
  refreshing ??= session('refresh')
    .then((ok) => { refreshes += ok; return ok })
    .finally(() => { refreshing = null })
  return refreshing
}

async function call(path) {
  const send = () => fetch(path, { headers: accessToken ? { Authorization: 'Bearer ' + accessToken } : {} })
  const before = refreshes
  const answer = await send()
  if (answer.status !== 401 || (await answer.clone().json()).action !== 'refresh') return answer
  // Another request may have refreshed while this one was on its way.
  return refreshes !== before || (await refresh()) ? send() : answer
}

function show(text) { document.getElementById('answer').textContent = text }

document.getElementById('login').onsubmit = async (event) => {
  event.preventDefault()
  const body = Object.fromEntries(new FormData(event.target))
  show((await session('login', body)) ? 'Logged in' : 'Wrong name or password')
}
document.getElementById('me').onclick = async () => {
  const answer = await call('/me')
  show(answer.ok ? 'You are ' + (await answer.json()).name : 'Please log in')
}
document.getElementById('logout').onclick = async () => {
  await session('logout')
  show('Logged out')
}
</script>
</html>
"""
