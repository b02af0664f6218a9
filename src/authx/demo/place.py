"""Where the demo keeps its sessions and its secret, unless it is told otherwise: a temporary folder of its user."""

import os
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

__all__ = ["new_lab_file", "own_folder", "own_secret", "own_store"]

_DATABASE: Final = "authx-demo.db"
_SECRET: Final = "secret"  # noqa: S105 - the name of a file


def own_folder() -> Path:
    """Find or make the folder.

    Returns:
        A folder that nobody else can read or write.

    Raises:
        OSError: It cannot be made, or somebody else was there first.
    """
    user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""
    folder = Path(tempfile.gettempdir()) / f"authx-demo{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if user and (not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077):
        raise PermissionError(f"{folder} is not a folder of yours alone; remove it, or set TMPDIR")
    return folder


def own_store() -> str:
    """Name the store in the folder.

    Returns:
        Its URL.

    Raises:
        OSError: There can be no such folder.
    """
    return f"sqlite:///{quote(str(own_folder() / _DATABASE))}"


def new_lab_file(port: int) -> str:
    """Find a place for what the workers of a demo share besides the store, and clear it.

    Args:
        port: Where the demo listens, which no other one can at the same time.

    Returns:
        The path.

    Raises:
        OSError: There can be no such file.
    """
    path = own_folder() / f"lab-{port}.db"
    path.unlink(missing_ok=True)
    return str(path)


def own_secret() -> str:
    """Read the secret in the folder, or make it: it has to last as long as the sessions do.

    Returns:
        The secret.

    Raises:
        OSError: It cannot be read or written.
    """
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
