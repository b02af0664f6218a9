"""What the public methods of `AuthX` stand on."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from authx.config import AuthXConfig

if TYPE_CHECKING:
    from authx.http.runtime import Runtime, RuntimeHolder

__all__ = ["Expiry", "Instance"]

# When a token ends: a time, or a time from now; `None` as configured.
Expiry: TypeAlias = datetime | timedelta | float | None


class Instance:
    """One instance: its settings, and what became of them. Each file of this package adds the methods of its topic."""

    _holder: "RuntimeHolder"

    @property
    def config(self) -> AuthXConfig:
        """The settings."""
        return self._holder.config

    @property
    def login_type(self) -> str | None:
        """The name of this kind of login; its tokens carry it as `login_type`."""
        return self._holder.login_type

    @login_type.setter
    def login_type(self, login_type: str | None) -> None:
        self._holder.login_type = login_type
        self._holder.forget()

    @property
    def _runtime(self) -> "Runtime":
        return self._holder.get()
