"""A provider or a recording is read from a regular file alone: a pipe would hold the program."""

import os
from pathlib import Path

import pytest

from tokencli.config import provider_file
from tokencli.errors import ConfigError
from tokencli.importers.recording_file import read_token_requests


@pytest.mark.parametrize("read", [provider_file.read_provider_text, read_token_requests])
def test_a_pipe_is_refused_and_not_waited_for(read: object, tmp_path: Path) -> None:
    """Nobody writes to it, and the answer comes at once."""
    assert callable(read)
    os.mkfifo(tmp_path / "own.toml")
    with pytest.raises(ConfigError, match="no regular file"):
        read(str(tmp_path / "own.toml"))


def test_a_pipe_among_the_files_of_a_collection_is_refused_by_its_name(tmp_path: Path) -> None:
    """The folder is not waited for, either, and the message says which file it is."""
    (tmp_path / "bruno.json").write_text("{}")
    os.mkfifo(tmp_path / "login.bru")
    with pytest.raises(ConfigError, match=r"login\.bru.*no regular file"):
        read_token_requests(str(tmp_path))


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    """Whatever its name."""
    (tmp_path / "own").write_text('title = "Ü"', encoding="utf-8")
    assert provider_file.read_provider_text(str(tmp_path / "own")) == 'title = "Ü"'
