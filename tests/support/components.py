"""Programs that some tests need and a machine may lack.

Where one cannot be had, its tests are skipped with a reason; where `CI` is `true` they fail, so that no run there
is green for want of it.
"""

import os
import shutil
from typing import NoReturn

import pytest

__all__ = ["require_chromium", "require_curl", "require_shell"]


def require_curl() -> str:
    """Find curl."""
    return _find("curl", "curl")


def require_shell() -> str:
    """Find a POSIX shell."""
    return _find("a POSIX shell", "sh")


def require_chromium() -> str:
    """Find a Chromium that the system has installed."""
    return _find("Chromium", "chromium", "chromium-browser", "google-chrome")


def _find(what: str, *programs: str) -> str:
    paths = [path for path in map(shutil.which, programs) if path is not None]
    if not paths:
        _missing(f"{what} is not installed")
    return paths[0]


def _missing(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI has to have it", pytrace=False)
    pytest.skip(reason)
