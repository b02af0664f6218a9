"""Swagger UI in a real browser, against a real server: what a developer tries first."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page
from tests.browser.header_app import make_app, make_auth
from tests.browser.serving import served


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(make_app()) as address:
        yield address


@pytest.fixture
def docs(page: Page, address: str) -> Page:
    page.goto(f"{address}/docs")
    page.get_by_role("button", name="GET /protected", exact=False).first.click()
    page.get_by_role("button", name="Try it out").click()
    return page


def authorize(docs: Page, value: str) -> None:
    docs.locator(".auth-wrapper > .authorize").click()
    dialog = docs.locator(".dialog-ux")
    dialog.locator("input").fill(value)
    dialog.get_by_role("button", name="Apply credentials").click()
    dialog.get_by_role("button", name="Close", exact=True).click()


def execute(docs: Page) -> tuple[str, str]:
    """Send the request that is shown; return the status and the body that Swagger UI shows."""
    docs.get_by_role("button", name="Execute").click()
    answer = docs.locator(".live-responses-table .response")
    return (
        answer.locator(".response-col_status").inner_text().split()[0],
        answer.locator(".highlight-code").first.inner_text(),
    )


def test_with_a_pasted_token_the_route_answers(docs):
    authorize(docs, make_auth().create_access_token("somebody"))
    status, body = execute(docs)
    assert status == "200"
    assert "You have access" in body


def test_without_a_token_it_says_that_one_is_missing(docs):
    status, body = execute(docs)
    assert status == "401"
    assert "token_missing" in body


def test_with_a_refresh_token_it_says_that_it_is_the_wrong_one(docs):
    authorize(docs, make_auth().create_refresh_token("somebody"))
    status, body = execute(docs)
    assert status == "401"
    assert "token_wrong_type" in body


def test_the_statuses_that_protection_answers_with_are_documented(docs):
    documented = docs.locator(".responses-table:not(.live-responses-table) .response-col_status").all_inner_texts()
    assert {"200", "400", "401"} <= {text.split()[0] for text in documented if text[:1].isdigit()}
