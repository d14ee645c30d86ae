"""Templates for these tests, each made once."""

import pytest

from tests.deploy.templates import SECURE, SMALL, Templates, synthesize


@pytest.fixture(scope="session")
def default(tmp_path_factory) -> Templates:
    return synthesize(tmp_path_factory.mktemp("default"), {})


@pytest.fixture(scope="session")
def secure(tmp_path_factory) -> Templates:
    return synthesize(tmp_path_factory.mktemp("secure"), SECURE)


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> Templates:
    return synthesize(tmp_path_factory.mktemp("small"), SMALL)
