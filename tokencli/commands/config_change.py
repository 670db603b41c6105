"""Change the configuration file so that two who do it at once both succeed."""

from collections.abc import Iterator
from contextlib import contextmanager

from tokencli.app import App
from tokencli.config.load import Config, load_config


@contextmanager
def locked_config(app: App) -> Iterator[Config]:
    """Give the configuration as it is now, which stays so until the end of the block."""
    path = app.config.path
    with app.lock_config():
        yield load_config(path, app.environ, must_exist=False)
