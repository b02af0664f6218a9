import os

import pytest
from hypothesis import HealthCheck, settings

# Before anything imports them: what their asserts compared is shown when one fails.
pytest.register_assert_rewrite("tests.support", "tests.compat.answers", "tests.compat.cookies", "tests.sessions.world")

# On a busy machine an example may take long, and that says nothing about the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# Tests that drive a browser: one process has them all, since two browsers at once are too much for two cores.
BROWSER = ("tests/browser/", "tests/demo/")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fuzz-seconds",
        type=float,
        default=0,
        metavar="N",
        help="compare random tokens with the other libraries for N seconds, from a new seed, instead of a fixed number",
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Give processes that share the tests a module at a time, and all tests of a browser to one of them."""
    from xdist.scheduler import LoadScopeScheduling

    class ByModule(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "browser" if nodeid.startswith(BROWSER) else nodeid.partition("::")[0]

    return ByModule(config, log)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("JWT_"):
            monkeypatch.delenv(name)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = [
        value
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == "measured"
    ]
    if lines:
        terminalreporter.section("measured")
    for line in lines:
        terminalreporter.write_line(str(line))
