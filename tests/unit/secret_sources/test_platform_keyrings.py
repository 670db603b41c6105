"""Secrets in the Credential Manager and the Keychain, with fakes of what the keyring library calls."""

import json
import subprocess
import time
from hashlib import sha256
from pathlib import Path

import pytest

from tests import powershell
from tests.fake_keyrings import (
    FAKE_KEYRINGS,
    FakeCredentials,
    FakeKeychain,
    Stop,
    macos_keyring,
    windows_keyring,
)
from tests.fakes import FakeTerminal
from tokencli import platforms
from tokencli.errors import KeyringError, NoKeyringError
from tokencli.models import Secret, SecretRef
from tokencli.platforms import select_platform
from tokencli.secret_sources.keyring import KeyringSource
from tokencli.secret_sources.keyring_client import OsKeyring

SERVER = "https://id.example.com:443"
OTHER_SERVER = "https://other.example:443"
PEM = "-----BEGIN PRIVATE KEY-----\n" + "canary" * 900 + "\n-----END PRIVATE KEY-----\n"
SYSTEMS = pytest.mark.parametrize("system", FAKE_KEYRINGS)


@pytest.fixture(autouse=True)
def _own_state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the index and the records of accounts be the test's own."""
    for module in ("keyring", "keyring_client"):
        monkeypatch.setattr(f"tokencli.secret_sources.{module}.state_dir", lambda: tmp_path)


def ref(profile: str = "corp", server: str = SERVER, name: str = "private_key") -> SecretRef:
    """Return where a profile's secret is stored."""
    return SecretRef("keyring", name, profile, (f"tokencli:{profile}:{name}", server))


def source(ring: OsKeyring) -> KeyringSource:
    """Return the source over that keyring."""
    return KeyringSource(environ={}, terminal=FakeTerminal(), keyring=ring)


@SYSTEMS
@pytest.mark.parametrize(
    "text", ["x", "x" * 1280, "x" * 1281, PEM, "\U0001f511" * 1300, "é" * 1300]
)
def test_a_secret_of_any_length_is_stored_replaced_and_deleted(system: str, text: str) -> None:
    """A key of 5,400 characters takes several items of Windows; nothing of it is left."""
    make_items, open_keyring = FAKE_KEYRINGS[system]
    items = make_items()
    place = source(open_keyring(items))
    for secret in ("canary-first", text, text.replace("a", "é") + "\n", text, "canary-last"):
        place.store_secret(ref(), Secret(secret))
        assert place.read(ref()) == Secret(secret.removesuffix("\n"))
    place.store_secret(ref(), Secret(text))
    assert place.delete_secret(ref()) is True
    assert items.items == {}


@SYSTEMS
def test_a_power_cut_never_leaves_a_mixed_secret(system: str) -> None:
    """Whichever change is the last, the old or the new key is read, and logout deletes all of it."""
    make_items, open_keyring = FAKE_KEYRINGS[system]
    old, new = PEM, PEM.replace("canary", "CANARY")
    for stop_at in range(1, 40):
        items = make_items()
        place = source(open_keyring(items))
        place.store_secret(ref(), Secret(old))
        items.changes, items.stop_at = 0, stop_at
        try:
            place.store_secret(ref(), Secret(new))
        except Stop:
            ended = False
        else:
            ended = True
        items.stop_at = 0
        assert place.read(ref()) in (Secret(old.strip()), Secret(new.strip()))
        assert place.delete_secret(ref(), everywhere=True) is True
        assert items.items == {}
        if ended:
            break
    assert ended


def test_a_damaged_key_is_an_error_that_login_repairs() -> None:
    """A missing part of a key is never filled in; storing it again replaces all parts."""
    items = FakeCredentials()
    place = source(windows_keyring(items))
    place.store_secret(ref(), Secret(PEM))
    items.CredDelete("tokencli:corp:private_key.a1", 1)
    with pytest.raises(KeyringError, match="is incomplete") as caught:
        place.read(ref())
    assert caught.value.fix == "tokencli login corp --again"
    assert "canary" not in f"{caught.value}{caught.value.cause}"
    place.store_secret(ref(), Secret("canary-2"))
    assert place.read(ref()) == Secret("canary-2")
    assert items.names == {"tokencli:corp:private_key"}


def test_windows_keeps_no_superseded_copy_and_does_not_roam() -> None:
    """The keyring library moves the text that it overwrites to `USER@SERVICE`; those are deleted."""
    items = FakeCredentials()
    items.write("tokencli:corp:private_key", SERVER, "canary-0.1")
    items.write(f"{SERVER}@tokencli:corp:private_key", SERVER, "canary-superseded")
    place = source(windows_keyring(items))
    assert place.read(ref()) == Secret("canary-0.1")
    place.store_secret(ref(), Secret("canary-1"))
    place.store_secret(ref(), Secret("canary-2"))
    assert items.names == {"tokencli:corp:private_key"}
    assert [item["Persist"] for item in items.items.values()] == [2]
    items.write(f"{SERVER}@tokencli:corp:private_key", SERVER, "canary-superseded")
    assert place.delete_secret(ref()) is True
    assert items.items == {}


def test_profiles_that_differ_in_case_have_their_own_items_in_windows() -> None:
    """As the configuration tells them apart. An item of 0.1 belongs to the profile that stored it."""
    items = FakeCredentials()
    place = source(windows_keyring(items))
    items.write("tokencli:Corp:private_key", SERVER, "canary-0.1")
    assert place.read(ref("Corp")) == Secret("canary-0.1")
    assert place.read(ref("corp")) is None
    assert place.delete_secret(ref("corp"), everywhere=True) is False
    for name in ("corp", "CORP"):
        place.store_secret(ref(name), Secret(f"canary-{name}"))
    assert place.read(ref("Corp")) == Secret("canary-0.1")
    place.store_secret(ref("Corp"), Secret("canary-Corp"))
    for name in ("corp", "Corp", "CORP"):
        assert place.read(ref(name)) == Secret(f"canary-{name}")
    assert items.names == {
        "tokencli:corp:private_key",
        "tokencli:+Corp:private_key",
        "tokencli:+C+O+R+P:private_key",
    }
    assert place.delete_secret(ref("corp"))
    assert place.read(ref("Corp")) == Secret("canary-Corp")


def test_items_of_other_programs_are_used_as_written_in_windows() -> None:
    """An item that a profile names may be a second one of its service, and none of them is moved."""
    items = FakeCredentials()
    items.write("Corp VPN", "jdoe", "canary-theirs")
    place = source(windows_keyring(items))
    mine = SecretRef("keyring", "password", "corp", ("Corp VPN", "svc"))
    theirs = SecretRef("keyring", "password", "corp", ("Corp VPN", "jdoe"))
    assert (place.read(mine), place.read(theirs)) == (None, Secret("canary-theirs"))
    place.store_secret(mine, Secret("canary-mine"))
    assert (place.read(mine), place.read(theirs)) == (
        Secret("canary-mine"), Secret("canary-theirs"),
    )  # fmt: skip
    assert items.names == {"Corp VPN", "svc@Corp VPN"}
    assert place.delete_secret(mine)
    assert not place.delete_secret(mine)
    assert items.names == {"Corp VPN"}


@pytest.mark.promise(
    "macOS: secrets of another server are found, with a fake of the Keychain", "Linux"
)
def test_macos_finds_the_secret_of_another_server() -> None:
    """Nothing can be listed there, so the names are recorded: the secret isn't sent, and is deleted."""
    items = FakeKeychain()
    place = source(macos_keyring(items))
    place.store_secret(ref(), Secret("canary-1"))
    moved = ref(server=OTHER_SERVER)
    with pytest.raises(KeyringError, match=r"was stored for https://id\.example\.com:443"):
        place.read(moved)
    assert place.delete_secret(moved) is False
    place.store_secret(moved, Secret("canary-2"))
    assert items.names == {(moved.target[0], OTHER_SERVER)}
    place.store_secret(ref(), Secret("canary-3"))
    assert place.delete_secret(moved, everywhere=True) is True
    assert items.items == {}


def test_macos_index_holds_no_secret_and_survives_what_others_delete(tmp_path: Path) -> None:
    """Its files name servers, are gone with the items, and an item that is missing is skipped."""
    items = FakeKeychain()
    place = source(macos_keyring(items))
    place.store_secret(ref(), Secret("canary-1"))
    files = [path for path in (tmp_path / "keyring_items").rglob("*") if path.is_file()]
    assert [path.read_text() for path in files] == [SERVER]
    items.items.clear()
    assert place.read(ref(server=OTHER_SERVER)) is None
    assert not [path for path in (tmp_path / "keyring_items").rglob("*") if path.is_file()]


def test_macos_index_keeps_what_is_stored_while_another_process_looks() -> None:
    """That process finds no item of the recorded name yet, and forgets the name."""

    class WatchedKeychain(FakeKeychain):
        def set_password(self, service: str, username: str, password: str) -> None:
            assert macos_keyring(items).find_first_item(service) is None
            super().set_password(service, username, password)

    items = WatchedKeychain()
    place = source(macos_keyring(items))
    place.store_secret(ref(), Secret("canary-1"))
    assert place.delete_secret(ref(server=OTHER_SERVER), everywhere=True) is True
    assert items.items == {}


@pytest.mark.parametrize(
    ("system", "interactive", "environ", "seconds"),
    [
        ("darwin", True, {}, 60),
        ("darwin", False, {}, 10),
        ("darwin", False, {"TERM": "xterm"}, 60),
        ("darwin", True, {"SSH_CONNECTION": "a"}, 10),
        ("linux", True, {}, 10),
        ("linux", True, {"DISPLAY": ":0"}, 60),
    ],
)
def test_a_dialog_gets_the_time_of_a_user(
    system: str, interactive: bool, environ: dict[str, str], seconds: int
) -> None:
    """If one sits there: not in cron, and not over SSH, where no dialog can be answered."""
    ring = OsKeyring(
        environ, FakeTerminal(interactive=interactive), platform=select_platform(system)
    )
    assert ring._timeout == seconds


def test_delete_commands_name_the_item_as_it_is_stored() -> None:
    """Each system's own command; an item of the Credential Manager has no user name in its name."""
    found = {
        system: select_platform(system).keyring_delete_command("tokencli:Corp:password", "jdoe")
        for system in ("win32", "darwin", "linux")
    }
    service = "tokencli:Corp:password"
    assert found == {
        "win32": ["cmdkey", "/delete:tokencli:+Corp:password"],
        "darwin": ["security", "delete-generic-password", "-s", service, "-a", "jdoe"],
        "linux": ["secret-tool", "clear", "service", service, "username", "jdoe"],
    }


def test_a_logon_without_credentials_has_no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has none for a network logon, e.g. SSH with a key: `auto` then uses another store."""
    monkeypatch.setattr(platforms, "PLATFORM", select_platform("win32"))
    items = FakeCredentials(failure=1312)
    monkeypatch.setattr("tokencli.secret_sources.credential_manager.load_calls", lambda: items)
    with pytest.raises(
        NoKeyringError, match=r"no OS keyring is available \(no Credential Manager\)"
    ):
        OsKeyring({}, FakeTerminal()).require_usable()
    items.failure = 0
    assert (
        OsKeyring({}, FakeTerminal()).require_usable() == "keyring.backends.Windows.WinVaultKeyring"
    )


def test_loading_libraries_is_no_part_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine with 20 starting processes it took longer than an answer may."""
    monkeypatch.setattr(platforms, "PLATFORM", select_platform("win32"))

    def load_slowly() -> FakeCredentials:
        if not loaded:
            time.sleep(2.0)
            loaded.append(FakeCredentials())
        return loaded[0]

    loaded: list[FakeCredentials] = []
    monkeypatch.setattr("tokencli.secret_sources.credential_manager.load_calls", load_slowly)
    ring = OsKeyring({}, FakeTerminal(), timeout=1.5)
    assert ring.get_item("tokencli:corp:password", "jdoe") is None


def test_tokens_of_the_first_release_are_read_in_windows(tmp_path: Path) -> None:
    """Its items in parts, as the keyring library wrote them with what they had superseded."""
    key, text = "ab" * 32, "x" * 3000
    service = f"tokencli:Corp:token:{key}"
    header = {
        "version": 1,
        "parts": 3,
        "generation": "b",
        "sha256": sha256(text.encode()).hexdigest(),
    }
    items = FakeCredentials()
    items.write(service, key, json.dumps(header))
    items.write(f"{key}@{service}", key, "canary-superseded")
    for n in range(3):
        items.write(f"{service}.b{n}", f"{key}.b{n}", text[n * 1280 : (n + 1) * 1280])
        items.write(f"{key}.b{n}@{service}.b{n}", f"{key}.b{n}", "canary-superseded")
    ring = windows_keyring(items)
    assert ring.get_item(service, key) == text
    ring.set_item(service, key, "canary-new")
    assert ring.get_item(service, key) == "canary-new"
    assert items.names == {service.replace("Corp", "+Corp")}
    assert ring.delete_item(service, key)
    assert items.items == {}


def test_the_command_for_tokens_deletes_those_of_one_profile() -> None:
    """Each has its own item of the Credential Manager, so the command looks for them by name."""
    program = powershell.require()
    *_, script = select_platform("win32").keyring_delete_command("tokencli:Corp:token", "")
    names = [f"tokencli:{name}:token:ab" for name in ("+Corp", "corp", "+Corp2")]
    listed = ",".join(f"'    Target: LegacyGeneric:target={name}'" for name in names)
    fake = f"function cmdkey {{ if ($args[0] -eq '/list') {{ {listed} }} else {{ $args[0] }} }}"
    done = subprocess.run(
        [program, "-NoProfile", "-Command", f"{fake}; {script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["/delete:tokencli:+Corp:token:ab"]
