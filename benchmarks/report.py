"""Tables and promises as text."""

import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.coordinator import Part, Series
from benchmarks.targets import Target

SHOWN = (
    "authx-fastapi",
    "authx",
    "fastapi-users",
    "PyJWT",
    "joserfc",
    "djangorestframework-simplejwt",
    "Django",
    "asyncpg",
    "redis",
    "fastapi",
    "starlette",
    "pydantic",
    "cryptography",
    "orjson",
)
SHARED = ("fastapi", "starlette", "pydantic", "cryptography", "orjson")


def machine() -> str:
    """Processor, cores and interpreter; nothing that names the machine."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = (line.partition(":") for line in information.read_text().splitlines())
        model = next((value.strip() for key, _, value in lines if key.strip() == "model name"), model)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, {python}"


def versions(found: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """A line per environment, and a warning where a shared library differs."""
    for environment, installed in found.items():
        lower = {name.lower().replace("_", "-"): version for name, version in installed.items()}
        shown = [f"{name} {lower[name.lower()]}" for name in SHOWN if name.lower() in lower]
        yield f"- environment `{environment}`: {', '.join(shown)}"
    for name in SHARED:
        differing = {installed.get(name) for installed in found.values()} - {None}
        if len(differing) > 1:
            yield f"- WARNING: {name} differs between the environments: ratios across them mean less"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    numbers = [column > 1 for column in range(len(head))]
    for place, line in enumerate(lines):
        cells = (
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, numbers, strict=True)
        )
        yield f"| {' | '.join(cells)} |"
        if place == 0:
            rule = (
                "-" * (width - 1) + ":" if number else "-" * width
                for width, number in zip(widths, numbers, strict=True)
            )
            yield f"| {' | '.join(rule)} |"


def codec_table(part: Part) -> Iterator[str]:
    """Microseconds per call, against the floor of the same process and against authx."""
    rows = []
    for operation in dict.fromkeys(_operation(one) for one in part.series):
        ours = part.find(f"{operation} authx")
        for one in part.series:
            if _operation(one) != operation:
                continue
            base = part.baseline(one)
            peer = ours is not None and one.environment != ours.environment and base is not None
            rows.append(
                (
                    operation,
                    f"{_who(part, one)}: {one.case.title}",
                    f"{one.minimum:.2f}",
                    f"{one.median:.2f}",
                    f"{one.over(base):.2f}" if base else "",
                    f"{one.over(ours):.1f}" if ours and peer else "",
                )
            )
    yield from _table(("operation", "who: what", "min µs", "median µs", "x floor", "x authx"), rows)


def http_table(part: Part) -> Iterator[str]:
    """Microseconds per request, what protection adds, and how much more AuthX adds."""
    rows = []
    for one in part.series:
        base, added, rival = part.baseline(one), part.added(one), part.rival(one)
        theirs = None if rival is None else part.added(rival)
        rows.append(
            (
                _who(part, one),
                one.case.title,
                f"{one.minimum:.1f}",
                f"{one.median:.1f}",
                "" if added is None else f"{added:+.1f}",
                f"{one.over(base):.2f}" if base else "",
                f"{theirs / added:.1f}" if theirs and added else "",
                str(one.case.facts["nodes"]),
                str(one.case.facts["threads"]),
            )
        )
    head = ("who", "route", "min µs", "median µs", "added µs", "x bare", "AuthX adds x", "nodes", "hops")
    yield from _table(head, rows)


def stores_table(part: Part) -> Iterator[str]:
    """Microseconds per call, the rate, and the share of the bare driver, of one request alone, or of few sessions."""
    rows = []
    for one in part.series:
        base = part.baseline(one)
        rows.append(
            (
                _who(part, one),
                one.case.title,
                f"{one.minimum:.1f}",
                f"{one.median:.1f}",
                f"{1_000_000 / one.median:,.0f}",
                f"{one.over(base):.2f}" if base else "",
            )
        )
    yield from _table(("who", "what", "min µs", "median µs", "per second", "x its base"), rows)


def _operation(one: Series) -> str:
    return " ".join(one.case.name.split()[:2])


def _who(part: Part, one: Series) -> str:
    """The subject, with the environment where it is measured in more than one."""
    places = {other.environment for other in part.series if other.case.name == one.case.name}
    return one.case.subject if len(places) == 1 else f"{one.case.subject} ({one.environment})"


def import_table(series: Sequence[Series]) -> Iterator[str]:
    """Milliseconds, and what is over FastAPI's own import in the same environment."""
    base = {one.environment: one for one in series if one.case.name == "fastapi"}
    rows = []
    for one in series:
        first = base[one.environment]
        rows.append(
            [
                one.case.subject,
                one.case.title,
                f"{one.minimum / 1000:.1f}",
                f"{one.median / 1000:.1f}",
                "" if one is first else f"{(one.minimum - first.minimum) / 1000:+.1f}",
            ]
        )
    yield from _table(("environment", "statement", "min ms", "median ms", "over fastapi (min)"), rows)


def target_lines(targets: Iterable[Target]) -> Iterator[str]:
    """One line a promise: measured, and kept or not."""
    for target in targets:
        digits = 2 if target.unit else 0
        unit = f" {target.unit}" if target.unit else ""
        lowest = "" if target.measured == target.lowest else f" (of the minimums {target.lowest:.{digits}f}{unit})"
        verdict = "ok" if target.kept else "MISSED"
        yield f"- {target.promise}: measured {target.measured:.{digits}f}{unit}{lowest} {verdict}"
