"""One server for the whole zoo."""

from collections.abc import Iterator

import pytest

from tests.zoo.server import Zoo


@pytest.fixture(scope="session")
def zoo() -> Iterator[Zoo]:
    """Return the server, which replays nothing yet."""
    server = Zoo()
    yield server
    server.stop()
