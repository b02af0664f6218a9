"""Settings of which nothing can be made, in words and without their values."""

from authx.cli.output import masked
from authx.exceptions import BadConfigurationError

__all__ = ["mistakes_in", "refusals"]


def refusals() -> tuple[type[Exception], ...]:
    """List what settings raise that cannot be."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    return BadConfigurationError, ValidationError, SettingsError


def mistakes_in(error: Exception) -> list[str]:
    """Say what is wrong with settings, without their values."""
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        # A setting that may be of several types is wrong for each of them.
        reasons: dict[str, list[str]] = {}
        for one in error.errors(include_input=False, include_url=False):
            reasons.setdefault(str(one["loc"][0]) if one["loc"] else "the settings", []).append(one["msg"])
        return [masked(f"{field}: {'; or: '.join(dict.fromkeys(found))}") for field, found in reasons.items()]
    return [masked(str(mistake)) for mistake in error.args]
