"""Fixtures for programs that use tokens."""

from collections.abc import Iterator

import pytest

from tests.e2e.consumers.expiries import set_lifetime
from tokencli.sandbox.server import Sandbox


@pytest.fixture
def short_lived(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox whose tokens live for a second, and use its configuration."""
    with Sandbox(lifetime="1s") as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        yield running


@pytest.fixture
def lasting_seconds(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox for programs that don't renew a token while they run: it lives long enough."""
    with Sandbox() as running:
        set_lifetime(running, 6)
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        yield running
