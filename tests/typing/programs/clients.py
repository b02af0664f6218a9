"""The Python client with both of its libraries."""

import httpx2

from authx.clients import AuthXAuth

with httpx2.Client(auth=AuthXAuth("https://api.example.com/auth", username="anna", password="-")) as client:
    client.get("https://api.example.com/protected")


async def later() -> None:
    auth = AuthXAuth("https://api.example.com/auth", username="anna", password="-")
    async with httpx2.AsyncClient(auth=auth) as client:
        await client.get("https://api.example.com/protected")
