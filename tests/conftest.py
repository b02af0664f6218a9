from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# Tests that mostly wait for other programs: browsers, commands, servers of their own.
WAITING = ("browser", "cli", "clients", "demo")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fuzz-seconds",
        type=float,
        default=0,
        metavar="N",
        help="compare random tokens with the other libraries for N seconds, from a new seed, instead of a fixed number",
    )


# First, because pytest-xdist reads the groups in the same hook.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of two processes that run all tests, give one those that wait, and the other one those that work."""
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
        item.add_marker(pytest.mark.xdist_group("waiting" if folder in WAITING else "working"))


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
