"""What users write has the types that mypy and pyright expect of it, and their mistakes are found."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"
RIGHT = sorted(path.name for path in PROGRAMS.glob("*.py") if path.name != "mistakes.py")


def lines_with_errors(checker: str, tmp_path: Path) -> dict[str, set[int]]:
    """Run a type checker over all programs, once."""
    if checker == "mypy":
        command = ["-m", "mypy", "--strict", "--python-version", "3.11", "--cache-dir", str(tmp_path), "--no-pretty"]
        output = run([*command, "--config-file", str(configuration(tmp_path)), "."])
        found = re.findall(r"^(\w+\.py):(\d+): error", output, re.MULTILINE)
    else:
        settings = tmp_path / "pyrightconfig.json"
        settings.write_text(json.dumps({"typeCheckingMode": "standard", "include": [str(PROGRAMS)]}))
        report = json.loads(
            run(["-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable, "--project", str(settings)])
        )
        found = [
            (Path(one["file"]).name, one["range"]["start"]["line"] + 1)
            for one in report["generalDiagnostics"]
            if one["severity"] == "error"
        ]
    errors: dict[str, set[int]] = {}
    for name, line in found:
        errors.setdefault(name, set()).add(int(line))
    return errors


def configuration(folder: Path) -> Path:
    """Write mypy's settings of an application that uses the library as its documentation says."""
    path = folder / "mypy.ini"
    path.write_text("[mypy]\nplugins = pydantic.mypy\n")
    return path


def run(arguments: list[str]) -> str:
    """Run a Python module in the folder of the programs."""
    done = subprocess.run([sys.executable, *arguments], cwd=PROGRAMS, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", params=["mypy", "pyright"])
def errors(request, tmp_path_factory) -> dict[str, set[int]]:
    return lines_with_errors(request.param, tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("program", RIGHT)
def test_a_documented_program_has_no_type_error(errors, program):
    assert errors.get(program, set()) == set()


def test_mistakes_are_found_where_they_are_made(errors):
    lines = (PROGRAMS / "mistakes.py").read_text().splitlines()
    assert errors.get("mistakes.py") == {number for number, line in enumerate(lines, 1) if line.endswith("# error")}
