"""The command as people start it: the installed program, piped, or on a terminal."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.waiting import PATIENCE

AUTHX = str(Path(sys.executable).with_name("authx"))
OUTSIDE = {
    name: value
    for name, value in os.environ.items()
    if not name.upper().startswith("JWT_") and name not in {"WEB_CONCURRENCY", "NO_COLOR", "COLUMNS", "FORCE_COLOR"}
}
TERMINAL = Path(__file__).with_name("terminal.py")


@dataclass
class Shown:
    """What a person saw on a terminal.

    Attributes:
        code: The exit code.
        text: What was shown, with the codes that colour it.
    """

    code: int
    text: str

    @property
    def lines(self) -> list[str]:
        return self.text.replace("\r\n", "\n").splitlines()


def piped(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    """Run a command with its output piped."""
    settings = {"input": "", "env": OUTSIDE} | options
    return subprocess.run([AUTHX, *arguments], capture_output=True, text=True, timeout=PATIENCE, **settings)


def on_terminal(
    *arguments: str, answers: Sequence[tuple[str, str]] = (), columns: int = 80, **environment: str
) -> Shown:
    """Run a command on a terminal: wait for each question, to its last character, and type the answer to it."""
    asked = {
        "command": [AUTHX, *arguments],
        "columns": columns,
        "answers": answers,
        "patience": PATIENCE,
        "env": OUTSIDE | {"TERM": "xterm-256color"} | environment,
    }
    command = [sys.executable, "-I", str(TERMINAL)]
    done = subprocess.run(
        command, input=json.dumps(asked), capture_output=True, text=True, timeout=2 * PATIENCE, check=True
    )
    answer = json.loads(done.stdout)
    assert "Traceback" not in answer["shown"], answer["shown"]
    return Shown(answer["code"], answer["shown"])
