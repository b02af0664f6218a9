"""The tables of the documentation agree with the code."""

import importlib.util
import re

import pytest
from tests.docs.pages import ROOT

from authx import AuthXConfig, exceptions
from authx.exceptions import AuthXException

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def tables():
    spec = importlib.util.spec_from_file_location("tables", DOCS / "tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_the_tables_of_a_page_are_those_that_the_code_gives(tables, page):
    assert page.read_text() == tables.updated(page.read_text()), "run scripts/docs"


def test_every_setting_has_a_row_with_its_meaning():
    rows = dict(re.findall(r"^\| `(JWT_\w+)` \|.*\| (.+) \|$", (DOCS / "configuration.md").read_text(), re.MULTILINE))
    assert list(rows) == list(AuthXConfig.model_fields)
    assert all(meaning.strip() for meaning in rows.values())


def test_every_error_that_a_client_can_get_has_a_row():
    kinds = {name: getattr(exceptions, name) for name in exceptions.__all__}
    answered = {
        name
        for name, kind in kinds.items()
        if isinstance(kind, type) and issubclass(kind, AuthXException) and kind.status is not None
    }
    assert set(re.findall(r"^\| `(\w+)` \| \d", (DOCS / "errors.md").read_text(), re.MULTILINE)) == answered
