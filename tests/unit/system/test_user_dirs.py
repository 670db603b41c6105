"""Directories depend on the user, not on the environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.token_store.samples import ROOT, memory_folder
from tokencli.platforms.linux import Linux
from tokencli.system import user_dirs


def where(**environ: str) -> str:
    """Return the state directory of a process with these variables."""
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from tokencli.system.user_dirs import state_dir; print(state_dir())",
        ],
        env={"PATH": os.environ["PATH"], **environ},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_state_directory_depends_only_on_the_user(tmp_path: Path) -> None:
    """HOME, TMPDIR and XDG variables don't change it: shells that share a keyring share its lock."""
    names = ("HOME", "TMPDIR", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    assert where() == where(**{name: str(tmp_path) for name in names})


def test_without_a_home_directory_there_is_a_fixed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user without a home directory still has a directory that all processes share."""
    fallback = Path(f"/tmp/tokencli-{os.geteuid()}")
    for home in (None, tmp_path / "missing"):
        monkeypatch.setattr(
            Linux, "find_home", lambda _, home=home: str(home) if home and home.is_dir() else None
        )
        assert user_dirs.state_dir() == fallback


def test_an_unwritable_home_directory_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it can't be created in the home directory, the fixed one is used."""
    (tmp_path / ".local").touch(mode=0o600)
    monkeypatch.setattr(Linux, "find_home", lambda _: str(tmp_path))
    assert user_dirs.state_dir() == Path(f"/tmp/tokencli-{os.geteuid()}")


def test_the_runtime_directory_must_be_private_and_in_memory(tmp_path: Path) -> None:
    """It is used if it is ours, closed to others, not a link, and on a tmpfs; else there is none."""
    with memory_folder() as memory:
        assert user_dirs.runtime_dir({"XDG_RUNTIME_DIR": str(memory)}) == memory / "tokencli"
        memory.chmod(0o750)
        assert user_dirs.runtime_dir({"XDG_RUNTIME_DIR": str(memory)}) is None
        memory.chmod(0o700)
        (tmp_path / "link").symlink_to(memory)
        assert user_dirs.runtime_dir({"XDG_RUNTIME_DIR": str(tmp_path / "link")}) is None
        if os.geteuid() == 0:
            os.chown(memory, 12345, -1)
            assert user_dirs.runtime_dir({"XDG_RUNTIME_DIR": str(memory)}) is None
    (tmp_path / "disk").mkdir(mode=0o700)
    on_disk = {"XDG_RUNTIME_DIR": str(tmp_path / "disk")}
    assert (user_dirs.runtime_dir(on_disk) is None) is not user_dirs.is_memory_backed(tmp_path)
    for odd in ("", "relative", "/nonexistent", "/dev/null"):
        assert user_dirs.runtime_dir({"XDG_RUNTIME_DIR": odd}) is None


def test_file_systems_in_memory_are_recognised(tmp_path: Path) -> None:
    """/dev/shm is in memory; /proc and missing paths aren't."""
    assert user_dirs.is_memory_backed(Path("/dev/shm"))
    assert not user_dirs.is_memory_backed(Path("/proc"))
    assert not user_dirs.is_memory_backed(tmp_path / "missing")


@pytest.mark.parametrize(
    ("named", "words"),
    [("", "is not set"), ("/no/such", "does not exist"), ("{tmp}", "which belongs to uid")],
)
def test_missing_runtime_directory_is_explained(
    named: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable, its path and the owner are named, e.g. after su."""
    me = os.geteuid()
    monkeypatch.setenv("XDG_RUNTIME_DIR", named.format(tmp=tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    text = user_dirs.explain_missing_runtime_dir()
    assert text.startswith("XDG_RUNTIME_DIR ") and words in text
