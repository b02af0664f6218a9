"""Mistakes that a type checker finds: each line with a comment has to be an error."""

from fastapi import Request, Response

from authx import AuthX, AuthXConfig

auth = AuthX(AuthXConfig())
auth.create_access_token(3.5)  # error
auth.create_access_token("anna", scope=["posts:read"])  # error
auth.token_required(type="acess")  # error
auth.token_required(locations=["header"])  # error
auth.router(lambda username: username)  # error


async def login(request: Request, response: Response) -> None:
    auth.login("anna", request, response)["access_token"]  # error
    await auth.login("anna", request)  # error
