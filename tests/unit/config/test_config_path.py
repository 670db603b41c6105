"""Where the configuration is looked for."""

import pwd
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import script
from tokencli.config.config_file import expand_path, find_config_path
from tokencli.errors import ConfigError


@pytest.fixture
def removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a folder that is no longer there."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()


def database(monkeypatch: pytest.MonkeyPatch, home: str | None) -> None:
    """Let the user database say that of this user, or not know them."""

    def found(_: int) -> SimpleNamespace:
        if home is None:
            raise KeyError("no such user")
        return SimpleNamespace(pw_dir=home)

    monkeypatch.setattr(pwd, "getpwuid", found)


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"HOME": "/h"}, "/h/.config/tokencli/config.toml"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, "/x/tokencli/config.toml"),
        ({"XDG_CONFIG_HOME": "/x"}, "/x/tokencli/config.toml"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "x"}, "/h/.config/tokencli/config.toml"),
        ({}, "/db/.config/tokencli/config.toml"),
        ({"HOME": ""}, "/db/.config/tokencli/config.toml"),
        ({"HOME": "h"}, "/db/.config/tokencli/config.toml"),
        ({"TOKENCLI_CONFIG": "/c.toml"}, "/c.toml"),
        ({"TOKENCLI_CONFIG": "~/c.toml", "HOME": "/h"}, "/h/c.toml"),
        ({"TOKENCLI_CONFIG": "~/c.toml", "HOME": ""}, "/db/c.toml"),
    ],
)
def test_the_platforms_place_is_under_the_users_home(
    environ: dict[str, str], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HOME counts while it is a whole path; then it is the user database that knows."""
    database(monkeypatch, "/db")
    assert find_config_path(None, environ) == Path(path)


def test_a_user_without_any_home_is_told_what_to_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's user that no database knows: no file is guessed at."""
    database(monkeypatch, None)
    with pytest.raises(ConfigError, match="no telling where the home folder is") as caught:
        find_config_path(None, {})
    assert "--config FILE" in str(caught.value.fix)
    assert find_config_path("/c.toml", {}) == Path("/c.toml")


def test_a_relative_file_in_a_removed_folder_is_told(removed: None) -> None:
    """The message names file and cause, the fix two ways on; a whole path needs no folder."""
    for named, environ in (("rel.toml", {}), (None, {"TOKENCLI_CONFIG": "rel.toml"})):
        with pytest.raises(ConfigError, match=r"'rel\.toml' .* has been removed") as caught:
            find_config_path(named, environ)
        assert "whole path" in str(caught.value.fix)
    assert find_config_path("/c.toml", {}) == Path("/c.toml")
    assert expand_path("/x", Path("/base")) == Path("/x")


def test_a_sandbox_passes_the_status_on_from_a_removed_folder(tmp_path: Path) -> None:
    """Nothing of the sandbox depends on the folder that it was started in."""
    (tmp_path / "gone").mkdir()
    here = f'cd "{tmp_path}/gone" && rmdir ../gone && exec "$0" "$@"'
    done = subprocess.run(
        ["sh", "-c", here, script(), "sandbox", "-q", "--", "sh", "-c", "exit 3"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert "tokencli: error" not in done.stderr
