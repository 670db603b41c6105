"""The keyring library's caches are cleared after each test."""

from collections.abc import Iterator

import pytest
from keyring import backend


@pytest.fixture(autouse=True)
def no_backend_of_an_earlier_test() -> Iterator[None]:
    """The library registers every backend class for good, and caches its search."""
    known: set[type] = backend.KeyringBackend._classes
    before = set(known)
    vars(backend.get_all_keyring).pop("saved_result", None)
    yield
    known.intersection_update(before)
    vars(backend.get_all_keyring).pop("saved_result", None)
