"""The fast path on Windows: which paths it takes, and which records it believes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.platforms.fakes import EVERYONE, FULL, OTHER, READ, USER, WRITE, FakeWindows
from tokencli.fastpath import windows_reader
from tokencli.platforms.windows import Windows

LOCAL = r"C:\Users\Zoë Müller\AppData\Local"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWindows]:
    """Give the reader functions of Windows."""
    fake = FakeWindows()
    monkeypatch.setattr(windows_reader, "_loaded", [fake])
    yield fake


@pytest.mark.parametrize(
    ("environ", "named", "path"),
    [
        ({"LOCALAPPDATA": LOCAL}, None, rf"{LOCAL}\tokencli\config.toml"),
        ({"LOCALAPPDATA": LOCAL, "TOKENCLI_CONFIG": r"D:\x.toml"}, None, r"D:\x.toml"),
        ({"LOCALAPPDATA": LOCAL}, r"E:\y.toml", r"E:\y.toml"),
        ({}, None, None),
        ({"TOKENCLI_CONFIG": "D:/x.toml"}, None, None),
        ({"TOKENCLI_CONFIG": r"x.toml"}, None, None),
        ({"TOKENCLI_CONFIG": r"D:\a\..\x.toml"}, None, None),
        ({"TOKENCLI_CONFIG": "D:\\a\\\\x.toml"}, None, None),
        ({"TOKENCLI_CONFIG": r"\\server\share\x.toml"}, None, None),
        ({"TOKENCLI_CONFIG": r"D:\100%\x.toml"}, None, None),
    ],
)
def test_only_a_plain_path_names_the_configuration(
    environ: dict[str, str], named: str | None, path: str | None
) -> None:
    """Any other is left to the full program, which knows all spellings."""
    assert windows_reader.config_file_path(environ, named) == path


def test_a_folder_tells_its_configuration() -> None:
    """The name of the records' folder is a valid name, and is turned back into the path."""
    name = windows_reader.records_folder_name(rf"{LOCAL}\tokencli\config.toml")
    assert not set(name) & set('<>:"/\\|?*')
    assert windows_reader.config_of_folder(name) == rf"{LOCAL}\tokencli\config.toml"


def test_a_record_is_decrypted(calls: FakeWindows, tmp_path: Path) -> None:
    """One that the program encrypted for this user."""
    path = tmp_path / "token-p"
    path.write_bytes(Windows(calls).encrypt(b"canary"))
    assert windows_reader.read_private_file(str(path), 1000) == b"canary"
    assert windows_reader.read_private_file(str(path), 10) == b""


@pytest.mark.parametrize(
    ("owner", "grants"),
    [
        (OTHER, [(USER, FULL)]),
        ("S-1-5-32-544", [(USER, FULL)]),
        (USER, [(USER, FULL), (EVERYONE, READ)]),
        (USER, [(USER, FULL), (OTHER, WRITE)]),
        (USER, None),
    ],
)
def test_a_record_that_others_may_have_written_is_not_believed(
    calls: FakeWindows, tmp_path: Path, owner: str, grants: list[tuple[str, int]] | None
) -> None:
    """A blob for the whole machine can be made by anyone, so the access list counts as well."""
    path = tmp_path / "token-p"
    path.write_bytes(Windows(calls).encrypt(b"canary"))
    calls.access[path.stat().st_dev, path.stat().st_ino] = owner, grants
    assert windows_reader.read_private_file(str(path), 1000) == b""


def test_clear_text_and_hard_links_are_not_believed(calls: FakeWindows, tmp_path: Path) -> None:
    """Neither is written by the program."""
    (tmp_path / "clear").write_bytes(b"canary")
    assert windows_reader.read_private_file(str(tmp_path / "clear"), 1000) == b""
    (tmp_path / "one").write_bytes(Windows(calls).encrypt(b"canary"))
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    assert windows_reader.read_private_file(str(tmp_path / "one"), 1000) == b""


def test_the_stamp_follows_the_configuration(calls: FakeWindows, tmp_path: Path) -> None:
    """It changes although a program sets the times back, and is missing if others can write the file."""
    config = tmp_path / "config.toml"
    config.write_text("a = 1")
    before, times = windows_reader.config_stamp(str(config)), config.stat()
    config.write_text("a = 2")
    os.utime(config, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert before is not None
    assert windows_reader.config_stamp(str(config)) != before
    calls.grant(config, (USER, FULL), (EVERYONE, READ))
    assert windows_reader.config_stamp(str(config)) is not None
    calls.grant(config, (USER, FULL), (EVERYONE, WRITE))
    assert windows_reader.config_stamp(str(config)) is None
