"""Files with secrets: what is refused, what is corrected, and that writes are atomic."""

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.unit.token_store.samples import ROOT, file_store, memory_folder, stored, token_file
from tokencli.errors import StorageError
from tokencli.models import StoredTokenSet
from tokencli.system import private_files
from tokencli.system.private_files import ensure_private_dir
from tokencli.token_store import token_record

KEY = stored().binding.key


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Run the test under various umasks."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    """Return the permission bits of a path."""
    return stat.S_IMODE(path.lstat().st_mode)


def test_files_are_0600_and_folders_0700_under_any_umask(tmp_path: Path, umask: int) -> None:
    """The umask neither opens our files nor locks us out, including parent directories."""
    root = tmp_path / "a" / "b" / "state"
    store = file_store(root)
    with store.lock_credential(KEY, 5):
        store.reserve_space(KEY, 100)
        store.begin_refresh(KEY, stored().token.refresh_token)  # type: ignore[arg-type]
        store.save(stored())
    assert store.load(KEY) == stored()
    for path in (tmp_path / "a").rglob("*"):
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path


def test_an_open_directory_is_closed(tmp_path: Path) -> None:
    """A directory that others could enter is closed, and one that we can't enter is opened."""
    for bits in (0o755, 0o777, 0o500):
        (tmp_path / "x").mkdir()
        (tmp_path / "x").chmod(bits)
        assert ensure_private_dir(tmp_path / "x") is True
        assert mode(tmp_path / "x") == 0o700
        (tmp_path / "x").rmdir()


def test_a_chosen_directory_keeps_its_mode(tmp_path: Path) -> None:
    """`state_dir` may contain other files: its mode is never changed, but it is refused if others can
    write, or we can't."""
    root = tmp_path / "chosen"
    root.mkdir(mode=0o755)
    file_store(root).save(stored())
    assert mode(root) == 0o755
    assert mode(root / "tokens") == 0o700
    refused = {
        0o777: "chmod go-w",
        0o1777: "mkdir -m 700",
        0o500: "chmod u+rwx",
    }
    for bits, fix in refused.items():
        root.chmod(bits)
        for use in (lambda: file_store(root).save(stored()), lambda: file_store(root).load(KEY)):
            with pytest.raises(StorageError) as caught:
                use()
            assert caught.value.fix is not None and fix in caught.value.fix
            assert ("go-w" in caught.value.fix) == (bits == 0o777)
        assert mode(root) == bits
    root.chmod(0o700)


def planted(name: str) -> Callable[[Path], None]:
    """Return a function that puts something else in place of a file."""
    return {
        "symlink": lambda path: path.symlink_to(path.parent / "elsewhere"),
        "dangling": lambda path: path.symlink_to("/nonexistent/x"),
        "fifo": lambda path: os.mkfifo(path),
        "folder": lambda path: path.mkdir(),
        "readable": lambda path: (
            path.write_bytes(token_record.dump_record(stored())),
            path.chmod(0o644),
        ),
        "writable": lambda path: (
            path.write_bytes(token_record.dump_record(stored())),
            path.chmod(0o620),
        ),
        "hard link": lambda path: (
            path.write_bytes(token_record.dump_record(stored())),
            path.chmod(0o600),
            path.with_name("other-name").hardlink_to(path),
        ),
    }[name]  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("what", "fix"),
    [
        ("symlink", "rm "),
        ("dangling", "rm "),
        ("fifo", "mv "),
        ("folder", "mv "),
        ("readable", "chmod 600"),
        ("writable", "chmod 600"),
        ("hard link", "rm "),
    ],
)
def test_an_unsafe_file_is_refused(what: str, fix: str, tmp_path: Path) -> None:
    """A link, a FIFO, a directory or a file open to others is not read, and nothing blocks."""
    store = file_store(tmp_path)
    store.save(stored())
    path = token_file(tmp_path)
    path.with_name("elsewhere").write_bytes(path.read_bytes())
    path.with_name("elsewhere").chmod(0o600)
    path.unlink()
    planted(what)(path)
    start = time.monotonic()
    with pytest.raises(StorageError) as caught:
        store.load(KEY)
    assert time.monotonic() - start < 5
    assert str(path) in caught.value.message
    assert caught.value.fix is not None and fix in caught.value.fix


@pytest.mark.parametrize("what", ["symlink", "dangling", "fifo", "hard link"])
def test_a_write_replaces_links_and_other_files(what: str, tmp_path: Path) -> None:
    """A save replaces the name; the target of a link isn't changed."""
    store = file_store(tmp_path)
    store.save(stored())
    path = token_file(tmp_path)
    elsewhere = path.with_name("elsewhere")
    elsewhere.write_bytes(b"somebody's")
    path.unlink()
    planted(what)(path)
    store.save(stored(2))
    assert store.load(KEY) == stored(2)
    assert elsewhere.read_bytes() == b"somebody's"


@pytest.mark.parametrize("place", ["", "tokens"])
def test_a_link_or_file_in_place_of_a_directory_is_refused(place: str, tmp_path: Path) -> None:
    """A symbolic link or a file in place of a directory is refused, for reading and writing."""
    (tmp_path / "real").mkdir(mode=0o700)
    root = tmp_path / "state"
    target = root / place
    target.parent.mkdir(exist_ok=True)
    target.symlink_to(tmp_path / "real")
    for _ in range(2):
        with pytest.raises(StorageError):
            file_store(root).save(stored())
        with pytest.raises(StorageError):
            file_store(root).load(KEY)
        target.unlink()
        target.touch()
    assert list((tmp_path / "real").iterdir()) == []


@pytest.mark.parametrize("whose", ["folder", "file"])
def test_files_of_other_users_are_refused(
    whose: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory or file of another user isn't read."""
    root = tmp_path / "state"
    file_store(root).save(stored())
    path = token_file(root) if whose == "file" else root / "tokens"
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    else:  # only root can give files away: then another user looks at ours
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(StorageError, match="belongs to another user"):
        file_store(root).load(KEY)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"\x00" * 100,
        token_record.dump_record(stored(key="cd" * 32)),
        b"x" * (private_files.MAX_FILE_BYTES + 1),
    ],
    ids=["empty", "torn", "zeros", "another credential's", "huge"],
)
def test_a_damaged_file_is_ignored_and_set_aside(damage: bytes, tmp_path: Path) -> None:
    """A damaged file is ignored; under the lock it is renamed with a warning, and three are kept."""
    store = file_store(tmp_path)
    for n in range(5):
        store.save(stored())
        path = token_file(tmp_path)
        path.write_bytes(damage)
        assert store.load(KEY) is None
        assert path.read_bytes() == damage, "without the lock nothing is moved"
        with store.lock_credential(KEY, 5):
            assert store.load(KEY) is None
        aside = sorted(path.parent.glob("*.corrupt-*"))
        assert len(aside) == min(n + 1, 3)
        assert aside[0].read_bytes() == damage
    assert store.delete_profile_tokens("p") == 0
    assert list((tmp_path / "tokens").iterdir()) == []


FULL = """
import resource, sys
from pathlib import Path
from tests.unit.token_store.samples import file_store, stored, KEY
from tokencli.errors import StorageError
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
store = file_store(Path(sys.argv[1]))
try:
    with store.lock_credential(KEY, 5):
        if sys.argv[2] == "prepare":
            store.reserve_space(KEY, 200_000)
        store.save(stored(2, size=200_000))
except StorageError as error:
    print(error.message); print(error.fix)
"""


@pytest.mark.parametrize("step", ["prepare", "save"])
def test_a_file_size_limit_is_noticed_early(step: str, tmp_path: Path) -> None:
    """If a file can't grow, `reserve_space` fails; the old token set stays, and no draft is left."""
    store = file_store(tmp_path)
    store.save(stored(1))
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), step],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "the file size limit is reached" in done.stdout
    assert store.load(KEY) == stored(1)
    assert [path.name for path in (tmp_path / "tokens").iterdir()] == [token_file(tmp_path).name]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "input/output error"),
    ],
)
def test_missing_disk_space_is_noticed_early(
    number: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`reserve_space` reports a full, read-only or failing disk and an exceeded quota."""
    store = file_store(tmp_path)
    store.save(stored(1))

    def no_room(fd: int, offset: int, size: int) -> None:
        assert size >= 5000
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    with pytest.raises(StorageError, match=words) as caught:
        store.reserve_space(KEY, 5000)
    assert caught.value.fix or "state_dir" in (caught.value.cause or "")
    assert store.load(KEY) == stored(1)
    assert len(list((tmp_path / "tokens").iterdir())) == 1


def test_read_only_tokens_directory_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names it, although on a read-only file system the draft can't even be removed."""
    store = file_store(tmp_path)
    store.save(stored(1))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "unlink", refuse)
    with monkeypatch.context() as during:
        during.setattr(os, "open", refuse)
        with pytest.raises(
            StorageError, match=f"can't use {tmp_path}.*: the file system is read-only"
        ):
            private_files.AtomicWrite(token_file(tmp_path), 100)
    assert store.load(KEY) == stored(1)


@pytest.mark.parametrize("known", [True, False])
def test_space_is_really_reserved(
    known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `reserve_space` the blocks are allocated, even if the file system can't reserve them."""
    if not known:

        def unknown(fd: int, offset: int, size: int) -> None:
            raise OSError(errno.EOPNOTSUPP, "not supported")

        monkeypatch.setattr(os, "posix_fallocate", unknown)
    store = file_store(tmp_path)
    with store.lock_credential(KEY, 5):
        store.reserve_space(KEY, 100_000)
        (draft,) = (tmp_path / "tokens").iterdir()
        assert draft.stat().st_blocks * 512 >= 100_000
        store.save(stored(1, size=10))
        assert token_file(tmp_path).read_bytes() == token_record.dump_record(stored(1, size=10))
        store.reserve_space(KEY, 100_000)
    assert len(list((tmp_path / "tokens").iterdir())) == 1, "what was not used is given back"


def test_drafts_of_killed_runs_are_removed_under_the_lock(tmp_path: Path) -> None:
    """A draft of a killed run is removed by the next run that holds the lock."""
    store = file_store(tmp_path)
    store.save(stored())
    left = private_files.AtomicWrite(token_file(tmp_path), 10)
    store.reserve_space(KEY, 10)
    assert len(list(private_files.find_leftover_drafts(token_file(tmp_path)))) == 2
    with store.lock_credential(KEY, 5):
        store.reserve_space(KEY, 10)
        assert len(list(private_files.find_leftover_drafts(token_file(tmp_path)))) == 1
    assert list(private_files.find_leftover_drafts(token_file(tmp_path))) == []
    left.discard()


def test_a_write_is_flushed_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is: content, flush of the content, rename, flush of the directory."""
    steps: list[str] = []
    for name in ("write", "fsync", "replace"):
        real = getattr(os, name)

        def noted(*args: object, name: str = name, real: Callable[..., object] = real) -> object:
            folder = name == "fsync" and stat.S_ISDIR(os.fstat(args[0]).st_mode)  # type: ignore[call-overload]
            steps.append("fsync folder" if folder else name)
            return real(*args)

        monkeypatch.setattr(os, name, noted)
    private_files.write_atomically(tmp_path / "x", b"data")
    assert steps == ["write", "fsync", "replace", "fsync folder"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty directory."""
    path = tmp_path / "folder"
    path.mkdir(mode=0o700)
    return path


@pytest.mark.parametrize("before", [None, 0o600, 0o666])
def test_a_named_file_is_private_afterwards(before: int | None, folder: Path, umask: int) -> None:
    """A file that a user named gets mode 0600, or the one asked for, whatever it was."""
    path = folder / "token"
    if before is not None:
        path.write_bytes(b"old")
        path.chmod(before)
    private_files.write_private_file(path, b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", 0o600)
    private_files.write_private_file(path, b"newer", 0o640)
    assert (path.read_bytes(), mode(path)) == (b"newer", 0o640)
    assert list(folder.iterdir()) == [path]


@pytest.mark.parametrize(
    ("what", "words"),
    [("symlink", "elsewhere; name the file itself"), ("dangling", "/nonexistent/x; name the file"),
     ("fifo", "not a regular file"), ("folder", "it is a directory")],
)  # fmt: skip
def test_a_named_link_or_device_is_neither_followed_nor_replaced(
    what: str, words: str, folder: Path
) -> None:
    """Nothing is written through a link, and /dev/stdout is never replaced by a file."""
    (folder / "elsewhere").write_bytes(b"somebody's")
    path = folder / "token"
    planted(what)(path)
    before = path.lstat().st_ino
    with pytest.raises(StorageError) as caught:
        private_files.write_private_file(path, b"canary")
    assert words in f"{caught.value.message} {caught.value.cause}"
    assert path.lstat().st_ino == before
    assert (folder / "elsewhere").read_bytes() == b"somebody's"
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize(
    ("bits", "fix"),
    [(0o700, None), (0o755, None), (0o1777, None), (0o777, "chmod go-w"), (0o770, "chmod go-w")],
)
def test_a_named_file_is_safe_from_replacement(bits: int, fix: str | None, folder: Path) -> None:
    """Others may write to its directory only if they can't replace our files there, as in /tmp."""
    path = folder / "shared" / "token"
    with pytest.raises(StorageError, match="its directory does not exist") as caught:
        private_files.write_private_file(path, b"x")
    assert caught.value.fix == f"mkdir -p -m 700 {path.parent}"
    path.parent.mkdir()
    path.parent.chmod(bits)
    if fix is None:
        private_files.write_private_file(path, b"x")
        assert path.read_bytes() == b"x"
        return
    with pytest.raises(StorageError) as caught:
        private_files.write_private_file(path, b"x")
    assert caught.value.fix == f"{fix} {path.parent}"
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("whose", ["directory", "file"])
def test_a_named_file_of_another_user_is_left_alone(
    whose: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user could have put it there to read the token, or could replace it."""
    path = folder / "shared" / "token"
    path.parent.mkdir()
    path.write_bytes(b"old")
    if os.geteuid() == 0:
        os.chown(path if whose == "file" else path.parent, 12345, -1)
    else:  # only root can give files away: then another user looks at ours
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(StorageError, match="belongs to another user"):
        private_files.write_private_file(path, b"canary")
    assert path.read_bytes() == b"old"


def test_a_failed_write_keeps_the_named_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old content stays, and no draft with a token is left behind."""
    path = folder / "token"
    private_files.write_private_file(path, b"old")

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match="input/output error"):
        private_files.write_private_file(path, b"canary")
    assert path.read_bytes() == b"old"
    assert list(folder.iterdir()) == [path]


READER = """
import sys
from pathlib import Path
from tests.unit.token_store.samples import file_store, stored, KEY
root, count = Path(sys.argv[1]), 0
store, sets = file_store(root), [stored(n, size=n * 100) for n in range(20)]
print("ready", flush=True)
while not (root / "stop").exists():
    assert store.load(KEY) in sets
    count += 1
print(count)
"""


def test_readers_never_see_a_partial_file() -> None:
    """Twenty readers during a thousand writes see only complete token sets."""
    with memory_folder() as root, ExitStack() as readers:
        store = file_store(root)
        sets = [stored(n, size=n * 100) for n in range(20)]
        store.save(sets[0])
        running = []
        for _ in range(20):
            command = [sys.executable, "-c", READER, str(root)]
            reader = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
            running.append(readers.enter_context(reader))
            readers.callback(reader.kill)
        for reader in running:
            assert reader.stdout is not None and reader.stdout.readline() == b"ready\n"
        for n in range(1000):
            store.save(sets[n % 20])
        (root / "stop").touch()
        counts = [int(reader.communicate(timeout=60)[0]) for reader in running]
        assert min(counts) > 0
        assert [reader.returncode for reader in running] == [0] * 20


WRITER = """
import sys
from pathlib import Path
from tests.unit.token_store.samples import file_store, stored, KEY
store = file_store(Path(sys.argv[1]))
print("ready", flush=True)
n = 0
while True:
    n += 1
    with store.lock(KEY, 10):
        store.reserve_space(KEY, 5000)
        store.begin(KEY, stored(n).token.refresh_token)
        store.save(stored(n, size=n % 3000))
"""


def test_kill_9_never_leaves_a_partial_file(tmp_path: Path) -> None:
    """Killed writers leave a complete token set, a free lock, and at most a draft."""
    store = file_store(tmp_path)
    store.save(stored())
    for n in range(15):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT
        )
        with writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            threading.Event().wait(0.003 * n)  # another moment of the loop each time
            writer.send_signal(signal.SIGKILL)
        found = store.load(KEY)
        assert isinstance(found, StoredTokenSet)
        assert len(list((tmp_path / "tokens").iterdir())) <= 2
    with store.lock_credential(KEY, 0):
        store.reserve_space(KEY, 10)
    assert len(list((tmp_path / "tokens").iterdir())) <= 1


def test_an_unavailable_store_says_so() -> None:
    """Without a runtime directory every use is an error with a fix, and there is nothing to delete."""
    store = file_store(None, name="runtime")
    with pytest.raises(StorageError) as caught:
        store.load(KEY)
    assert caught.value.fix == "tokencli profiles edit p --set store=file"
    assert store.delete_profile_tokens("p") == 0


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.ENOLCK, "no locks"),
        (errno.ENOSYS, "lacks a required feature"),
        (errno.EOPNOTSUPP, "lacks a required feature"),
        (errno.EIO, "input/output error"),
    ],
)
def test_a_file_system_without_locks_suggests_another_store(
    number: int, cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What helps is a local disk or another store."""

    def refuse(fd: int, how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    with (
        pytest.raises(StorageError, match=cause) as caught,
        file_store(tmp_path).lock_credential(KEY, 1),
    ):
        pass
    assert "state_dir" in str(caught.value.cause) and 'store = "runtime"' in str(caught.value.cause)


def test_a_disk_that_fails_to_flush_suggests_another_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EIO at fsync: the stored token set stays, and what helps is another disk."""
    store = file_store(tmp_path)
    store.save(stored(1))

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match="input/output error") as caught:
        store.save(stored(2))
    assert "state_dir" in str(caught.value.cause)
    assert store.load(KEY) == stored(1)


@pytest.mark.parametrize("kind", ["folder", "link", "file"])
def test_a_foreign_file_in_a_sticky_directory_suggests_another_store(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In /tmp only its owner can move it away, so what helps is another directory or store."""
    place = tmp_path / "sticky" / "tokencli-4242"
    place.parent.mkdir()
    makes: dict[str, Callable[[], object]] = {
        "folder": place.mkdir,
        "link": lambda: place.symlink_to(tmp_path),
        "file": place.touch,
    }
    makes[kind]()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 4242)
    with pytest.raises(StorageError, match="belongs to another user") as caught:
        ensure_private_dir(place)
    assert str(caught.value.fix).startswith("mv ")
    place.parent.chmod(0o1777)
    with pytest.raises(StorageError, match="belongs to another user") as caught:
        ensure_private_dir(place)
    assert caught.value.fix is None
    assert "state_dir" in str(caught.value.cause)


def test_nothing_is_missing_from_a_read_only_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the kernel refuses to remove even a file that doesn't exist, and that is no failure."""

    def refuse(self: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "unlink", refuse)
    assert private_files.remove_file(tmp_path / "none") is False
    (tmp_path / "one").touch()
    with pytest.raises(StorageError, match="the file system is read-only"):
        private_files.remove_file(tmp_path / "one")
