"""What the doctor finds at real stores: their clocks, their tables, how they are set up."""

import asyncio
import secrets
import time

import pytest
from tests.stores.servers import a_node

from authx.cli.store_check import clock_finding, store_findings
from authx.stores import open_store
from authx.stores.memory import MemoryStore


@pytest.fixture(scope="module")
def evicting_node():
    with a_node("--maxmemory-policy", "allkeys-lru") as node:
        yield node


def found(store, ahead: float = 0, *, creates_schema: bool = True) -> list[tuple[str, str]]:
    """Look at a store from a host whose clock is ahead."""
    findings = asyncio.run(store_findings(store, creates_schema=creates_schema, clock=lambda: time.time() + ahead))
    return [(finding.severity, finding.code) for finding in findings]


SKEWS = [
    (0, None),
    (1, None),
    (-1, None),
    (4, "warning"),
    (-4, "warning"),
    (60, "error"),
    (-3600, "error"),
]


@pytest.mark.parametrize(("ahead", "severity"), SKEWS)
def test_a_clock_that_differs_is_found_on_postgresql(postgres_url, ahead, severity):
    store = open_store(postgres_url, f"t{secrets.token_hex(6)}_")
    expected = [] if severity is None else [(severity, "clock-skew")]
    assert found(store, ahead) == [*expected, ("info", "store-new")]


@pytest.mark.parametrize(("ahead", "severity"), SKEWS)
def test_a_clock_that_differs_is_found_on_valkey(evicting_node, ahead, severity):
    store = open_store(evicting_node.url)
    expected = [] if severity is None else [(severity, "clock-skew")]
    # It may drop keys when memory is short, which the store says when it is opened.
    assert found(store, ahead) == [("warning", "store-setup"), *expected]


@pytest.mark.parametrize(
    ("ahead", "text"),
    [(-60, "1 minute behind"), (5, "5 seconds ahead of"), (1.9, None), (-1.9, None), (2, "2 seconds")],
)
def test_a_difference_says_who_is_ahead(ahead, text):
    finding = clock_finding(ahead)
    assert (text is None) if finding is None else text in finding.message


def test_stores_without_a_clock_of_their_own_are_not_asked_for_it(folder):
    store = open_store(f"sqlite:///{folder}/auth.db")

    async def make():
        await store.open()
        await store.create_schema()
        await store.close()

    asyncio.run(make())
    assert found(store, ahead=3600) == []
    assert found(MemoryStore(), ahead=3600) == []


def test_missing_tables_are_found_on_postgresql(postgres_url):
    store = open_store(postgres_url, f"t{secrets.token_hex(6)}_")
    assert found(store, creates_schema=False) == [("error", "store-tables")]


def test_looking_at_postgresql_makes_nothing(postgres_url):
    prefix = f"t{secrets.token_hex(6)}_"
    found(open_store(postgres_url, prefix))
    assert found(open_store(postgres_url, prefix)) == [("info", "store-new")]


def test_a_store_of_somebody_else_may_fail_in_its_own_way():
    class Broken(MemoryStore):
        async def open(self):
            raise LookupError("no answer from redis://:hush@somewhere")

    (finding,) = asyncio.run(store_findings(Broken(), creates_schema=True))
    assert (finding.severity, finding.code) == ("error", "store-silent")
    assert "LookupError" in finding.message
    assert "hush" not in finding.message
