"""A configuration whose tokens are in the test's own folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

Configure = Callable[[str], Path]


@pytest.fixture
def configure(tmp_path: Path, write_config: Configure) -> Configure:
    """Write these profiles into a configuration of this test."""
    return lambda text: write_config(f'state_dir = "{tmp_path / "state"}"\n\n{text}')
