"""Tokens in a keyring: in chunks if items are small, verified, and never half lost."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes import FakeClock, FakeTerminal
from tests.unit.token_store.samples import KEY, stored
from tokencli.errors import KeyringError, NoKeyringError
from tokencli.models import Secret
from tokencli.secret_sources.keyring_client import ITEM_SIZE_LIMITS, OsKeyring
from tokencli.token_store.keyring import KeyringStore

LIMIT = ITEM_SIZE_LIMITS["win32"]


class Stop(Exception):
    """The power fails."""


class SmallKeyring(OsKeyring):
    """A keyring in memory whose items are small, and which can fail at its n-th write."""

    def __init__(self, limit: int | None = LIMIT) -> None:
        super().__init__(os.environ, FakeTerminal(), limit=limit)
        self.items: dict[tuple[str, str], str] = {}
        self.writes = 0
        self.stop_at = 0
        self.failure: KeyringError | None = None

    def require_usable(self) -> str:
        if self.failure:
            raise self.failure
        return "small"

    def get_item(self, service: str, username: str) -> str | None:
        if self.failure:
            raise self.failure
        return self.items.get((service, username))

    def find_first_item(self, service: str) -> tuple[str | None, str] | None:
        if self.failure:
            raise self.failure
        return next(((u, text) for (s, u), text in self.items.items() if s == service), None)

    def set_item(self, service: str, username: str, text: str) -> None:
        self._step()
        assert (
            self.item_size_limit is None
            or len(text.encode("utf-16-le")) <= 2 * self.item_size_limit
        ), "error 1783"
        self.items[service, username] = text

    def delete_item(self, service: str, username: str) -> bool:
        if self.failure:
            raise self.failure
        self._step()
        return self.items.pop((service, username), None) is not None

    def _step(self) -> None:
        self.writes += 1
        if self.writes == self.stop_at:
            raise Stop


def store(keyring: OsKeyring, root: Path, profile: str = "p") -> KeyringStore:
    """Return the store over that keyring."""
    return KeyringStore(
        root, profile, keyring=keyring, terminal=FakeTerminal(), clock=FakeClock(), lock_timeout=5
    )


@pytest.mark.parametrize("sizes", [(0, 5000), (5000, 0), (5000, 9000), (9000, 5000), (5000, 5000)])
def test_a_long_token_set_is_stored_in_chunks(sizes: tuple[int, int], tmp_path: Path) -> None:
    """No item exceeds the platform's limit, and nothing of the previous token set is left."""
    keyring = SmallKeyring()
    for n, size in enumerate(sizes):
        store(keyring, tmp_path).save(stored(n, size=size))
        assert store(keyring, tmp_path).load(KEY) == stored(n, size=size)
    least = -(-sizes[1] // LIMIT)
    assert least <= len(keyring.items) <= least + 2
    assert store(keyring, tmp_path).delete_profile_tokens("p") == 1
    assert keyring.items == {}


def test_each_item_has_its_own_service_on_windows(tmp_path: Path) -> None:
    """On Windows a second user name of a service would move the first item."""
    keyring = SmallKeyring()
    store(keyring, tmp_path).save(stored(size=5000))
    store(keyring, tmp_path).save(stored(key="cd" * 32))
    services = [service for service, _ in keyring.items]
    assert len(set(services)) == len(services)


@pytest.mark.parametrize("before", [0, 5000])
def test_a_power_cut_at_any_write_leaves_old_or_new(before: int, tmp_path: Path) -> None:
    """Whichever write is the last, either the old or the new token set is complete."""
    stop_at = 1
    while True:
        keyring = SmallKeyring()
        store(keyring, tmp_path).save(stored(1, size=before))
        keyring.writes, keyring.stop_at = 0, stop_at
        try:
            store(keyring, tmp_path).save(stored(2, size=6000))
        except Stop:
            ended = False
        else:
            ended = True
        found = store(keyring, tmp_path).load(KEY)
        assert found in (
            [stored(2, size=6000)] if ended else [stored(1, size=before), stored(2, size=6000)]
        )
        keyring.stop_at = 0
        store(keyring, tmp_path).save(stored(3, size=5000))
        assert store(keyring, tmp_path).load(KEY) == stored(3, size=5000)
        store(keyring, tmp_path).delete_profile_tokens("p")
        assert keyring.items == {}
        if ended:
            break
        stop_at += 1
    assert stop_at > 6


def test_a_token_set_that_is_too_large_is_refused_early(tmp_path: Path) -> None:
    """`reserve_space` refuses a token set that needs too many chunks."""
    with pytest.raises(KeyringError, match="too long"):
        store(SmallKeyring(), tmp_path).reserve_space(KEY, 400_000)
    store(SmallKeyring(), tmp_path).reserve_space(KEY, 16 * 1024)
    store(SmallKeyring(limit=None), tmp_path).reserve_space(KEY, 400_000)


def missing_part(keyring: SmallKeyring) -> None:
    """Delete a chunk."""
    del keyring.items[next(item for item in keyring.items if item[1].endswith(".a1"))]


def foreign_part(keyring: SmallKeyring) -> None:
    """Change a chunk."""
    keyring.items[next(item for item in keyring.items if item[1].endswith(".a1"))] = "x"


def nonsense(keyring: SmallKeyring) -> None:
    """Change the header."""
    keyring.items[next(item for item in keyring.items if "." not in item[1])] = "\x00€"


def too_many(keyring: SmallKeyring) -> None:
    """Let the header announce too many chunks."""
    item = next(item for item in keyring.items if "." not in item[1])
    keyring.items[item] = json.dumps({**json.loads(keyring.items[item]), "parts": 10**9})


@pytest.mark.parametrize("damage", [missing_part, foreign_part, nonsense, too_many])
def test_a_damaged_item_is_ignored_and_moved_under_the_lock(
    damage: Callable[[SmallKeyring], None], tmp_path: Path
) -> None:
    """A wrong digest is never accepted; under the lock the item is moved, with a warning."""
    keyring = SmallKeyring()
    one = store(keyring, tmp_path)
    one.save(stored(size=5000))
    damage(keyring)
    items = dict(keyring.items)
    assert one.load(KEY) is None
    assert keyring.items == items
    with one.lock_credential(KEY, 5):
        assert one.load(KEY) is None
    assert [name for _, name in keyring.items if name.endswith(".corrupt")] != []
    assert one.delete_profile_tokens("p") == 0
    assert keyring.items == {}


def test_reserve_space_detects_a_keyring_that_stores_nothing(tmp_path: Path) -> None:
    """A keyring that was never used is tested before anything is sent; a proven one isn't."""
    keyring = SmallKeyring()
    keyring.stop_at = 1
    with pytest.raises(Stop):
        store(keyring, tmp_path).reserve_space(KEY, 100)
    one = store(keyring, tmp_path)
    one.save(stored())
    assert one.load(KEY) == stored()
    writes = keyring.writes
    one.reserve_space(KEY, 100)
    assert keyring.writes == writes
    assert [name for _, name in keyring.items if name.endswith(".trial")] == []


def test_an_unavailable_keyring_matters_only_if_it_was_used(tmp_path: Path) -> None:
    """Deleting the tokens of a profile that never used the keyring works without one; else it is an error."""
    keyring = SmallKeyring()
    keyring.failure = KeyringError("locked")
    assert store(keyring, tmp_path).delete_profile_tokens("p") == 0
    keyring.failure = None
    store(keyring, tmp_path).save(stored())
    keyring.failure = KeyringError("locked")
    with pytest.raises(KeyringError, match="locked"):
        store(keyring, tmp_path).delete_profile_tokens("p")


def test_a_missing_keyring_is_no_error_if_it_was_never_used(tmp_path: Path) -> None:
    """Neither a journal of the file store nor an attempt to use the keyring counts as a use."""
    keyring = SmallKeyring()
    keyring.failure = NoKeyringError("no keyring")
    one = store(keyring, tmp_path)
    with one.lock_credential(KEY, 5):
        one.begin_refresh(KEY, Secret("canary-refresh-1"))
    with pytest.raises(NoKeyringError):
        one.reserve_space(KEY, 100)
    assert one.delete_profile_tokens("p") == 0
    assert list((tmp_path / "journal").iterdir()) == []


def test_file_names_reveal_no_profile_or_token(tmp_path: Path) -> None:
    """The files outside the keyring name neither profile nor token."""
    one = store(SmallKeyring(), tmp_path, profile="my-profile")
    with one.lock_credential(KEY, 5):
        one.begin_refresh(KEY, Secret("canary-refresh-1"))
        one.save(stored(profile="my-profile"))
        one.begin_refresh(KEY, Secret("canary-refresh-2"))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} == {"locks", "keys", "journal"}
    for path in files:
        assert "my-profile" not in path.name + path.read_text()
        assert "canary" not in path.name + path.read_text()
