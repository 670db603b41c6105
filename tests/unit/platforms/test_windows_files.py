"""Private files on Windows: access lists, DPAPI and files that other programs keep open."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import FakeTerminal
from tests.unit.platforms.fakes import EVERYONE, FULL, OTHER, READ, USER, WRITE, FakeWindows
from tests.unit.token_store.samples import file_store, stored, token_file
from tokencli import platforms
from tokencli.config.config_file import read_config_text
from tokencli.errors import StorageError
from tokencli.models import SecretRef
from tokencli.platforms.windows import Windows
from tokencli.secret_sources import open_secret_source
from tokencli.system import private_files
from tokencli.system.private_files import ensure_private_dir
from tokencli.token_store import token_record

KEY = stored().binding.key
PRIVATE_FILE = f"O:{USER}D:P(A;;FA;;;{USER})"
PRIVATE_DIR = f"O:{USER}D:P(A;OICI;FA;;;{USER})"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWindows]:
    """Let this process be one on Windows, as far as private files are concerned."""
    fake = FakeWindows()
    monkeypatch.setattr(platforms, "PLATFORM", Windows(fake))
    yield fake


def test_files_and_directories_are_private_from_their_first_moment(
    calls: FakeWindows, tmp_path: Path
) -> None:
    """Each is created with a protected access list that names the user alone."""
    store = file_store(tmp_path / "state")
    store.ensure_subdir("tokens")
    store.save(stored())
    drafts = {path: how for path, how in calls.created.items() if path.endswith(".draft")}
    directories = {path: how for path, how in calls.created.items() if path not in drafts}
    assert set(drafts.values()) == {PRIVATE_FILE}
    assert set(directories.values()) == {PRIVATE_DIR}
    assert store.load(KEY) == stored()


def test_a_file_that_others_may_read_is_refused(calls: FakeWindows, tmp_path: Path) -> None:
    """Whoever it is, with a command that takes them out; SYSTEM and administrators don't count."""
    path = tmp_path / "x.json"
    path.write_bytes(b"{}")
    calls.grant(path, (USER, FULL), ("S-1-5-18", FULL), ("S-1-5-32-544", FULL))
    assert private_files.read_private_file(path) == b"{}"
    for sid, rights in ((EVERYONE, READ), (OTHER, WRITE)):
        calls.grant(path, (USER, FULL), (sid, rights))
        with pytest.raises(StorageError, match="other users can read or write") as error:
            private_files.read_private_file(path)
        assert (error.value.cause or "").startswith("its access list names ")
        fix = error.value.fix or ""
        assert fix.startswith(f"icacls {path} /inheritance:r /grant:r ")
        assert f"*{USER}:F" in fix
        assert f"*{sid}" in fix.partition("/remove:g")[2]


def test_a_file_of_another_user_is_refused(calls: FakeWindows, tmp_path: Path) -> None:
    """By its owner's name."""
    path = tmp_path / "x.json"
    path.write_bytes(b"{}")
    calls.grant(path, (USER, FULL), owner=OTHER)
    with pytest.raises(StorageError, match=r"belongs to another user \(CORP\\bob\)"):
        private_files.read_private_file(path)


def test_an_open_directory_is_closed_with_what_is_in_it(calls: FakeWindows, tmp_path: Path) -> None:
    """A directory of ours; one that the user chose is refused instead, if others may write in it."""
    directory = tmp_path / "tokens"
    directory.mkdir()
    (directory / "x").write_bytes(b"")
    for path in (directory, directory / "x"):
        calls.grant(path, (USER, FULL), (EVERYONE, READ | WRITE))
    with pytest.raises(StorageError, match="other users can write to") as error:
        ensure_private_dir(directory, chosen=True)
    assert "icacls" in (error.value.fix or "") and "chmod" not in (error.value.fix or "")
    assert ensure_private_dir(directory)
    assert not platforms.current().find_access(str(directory)).is_open
    assert not platforms.current().find_access(str(directory / "x")).is_open


def test_a_file_system_without_access_lists_is_named(calls: FakeWindows, tmp_path: Path) -> None:
    """FAT: everybody has all rights, and no command changes that."""
    calls.access[tmp_path.lstat().st_dev, tmp_path.lstat().st_ino] = (USER, None)
    with pytest.raises(StorageError) as error:
        ensure_private_dir(tmp_path, chosen=True)
    assert "no access lists" in (error.value.cause or "")
    assert error.value.fix is None


def test_tokens_are_encrypted(calls: FakeWindows, tmp_path: Path) -> None:
    """No byte of a token is in the file, which says for whom it was encrypted."""
    store = file_store(tmp_path / "state")
    store.save(stored())
    data = token_file(tmp_path / "state").read_bytes()
    assert data.startswith(f"tokencli-dpapi-1 {USER}\n".encode())
    assert stored().token.access_token.reveal().encode() not in data
    assert store.load(KEY) == stored()


def test_clear_text_of_0_1_is_read_and_encrypted(calls: FakeWindows, tmp_path: Path) -> None:
    """The first run that reads it replaces it."""
    store = file_store(tmp_path / "state")
    store.save(stored())
    path = token_file(tmp_path / "state")
    path.write_bytes(token_record.dump_record(stored()))
    json.loads(path.read_bytes())
    assert store.load(KEY) == stored()
    assert path.read_bytes().startswith(b"tokencli-dpapi-1 ")
    assert store.load(KEY) == stored()


def test_what_another_user_encrypted_is_named(
    calls: FakeWindows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user, another machine, an SSH session and damage are four different things."""
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    store = file_store(tmp_path / "state")
    store.save(stored())
    path = token_file(tmp_path / "state")
    data = path.read_bytes()
    calls.user = OTHER
    calls.grant(path, (OTHER, FULL), owner=OTHER)
    for directory in (path.parent, path.parent.parent):
        calls.grant(directory, (OTHER, FULL), owner=OTHER)
    with pytest.raises(StorageError, match="encrypted for another user of Windows"):
        store.load(KEY)
    calls.user, calls.has_key = USER, False
    calls.access.clear()
    with pytest.raises(StorageError, match="no longer has the key") as error:
        store.load(KEY)
    assert "another machine" in (error.value.cause or "")
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")
    with pytest.raises(StorageError, match="in this SSH session") as error:
        store.load(KEY)
    assert error.value.fix is None  # the file is good elsewhere
    calls.has_key = True
    path.write_bytes(data.replace(b"blob", b"bl0b"))
    assert store.load(KEY) is None


def test_a_busy_file_is_tried_again(calls: FakeWindows, tmp_path: Path) -> None:
    """While a virus scanner has it open; then the error is told."""
    path = tmp_path / "x"
    private_files.write_atomically(path, b"1")
    calls.busy = [32, 5, 33]
    assert private_files.read_private_file(path) == b"1"
    calls.busy = [32] * 1000
    with pytest.raises(StorageError, match="permission denied"):
        private_files.read_private_file(path)


@pytest.mark.parametrize(
    ("path", "extended"),
    [
        ("C:\\" + "a" * 200, "\\\\?\\C:\\" + "a" * 200),
        ("\\\\server\\share\\" + "a" * 200, "\\\\?\\UNC\\server\\share\\" + "a" * 200),
        ("C:\\short", "C:\\short"),
        ("\\\\?\\C:\\" + "a" * 200, "\\\\?\\C:\\" + "a" * 200),
    ],
)
def test_long_paths_are_spelled_so_that_they_work(path: str, extended: str) -> None:
    r"""Beyond MAX_PATH, `\\?\` turns the limit off."""
    assert Windows(FakeWindows()).extend_path(path) == extended


@pytest.mark.parametrize(
    ("path", "code", "reason"),
    [
        ("Q:\\tokens\\x", 3, "there is no drive Q:"),
        ("x" * 300, 3, "its path has 300 characters, more than Windows allows here"),
        ("x", 19, "the disk is write-protected"),
        ("x", 2, None),
    ],
)
def test_errors_of_windows_have_their_own_reasons(path: str, code: int, reason: str | None) -> None:
    """Those for which `errno` says something else."""
    error = OSError(2, "The system cannot find the path specified")
    error.winerror = code  # type: ignore[attr-defined]  # exists on Windows alone
    assert Windows(FakeWindows()).explain_file_error(error, path) == reason


def test_a_path_without_limit_is_not_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    r"""What is missing below `\\?\` is missing for another reason."""
    monkeypatch.setattr(os.path, "exists", lambda _: True)
    error = OSError(2, "The system cannot find the path specified")
    error.winerror = 3  # type: ignore[attr-defined]  # exists on Windows alone
    path = "\\\\?\\C:\\" + "x" * 300
    assert Windows(FakeWindows()).explain_file_error(error, path) is None


def test_creating_directories_ends_where_there_is_no_drive(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The root has no parent to create, so this must not be tried for ever."""
    monkeypatch.setattr(os.path, "lexists", lambda _: False)
    ensure_private_dir(tmp_path)


def test_exposed_secrets_and_configurations(calls: FakeWindows, tmp_path: Path) -> None:
    """The warning names who else can use the file, and a command that takes it from them by icacls."""
    file = tmp_path / "file"
    file.write_text("default_profile = 'p'\n", encoding="utf-8")
    tmp_path.chmod(0o755)
    terminal = FakeTerminal()
    source = open_secret_source("file", environ={}, terminal=terminal)
    ref = SecretRef("file", "password", "p", (str(file),))
    source.read(ref)
    assert read_config_text(file)[1] == ()
    assert terminal.messages == []
    for rights, verbs in ((READ, "read"), (READ | WRITE, "read and write")):
        calls.grant(file, (USER, FULL), (EVERYONE, rights), (OTHER, READ))
        terminal.messages.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tokencli.secret_sources.file._is_world_reachable", lambda _: True)
            source.read(ref)
        (warning,) = terminal.messages
        assert f"Everyone, CORP\\bob can {verbs} {file}" in warning
        command = platforms.current().restrict_command(str(file), (EVERYONE, OTHER))
        assert command in warning
        assert (read_config_text(file)[1] == ()) == (verbs == "read")
    (finding,) = read_config_text(file)[1]
    assert finding.problem == f"Everyone, CORP\\bob can change {file}"
    assert finding.command.startswith(f"icacls {file} ")
    assert "chmod" not in f"{finding}{warning}"
