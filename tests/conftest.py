import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fuzz-seconds",
        type=float,
        default=0,
        metavar="N",
        help="compare random tokens with the other libraries for N seconds, from a new seed, instead of a fixed number",
    )
