"""The examples do what they are there to show."""

import importlib.util
import sys
from types import ModuleType

import pytest
from fastapi.testclient import TestClient
from tests.docs.pages import ROOT

from authx import AuthX, AuthXConfig

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def client_of(name: str) -> TestClient:
    return TestClient(load(name).app, base_url="https://testserver")


def test_every_example_is_in_the_list():
    text = (ROOT / "examples" / "README.md").read_text()
    assert all(f"]({path.name})" in text for path in EXAMPLES)


@pytest.fixture
def page():
    client = client_of("single_page")
    answer = client.post("/session/login", json={"username": "test", "password": "test"})
    client.token = answer.json()["access_token"]
    return client


def test_single_page_keeps_the_refresh_token_away_from_scripts_and_other_paths(page):
    (cookie,) = [cookie for cookie in page.cookies.jar if cookie.name == "refresh_token_cookie"]
    assert (cookie.path, cookie.secure, cookie.has_nonstandard_attr("HttpOnly")) == ("/session", True, True)
    assert set(page.cookies) == {"refresh_token_cookie", "csrf_refresh_token"}


def test_single_page_shows_who_has_the_access_token(page):
    assert page.get("/me", headers={"Authorization": f"Bearer {page.token}"}).json() == {"name": "test"}


def test_single_page_says_refresh_where_only_the_cookie_is_left(page):
    assert page.get("/me").json()["action"] == "refresh"
    headers = {"X-CSRF-TOKEN": page.cookies["csrf_refresh_token"]}
    token = page.post("/session/refresh", headers=headers).json()["access_token"]
    assert page.get("/me", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_single_page_does_not_refresh_for_another_sites_page(page):
    assert page.post("/session/refresh").json()["code"] == "csrf_missing"


def test_single_page_forgets_the_session_at_logout(page):
    page.post("/session/logout")
    assert not page.cookies
    assert page.get("/me").json()["action"] == "login"


def test_two_services_agree_on_a_token():
    client = client_of("two_services")
    token = client.post("/login").json()["access_token"]
    answer = client.get("/reports/newest", headers={"Authorization": f"Bearer {token}"})
    assert answer.json() == {"report": "All is well", "reader": "anna"}


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"JWT_ENCODE_AUDIENCE": "payments"}, "token_invalid"),
        ({"JWT_ENCODE_ISSUER": "https://evil.example"}, "token_invalid"),
        ({}, "insufficient_scope"),
    ],
)
def test_two_services_refuse_tokens_that_are_for_others_or_allow_too_little(settings, code):
    example = load("two_services")
    fields = {
        "JWT_ALGORITHM": "EdDSA",
        "JWT_PRIVATE_KEY": example.private_pem,
        "JWT_ENCODE_ISSUER": example.ISSUER,
        "JWT_ENCODE_AUDIENCE": example.AUDIENCE,
    }
    token = AuthX(AuthXConfig(**fields | settings)).create_access_token("anna", scopes=["payments:read"])
    answer = TestClient(example.app).get("/reports/newest", headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["code"] == code
