"""The single-page example in a real browser."""

import importlib.util
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.browser.serving import served

EXAMPLE = Path(__file__).parents[2] / "examples" / "single_page.py"


@pytest.fixture
def example(page: Page):
    spec = importlib.util.spec_from_file_location("single_page", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with served(module.app) as address:
        page.goto(address)
        yield page


def press(page: Page, button: str, answer: str) -> None:
    page.get_by_role("button", name=button).click()
    expect(page.get_by_role("status")).to_have_text(answer)


def test_the_session_outlives_a_reload_and_ends_at_logout(example):
    press(example, "Who am I?", "Please log in")
    press(example, "Log in", "Logged in")
    press(example, "Who am I?", "You are test")
    example.reload()
    press(example, "Who am I?", "You are test")
    press(example, "Log out", "Logged out")
    press(example, "Who am I?", "Please log in")


def test_a_wrong_password_begins_no_session(example):
    example.get_by_label("Password").fill("wrong")
    press(example, "Log in", "Wrong name or password")
    press(example, "Who am I?", "Please log in")
