"""`authx check`: problems of the settings, the store, and the application."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Annotated, Final

import typer

from authx.cli.app_check import app_findings, login_findings
from authx.cli.mistakes import REFUSALS, mistakes_in
from authx.cli.output import AsJson, Failure, as_text, console, show_json, show_wrapped, wants_json
from authx.cli.store_check import store_findings, unusable
from authx.cli.stores import LoginType
from authx.cli.target import capture_log, load
from authx.config import AuthXConfig, findings
from authx.exceptions import BadConfigurationError
from authx.settings.environment import variable_findings
from authx.settings.finding import Finding, StoreKind
from authx.stores import Store, namespace_of, open_store
from authx.stores.memory import MemoryStore
from authx.tokens.configured_keys import key_findings

__all__ = ["check", "examine"]

_BAD: Final = 1
_SEVERITIES: Final = {"error": "red", "warning": "yellow", "info": "blue"}
# A finding, and the instance that it is about; `None`: the environment.
_Found = tuple[str | None, Finding]


def check(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="MODULE:NAME",
            help="An AuthX, an AuthManager or a FastAPI application; the settings of the environment by default.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", metavar="N", min=1, help="How many processes serve. Default: WEB_CONCURRENCY, or one."
        ),
    ] = None,
    login_type: LoginType = None,
    strict: Annotated[bool, typer.Option("--strict", help="Count warnings as errors.")] = False,
    as_json: AsJson = None,
) -> None:
    """Look for mistakes in keys, cookies, lifetimes, the store and the application.

    Ends with 1 where there is an error (with --strict: or a warning), else with 0.
    """
    found = examine(target, os.environ, workers, login_type)
    found.sort(key=lambda one: list(_SEVERITIES).index(one[1].severity))
    if wants_json(as_json):
        show_json([{**finding._asdict(), "instance": where} for where, finding in found])
    else:
        _show(found, target)
    grave = ("error", "warning") if strict else ("error",)
    if any(finding.severity in grave for _, finding in found):
        raise typer.Exit(_BAD)


def examine(
    target: str | None, environment: Mapping[str, str], workers: int | None = None, login_type: str | None = None
) -> list[_Found]:
    """Return what is found about an instance, or about the settings of the environment, with the instance's name."""
    if target is not None and login_type is not None:
        raise Failure(f"--login-type is for the settings of the environment; {target} has its own: leave it out")

    found: list[_Found] = [(None, finding) for finding in variable_findings(environment, AuthXConfig.model_fields)]
    count = _workers(environment) if workers is None else workers
    try:
        found += _of_target(target, count) if target is not None else _of_environment(count, login_type)
    except REFUSALS as error:
        found += [(target, finding) for finding in _refused(error)]
    return found


def _workers(environment: Mapping[str, str]) -> int:
    text = environment.get("WEB_CONCURRENCY", "").strip()
    return int(text) if text.isascii() and text.isdecimal() else 1


def _of_environment(workers: int, login_type: str | None) -> Iterator[_Found]:
    config = AuthXConfig()
    store: Store | None = None
    broken: list[Finding] = []
    if config.JWT_STORE_URL is not None:
        try:
            store = namespace_of(open_store(config.JWT_STORE_URL, config.JWT_STORE_PREFIX), login_type)
        except BadConfigurationError as error:
            broken.append(unusable(error))
    kind = "lasting" if broken else _kind_of(store)
    for finding in (*_of_config(config, kind, workers), *broken, *_of_store(store, config)):
        yield None, finding


def _of_target(name: str, workers: int) -> Iterator[_Found]:
    with capture_log():
        target = load(name)
    for label, auth in target.instances.items():
        sessions = auth._runtime.sessions
        store = None if sessions is None else sessions.store.store
        for finding in (
            *_of_config(auth.config, _kind_of(store), workers),
            *app_findings(auth, target),
            *_of_store(store, auth.config),
        ):
            yield label, finding
    for (label, one), (other_label, other) in combinations(target.instances.items(), 2):
        for finding in login_findings(one, other, other_label):
            yield label, finding


def _of_config(config: AuthXConfig, store: StoreKind, workers: int) -> Iterator[Finding]:
    yield from key_findings(config)
    yield from findings(config, store, workers)


def _kind_of(store: Store | None) -> StoreKind:
    if store is None:
        return "none"
    return "memory" if isinstance(store, MemoryStore) else "lasting"


def _of_store(store: Store | None, config: AuthXConfig) -> list[Finding]:
    return [] if store is None else asyncio.run(store_findings(store, creates_schema=config.JWT_STORE_CREATE_SCHEMA))


def _refused(error: Exception) -> Iterator[Finding]:
    for message in mistakes_in(error):
        yield Finding(
            "error",
            "settings-refused",
            message,
            "No AuthX can be made of these settings: the application does not start.",
            "as the message says",
        )


def _show(found: list[_Found], target: str | None) -> None:
    from rich.text import Text

    out = console()
    several = len({where for where, _ in found if where is not None}) > 1
    for where, finding in found:
        title = Text.assemble((finding.severity, f"bold {_SEVERITIES[finding.severity]}"), f"  {finding.code}")
        if several and where is not None:
            title.append(f"  {as_text(where)}", style="dim")
        out.print(title)
        for label, text in (("", finding.message), ("Why: ", finding.why), ("Do: ", finding.change)):
            show_wrapped(out, label + as_text(text), "  ", "  ")
        out.print()
    counts = [sum(finding.severity == severity for _, finding in found) for severity in _SEVERITIES]
    names = ("error", "warning", "note")
    summary = ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for count, name in zip(counts, names, strict=True))
    out.print(Text(f"{as_text(target or 'the environment')}: {summary}"))
