"""Fixtures for programs that use tokens."""

from collections.abc import Iterator

import pytest

from tokencli.sandbox.server import Sandbox


@pytest.fixture
def short_lived(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox whose tokens live for a second, and use its configuration."""
    with Sandbox(lifetime="1s") as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        yield running


@pytest.fixture
def lasting_seconds(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox for programs that don't renew a token while they run: it lives for 6 seconds."""
    with Sandbox(lifetime="6s") as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        yield running
