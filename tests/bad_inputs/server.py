"""Serves one protected route with uvicorn, and says on which port."""

import socket
import sys

import uvicorn
from fastapi import FastAPI

from authx import AuthX, AuthXConfig

auth = AuthX(AuthXConfig(JWT_SECRET_KEY="a secret of more than thirty-two letters for the door"))
app = FastAPI()
auth.handle_errors(app)


@app.get("/p")
async def protected(payload=auth.ACCESS_REQUIRED):
    return {"sub": payload.sub}


@app.get("/login")
async def login():
    return auth.create_access_token("user")


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(app, log_level="debug")).run(sockets=[listener])
