"""What an application's start finds out about its settings, before the first request does."""

import os
import subprocess
import sys
from contextlib import asynccontextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.compat import document_cookies, document_header
from tests.support.apps import SECRET
from tests.support.inside import feed_of
from tests.support.tokens import bearer
from tests.support.waiting import PATIENCE

from authx import AuthManager, AuthX, AuthXConfig
from authx.exceptions import BadConfigurationError

GOOD = AuthXConfig(JWT_SECRET_KEY=SECRET)


def serve(auth, lifespan=None):
    app = FastAPI(lifespan=lifespan)
    auth.handle_errors(app)

    @app.get("/door")
    def door(payload=auth.ACCESS_REQUIRED):
        return payload.sub

    return app


def start(app):
    with TestClient(app):
        pass


def no_public_key():
    return AuthXConfig(JWT_ALGORITHM="EdDSA")


WITHOUT_KEY = {
    "the defaults": (AuthXConfig, "JWT_SECRET_KEY", "authx secret"),
    "an empty secret": (lambda: AuthXConfig(JWT_SECRET_KEY=""), "JWT_SECRET_KEY", "authx secret"),
    "no key pair": (no_public_key, "JWT_PRIVATE_KEY", "openssl genpkey -algorithm ed25519"),
    "a secret for a key pair": (
        lambda: AuthXConfig(JWT_ALGORITHM="EdDSA", JWT_SECRET_KEY=SECRET),
        "JWT_PRIVATE_KEY",
        "To use JWT_SECRET_KEY instead, set JWT_ALGORITHM",
    ),
    "a private key without its algorithm": (
        lambda: AuthXConfig(JWT_PRIVATE_KEY="-----BEGIN PRIVATE KEY-----"),
        "JWT_SECRET_KEY",
        "To use JWT_PRIVATE_KEY instead, set JWT_ALGORITHM",
    ),
}


@pytest.mark.parametrize(("make", "field", "advice"), WITHOUT_KEY.values(), ids=WITHOUT_KEY)
@pytest.mark.parametrize("store", [None, "memory://"])
def test_an_application_without_a_key_does_not_start_and_says_what_the_first_login_would(make, field, advice, store):
    auth = AuthX(make(), store=store)
    with pytest.raises(BadConfigurationError, match=rf"{field} is not set.*environment variable {field}") as at_start:
        start(serve(auth))
    with pytest.raises(BadConfigurationError) as at_login:
        auth.create_access_token("alice")
    assert str(at_start.value) == str(at_login.value)
    assert advice in str(at_login.value)


def test_an_application_that_only_verifies_starts():
    public = Ed25519PrivateKey.generate().public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    start(serve(AuthX(AuthXConfig(JWT_ALGORITHM="EdDSA", JWT_PUBLIC_KEY=pem))))


@pytest.mark.parametrize("document", [document_cookies, document_header])
def test_the_applications_of_the_users_document_start(document):
    start(document.app)


def test_settings_may_come_after_handle_errors():
    auth = AuthX()
    app = serve(auth)
    auth.load_config(GOOD)
    start(app)


def test_settings_may_come_in_the_lifespan_and_the_store_is_open_then():
    auth = AuthX()

    @asynccontextmanager
    async def lifespan(app):
        auth.load_config(AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_STORE_URL="memory://"))
        yield

    with TestClient(serve(auth, lifespan)) as client:
        assert feed_of(auth).loaded
        assert client.get("/door", headers=bearer(auth.create_access_token("alice"))).json() == "alice"


def test_an_applications_own_shutdown_runs_where_there_is_no_key():
    steps = []

    @asynccontextmanager
    async def lifespan(app):
        steps.append("up")
        try:
            yield
        finally:
            steps.append("down")

    with pytest.raises(BadConfigurationError):
        start(serve(AuthX(), lifespan))
    assert steps == ["up", "down"]


def test_settings_that_were_assigned_and_cannot_work_show_at_the_start():
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET))
    app = serve(auth)
    auth.config.JWT_COOKIE_SAMESITE = "none"
    auth.config.JWT_COOKIE_SECURE = False
    with pytest.raises(BadConfigurationError, match="JWT_COOKIE_SAMESITE"):
        start(app)


def test_each_instance_of_an_application_is_looked_at():
    app = serve(AuthX(GOOD))
    AuthX(no_public_key()).handle_errors(app)
    with pytest.raises(BadConfigurationError, match="JWT_PRIVATE_KEY"):
        start(app)


def test_a_manager_looks_at_its_instances():
    manager, app = AuthManager(), FastAPI()
    manager.handle_errors(app)
    manager.register(AuthX(GOOD, login_type="user"))
    start(app)
    manager.register(AuthX(login_type="admin"))
    with pytest.raises(BadConfigurationError, match="JWT_SECRET_KEY"):
        start(app)


def test_a_manager_registers_no_instance_whose_settings_cannot_work():
    manager, auth = AuthManager(), AuthX(GOOD, login_type="user")
    auth.config.JWT_REALM = '"'
    with pytest.raises(BadConfigurationError, match="JWT_REALM"):
        manager.register(auth)
    assert manager.login_types == ()


def test_a_server_ends_with_an_error_and_the_reason(tmp_path):
    (tmp_path / "main.py").write_text(
        "from fastapi import FastAPI\nfrom authx import AuthX\n\napp = FastAPI()\nAuthX().handle_errors(app)\n"
    )
    server = subprocess.run(
        [sys.executable, "-m", "uvicorn", "main:app", "--port", "0"],
        cwd=tmp_path,
        env={"PATH": "", "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert server.returncode != 0
    assert "JWT_SECRET_KEY is not set" in server.stderr
