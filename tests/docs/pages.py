"""The project's Markdown pages, cut into the code that runs.

A section, from one `##` heading to the next, is one program: its Python blocks run in order and share their
names. `<!-- continues -->` makes a section go on with the program of the one before it. Code in a comment that
begins with `<!-- check` belongs to the program too; readers do not see it, and it says what the text promises.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["PAGES", "ROOT", "Program", "programs"]

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])

_PARTS = re.compile(
    r"^```(?P<language>\S*)\n(?P<code>.*?)^```$"
    r"|^<!-- check\n(?P<check>.*?)^-->$"
    r"|^(?P<continues><!-- continues -->)$"
    r"|^(?P<heading>## [^\n]+)$",
    re.MULTILINE | re.DOTALL,
)


@dataclass
class Program:
    """The Python code of one section.

    Attributes:
        page: The page it is in.
        heading: The section's heading.
        source: Its code, each line at the number that it has in the page.
        blocks: How many blocks of it readers see.
    """

    page: Path
    heading: str
    lines: dict[int, str] = field(default_factory=dict)
    blocks: int = 0

    @property
    def source(self) -> str:
        last = max(self.lines, default=0)
        return "\n".join(self.lines.get(number, "") for number in range(1, last + 1))

    def add(self, code: str, line: int) -> None:
        self.lines.update(enumerate(code.splitlines(), line))

    def __str__(self) -> str:
        heading = re.sub(r"\W+", "-", self.heading).strip("-").lower()
        return f"{self.page.relative_to(ROOT)}:{heading}"


def programs(page: Path) -> list[Program]:
    """Cut a page into its programs."""
    text = page.read_text()
    current = Program(page, "top")
    found = [current]
    for part in _PARTS.finditer(text):
        line = text.count("\n", 0, part.start()) + 2
        if part["heading"]:
            current = Program(page, part["heading"])
            found.append(current)
        elif part["continues"]:
            assert not current.lines, f"{current}: continues too late"
            found.remove(current)
            current = found[-1]
        elif part["check"] is not None:
            current.add(part["check"], line)
        elif part["language"] == "python":
            current.add(part["code"], line)
            current.blocks += 1
    return [program for program in found if program.lines]
