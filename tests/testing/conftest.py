import os

import pytest


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("JWT_"):
            monkeypatch.delenv(name)


@pytest.fixture
def anyio_backend():
    return "asyncio"
