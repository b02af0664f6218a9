"""Command line of the benchmarks; `scripts/bench` prepares the environments and calls it."""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks import coordinator, imports, report, targets
from benchmarks.coordinator import DJANGO, OURS, PEERS, ROOT, Effort, Part, Series, run
from benchmarks.targets import Target

FULL = {
    "codec": Effort(rounds=80, chunk=6_000),
    "http": Effort(rounds=150, chunk=8_000),
    "stores": Effort(rounds=60, chunk=30_000),
    "revocations": Effort(rounds=800, chunk=2_500),
}
QUICK = {
    "codec": Effort(rounds=15, chunk=2_000),
    "http": Effort(rounds=20, chunk=5_000),
    "stores": Effort(rounds=12, chunk=20_000),
    "revocations": Effort(rounds=200, chunk=2_500),
}
IMPORT_ROUNDS = 15
QUICK_IMPORT_ROUNDS = 9
# How many sessions are many, and rounds.
GROWTH = (1_000_000, 40)
QUICK_GROWTH = (100_000, 10)

MODULES = {
    "codec": {
        OURS: ["benchmarks.codec.floor", "benchmarks.codec.ours"],
        PEERS: ["benchmarks.codec.floor", "benchmarks.codec.pyjwt", "benchmarks.codec.joserfc"],
    },
    "http": {
        OURS: ["benchmarks.apps.floor", "benchmarks.apps.ours"],
        PEERS: [
            "benchmarks.apps.floor",
            "benchmarks.apps.authx171",
            "benchmarks.apps.fastapi_users",
            "benchmarks.apps.pyjwt",
        ],
    },
    "stores": {
        OURS: ["benchmarks.stores.advance", "benchmarks.stores.refresh"],
        PEERS: ["benchmarks.stores.authx171"],
        DJANGO: ["benchmarks.stores.simplejwt"],
    },
    # By themselves: two microseconds want many short rounds.
    "revocations": {OURS: ["benchmarks.stores.revocations"]},
}
# What can be asked for, and what that measures.
PARTS = {"codec": ("codec",), "http": ("http",), "stores": ("stores", "revocations", "growth"), "import": ("import",)}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Measures authx against its peers and against the least work."
    )
    parser.add_argument("part", nargs="?", choices=PARTS, help="measure only this part (default: all)")
    parser.add_argument("--quick", action="store_true", help="some minutes less, less exact")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's numbers there too")
    for option, folder in (("--ours", ".venv"), ("--peers", ".venvs/peers"), ("--django", ".venvs/django")):
        parser.add_argument(option, type=Path, default=ROOT / folder / "bin/python", help=argparse.SUPPRESS)
    return parser.parse_args()


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _show(title: str, lines: Iterable[str], kept: Sequence[Target]) -> None:
    print(f"\n## {title}\n")
    print("\n".join(lines))
    print("\nTargets:\n")
    print("\n".join(report.target_lines(kept)), flush=True)


def _record(series: Sequence[Series], kept: Sequence[Target]) -> dict[str, object]:
    return {
        "cases": [
            {
                "environment": one.environment,
                "name": one.case.name,
                "subject": one.case.subject,
                "title": one.case.title,
                "baseline": one.case.baseline,
                "facts": dict(one.case.facts),
                "microseconds": one.rounds,
            }
            for one in series
        ],
        "targets": [
            {"promise": one.promise, "limit": one.limit, "measured": one.measured, "kept": one.kept} for one in kept
        ],
    }


def _measure_growth(record: dict[str, object], *, quick: bool) -> None:
    # It needs the library, which the other parts leave to processes of their own.
    from benchmarks.stores import growth

    rows, rounds = QUICK_GROWTH if quick else GROWTH
    series = growth.run(growth.KINDS, rows, rounds, _tell)
    kept = list(targets.growth(series))
    _show("growth", report.stores_table(Part(series)), kept)
    record["growth"] = _record(series, kept)


def main() -> None:
    """Measures, prints tables and promises, and writes the numbers where asked."""
    arguments = _arguments()
    pythons = {OURS: arguments.ours, PEERS: arguments.peers, DJANGO: arguments.django}
    asked = PARTS.values() if arguments.part is None else (PARTS[arguments.part],)
    wanted = [name for names in asked for name in names]
    used = {name: python for name, python in pythons.items() if name != DJANGO or "stores" in wanted}
    machine = report.machine()
    versions = {name: coordinator.versions(python) for name, python in used.items()}
    record: dict[str, object] = {"machine": machine, "versions": versions}
    print("\n".join(("# Benchmarks", "", f"- {machine}", *report.versions(versions))), flush=True)
    efforts = QUICK if arguments.quick else FULL
    for name, show, judge in (
        ("codec", report.codec_table, targets.codec),
        ("http", report.http_table, targets.http),
        ("stores", report.stores_table, targets.stores),
        ("revocations", report.stores_table, targets.revocations),
    ):
        if name not in wanted:
            continue
        _tell(f"{name}: preparing")
        modules = {one: (pythons[one], offered) for one, offered in MODULES[name].items()}
        part: Part = run(modules, efforts[name], _tell)
        kept = list(judge(part))
        _show(name, show(part), kept)
        record[name] = _record(part.series, kept)
    if "growth" in wanted:
        _measure_growth(record, quick=arguments.quick)
    if "import" in wanted:
        _tell("import: measuring")
        rounds = QUICK_IMPORT_ROUNDS if arguments.quick else IMPORT_ROUNDS
        series = imports.run({OURS: (pythons[OURS], "authx"), PEERS: (pythons[PEERS], "AuthX 1.7.1")}, rounds)
        kept = list(targets.imports(series))
        _show("import", report.import_table(series), kept)
        record["import"] = _record(series, kept)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
