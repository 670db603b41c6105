"""The contract of all token stores."""

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fake_keyrings import FAKE_KEYRINGS
from tests.fakes import FakeClock, FakeTerminal, make_profile
from tests.keyring_session import require
from tests.unit.token_store.samples import memory_folder, stored
from tokencli.errors import LockTimeoutError
from tokencli.models import Secret
from tokencli.protocols import TokenStore
from tokencli.token_store import TOKEN_STORES, StoreContext, keyring, open_store
from tokencli.token_store.credential_key import derive_binding
from tokencli.token_store.locked_store import profile_file_prefix

Open = Callable[..., TokenStore]
FAKES = {"keyring, of Windows": "windows", "keyring, of macOS": "macos"}
ROWS = [*TOKEN_STORES, "auto, without a keyring", "auto, with nothing", *FAKES]


@pytest.fixture(params=ROWS)
def opened(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Open]:
    """Open stores of one kind in the test's own directories."""
    row = request.param
    if row in ("auto", "keyring"):
        require()
        request.getfixturevalue("keyring_env")
    use_state_dir(tmp_path / "state", monkeypatch)
    if row in FAKES:
        make_items, open_keyring = FAKE_KEYRINGS[FAKES[row]]
        ring = open_keyring(make_items())
        monkeypatch.setattr("tokencli.token_store.keyring.get_os_keyring", lambda *_: ring)
        monkeypatch.setattr(
            "tokencli.secret_sources.keyring_client.state_dir", lambda: tmp_path / "index"
        )
    with memory_folder() as memory:
        if row in ("runtime", "auto, without a keyring"):
            monkeypatch.setenv("XDG_RUNTIME_DIR", str(memory))

        def open_one(name: str = "p", terminal: FakeTerminal | None = None) -> TokenStore:
            profile = make_profile(name=name, store=row.split(",")[0])
            context = StoreContext(os.environ, terminal or FakeTerminal(), FakeClock())
            return open_store(profile, context)

        yield open_one
        open_one().delete_profile_tokens("p")
        open_one("q").delete_profile_tokens("q")


def use_state_dir(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the stores use that state directory; the user database can't be changed for a test."""
    for module in ("auto", "file", "keyring"):
        monkeypatch.setattr(f"tokencli.token_store.{module}.state_dir", lambda _=None: path)


def key_of(name: str = "p", scope: str | None = None) -> str:
    """Return the key of a credential of that profile."""
    return derive_binding(make_profile(name=name, scope=scope)).key


def test_each_store_has_its_name(opened: Open, request: pytest.FixtureRequest) -> None:
    """`auto` is resolved to keyring, else runtime, else none."""
    row = request.node.callspec.params["opened"]
    settled = {
        "auto": "keyring",
        "auto, without a keyring": "runtime",
        "auto, with nothing": "none",
        **dict.fromkeys(FAKES, "keyring"),
    }
    assert opened().name == settled.get(row, row)


def test_a_token_set_is_read_unchanged(opened: Open) -> None:
    """A saved token set is loaded, also by another store, and replaced by the next one."""
    key = key_of()
    store = opened()
    assert store.load(key) is None
    with store.lock_credential(key, 5):
        store.reserve_space(key, 4096)
        store.save(stored(1, key=key, size=3000))
    assert opened().load(key) == stored(1, key=key, size=3000)
    with store.lock_credential(key, 5):
        store.save(stored(2, key=key))
    assert opened().load(key) == stored(2, key=key)


def test_unusual_token_sets_are_read_unchanged(opened: Open) -> None:
    """No expiry, no refresh token, no scope, and text that is not ASCII."""
    key = key_of()
    odd = stored(key=key)
    odd = replace(
        odd,
        token=replace(
            odd.token, expires_at=None, refresh_token=None, scope=None, id_token=Secret("é\ud800€")
        ),
    )
    store = opened()
    store.save(odd)
    assert opened().load(key) == odd


def test_credentials_are_separate(opened: Open) -> None:
    """Two profiles, and two scopes of one profile, are separate; deletion is per profile."""
    keys = [("p", key_of()), ("p", key_of(scope="read")), ("q", key_of("q"))]
    for n, (name, key) in enumerate(keys):
        opened(name).save(stored(n, key=key, profile=name))
    for n, (name, key) in enumerate(keys):
        assert opened(name).load(key) == stored(n, key=key, profile=name)
    assert opened().delete_profile_tokens("p") == 2
    assert [opened(name).load(key) is None for name, key in keys] == [True, True, False]
    assert opened().delete_profile_tokens("p") == 0
    assert opened("q").delete_profile_tokens("q") == 1


def test_every_credential_of_a_profile_is_found(opened: Open) -> None:
    """Its keys are listed, also by another store; those of other profiles aren't."""
    keys = [key_of(), key_of(scope="read")]
    for n, key in enumerate(keys):
        opened().save(stored(n, key=key))
    opened("q").save(stored(key=key_of("q"), profile="q"))
    found = opened().list_credential_keys("p")
    assert [opened().load(key) is not None for key in found] == [True, True]
    assert sorted(found) == sorted(keys)
    opened().delete_profile_tokens("p")
    assert list(opened().list_credential_keys("p")) == []


def test_delete_compares_the_refresh_token(opened: Open) -> None:
    """With `only`, a token set is deleted only if its refresh token is still that one."""
    key = key_of()
    store = opened()
    store.save(stored(2, key=key))
    assert store.delete_token_set(key, only=Secret("canary-refresh-1")) is False
    assert store.load(key) == stored(2, key=key)
    assert store.delete_token_set(key, only=Secret("canary-refresh-2")) is True
    assert store.load(key) is None
    assert store.delete_token_set(key, only=Secret("canary-refresh-2")) is False
    store.save(stored(3, key=key))
    assert store.delete_token_set(key) is True
    assert store.delete_token_set(key) is False


def test_an_interrupted_refresh_is_recognised(opened: Open) -> None:
    """Between `begin_refresh` and `save` or `end_refresh` another run recognises the refresh token."""
    key = key_of()
    spent, other = Secret("canary-refresh-1"), Secret("canary-refresh-2")
    store = opened()
    assert store.was_refresh_interrupted(key, spent) is False
    store.begin_refresh(key, spent)
    assert opened().was_refresh_interrupted(key, spent) is True
    assert opened().was_refresh_interrupted(key, other) is False
    store.end_refresh(key)
    store.end_refresh(key)
    assert opened().was_refresh_interrupted(key, spent) is False
    store.begin_refresh(key, spent)
    store.save(stored(1, key=key))
    assert opened().was_refresh_interrupted(key, spent) is False


def test_the_lock_keeps_others_out(opened: Open) -> None:
    """A second holder times out; the first may acquire it again."""
    key = key_of()
    outcome: list[object] = []

    def second() -> None:
        try:
            with opened().lock_credential(key, 0.2):
                outcome.append("held twice")
        except LockTimeoutError as error:
            outcome.append(error.cause)

    store = opened()
    with store.lock_credential(key, 5), store.lock_credential(key, 5):
        store.save(stored(key=key))
        assert store.delete_token_set(key) is True
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(20)
    assert outcome and "--lock-timeout" in str(outcome[0])
    with opened().lock_credential(key, 0):
        pass


def test_nothing_is_left_after_deleting(
    opened: Open, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """After deletion only empty locks are left of a profile, and no keyring item."""
    key = key_of()
    store = opened()
    with store.lock_credential(key, 5):
        store.reserve_space(key, 100)
        store.begin_refresh(key, Secret("canary-refresh-0"))
        store.save(stored(1, key=key))
        store.begin_refresh(key, Secret("canary-refresh-1"))
        store.reserve_space(key, 100)
    store.delete_profile_tokens("p")
    places = [tmp_path, Path(os.environ["XDG_RUNTIME_DIR"])]
    left = [path for place in places for path in place.rglob("*") if path.is_file()]
    left = [path for path in left if "home" not in path.parts and path.name != "bus.conf"]
    assert {path.parent.name for path in left} <= {"locks"}
    assert [path for path in left if path.stat().st_size] == []
    if store.name == "keyring":
        ring = keyring.get_os_keyring(os.environ, FakeTerminal())
        assert ring.find_first_item("tokencli:p:token") is None


def test_only_auto_without_any_store_warns(opened: Open, request: pytest.FixtureRequest) -> None:
    """A warning says that a token isn't stored, and what to do; otherwise there is none."""
    terminal = FakeTerminal()
    store = opened(terminal=terminal)
    store.load(key_of())
    assert not any(text.startswith("warning: ") for text in terminal.messages)
    with store.lock_credential(key_of(), 5):
        store.save(stored(key=key_of()))
    warned = [text for text in terminal.messages if text.startswith("warning: ")]
    if request.node.callspec.params["opened"] == "auto, with nothing":
        assert len(warned) == 1
        assert 'store = "file"' in warned[0]
    else:
        assert warned == []


def test_an_unusable_keyring_with_tokens_is_announced(
    locked_keyring_env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`auto` continues without a locked keyring, and says so if it contains tokens."""
    use_state_dir(tmp_path / "state", monkeypatch)
    profile = make_profile()
    with memory_folder() as memory:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(memory))
        terminal = FakeTerminal()
        context = StoreContext(os.environ, terminal, FakeClock())
        assert open_store(profile, context).name == "runtime"
        (tmp_path / "state" / "keys").mkdir(parents=True)
        (tmp_path / "state" / "keys" / f"{profile_file_prefix('p')}{key_of()}").touch()
        assert open_store(profile, context).name == "runtime"
    quiet, told = terminal.messages
    assert quiet.startswith("detail: the OS keyring is locked")
    assert told.startswith("the OS keyring is locked")
