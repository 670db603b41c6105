"""Directories whose files change all at once."""

import os
from pathlib import Path
from threading import Event, Semaphore, Thread

import pytest

from tokencli.errors import StorageError
from tokencli.system.atomic_directory import remove_directory_files, write_directory


def generations(directory: Path) -> list[str]:
    """Return the names of the sets of files."""
    return sorted(each.name for each in directory.iterdir() if each.name.startswith("..2"))


def test_files_are_links_through_data(tmp_path: Path) -> None:
    """The layout is the kubelet's, and everything is private."""
    directory = tmp_path / "tokens"
    write_directory(directory, {"token": b"t1", "expires_at": b"e1"})
    assert (directory / "token").read_bytes() == b"t1"
    assert (directory / "token").readlink() == Path("..data/token")
    (generation,) = generations(directory)
    assert (directory / "..data").readlink() == Path(generation)
    assert directory.stat().st_mode & 0o777 == (directory / generation).stat().st_mode & 0o777
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / "token").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("mode", "of_directory"), [(0o640, 0o750), (0o644, 0o755), (0o400, 0o700)])
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_those_who_may_read_may_enter(
    tmp_path: Path, mode: int, of_directory: int, umask: int
) -> None:
    """The directories' modes follow that of the files, whatever the umask is."""
    before = os.umask(umask)
    try:
        write_directory(tmp_path / "tokens", {"token": b"t"}, mode)
    finally:
        os.umask(before)
    assert (tmp_path / "tokens").stat().st_mode & 0o777 == of_directory
    assert (tmp_path / "tokens" / "..data").stat().st_mode & 0o777 == of_directory
    assert (tmp_path / "tokens" / "token").stat().st_mode & 0o777 == mode


def test_names_come_and_go_and_foreign_files_stay(tmp_path: Path) -> None:
    """A name without a file is removed; only the current set and the one before are kept."""
    directory = tmp_path / "tokens"
    directory.mkdir(mode=0o700)
    (directory / "README").write_text("mine")
    for number in range(5):
        files = {"token": b"%d" % number, **({"scope": b"s"} if number % 2 == 0 else {})}
        write_directory(directory, files)
        assert (directory / "token").read_bytes() == b"%d" % number
        assert os.path.lexists(directory / "scope") == (number % 2 == 0)
    assert len(generations(directory)) == 2
    assert (directory / "README").read_text() == "mine"


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    """Sets and drafts of the link that a killed process left behind don't pile up."""
    write_directory(tmp_path, {"token": b"1"})
    (tmp_path / "..2026_01_01_00_00_00.0123456789abcdef").mkdir()
    (tmp_path / "..data_tmp.0123456789abcdef").symlink_to("nowhere")
    write_directory(tmp_path, {"token": b"2"})
    assert len(generations(tmp_path)) == 2
    assert not list(tmp_path.glob("..data_tmp*"))


def test_readers_always_find_one_set(tmp_path: Path) -> None:
    """A reader that opens `..data` finds files of one write, also while it is replaced."""
    write_directory(tmp_path, {"a": b"0", "b": b"0"})
    ended, torn, completed = Event(), [], Semaphore(0)

    def read() -> None:
        while not ended.is_set():
            opened = os.open(tmp_path / "..data", os.O_RDONLY)
            values = set()
            for name in ("a", "b"):
                fd = os.open(name, os.O_RDONLY, dir_fd=opened)
                values.add(os.read(fd, 16))
                os.close(fd)
            os.close(opened)
            if len(values) != 1:
                torn.append(values)
            completed.release()

    reader = Thread(target=read)
    reader.start()
    for number in range(200):
        while completed.acquire(blocking=False):
            pass
        completed.acquire()  # the reader's next one may find this set, which stays for one write
        write_directory(tmp_path, {"a": b"%d" % number, "b": b"%d" % number})
    ended.set()
    reader.join()
    assert not torn


def test_a_foreign_file_is_not_replaced(tmp_path: Path) -> None:
    """If a name is taken by something else, nothing changes."""
    (tmp_path / "token").write_text("mine")
    with pytest.raises(StorageError):
        write_directory(tmp_path, {"token": b"t"})
    assert [each.name for each in tmp_path.iterdir() if each.name not in ("home", "run")] == [
        "token"
    ]
    assert (tmp_path / "token").read_text() == "mine"


def test_a_failed_write_leaves_the_old_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk is full, the old set stays and no part of a new one is left."""
    write_directory(tmp_path, {"token": b"old"})
    before = sorted(each.name for each in tmp_path.iterdir())

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", fail)
    with pytest.raises(StorageError, match="the disk is full"):
        write_directory(tmp_path, {"token": b"new"})
    assert (tmp_path / "token").read_bytes() == b"old"
    assert sorted(each.name for each in tmp_path.iterdir()) == before


def test_unsafe_directory_is_refused(tmp_path: Path) -> None:
    """Where others could replace the files, none are written."""
    directory = tmp_path / "shared"
    directory.mkdir()
    directory.chmod(0o777)
    with pytest.raises(StorageError, match="other users can write"):
        write_directory(directory, {"token": b"t"})
    assert not list(directory.iterdir())


def test_removal_leaves_only_foreign_files(tmp_path: Path) -> None:
    """What was written is removed, with all links; a second removal finds nothing."""
    directory = tmp_path / "tokens"
    assert not remove_directory_files(directory)
    write_directory(directory, {"token": b"1", "scope": b"s"})
    write_directory(directory, {"token": b"2", "scope": b"s"})
    (directory / "README").write_text("mine")
    assert remove_directory_files(directory)
    assert [each.name for each in directory.iterdir()] == ["README"]
    assert not remove_directory_files(directory)
