from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.browser.tabs import BEGIN, application, open_tab
from tests.browser.wire import Wire
from tests.support.components import require_chromium
from tests.support.waiting import PATIENCE

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
MILLISECONDS = 1000 * PATIENCE

expect.set_options(timeout=MILLISECONDS)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for one module: while it is open, an event loop counts as running in this thread."""
    path = require_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS, timeout=2 * MILLISECONDS)
        open_context = browser.new_context

        def new_context(**options: Any) -> BrowserContext:
            context = open_context(**options)
            context.set_default_timeout(MILLISECONDS)
            return context

        browser.new_context = new_context
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page in a profile of its own."""
    with chromium.new_context() as context:
        yield context.new_page()


@pytest.fixture(scope="module")
def wires(chromium):
    """An application for each mode, in processes of their own."""
    with application("memory") as (_, memory), application("cookies") as (_, cookies), application("both") as (_, both):
        yield {"memory": memory, "cookies": cookies, "both": both}


@pytest.fixture
def wire(wires, request) -> Wire:
    wire = wires[getattr(request, "param", "memory")]
    wire.instead.clear()
    return wire


@pytest.fixture(scope="module")
def pages(chromium, wires):
    """A page for each application, each in a profile of its own."""
    with ExitStack() as stack:
        yield {wire.address: open_tab(stack.enter_context(chromium.new_context()), wire) for wire in wires.values()}


@pytest.fixture
def tab(pages, wire) -> Page:
    """A tab in which Anna is logged in."""
    tab = pages[wire.address]
    tab.evaluate(BEGIN)
    return tab
