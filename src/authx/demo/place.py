"""The temporary folder of the user in which the demo keeps sessions and secret by default."""

import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

__all__ = ["lab_file", "own_folder", "own_secret", "own_store"]

_DATABASE: Final = "authx-demo.db"
_SECRET: Final = "secret"  # noqa: S105 - the name of a file


def own_folder() -> Path:
    """Return the folder, which nobody else can read or write; make it where it is missing."""
    user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    folder = Path(tempfile.gettempdir()) / f"authx-demo{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if user and (not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077):
        raise PermissionError(f"{folder} is not a folder of yours alone; remove it, or set TMPDIR")
    return folder


def own_store() -> str:
    """Return the URL of the store in the folder."""
    return f"sqlite:///{quote(str(own_folder() / _DATABASE))}"


@contextmanager
def lab_file(port: int) -> Iterator[str]:
    """Make an empty file for the lab of a demo on a port, and remove it afterwards."""
    path = own_folder() / f"lab-{port}.db"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    try:
        yield str(path)
    finally:
        path.unlink(missing_ok=True)


def own_secret() -> str:
    """Return the secret in the folder, or make it; it has to last as long as the sessions do."""
    folder = own_folder()
    path = folder / _SECRET
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=folder, encoding="ascii") as draft:
            draft.write(secrets.token_urlsafe(48))
            draft.flush()
            # Of several that start at once, one wins, and nobody reads half a secret.
            with suppress(FileExistsError):
                os.link(draft.name, path)
    return path.read_text("ascii")
