"""What an issuer said rests in a file that is this user's own."""

from pathlib import Path

import pytest

from tests.fakes import make_profile
from tokencli.errors import StorageError
from tokencli.token_store.metadata_cache import MetadataCacheFile


@pytest.fixture
def file(tmp_path: Path) -> MetadataCacheFile:
    """Return the file of a profile whose state is this test's."""
    return open_file(tmp_path)


def open_file(
    tmp_path: Path, name: str = "corp", issuer: str = "https://id.example.com"
) -> MetadataCacheFile:
    """Return the file of that profile and issuer."""
    return MetadataCacheFile(
        make_profile(name=name, issuer=issuer, state_dir=str(tmp_path / "state"))
    )


def test_what_was_saved_is_loaded_by_the_same_profile_and_issuer_alone(
    file: MetadataCacheFile, tmp_path: Path
) -> None:
    """One file for each pair; before anything is saved there is nothing, and no folder is made."""
    assert file.load() is None
    assert not (tmp_path / "state").exists()
    file.save(b"canary")
    assert open_file(tmp_path).load() == b"canary"
    assert open_file(tmp_path, name="other").load() is None
    assert open_file(tmp_path, issuer="https://id.example.com/").load() is None


def test_nobody_else_can_read_or_write_it(file: MetadataCacheFile, tmp_path: Path) -> None:
    """Folders 0700, file 0600; one that others may write is not believed."""
    file.save(b"canary")
    (found,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert found.stat().st_mode & 0o777 == 0o600
    assert found.parent.stat().st_mode & 0o777 == 0o700
    found.chmod(0o666)
    with pytest.raises(StorageError):
        file.load()


def test_one_that_is_too_large_is_put_aside(file: MetadataCacheFile, tmp_path: Path) -> None:
    """It is none of ours; the next save goes through."""
    file.save(b"canary")
    (found,) = (path for path in tmp_path.rglob("*") if path.is_file())
    found.write_bytes(b"x" * 600_000)
    assert file.load() is None
    file.save(b"canary")
    assert file.load() == b"canary"
