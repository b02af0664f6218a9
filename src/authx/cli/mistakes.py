"""Settings that are refused, in words and without their values."""

from typing import Final

from pydantic import ValidationError
from pydantic_settings import SettingsError

from authx.cli.output import Failure, masked
from authx.config import AuthXConfig
from authx.exceptions import BadConfigurationError

__all__ = ["REFUSALS", "mistakes_in", "settings_of_environment"]

REFUSALS: Final = (BadConfigurationError, ValidationError, SettingsError)


def mistakes_in(error: Exception) -> list[str]:
    """Return a text for each mistake in refused settings, without their values."""
    if isinstance(error, ValidationError):
        # A setting that may be of several types is wrong for each of them.
        reasons: dict[str, list[str]] = {}
        for one in error.errors(include_input=False, include_url=False):
            reasons.setdefault(str(one["loc"][0]) if one["loc"] else "the settings", []).append(one["msg"])
        return [masked(f"{field}: {'; or: '.join(dict.fromkeys(found))}") for field, found in reasons.items()]
    return [masked(str(mistake)) for mistake in error.args]


def settings_of_environment() -> AuthXConfig:
    """Read the settings in the environment, or fail with their mistakes."""
    try:
        return AuthXConfig()
    except REFUSALS as error:
        raise Failure(f"the settings in the environment cannot work: {'; '.join(mistakes_in(error))}") from None
