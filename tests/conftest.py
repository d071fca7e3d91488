"""Options and helpers of all tests."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the long versions of tests too")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "full: long; runs with --full alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--full"):
        return
    for item in items:
        if "full" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="long: run with --full"))


@pytest.fixture
def full(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--full"))


@pytest.fixture(autouse=True)
def _default_threads():
    """Tests that change the number of threads leave it as it was."""
    import pydl

    before = pydl.get_num_threads()
    yield
    pydl.set_num_threads(before)
