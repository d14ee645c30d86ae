"""The switch that renews the golden pictures: only by hand, and only with a look at them."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--bless-goldens",
        action="store_true",
        help="write the pictures made now as the golden ones; look at every one before the commit",
    )


@pytest.fixture
def bless(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--bless-goldens"))
