"""Tabs of a browser that use the browser client, and the applications that they talk to."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import BrowserContext, Page
from tests.browser.wire import Wire, wire_to
from tests.races.machines import Machine

MODES = {
    "memory": {"JWT_TOKEN_LOCATION": '["headers"]', "JWT_REFRESH_TOKEN_LOCATION": '["cookies"]'},
    "cookies": {"JWT_TOKEN_LOCATION": '["cookies"]'},
    "both": {"JWT_TOKEN_LOCATION": '["headers", "cookies"]'},
    "headers": {"JWT_TOKEN_LOCATION": '["headers"]'},
}
# A clock that tests move, and a tab that they hide: Chromium without a window shows all tabs at once.
STAGE = """
const now = Date.now
window.realNow = () => now()
window.shift = 0
Date.now = () => now() + shift
window.asleep = false
Object.defineProperty(document, 'hidden', { get: () => asleep })
window.show = (name = 'visibilitychange') => {
  asleep = false
  window.dispatchEvent(new Event(name))
}
"""
NO_LOCKS = "Object.defineProperty(navigator, 'locks', { value: undefined })"
ME = "auth.fetch('/me').then(async (answer) => [answer.status, (await answer.json()).sub ?? null])"
ANNA = "auth.login({ username: 'anna', password: 'anna' })"
# Whatever happened before, Anna is logged in.
BEGIN = """async () => {
  window.shift = 0
  const answer = await auth.fetch('/me')
  if ((await answer.json()).sub !== 'anna') await auth.login({ username: 'anna', password: 'anna' })
  changes.length = 0
}"""


@contextmanager
def application(mode: str, **settings: str) -> Iterator[tuple[Machine, Wire]]:
    """Run page_app in a process of its own, behind a wire."""
    machine = start(mode, **settings)
    try:
        with wire_to(machine.port) as wire:
            yield machine, wire
    finally:
        machine.stop()
    assert "Traceback" not in machine.printed(), machine.printed()


def start(mode: str, **settings: str) -> Machine:
    """Run page_app in a process of its own."""
    more = {"JWT_STORE_URL": "memory://", "JWT_COOKIE_SECURE": "auto"}
    machine = Machine({**MODES[mode], **more, **settings}, app="tests.browser.page_app:app")
    machine.wait()
    return machine


def open_tab(context: BrowserContext, wire: Wire, *scripts: str) -> Page:
    """Open a tab with the page of page_app, and wait until it has its client."""
    page = context.new_page()
    for script in (STAGE, *scripts):
        page.add_init_script(script)
    page.goto(wire.address)
    page.wait_for_function("window.auth")
    return page


def begin(tabs: list[Page]) -> None:
    """Give each tab a new client, log Anna in by the first one, and wait until all know."""
    for tab in tabs:
        tab.evaluate(
            """() => {
              auth.destroy()
              window.shift = 0
              window.asleep = false
              window.auth = createAuthClient()
              window.changes = []
              auth.onChange((session, why) => changes.push([session ? session.expiresAt : null, why]))
            }"""
        )
    tabs[0].evaluate(ANNA)
    for tab in tabs:
        assert tab.evaluate("auth.session()") is not None


def last_change(tab: Page) -> str | None:
    """Why the client last told its listener something."""
    return tab.evaluate("changes.at(-1)?.[1] ?? null")
