"""What the pages say: their code runs and does what the text promises, their links lead somewhere."""

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.docs.pages import PAGES, ROOT, programs

PROGRAMS = [program for page in PAGES for program in programs(page)]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
LANGUAGES = {"python", "sh", "json", "javascript", "text", "http"}


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    """The one setting that the pages' programs take from the environment."""
    monkeypatch.setenv("JWT_SECRET_KEY", "a secret for the programs in the documentation")


def serve(app: FastAPI) -> TestClient:
    """A client for the application of a page, as if it were served over TLS."""
    return TestClient(app, base_url="https://testserver")


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_the_code_of_each_section_runs(program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(program.source, program.page, "exec"), {"__name__": "page", "serve": serve})


def headings(page: Path) -> set[str]:
    lines = re.findall(
        r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_pages_and_headings_that_exist(page):
    for link in LINK.findall(page.read_text()):
        if link.startswith(("https://", "http://")):
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if heading:
            assert heading in headings(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_of_code_names_its_language(page):
    fences = re.findall(r"^```(.*)$", page.read_text(), re.MULTILINE)
    assert len(fences) % 2 == 0
    assert set(fences[::2]) <= LANGUAGES


def test_every_page_can_be_reached_from_the_index():
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in LINK.findall(index.read_text())}
    assert {page for page in PAGES if page.parent == index.parent} - {index} <= linked
