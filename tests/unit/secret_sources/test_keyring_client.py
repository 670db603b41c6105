"""The OS keyring, real and misbehaving."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from keyring import errors as keyring_library

from tests.fake_secret_service import fake_secret_service
from tests.fakes import FakeTerminal
from tests.keyring_session import require, settled
from tokencli.errors import KeyringError, NoKeyringError
from tokencli.models import Secret, SecretRef
from tokencli.platforms.linux import Linux
from tokencli.platforms.macos import MacOS
from tokencli.platforms.platform import Platform
from tokencli.platforms.windows import Windows
from tokencli.secret_sources import keyring_client
from tokencli.secret_sources.keyring import KeyringSource
from tokencli.secret_sources.keyring_client import OsKeyring

__all__ = ["settled"]

SERVER = "https://id.example.com:443"
REF = SecretRef("keyring", "password", "p", ("tokencli:p:password", SERVER))
MOVED = SecretRef("keyring", "password", "p", ("tokencli:p:password", "https://evil.example:443"))
CANARY = "canary-password-7f3a"
TIMEOUT_S = 1.0

pytestmark = pytest.mark.usefixtures("settled")


def keyring(**more: object) -> OsKeyring:
    """Return the keyring of the test's environment."""
    return OsKeyring(os.environ, FakeTerminal(), **more)  # type: ignore[arg-type]  # of **more


def source(ring: OsKeyring) -> KeyringSource:
    """Return the source over that keyring."""
    return KeyringSource(environ=os.environ, terminal=FakeTerminal(), keyring=ring)


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a directory from which keyring backends can be imported during a test."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_a_secret_is_stored_read_and_deleted(keyring_env: dict[str, str]) -> None:
    """What is written is read back, overwritten, and gone after a delete."""
    place = source(keyring())
    assert place.read(REF) is None
    place.store_secret(REF, Secret(CANARY))
    place.store_secret(REF, Secret(CANARY + "-2"))
    assert place.read(REF) == Secret(CANARY + "-2")
    assert place.delete_secret(REF) is True
    assert place.delete_secret(REF) is False
    assert place.read(REF) is None


def test_secret_tool_reads_what_tokencli_stores(keyring_env: dict[str, str]) -> None:
    """An item stored here is found by secret-tool under service and username."""
    source(keyring()).store_secret(REF, Secret(CANARY))
    found = subprocess.run(
        ["secret-tool", "lookup", "service", REF.target[0], "username", REF.target[1]],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == CANARY


@pytest.mark.parametrize("username", ["password", "jdoe", SERVER])
def test_tokencli_reads_what_secret_tool_stores(keyring_env: dict[str, str], username: str) -> None:
    """An item stored by secret-tool is found under any user name that isn't another server."""
    store_by_hand(username, CANARY + "\n")
    place = source(keyring())
    assert place.read(REF) == Secret(CANARY)
    assert place.delete_secret(REF) is True
    assert place.read(REF) is None


def test_a_manually_stored_item_is_overwritten(keyring_env: dict[str, str]) -> None:
    """A write replaces an item of the same name that another program stored."""
    store_by_hand(SERVER, "canary-old")
    place = source(keyring())
    place.store_secret(REF, Secret(CANARY))
    assert place.read(REF) == Secret(CANARY)


@pytest.mark.requirement(19)
@pytest.mark.parametrize("username", ["password", MOVED.target[1]])
def test_a_write_leaves_one_item(keyring_env: dict[str, str], username: str) -> None:
    """Items stored manually, or for another server, are deleted when the secret is stored again."""
    store_by_hand(username, "canary-old")
    place = source(keyring())
    place.store_secret(REF, Secret(CANARY))
    assert place.read(REF) == Secret(CANARY)
    listed = subprocess.run(
        ["secret-tool", "search", "--all", "service", REF.target[0]],
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout.count("secret = ") == 1


@pytest.mark.requirement(16)
def test_a_secret_stays_with_the_server_it_was_stored_for(keyring_env: dict[str, str]) -> None:
    """A profile of the same name that names another server neither reads nor removes it."""
    place = source(keyring())
    place.store_secret(REF, Secret(CANARY))
    with pytest.raises(KeyringError, match=f"stored for {SERVER}, .* names https://evil") as caught:
        place.read(MOVED)
    assert caught.value.fix is not None and "tokencli login p --again" in caught.value.fix
    assert CANARY not in caught.value.message + caught.value.fix
    assert place.delete_secret(MOVED) is False
    assert place.read(REF) == Secret(CANARY)


def test_a_reference_is_used_as_written(keyring_env: dict[str, str]) -> None:
    """If a profile names an item, no other item is read, replaced or deleted."""
    theirs = SecretRef("keyring", "password", "p", ("corp", "jdoe"))
    other = SecretRef("keyring", "password", "p", ("corp", "https://wiki.example.com"))
    place = source(keyring())
    place.store_secret(other, Secret(CANARY))
    assert place.read(theirs) is None
    place.store_secret(theirs, Secret("canary-2"))
    assert place.delete_secret(theirs) is True
    assert place.read(other) == Secret(CANARY)


def store_by_hand(username: str, text: str) -> None:
    """Store an item manually."""
    subprocess.run(
        ["secret-tool", "store", "--label=by hand", "service", REF.target[0], "username", username],
        input=text,
        text=True,
        check=True,
    )


def test_a_locked_keyring_is_reported_at_once(locked_keyring_env: dict[str, str]) -> None:
    """Without a desktop, a locked keyring is an error that says so, and no prompt is opened."""
    start = time.monotonic()
    with pytest.raises(KeyringError, match="locked") as caught:
        source(keyring(timeout=30)).read(REF)
    assert time.monotonic() - start < 5
    assert caught.value.fix is not None and "unlock" in caught.value.fix


def test_a_failed_unlock_prompt_is_reported_as_locked(
    locked_keyring_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a display the keyring may prompt; if that fails, it is reported as locked."""
    monkeypatch.setenv("DISPLAY", ":987")
    ring = OsKeyring(os.environ, FakeTerminal(interactive=True), timeout=10)
    with pytest.raises(KeyringError, match="locked"):
        ring.get_item(*REF.target)


def test_without_a_home_directory_there_is_no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without HOME and without an entry in the user database, as in containers, has none."""

    def fail() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", fail)
    with pytest.raises(NoKeyringError, match="no OS keyring is available"):
        OsKeyring({}, FakeTerminal()).require_usable()


def test_without_a_bus_there_is_no_keyring() -> None:
    """Without a session bus the error says that there is no keyring, and what to use instead."""
    with pytest.raises(KeyringError, match="no OS keyring is available") as caught:
        keyring().get_item(*REF.target)
    assert caught.value.cause is not None and "tokencli login" in caught.value.cause


def test_without_a_service_there_is_no_keyring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session bus with no Secret Service on it, or a dead one, counts as no keyring."""
    from tests.keyring_session import private_bus

    require()
    with private_bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        with pytest.raises(KeyringError, match="no OS keyring is available"):
            keyring().require_usable()
    with pytest.raises(KeyringError, match="no OS keyring is available"):
        keyring().require_usable()


def test_bus_in_the_runtime_directory_is_found(
    keyring_env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without DBUS_SESSION_BUS_ADDRESS, the session bus is `$XDG_RUNTIME_DIR/bus`, if that is ours."""
    source(keyring()).store_secret(REF, Secret(CANARY))
    run_dir = tmp_path / "run dir,é"
    run_dir.mkdir()
    address = keyring_env["DBUS_SESSION_BUS_ADDRESS"]
    (run_dir / "bus").symlink_to(address.partition("path=")[2].partition(",")[0])
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run_dir))
    assert source(keyring()).read(REF) == Secret(CANARY)


def test_bus_of_another_user_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After su or sudo, the variable may name a bus that refuses us: the message says whose it is."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/bus,guid=0")
    (tmp_path / "bus").touch()
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(NoKeyringError, match=f"uid {me}, and you are uid {me + 1}"):
        keyring().require_usable()


@pytest.mark.parametrize("interactive", [False, True])
@pytest.mark.parametrize("mode", ["silent", "prompt-never"])
def test_a_keyring_that_never_answers_times_out(
    mode: str, interactive: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that never answers, or prompts for ever, is given up after the time-out."""
    require()
    with fake_secret_service(mode, tmp_path) as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        monkeypatch.setenv("DISPLAY", ":987")
        terminal = FakeTerminal(interactive=interactive)
        ring = OsKeyring(os.environ, terminal, timeout=TIMEOUT_S)
        start = time.monotonic()
        with pytest.raises(KeyringError, match=r"did not answer within 1 s|is locked"):
            ring.get_item(*REF.target)
        assert time.monotonic() - start <= TIMEOUT_S + 1
        start = time.monotonic()
        with pytest.raises(KeyringError):
            ring.get_item(*REF.target)
        assert time.monotonic() - start < TIMEOUT_S / 2, "it was asked again in the same run"


@pytest.mark.parametrize("scheme", [None, "default"])
@pytest.mark.parametrize("mode", ["keepassxc", "keepassxc-asks"])
def test_keepassxc_is_overwritten_without_a_dialog(
    mode: str, scheme: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An item of KeePassXC is overwritten in one step: neither creating one over it nor removing it
    first, since both may wait for a person, and what is removed first may be lost."""
    require()
    if scheme:
        monkeypatch.setenv("KEYRING_PROPERTY_SCHEME", scheme)
    with fake_secret_service(mode, tmp_path) as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        place = source(keyring(timeout=5))
        place.store_secret(REF, Secret("canary-old"))
        place.store_secret(REF, Secret(CANARY))
        assert place.read(REF) == Secret(CANARY)


def test_a_failed_write_keeps_the_old_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a database locks itself between two writes, the older secret stays."""
    require()
    with fake_secret_service("keepassxc-locks", tmp_path) as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        place = source(keyring(timeout=5))
        place.store_secret(REF, Secret("canary-old"))
        with pytest.raises(KeyringError) as caught:
            place.store_secret(REF, Secret(CANARY))
        assert CANARY not in str(caught.value)
        assert place.read(REF) == Secret("canary-old")


def test_another_programs_item_is_deleted_last(
    backend: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a keyring with two items of one name, there is always at least one."""
    (backend / "doubled_backend.py").write_text(DOUBLED)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "doubled_backend.Keyring")
    place = source(keyring())
    place.store_secret(REF, Secret(CANARY))
    assert place.read(REF) == Secret(CANARY)


def test_a_write_can_be_undone(keyring_env: dict[str, str]) -> None:
    """The previous secret is restored, of this server or of another, if there was one."""
    place = source(keyring())
    undo = place.store_secret(REF, Secret(CANARY))
    assert undo() is False
    assert place.read(REF) is None
    place.store_secret(MOVED, Secret("canary-theirs"))
    undo = place.store_secret(REF, Secret(CANARY))
    assert place.read(REF) == Secret(CANARY)
    assert undo() is True
    assert place.read(MOVED) == Secret("canary-theirs")
    with pytest.raises(KeyringError):
        place.read(REF)


def test_everywhere_deletes_secrets_of_other_servers(keyring_env: dict[str, str]) -> None:
    """Deleting is safe, and an item that is left would stay for ever."""
    place = source(keyring())
    place.store_secret(REF, Secret(CANARY))
    assert place.delete_secret(MOVED, everywhere=True) is True
    assert place.read(REF) is None
    theirs = SecretRef("keyring", "password", "p", ("corp", "jdoe"))
    other = SecretRef("keyring", "password", "p", ("corp", "https://wiki.example.com"))
    place.store_secret(other, Secret(CANARY))
    assert place.delete_secret(theirs, everywhere=True) is False
    assert place.read(other) == Secret(CANARY)


DOUBLED = """
from keyring.backend import KeyringBackend
class Keyring(KeyringBackend):
    priority = 5
    items = ["canary-theirs"]
    def get_password(self, service, username): return self.items[0]
    def set_password(self, service, username, password): self.items.append(password)
    def delete_password(self, service, username):
        self.items.pop(0)
        assert self.items
"""


def test_a_keyring_that_stores_nothing_is_detected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that can't be read back is an error, not a success."""
    require()
    with fake_secret_service("forgetful", tmp_path) as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        with pytest.raises(KeyringError, match="does not return it") as caught:
            source(keyring()).store_secret(REF, Secret(CANARY))
        assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("keyring.backends.null.Keyring", "is disabled"),
        ("keyring.backends.fail.Keyring", "no OS keyring is available"),
        ("no.such.module.Keyring", "ModuleNotFoundError"),
        ("keyring.backends.null.NoSuchClass", "AttributeError"),
        ("nodots", "PYTHON_KEYRING_BACKEND"),
        ("keyring.backends.SecretService.Keyring", "RuntimeError"),
    ],
)
def test_unusable_backends_are_refused(
    name: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Null, failing, invalid and unavailable backends each have their own error, and store nothing."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", name)
    with pytest.raises(KeyringError, match=words) as caught:
        source(keyring()).store_secret(REF, Secret(CANARY))
    assert caught.value.fix or caught.value.cause


PLAIN = """
from keyring.backend import KeyringBackend
class PlaintextKeyring(KeyringBackend):
    priority = 0.5
    def get_password(self, service, username): return "canary"
    def set_password(self, service, username, password): raise AssertionError("was written to")
"""


@pytest.mark.parametrize("package", ["keyrings/alt", "elsewhere"])
def test_plain_text_backends_are_refused(
    package: str, backend: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """keyrings.alt, and any backend that calls itself plain text, is neither read nor written."""
    (backend / package).mkdir(parents=True)
    (backend / package / "file.py").write_text(PLAIN)
    name = f"{package.replace('/', '.')}.file.PlaintextKeyring"
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", name)
    with pytest.raises(KeyringError, match="plain text"):
        source(keyring()).read(REF)


RAISING = """
from keyring.backend import KeyringBackend
class Keyring(KeyringBackend):
    priority = 5
    def get_password(self, service, username): raise OSError("pywintypes-like")
    def set_password(self, service, username, password):
        raise RuntimeError("could not store " + password)
"""


def test_backend_exceptions_are_translated_without_the_secret(
    backend: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown exceptions become a KeyringError, and a secret in their text is left out."""
    (backend / "raising_backend.py").write_text(RAISING)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "raising_backend.Keyring")
    place = source(keyring())
    with pytest.raises(KeyringError, match="pywintypes-like"):
        place.read(REF)
    with pytest.raises(KeyringError, match="RuntimeError") as caught:
        place.store_secret(REF, Secret(CANARY))
    assert CANARY not in caught.value.message + str(caught.value.fix)


def test_a_broken_keyringrc_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A keyringrc.cfg that can't be parsed is an error with its path."""
    config = keyringrc("no section header\n")
    with pytest.raises(KeyringError) as caught:
        keyring().require_usable()
    assert str(config) in caught.value.message


def test_keyringrc_cant_shadow_our_modules(backend: Path) -> None:
    """`keyring-path` is searched last, and a relative path is refused."""
    (backend / "own_backend.py").write_text(RAISING)
    elsewhere = backend / "elsewhere"
    elsewhere.mkdir()
    keyringrc(f"[backend]\ndefault-keyring=own_backend.Keyring\nkeyring-path={elsewhere}\n")
    first = sys.path[0]
    try:
        assert keyring().require_usable() == "own_backend.Keyring"
        assert sys.path[0] == first
        assert sys.path[-1] == str(elsewhere)
    finally:
        sys.path.remove(str(elsewhere))
    keyringrc("[backend]\ndefault-keyring=own_backend.Keyring\nkeyring-path=.\n")
    with pytest.raises(KeyringError, match="not an absolute path"):
        keyring().require_usable()


def keyringrc(text: str) -> Path:
    """Write the keyring library's configuration."""
    path = Path(os.environ["XDG_CONFIG_HOME"]) / "python_keyring" / "keyringrc.cfg"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_modules_in_the_current_directory_are_not_imported(
    keyring_env: dict[str, str], tmp_path: Path
) -> None:
    """Files in the current directory that are named like the libraries are not imported."""
    for name in ("keyring", "secretstorage", "jeepney", "filelock"):
        (tmp_path / f"{name}.py").write_text("print('HIJACKED')\n")
    code = (
        "import os\n"
        "from tokencli.secret_sources.keyring_client import OsKeyring\n"
        "from tests.fakes import FakeTerminal\n"
        "print(OsKeyring(os.environ, FakeTerminal()).require_usable())\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(root)!r})\n{code}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "keyring.backends.SecretService.Keyring\n"


def test_a_text_over_the_limit_is_stored_in_parts(keyring_env: dict[str, str]) -> None:
    """The limit counts UTF-16 units: a character outside the first plane counts twice."""
    ring = keyring(platform=Windows())
    for text in ("\U0001f511" * 641, "x" * 1281, "\U0001f511" * 640, "x"):
        ring.set_item("tokencli:p:x", "x", text)
        assert ring.get_item("tokencli:p:x", "x") == text
    with pytest.raises(KeyringError, match="too long"):
        ring.set_item("tokencli:p:x", "x", "x" * (1280 * 256 + 1))
    assert ring.get_item("tokencli:p:x", "x") == "x"
    assert ring.get_item("tokencli:p:x.a0", "x.a0") is None


@pytest.mark.parametrize(
    ("status", "message", "fix"),
    [
        (-25308, "can't show a dialog", "security unlock-keychain"),
        (-128, "was refused in its dialog", None),
        (-25293, "failed: ", "python -m keyring diagnose"),
    ],
)
@pytest.mark.parametrize("call", ["get", "set", "delete"])
def test_a_result_code_of_the_keychain_says_what_helps(
    call: str, status: int, message: str, fix: str | None
) -> None:
    """The keyring library on macOS raises its own error, and the error's cause has the code."""

    class Keychain:
        def get_password(self, service: str, username: str) -> str | None:
            return CANARY if call == "delete" else self._fail(keyring_library.KeyringError)

        def delete_password(self, service: str, username: str) -> None:
            self._fail(keyring_library.PasswordDeleteError)

        def set_password(self, service: str, username: str, password: str) -> None:
            self._fail(keyring_library.PasswordSetError)

        def _fail(self, error: type[Exception]) -> None:
            try:
                raise ApiError(status, "Unknown Error")
            except ApiError as cause:
                raise error(f"Can't reach the keychain: {cause}") from cause

    class ApiError(Exception):
        """`keyring.backends.macOS.api.Error`."""

    ring = keyring()
    ring._backend = Keychain()  # type: ignore[assignment]  # a fake
    with pytest.raises(KeyringError, match=message) as caught:
        if call == "get":
            ring.get_item("s", "u")
        elif call == "delete":
            ring.delete_item("s", "u")
        else:
            ring.set_item("s", "u", CANARY)
    assert caught.value.fix == fix
    assert CANARY not in f"{caught.value} {caught.value.cause}"


@pytest.mark.parametrize("platform", [MacOS(), Linux()], ids=lambda each: each.name)
def test_a_forked_process_of_macos_gets_an_error_instead_of_its_end(
    monkeypatch: pytest.MonkeyPatch, platform: Platform
) -> None:
    """Core Foundation ends a process that uses it after a fork; a child that starts with it is fine."""
    monkeypatch.setattr(keyring_client, "_loading_process", None)
    ring = OsKeyring({}, FakeTerminal(), platform=platform)
    ring._backend = SimpleNamespace(get_password=lambda *_: CANARY)  # type: ignore[assignment]  # a fake

    def read_in_child() -> bool:
        child = os.fork()
        if child == 0:
            try:
                ring.get_item("s", "u")
            except KeyringError as error:
                os._exit(2 if "forked" in error.message else 3)
            finally:
                os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    assert read_in_child()
    assert ring.get_item("s", "u") == CANARY
    assert read_in_child() is (platform.name == "Linux")
    assert ring.get_item("s", "u") == CANARY
