"""What the keyring library remembers for good is forgotten after each test here."""

from collections.abc import Iterator

import pytest
from keyring import backend


@pytest.fixture(autouse=True)
def no_backend_of_an_earlier_test() -> Iterator[None]:
    """A backend that a test defines is in the library's list from then on, and its findings are kept."""
    known: set[type] = backend.KeyringBackend._classes
    before = set(known)
    vars(backend.get_all_keyring).pop("saved_result", None)
    yield
    known.intersection_update(before)
    vars(backend.get_all_keyring).pop("saved_result", None)
