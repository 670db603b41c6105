"""Tokens in a keyring: in chunks if items are small, verified, and never half lost."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fake_keyrings import (
    FAKE_KEYRINGS,
    FakeCredentials,
    FakeKeychain,
    KeyringOver,
    Stop,
    macos_keyring,
    windows_keyring,
)
from tests.fakes import FakeClock, FakeTerminal
from tests.unit.token_store.samples import KEY, stored
from tokencli.errors import KeyringError, NoKeyringError
from tokencli.models import Secret
from tokencli.secret_sources.credential_manager import CredentialManager
from tokencli.secret_sources.keyring_client import OsKeyring
from tokencli.token_store.keyring import KeyringStore

LIMIT = 1280
SYSTEMS = pytest.mark.parametrize("system", FAKE_KEYRINGS)


@pytest.fixture(autouse=True)
def _own_state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the index of the keyring be the test's own."""
    monkeypatch.setattr(
        "tokencli.secret_sources.keyring_client.state_dir", lambda: tmp_path / "index"
    )


class UnreachableKeyring(KeyringOver):
    """The keyring of Windows, which fails while `failure` is set."""

    def __init__(self) -> None:
        super().__init__(CredentialManager(FakeCredentials()), "win32")
        self.failure: KeyringError | None = None

    def require_usable(self) -> str:
        if self.failure:
            raise self.failure
        return "fake"

    def _call_backend(self, work, *, hide=""):  # type: ignore[no-untyped-def]  # as in OsKeyring
        self.require_usable()
        return super()._call_backend(work, hide=hide)


def store(keyring: OsKeyring, root: Path, profile: str = "p") -> KeyringStore:
    """Return the store over that keyring."""
    return KeyringStore(
        root, profile, keyring=keyring, terminal=FakeTerminal(), clock=FakeClock(), lock_timeout=5
    )


@pytest.mark.parametrize("sizes", [(0, 5000), (5000, 0), (5000, 9000), (9000, 5000), (5000, 5000)])
def test_a_long_token_set_is_stored_in_chunks(sizes: tuple[int, int], tmp_path: Path) -> None:
    """No item exceeds the platform's limit, and nothing of the previous token set is left."""
    items = FakeCredentials()
    keyring = windows_keyring(items)
    for n, size in enumerate(sizes):
        store(keyring, tmp_path).save(stored(n, size=size))
        assert store(keyring, tmp_path).load(KEY) == stored(n, size=size)
    least = -(-sizes[1] // LIMIT)
    assert least <= len(items.items) <= least + 2
    assert store(keyring, tmp_path).delete_profile_tokens("p") == 1
    assert items.items == {}


def test_tokens_whose_record_was_lost_are_found_in_windows(tmp_path: Path) -> None:
    """Without the files that record which credentials are stored, the items are listed by name."""
    items = FakeCredentials()
    for profile in ("p", "P", "pp"):
        store(windows_keyring(items), tmp_path, profile).save(stored(profile=profile, size=3000))
    assert store(windows_keyring(items), tmp_path / "new").delete_profile_tokens("p") == 1
    assert {name.split(":")[1] for name in items.names} == {"+P", "pp"}


@SYSTEMS
@pytest.mark.parametrize("before", [0, 5000])
def test_a_power_cut_at_any_write_leaves_old_or_new(
    system: str, before: int, tmp_path: Path
) -> None:
    """Whichever write is the last, either the old or the new token set is complete.

    The keyring library replaces an item of macOS by deleting and adding it.
    """
    make_items, open_keyring = FAKE_KEYRINGS[system]
    stop_at = 1
    while True:
        items = make_items()
        keyring = open_keyring(items)
        store(keyring, tmp_path).save(stored(1, size=before))
        items.changes, items.stop_at = 0, stop_at
        try:
            store(keyring, tmp_path).save(stored(2, size=6000))
        except Stop:
            ended = False
        else:
            ended = True
        items.stop_at = 0
        found = store(keyring, tmp_path).load(KEY)
        assert found in (
            [stored(2, size=6000)] if ended else [stored(1, size=before), stored(2, size=6000)]
        )
        store(keyring, tmp_path).save(stored(3, size=5000))
        assert store(keyring, tmp_path).load(KEY) == stored(3, size=5000)
        store(keyring, tmp_path).delete_profile_tokens("p")
        assert items.items == {}
        if ended:
            break
        stop_at += 1
    assert stop_at > 3


@SYSTEMS
def test_a_second_power_cut_loses_nothing_either(system: str, tmp_path: Path) -> None:
    """If replacing was interrupted, and the next replacement is as well, a token set is there."""
    make_items, open_keyring = FAKE_KEYRINGS[system]
    for first in range(1, 7):
        for second in range(1, 7):
            items = make_items()
            keyring = open_keyring(items)
            store(keyring, tmp_path).save(stored(1))
            newest = 1
            for n, stop_at in ((2, first), (3, second)):
                items.changes, items.stop_at = 0, stop_at
                try:
                    store(keyring, tmp_path).save(stored(n))
                except Stop:
                    items.stop_at = 0
                    found = store(keyring, tmp_path).load(KEY)
                    assert found in (stored(newest), stored(n))
                    newest = newest if found == stored(newest) else n
                else:
                    newest = n
            items.stop_at = 0
            store(keyring, tmp_path).delete_profile_tokens("p")
            assert items.items == {}


def test_a_token_set_that_is_too_large_is_refused_early(tmp_path: Path) -> None:
    """`reserve_space` refuses a token set that needs too many chunks."""
    with pytest.raises(KeyringError, match="too long"):
        store(windows_keyring(FakeCredentials()), tmp_path).reserve_space(KEY, 400_000)
    store(windows_keyring(FakeCredentials()), tmp_path).reserve_space(KEY, 16 * 1024)
    store(macos_keyring(FakeKeychain()), tmp_path).reserve_space(KEY, 400_000)


def find_item(items: FakeCredentials, end: str) -> dict[str, object]:
    """Return the item whose user name ends so."""
    return next(item for item in items.items.values() if item["UserName"].endswith(end))


def missing_part(items: FakeCredentials) -> None:
    """Delete a chunk."""
    items.CredDelete(str(find_item(items, ".a1")["TargetName"]), 1)


def foreign_part(items: FakeCredentials) -> None:
    """Change a chunk."""
    find_item(items, ".a1")["CredentialBlob"] = "x".encode("utf-16-le")


def nonsense(items: FakeCredentials) -> None:
    """Change the header."""
    find_item(items, KEY)["CredentialBlob"] = "\x00€".encode("utf-16-le")


def too_many(items: FakeCredentials) -> None:
    """Let the header announce too many chunks."""
    item = find_item(items, KEY)
    header = json.loads(bytes(item["CredentialBlob"]).decode("utf-16-le"))  # type: ignore[call-overload]  # a value of a dict of objects
    item["CredentialBlob"] = json.dumps({**header, "parts": 10**9}).encode("utf-16-le")


@pytest.mark.parametrize("damage", [missing_part, foreign_part, nonsense, too_many])
def test_a_damaged_item_is_ignored_and_moved_under_the_lock(
    damage: Callable[[FakeCredentials], None], tmp_path: Path
) -> None:
    """A wrong digest is never accepted; under the lock the item is moved, with a warning."""
    items = FakeCredentials()
    one = store(windows_keyring(items), tmp_path)
    one.save(stored(size=5000))
    damage(items)
    before = dict(items.items)
    assert one.load(KEY) is None
    assert items.items == before
    with one.lock_credential(KEY, 5):
        assert one.load(KEY) is None
    assert [name for name in items.names if name.endswith(".corrupt")] != []
    assert one.delete_profile_tokens("p") == 0
    assert items.items == {}


def test_reserve_space_detects_a_keyring_that_stores_nothing(tmp_path: Path) -> None:
    """A keyring that was never used is tested before anything is sent; a proven one isn't."""
    items = FakeCredentials(stop_at=1)
    keyring = windows_keyring(items)
    with pytest.raises(Stop):
        store(keyring, tmp_path).reserve_space(KEY, 100)
    one = store(keyring, tmp_path)
    one.save(stored())
    assert one.load(KEY) == stored()
    changes = items.changes
    one.reserve_space(KEY, 100)
    assert items.changes == changes
    assert [name for name in items.names if name.endswith(".trial")] == []


def test_an_unavailable_keyring_matters_only_if_it_was_used(tmp_path: Path) -> None:
    """Deleting the tokens of a profile that never used the keyring works without one; else it is an error."""
    keyring = UnreachableKeyring()
    keyring.failure = KeyringError("locked")
    assert store(keyring, tmp_path).delete_profile_tokens("p") == 0
    keyring.failure = None
    store(keyring, tmp_path).save(stored())
    keyring.failure = KeyringError("locked")
    with pytest.raises(KeyringError, match="locked"):
        store(keyring, tmp_path).delete_profile_tokens("p")


def test_a_missing_keyring_is_no_error_if_it_was_never_used(tmp_path: Path) -> None:
    """Neither a journal of the file store nor an attempt to use the keyring counts as a use."""
    keyring = UnreachableKeyring()
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
    one = store(windows_keyring(FakeCredentials()), tmp_path, profile="my-profile")
    with one.lock_credential(KEY, 5):
        one.begin_refresh(KEY, Secret("canary-refresh-1"))
        one.save(stored(profile="my-profile"))
        one.begin_refresh(KEY, Secret("canary-refresh-2"))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} == {"locks", "keys", "journal"}
    for path in files:
        assert "my-profile" not in path.name + path.read_text()
        assert "canary" not in path.name + path.read_text()
