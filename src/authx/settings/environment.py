"""Settings that are spelt as text: in environment variables, a `.env` file or a directory of secrets."""

from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import from_json
from pydantic_settings import (
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
)

from authx.exceptions import BadConfigurationError
from authx.settings.feature import VERBATIM, is_none
from authx.settings.finding import Finding

__all__ = ["TextSource", "annotated_type", "variable_findings"]

_ORIGINS: Final = "https://a.example,https://b.example"


class TextSource(PydanticBaseSettingsSource):
    """Reads the texts that another source finds as the types of their fields; an empty text counts as unset."""

    def __init__(self, inner: PydanticBaseSettingsSource) -> None:
        super().__init__(inner.settings_cls)
        self._inner = inner

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """As `PydanticBaseSettingsSource.get_field_value`."""
        return self._inner.get_field_value(field, field_name)

    def __call__(self) -> dict[str, Any]:
        """Read every field that no earlier source has, or raise with all texts that cannot be read; repeat no text."""
        if isinstance(self._inner, EnvSettingsSource) and not self._inner.env_vars:
            # Without a file, looking for every field in it would take half of the time of `AuthXConfig()`.
            return {}
        values: dict[str, Any] = {}
        mistakes: list[str] = []
        fields = self.settings_cls.model_fields
        for name, text in self._inner().items():
            # A file may hold the variables of other programs.
            if name not in fields or name in self.current_state or not isinstance(text, str) or not text.strip():
                continue
            try:
                values[name] = _read(text if VERBATIM in fields[name].metadata else text.strip(), fields[name])
            except ValueError as error:
                problem, advice = _problem(error), _advice(name, fields[name])
                if text.strip()[0] in "\"'":
                    # `docker run --env-file` takes them as part of the value.
                    problem = "it begins with a quote"
                    advice = f"remove the quotes, and {advice}"
                mistakes.append(f"{name} {self._place()} cannot be read ({problem}): {advice}")
        if mistakes:
            raise BadConfigurationError(*mistakes)
        return values

    def _place(self) -> str:
        if isinstance(self._inner, DotEnvSettingsSource):
            return f"in {self._inner.env_file}"
        if isinstance(self._inner, SecretsSettingsSource):
            return f"in {self._inner.secrets_dir}"
        return "in the environment"


def annotated_type(field: FieldInfo) -> Any:
    """Return a field's type with its constraints, for a `TypeAdapter`."""
    kind: Any = field.annotation
    for constraint in field.metadata:
        kind = Annotated[kind, constraint]
    return kind


def _read(text: str, field: FieldInfo) -> object:
    kinds = set(_kinds(field.annotation))
    value: object = text
    if NoneType in kinds and str not in kinds and is_none(text) and text.lower() not in _choices(field.annotation):
        value = None
    elif text.startswith("[") and list in kinds:
        value = from_json(text)
    elif list in kinds and (str not in kinds or "," in text):
        value = [item for part in text.split(",") if (item := part.strip())]
    return TypeAdapter(annotated_type(field)).validate_python(value)


def _kinds(annotation: Any) -> Iterator[type]:
    """List what a value of a type may be: `list` stands for every sequence, `Literal` for names to choose from."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _kinds(arguments[0])
    elif origin in (Union, UnionType):
        for argument in arguments:
            yield from _kinds(argument)
    elif origin is not None and origin is not Literal:
        yield list
    elif origin is None:
        yield annotation


def _choices(annotation: Any) -> tuple[str, ...]:
    """List the names that a type allows, those of a sequence's items included."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(choice for argument in get_args(annotation) for choice in _choices(argument))


def _problem(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return "it begins with [ but is not JSON"
    found = dict.fromkeys(str(one["msg"]) for one in error.errors(include_input=False, include_url=False))
    return " or ".join(found).replace("Input should", "it should")


def _advice(name: str, field: FieldInfo) -> str:
    kinds, choices = list(_kinds(field.annotation)), _choices(field.annotation)
    forms = []
    if list in kinds:
        example = ",".join(choices[:2]) or (field.examples or [_ORIGINS])[0]
        forms.append(f"names separated by commas, such as {name}={example}")
    elif bool in kinds and choices:
        forms.extend(choices)
    if bool in kinds:
        forms.append("true or false")
    if int in kinds:
        forms.append("a whole number")
    if timedelta in kinds:
        forms.append("seconds such as 900, or a duration such as PT15M or 00:15:00")
    return f"write {', or '.join(forms)}, or unset it" if forms else "write one of these, or unset it"


def variable_findings(variables: Iterable[str], settings: Collection[str]) -> Iterator[Finding]:
    """Yield what `authx check` says of environment variables that are settings but for a letter."""
    from difflib import get_close_matches

    for variable in sorted(variables):
        name = variable.upper()
        if not name.startswith("JWT_") or name in settings:
            continue
        meant = get_close_matches(name, settings, 1, 0.85)
        if not meant:
            # The only setting whose name goes on where this one ends: `JWT_SECRET`.
            longer = [setting for setting in settings if setting.startswith(f"{name}_")]
            meant = longer if len(longer) == 1 else []
        if meant:
            yield Finding(
                "warning",
                "variable-unknown",
                f"The environment has {variable}, which is no setting.",
                "It has no effect, and the setting that you may mean keeps its default.",
                f"rename it to {meant[0]}, if you mean that",
            )
