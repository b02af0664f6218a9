"""`AuthXConfig`: the settings of all features in one object, read from keywords and the environment."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Self
from weakref import WeakMethod

from pydantic import PrivateAttr, TypeAdapter, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from authx.exceptions import BadConfigurationError
from authx.settings import answers, claims, cookies, csrf, keys, lifetimes, locations, sessions
from authx.settings.environment import TextSource, annotated_type
from authx.settings.feature import MASKED, forget_attributes
from authx.settings.finding import Finding, StoreKind
from authx.settings.implicit_refresh import ImplicitRefreshSettings
from authx.settings.limits import LimitSettings
from authx.types import MASK

__all__ = ["AuthXConfig", "findings"]


class _Assignments:
    """The fields assigned since the last check, and the bound methods to call after each assignment.

    They make no two configurations differ. A copy has the same fields to check, and nobody to call.
    """

    __slots__ = ("_subscribers", "names")

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names = set(names)
        self._subscribers: list[WeakMethod[Callable[[], None]]] = []

    def subscribe(self, method: Callable[[], None]) -> None:
        """Hold a bound method, once, as long as its object lives."""
        known = WeakMethod(method, self._subscribers.remove)
        if known not in self._subscribers:
            self._subscribers.append(known)

    def add(self, name: str) -> None:
        """Note an assignment, and call the methods."""
        self.names.add(name)
        for known in tuple(self._subscribers):
            if (method := known()) is not None:
                method()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Assignments)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[type["_Assignments"], tuple[set[str]]]:
        return _Assignments, (self.names,)


# Pydantic lists the fields of the last base first.
class AuthXConfig(
    ImplicitRefreshSettings,
    sessions.SessionSettings,
    csrf.CSRFSettings,
    cookies.CookieSettings,
    LimitSettings,
    locations.LocationSettings,
    answers.AnswerSettings,
    lifetimes.LifetimeSettings,
    claims.ClaimSettings,
    keys.KeySettings,
    BaseSettings,
):
    """Settings of one `AuthX` instance, from keyword arguments, then the environment, then defaults.

    An environment variable has the field's own name; an empty one counts as unset. Lists are separated
    by commas there, or JSON; durations are seconds, ISO 8601 (`PT15M`) or clock form (`00:15:00`).
    Fields may be assigned later; what is derived from them is made again at the next use.

    Raises:
        pydantic.ValidationError: A keyword is unknown, or its value is of a wrong type.
        BadConfigurationError: A variable cannot be read, or the values contradict each other; the message
            says what to do.
    """

    model_config = SettingsConfigDict(
        extra="forbid",
        case_sensitive=False,
        hide_input_in_errors=True,
        env_file=None,
        validate_default=False,
        enable_decoding=False,
        # Programs that use only the client never build it.
        defer_build=True,
    )
    _assignments: _Assignments = PrivateAttr(default_factory=_Assignments)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the sources know it
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """As `BaseSettings.settings_customise_sources`."""
        texts = (env_settings, dotenv_settings, file_secret_settings)
        return (init_settings, *map(TextSource, texts))

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        self.check()
        return self

    def check(self) -> None:
        """Validate fields that were assigned since the last check, and refuse combinations that cannot work.

        Raises:
            BadConfigurationError: A field is of a wrong type; or the fields contradict each other, with every
                contradiction and what to do about it.
        """
        for name in sorted(self._assignments.names):
            kind = annotated_type(type(self).model_fields[name])
            try:
                self.__dict__[name] = TypeAdapter(kind).validate_python(self.__dict__[name])
            except ValidationError as error:
                problem = error.errors(include_input=False)[0]["msg"]
                raise BadConfigurationError(f"{name} was assigned a value that it cannot have: {problem}") from None
        self._assignments.names.clear()
        found = [contradiction for find in _CONTRADICTIONS for contradiction in find(self)]
        if found:
            raise BadConfigurationError(*found)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in type(self).model_fields:
            self._assignments.add(name)

    def __copy__(self) -> Self:
        copied = super().__copy__()
        copied._assignments = _Assignments(self._assignments.names)
        return copied

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy the settings; what is changed on the way is checked like any assignment."""
        copied = super().model_copy(deep=deep)
        for name, value in (update or {}).items():
            setattr(copied, name, value)
        return copied

    def watch(self, notify: Callable[[], None]) -> None:
        """Subscribe to assignments: call a bound method after each, as long as its object lives."""
        self._assignments.subscribe(notify)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        fields = type(self).model_fields
        for name, value in super().__repr_args__():
            is_masked = value is not None and name in fields and MASKED in fields[name].metadata
            yield name, MASK if is_masked else value


forget_attributes(AuthXConfig)
_CONTRADICTIONS: Final[tuple[Callable[[AuthXConfig], Iterator[str]], ...]] = (
    keys.contradictions,
    claims.contradictions,
    lifetimes.contradictions,
    answers.contradictions,
    locations.contradictions,
    cookies.contradictions,
    csrf.contradictions,
    sessions.contradictions,
)
_FINDINGS: Final[tuple[Callable[[AuthXConfig], Iterator[Finding]], ...]] = (
    locations.findings,
    cookies.findings,
    csrf.findings,
    lifetimes.findings,
    claims.findings,
    answers.findings,
)


def findings(config: AuthXConfig, store: StoreKind, workers: int) -> Iterator[Finding]:
    """Yield what `authx check` says of settings; of the keys, `authx.tokens.configured_keys.key_findings` does."""
    for find in _FINDINGS:
        yield from find(config)
    yield from sessions.findings(config, store, workers)
