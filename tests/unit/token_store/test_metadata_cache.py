"""The cache of an issuer's metadata is a private file."""

from pathlib import Path

import pytest

from tests.fakes import make_profile
from tokencli.errors import StorageError
from tokencli.token_store.metadata_cache import MetadataCacheFile


@pytest.fixture
def file(tmp_path: Path) -> MetadataCacheFile:
    """Return the file of a profile with the test's state directory."""
    return open_file(tmp_path)


def open_file(
    tmp_path: Path, name: str = "corp", issuer: str = "https://id.example.com"
) -> MetadataCacheFile:
    """Return the file of that profile and issuer."""
    return MetadataCacheFile(
        make_profile(name=name, issuer=issuer, state_dir=str(tmp_path / "state"))
    )


def test_metadata_is_stored_per_profile_and_issuer(file: MetadataCacheFile, tmp_path: Path) -> None:
    """One file for each pair; loading creates nothing."""
    assert file.load() is None
    assert not (tmp_path / "state").exists()
    file.save(b"canary")
    assert open_file(tmp_path).load() == b"canary"
    assert open_file(tmp_path, name="other").load() is None
    assert open_file(tmp_path, issuer="https://id.example.com/").load() is None


def test_only_the_user_can_read_and_write_it(file: MetadataCacheFile, tmp_path: Path) -> None:
    """Directories 0700, file 0600; a file that others can write is refused."""
    file.save(b"canary")
    (found,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert found.stat().st_mode & 0o777 == 0o600
    assert found.parent.stat().st_mode & 0o777 == 0o700
    found.chmod(0o666)
    with pytest.raises(StorageError):
        file.load()


def test_a_file_that_is_too_large_is_set_aside(file: MetadataCacheFile, tmp_path: Path) -> None:
    """The next save works."""
    file.save(b"canary")
    (found,) = (path for path in tmp_path.rglob("*") if path.is_file())
    found.write_bytes(b"x" * 600_000)
    assert file.load() is None
    file.save(b"canary")
    assert file.load() == b"canary"
