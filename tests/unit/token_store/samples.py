"""Token sets to store, and a directory in memory to store them in."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fakes import FakeClock, FakeTerminal
from tokencli.models import Secret, StoredTokenSet, TokenBinding, TokenSet
from tokencli.token_store.file import FileStore

KEY = "ab" * 32
ROOT = Path(__file__).parents[3]


def stored(n: int = 1, *, key: str = KEY, profile: str = "p", size: int = 0) -> StoredTokenSet:
    """Return the n-th token set of a credential; `size` pads its access token."""
    return StoredTokenSet(
        TokenBinding(key, profile, "https://id.example.com:443", "batch"),
        TokenSet(
            access_token=Secret(f"canary-access-{n}" + "x" * size),
            token_type="Bearer",
            obtained_at=1_800_000_000.0,
            expires_at=1_800_003_600.0,
            refresh_token=Secret(f"canary-refresh-{n}"),
            scope="read write",
        ),
    )


def file_store(root: Path | None, profile: str = "p", **more: object) -> FileStore:
    """Return a file store in that folder."""
    return FileStore(root, profile, terminal=FakeTerminal(), clock=FakeClock(), **more)  # type: ignore[arg-type]


def token_file(root: Path) -> Path:
    """Return the one token file in the store."""
    (path,) = (root / "tokens").glob("*.json")
    return path


@contextmanager
def memory_folder() -> Iterator[Path]:
    """Yield a private directory on a file system in memory."""
    place = Path(tempfile.mkdtemp(prefix=f"tokencli-test-{os.getpid()}-", dir="/dev/shm"))
    try:
        yield place
    finally:
        shutil.rmtree(place)
