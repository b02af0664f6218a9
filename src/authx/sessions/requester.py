"""Who asks."""

from dataclasses import dataclass
from typing import Final

__all__ = ["NOBODY", "Requester"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """Who asks: address, and browser or program, each `None` where it is not known."""

    ip: str | None = None
    user_agent: str | None = None


NOBODY: Final = Requester()
