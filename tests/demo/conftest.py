import pytest


@pytest.fixture
def no_settings_from_outside(monkeypatch):
    for name in ("JWT_SECRET_KEY", "JWT_ALGORITHM", "JWT_STORE_URL"):
        monkeypatch.delenv(name, raising=False)
