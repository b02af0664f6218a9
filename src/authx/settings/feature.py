"""What the classes of settings are made of: their base, types of fields, and times in words."""

import inspect
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BeforeValidator

__all__ = [
    "MASKED",
    "VERBATIM",
    "Duration",
    "FeatureSettings",
    "Names",
    "OptionalDuration",
    "Secret",
    "duration",
    "forget_attributes",
    "is_attribute",
    "is_header_name",
    "is_none",
]

_UNITS: Final = (("year", 365 * 86_400), ("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ATTRIBUTE: Final = re.compile(r"[\x20-\x3a\x3c-\x7e]*")


if TYPE_CHECKING:
    from pydantic import BaseModel as FeatureSettings
else:

    class FeatureSettings:
        """Base of the settings of a feature: a plain class, so that pydantic builds one model and not one per feature.

        Pydantic collects the fields of plain bases, and leaves them as attributes there. Where a field is overridden,
        the next subclass would find those attributes again, hence `forget_attributes`.
        """


def forget_attributes(model: type) -> None:
    """Remove what pydantic has made fields of from the plain bases of a model."""
    for base in model.__mro__:
        if issubclass(base, FeatureSettings) and base is not model:
            for name in inspect.get_annotations(base):
                delattr(base, name)


class _Mark:
    """Marks a field for `AuthXConfig`."""


MASKED: Final = _Mark()  # no repr shows its value
VERBATIM: Final = _Mark()  # white space around its text belongs to it
Secret = Annotated[str | None, MASKED, VERBATIM]
Names = str | Sequence[str] | None


def is_none(text: str) -> bool:
    """Return whether a text spells None, as the environment has to."""
    return text.strip().lower() in ("null", "none")


def _duration(value: object) -> object:
    if isinstance(value, str):
        if is_none(value):
            return None
        if re.fullmatch(r"[+-]?\d+(\.\d+)?", value.strip()):
            return float(value)
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
OptionalDuration = Annotated[timedelta | None, BeforeValidator(_duration)]


def is_header_name(text: str) -> bool:
    """Return whether a text is a token of RFC 9110 section 5.6.2, as names of headers and cookies are."""
    return _HEADER_NAME.fullmatch(text) is not None


def is_attribute(text: str) -> bool:
    """Return whether a text can stand in a header between semicolons."""
    return _ATTRIBUTE.fullmatch(text) is not None


def duration(time: float | timedelta | None, parts: int = 2) -> str:
    """Write seconds in words such as `1 hour 30 minutes`, rounded down, with at most `parts` units; None is `ever`."""
    if time is None:
        return "ever"
    rest = abs(time.total_seconds() if isinstance(time, timedelta) else time)
    if rest < 1:
        return "no time" if rest == 0 else "less than a second"
    rest = int(rest)
    named: list[str] = []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            named.append(f"{count} {unit}{'' if count == 1 else 's'}")
        elif named:
            # Hours of something that takes years say nothing.
            break
        if len(named) == parts:
            break
    return " ".join(named)
