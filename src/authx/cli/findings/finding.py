"""One thing that the doctor has found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from authx.config import AuthXConfig
from authx.types import TokenLocation

__all__ = ["Finding", "Severity", "Surroundings", "locations_of", "setting"]

Severity: TypeAlias = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something worth knowing about how an application is set up.

    Attributes:
        severity: `error`: it is unsafe or does not work. `warning`: it is risky, or does not do what it seems to.
            `info`: it is good to know.
        code: Its name, which stays the same.
        message: What was found; never a secret.
        why: Why it matters.
        change: The line to change, or what else to do.
    """

    severity: Severity
    code: str
    message: str
    why: str
    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What surrounds the settings.

    Attributes:
        store: Which kind of session store there is: `none`, `memory`, or `lasting`, which others can see too.
        workers: How many processes serve the application.
    """

    store: Literal["none", "memory", "lasting"] = "none"
    workers: int = 1


def locations_of(config: AuthXConfig, kind: Literal["access", "refresh"]) -> Sequence[TokenLocation]:
    """List where tokens of a type travel.

    Args:
        config: The settings.
        kind: The type.

    Returns:
        The names of the locations.
    """
    if kind == "refresh" and config.JWT_REFRESH_TOKEN_LOCATION is not None:
        return config.JWT_REFRESH_TOKEN_LOCATION
    return config.JWT_TOKEN_LOCATION


def setting(name: str, value: object) -> str:
    """Write the line that sets a setting, as a keyword and as an environment variable alike.

    Args:
        name: Its name.
        value: Its value.

    Returns:
        The line.
    """
    return f"{name}={value}"
