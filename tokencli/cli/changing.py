"""Change the configuration file so that two who do it at once both succeed."""

from collections.abc import Iterator
from contextlib import contextmanager

from tokencli.app import App
from tokencli.config.load import Config, load


@contextmanager
def changing(app: App) -> Iterator[Config]:
    """Give the configuration as it is now, which stays so until the end of the block."""
    path = app.config.path
    with app.config_lock():
        yield load(path, app.environ, must_exist=False)
