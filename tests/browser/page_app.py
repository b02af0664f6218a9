"""An application with a page that uses the browser client; the environment says everything else."""

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from authx import AuthX, AuthXConfig, TokenPayload

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>page</title><link rel="icon" href="data:,">
<script type="module">
import { AuthError, createAuthClient } from './auth/client.js'
window.createAuthClient = createAuthClient
window.AuthError = AuthError
window.changes = []
window.auth = createAuthClient()
auth.onChange((session, why) => changes.push([session ? session.expiresAt : null, why]))
</script>
</html>
"""
REFUSALS = {
    "refresh": (401, {"code": "token_expired", "action": "refresh"}, {}),
    "login": (401, {"code": "session_revoked", "action": "login"}, {}),
    "retry": (503, {"code": "auth_unavailable", "action": "retry"}, {}),
    "csrf": (403, {"code": "csrf_mismatch", "action": "csrf"}, {}),
    "other": (401, {"detail": "no authx"}, {}),
    "null": (401, None, {}),
}

auth = AuthX(AuthXConfig())
app = FastAPI()
auth.handle_errors(app)
attempts: list[str] = []


def authenticate(username: str, password: str) -> str | None:
    return username if password == username else None


app.include_router(auth.router(authenticate), prefix="/auth")


@app.get("/")
async def page() -> HTMLResponse:
    return HTMLResponse(PAGE)


@app.get("/me")
async def me(payload: TokenPayload = auth.ACCESS_REQUIRED) -> dict[str, object]:
    return {"sub": payload.sub, "jti": payload.jti}


@app.post("/notes")
async def write_note(request: Request, payload: TokenPayload = auth.ACCESS_REQUIRED) -> dict[str, object]:
    """Answer what came."""
    form = request.headers.get("content-type", "").startswith("multipart/form-data")
    text = str((await request.form())["text"]) if form else (await request.body()).decode()
    return {"sub": payload.sub, "text": text}


@app.get("/public")
async def public(request: Request) -> dict[str, object]:
    return {"authorization": request.headers.get("authorization", "")[:7]}


@app.api_route("/always/{what}", methods=["GET", "POST"])
async def always(what: str, after: str = "0") -> Response:
    """Refuse for ever, whatever is done about it."""
    attempts.append(what)
    status, body, headers = REFUSALS[what]
    return JSONResponse(body, status, {**headers, "Retry-After": after})


@app.get("/once/{name}")
async def once(name: str) -> Response:
    """Be busy the first time."""
    attempts.append(name)
    if attempts.count(name) == 1:
        return JSONResponse({"code": "rate_limited", "action": "retry"}, 429, {"Retry-After": "1"})
    return JSONResponse({"message": "here you are"})


@app.get("/attempts/{what}")
async def count(what: str) -> int:
    return attempts.count(what)
