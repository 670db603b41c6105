"""Fixtures of the tests under Wine: a Windows with the built wheel installed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.windows import wine
from tests.windows.wine import Windows
from tokencli.sandbox.server import Sandbox


@pytest.fixture(scope="session")
def installed_windows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Windows]:
    """Return the Windows of this session, with the wheel of this checkout installed by pip."""
    wine.require()
    with Windows(tmp_path_factory.mktemp("wine") / "prefix") as windows:
        windows.install(wine.build_wheel(tmp_path_factory.mktemp("wheel")))
        yield windows


@pytest.fixture
def windows(installed_windows: Windows) -> Iterator[Windows]:
    """Return the session's Windows; afterwards the user's files are as they were."""
    yield installed_windows
    installed_windows.restore()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark these tests as a long suite."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("long")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox on Linux, for programs under Wine."""
    with Sandbox(sign_in="alice") as running:
        yield running
