"""The path by which AuthX's guides import the session store in memory."""

from authx.sessions.authx_store import InMemorySessionStore

__all__ = ["InMemorySessionStore"]
