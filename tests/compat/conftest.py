from collections.abc import Iterator
from inspect import signature

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi.testclient import TestClient
from tests.support.tokens import SECRET

from authx import AuthX, AuthXConfig

from .answers import Browse, Check, MakeAuth, MakeConfig, Mode

PemPair = tuple[str, str]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what looks at an answer to a refused request in both modes: nothing else depends on the mode."""
    if "refused" in metafunc.fixturenames or "mode" in signature(metafunc.function).parameters:
        metafunc.parametrize("mode", ["rfc", "authx"], indirect=True)


@pytest.fixture
def mode(request: pytest.FixtureRequest) -> Mode:
    chosen: Mode = getattr(request, "param", "rfc")
    return chosen


@pytest.fixture
def configure(mode: Mode) -> MakeConfig:
    def make(**fields):
        return AuthXConfig(**{"JWT_SECRET_KEY": SECRET, "JWT_ERROR_STATUS": mode} | fields)

    return make


@pytest.fixture
def make_auth(configure: MakeConfig) -> MakeAuth:
    def make(**fields):
        return AuthX(config=configure(**fields))

    return make


@pytest.fixture
def refused(mode: Mode) -> Check:
    return Check(mode)


@pytest.fixture
def browse() -> Iterator[Browse]:
    clients = []

    def open_client(app, base_url="https://testserver"):
        client = TestClient(app, base_url=base_url, follow_redirects=False)
        clients.append(client)
        return client

    yield open_client
    for client in clients:
        client.close()


def _pem_pair() -> PemPair:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@pytest.fixture(scope="session")
def rsa_pair() -> PemPair:
    return _pem_pair()


@pytest.fixture(scope="session")
def older_rsa_pair() -> PemPair:
    return _pem_pair()
