"""What docs/command-line.md says: its commands run, its findings are those that there are."""

import re
import subprocess
from pathlib import Path

import pytest
from tests.docs.pages import ROOT
from tests.support.waiting import PATIENCE

from authx import AuthX, AuthXConfig

from .conftest import SECRET
from .places import Place, row
from .processes import AUTHX, OUTSIDE

PAGE = (ROOT / "docs" / "command-line.md").read_text()
LINES = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if "authx " in line and not line.startswith(("pip ", "authx demo"))
]
APPLICATION = f"""
from fastapi import Depends, FastAPI
from authx import AuthX, AuthXConfig

app = FastAPI()
auth = AuthX(AuthXConfig(JWT_SECRET_KEY={SECRET!r}), store="sqlite:///auth.db")
auth.handle_errors(app)
app.get("/", dependencies=[Depends(auth.access_token_required)])(lambda: None)
"""


@pytest.mark.parametrize("line", LINES)
def test_every_command_of_the_page_works(line, folder):
    place, session = Place(f"sqlite:///{folder}/auth.db", "authx_"), row()
    place.add(session, row(ago=1000))
    token = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET)).create_access_token("anna")
    (folder / "token.txt").write_text(token)
    (folder / "main.py").write_text(APPLICATION)
    settings = {
        "JWT_SECRET_KEY": SECRET,
        "TOKEN": token,
        "SESSION_ID": session.sid,
        "PATH": f"{Path(AUTHX).parent}:{OUTSIDE['PATH']}",
    }
    done = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, env=OUTSIDE | settings, cwd=folder, timeout=PATIENCE
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_finding_has_a_row_with_its_severity():
    found: dict[str, set[str]] = {}
    source = ROOT / "src" / "authx"
    for path in (*(source / "cli").rglob("*.py"), *(source / "settings").rglob("*.py")):
        for severity, other, code in re.findall(
            r'Finding\(\s*(?:"(\w+)"|severity)(?: if \w+ else "(\w+)")?,\s*"([\w-]+)"', path.read_text()
        ):
            found.setdefault(code, set()).update({severity, other} - {""})
    found["clock-skew"] = {"error", "warning"}
    table = re.findall(r"^\| `([\w-]+)` \| ([\w ]+) \|", PAGE, re.MULTILINE)
    assert {code: set(severity.split(" or ")) for code, severity in table} == found
