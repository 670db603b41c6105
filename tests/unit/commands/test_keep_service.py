"""`tokencli keep` when the clock is set or the machine was suspended."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tokencli.app import AppOptions
from tokencli.commands.keep_service import KeepService
from tokencli.commands.kept_file import KeepOptions
from tokencli.sandbox.server import Sandbox
from tokencli.system.clock import SystemClock


class SettableClock(SystemClock):
    """The system's clock, ahead by `offset` seconds."""

    offset = 0.0

    def now(self) -> float:
        return super().now() + self.offset


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox."""
    with Sandbox() as running:
        yield running


@pytest.mark.parametrize("seconds", [-3 * 3600.0, 3 * 3600.0], ids=["set back", "resumed"])
def test_token_is_renewed_when_the_clock_jumps(
    sandbox: Sandbox, tmp_path: Path, seconds: float
) -> None:
    """Whether the clock was set back or hours have passed, the next check gets a token that is valid."""
    path = tmp_path / "token"
    with KeepService(
        KeepOptions(profile="groupid", path=path), AppOptions(config=sandbox.config_file)
    ) as service:
        clock = service._app.clock = SettableClock()
        service._step()
        first = path.read_text()
        service._wait()
        service._step()
        assert path.read_text() == first
        clock.offset = seconds
        service._wait()
        service._step()
    assert path.read_text() != first
    assert sandbox.database.token_requests == 2
