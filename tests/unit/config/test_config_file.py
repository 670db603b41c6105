"""Finding and reading the configuration file: its path, permissions, encoding and syntax."""

import os
import pwd
import stat
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import script
from tokencli.config import config_file, provider_file
from tokencli.config.config_file import (
    MAX_CONFIG_BYTES,
    expand_path,
    find_config_path,
    parse_toml,
    read_config_text,
)
from tokencli.config.edit import replace_config_text
from tokencli.config.load import load_config
from tokencli.errors import ConfigError
from tokencli.importers.recording import read_token_requests


def write_config_file(tmp_path: Path, data: bytes, mode: int = 0o600) -> Path:
    """Write these bytes as the configuration file."""
    path = tmp_path / "config.toml"
    path.write_bytes(data)
    path.chmod(mode)
    return path


def test_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    """A file that an editor saved with a BOM reads like any other."""
    assert (
        read_config_text(write_config_file(tmp_path, b'\xef\xbb\xbfdefault_profile = "a"\n'))[0]
        == 'default_profile = "a"\n'
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_rejected(tmp_path: Path, encoding: str) -> None:
    """The error names UTF-16 and the fix says UTF-8."""
    with pytest.raises(ConfigError, match="UTF-16") as error:
        read_config_text(write_config_file(tmp_path, 'default_profile = "a"\n'.encode(encoding)))
    assert "UTF-8" in (error.value.fix or "")


def test_latin1_is_rejected_with_its_line(tmp_path: Path) -> None:
    """A byte that is not UTF-8 is reported with its line."""
    with pytest.raises(ConfigError, match="line 2") as error:
        read_config_text(write_config_file(tmp_path, 'a = 1\nb = "é"\n'.encode("latin-1")))
    assert error.value.problems[0].line == 2


def test_world_writable_file_is_rejected(tmp_path: Path) -> None:
    """Whoever can change the file can redirect credentials: the fix is the chmod command."""
    path = write_config_file(tmp_path, b"", 0o606)
    with pytest.raises(ConfigError, match="every user of this machine") as error:
        load_config(path, {}, must_exist=True)
    assert f"chmod go-w {path}" in (error.value.fix or "")


def test_group_writable_file_warns(tmp_path: Path) -> None:
    """A file that its group may write is used with one warning, which has the chmod command."""
    path = write_config_file(tmp_path, b"", 0o660)
    config = load_config(path, {}, must_exist=True)
    assert len(config.warnings) == 1
    assert f"chmod g-w {path}" in str(config.warnings[0])


def test_file_of_another_user_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file owned by neither this user nor root is not used."""
    path = write_config_file(tmp_path, b"")
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    else:  # only root can change the owner, so the test changes who "we" are
        me = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(ConfigError, match="owned by another user"):
        load_config(path, {}, must_exist=True)


@pytest.mark.parametrize("mode", [0o606, 0o660])
@pytest.mark.parametrize("file_system", ["drvfs", "vfat"])
def test_copy_is_suggested_where_chmod_has_no_effect(
    file_system: str, mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a Windows drive the mode is fixed: the message names the file system and suggests a copy."""
    monkeypatch.setattr(config_file, "find_file_system", lambda _: file_system)
    path = write_config_file(tmp_path, b"", mode)
    try:
        text = " ".join(map(str, load_config(path, {}, must_exist=True).warnings))
    except ConfigError as error:
        text = f"{error} {error.cause} {error.fix}"
    assert file_system in text and f"install -m 600 {path}" in text and "chmod g" not in text


def test_copy_is_suggested_on_a_read_only_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mode can't be changed there, and the group can't change the file, so no warning is shown."""
    real = os.statvfs(tmp_path)
    read_only = SimpleNamespace(f_flag=real.f_flag | os.ST_RDONLY)
    monkeypatch.setattr(os, "statvfs", lambda _: read_only)
    path = write_config_file(tmp_path, b"", 0o606)
    with pytest.raises(ConfigError) as error:
        read_config_text(path)
    assert "read-only" in (error.value.cause or "")
    assert (error.value.fix or "").startswith(f"install -m 600 {path} ")
    path.chmod(0o660)
    assert read_config_text(path)[1] == ()


def test_directory_open_to_everybody_warns(tmp_path: Path) -> None:
    """Who can write in the directory can replace the file; a sticky directory prevents that."""
    path = write_config_file(tmp_path, b"")
    for mode, warned in ((0o777, True), (0o1777, False), (0o775, False)):
        tmp_path.chmod(mode)
        assert [f"chmod go-w {tmp_path}" in each for each in read_config_text(path)[1]] == [
            True
        ] * warned


def test_new_directories_are_private_whatever_the_umask(tmp_path: Path) -> None:
    """With umask 000, a new configuration and each new directory above it are closed to others."""
    path = tmp_path / "a" / "b" / "config.toml"
    old = os.umask(0)
    try:
        replace_config_text(path, None, "")
    finally:
        os.umask(old)
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (path.parent.parent, path.parent, path)]
    assert modes == [0o700, 0o700, 0o600]


def test_directory_and_fifo_are_rejected_at_once(tmp_path: Path) -> None:
    """A directory or a FIFO is an error; nothing blocks."""
    with pytest.raises(ConfigError):
        read_config_text(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ConfigError, match="not a regular file"):
        read_config_text(tmp_path / "fifo")


def test_missing_file_is_an_empty_configuration(tmp_path: Path) -> None:
    """Without a file there are no profiles; a file that the user named must exist."""
    assert load_config(tmp_path / "none.toml", {}, must_exist=False).profile_names() == ()
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(tmp_path / "none.toml", {}, must_exist=True)
    with pytest.raises(FileNotFoundError):
        read_config_text(write_config_file(tmp_path, b"") / "below")


def test_too_large_file_is_rejected(tmp_path: Path) -> None:
    """At most MAX_CONFIG_BYTES are read."""
    path = write_config_file(tmp_path, b"")
    os.truncate(path, MAX_CONFIG_BYTES + 1)
    with pytest.raises(ConfigError, match="larger than"):
        read_config_text(path)


def test_invalid_path_is_a_config_error(tmp_path: Path) -> None:
    """A NUL or a name that is too long in the path is an ordinary error."""
    with pytest.raises(ConfigError):
        read_config_text(Path("a\0b"))
    with pytest.raises(ConfigError):
        read_config_text(tmp_path / ("x" * 5000))


@pytest.mark.parametrize(
    ("text", "line", "suggestion"),
    [
        ("\nhost = demomachine\n", 2, "quotes"),
        ('a = "x"\na = "y"\n', 2, "twice"),
        ("[a]\n[a]\n", 2, "twice"),
        ('ca = "C:\\certs"\n', 1, "single quotes"),
        ("host\n", 1, 'key = "value"'),
        ('a = "x" y\n', 1, "one setting per line"),
        ('a = "x\n', 1, "close the quotes"),
    ],
)
def test_toml_errors_have_line_and_suggestion(text: str, line: int, suggestion: str) -> None:
    """Common TOML mistakes are reported with their line and a suggestion."""
    with pytest.raises(ConfigError, match="not valid TOML") as error:
        parse_toml(text, Path("config.toml"))
    problem = error.value.problems[0]
    assert (problem.line, suggestion in (problem.right or "")) == (line, True)


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 100_000, "a = " + "9" * 5000, "a = {" * 5000, "a = 0000-00-00", "a." * 2000],
)
def test_extreme_toml_is_a_config_error(text: str) -> None:
    """Extreme depth or length is an ordinary TOML error."""
    with pytest.raises(ConfigError, match="not valid TOML"):
        parse_toml(text, Path("config.toml"))


def test_toml_error_quotes_nothing() -> None:
    """The invalid line may hold a secret, so it is not shown."""
    with pytest.raises(ConfigError) as error:
        parse_toml("password = canary-password-7f3a\n", Path("config.toml"))
    assert "canary" not in f"{error.value} {error.value.fix} {error.value.problems}"


@pytest.fixture
def deleted_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a deleted directory the working directory."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()


def set_database_home(monkeypatch: pytest.MonkeyPatch, home: str | None) -> None:
    """Make the user database return that home directory, or no entry."""

    def getpwuid(_: int) -> SimpleNamespace:
        if home is None:
            raise KeyError("no such user")
        return SimpleNamespace(pw_dir=home, pw_name="u")

    monkeypatch.setattr(pwd, "getpwuid", getpwuid)


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
def test_default_path_is_in_the_home_directory(
    environ: dict[str, str], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HOME is used if it is an absolute path, else the user database."""
    set_database_home(monkeypatch, "/db")
    assert find_config_path(None, environ) == Path(path)


def test_unknown_home_directory_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a container uid without an entry no path is guessed, and the fix says how to give one."""
    set_database_home(monkeypatch, None)
    with pytest.raises(ConfigError, match="home directory is unknown") as caught:
        find_config_path(None, {})
    assert "TOKENCLI_CONFIG" in str(caught.value.fix)
    assert find_config_path("/c.toml", {}) == Path("/c.toml")


def test_relative_path_in_deleted_directory(deleted_directory: None) -> None:
    """The error names the file and the cause; an absolute path works there."""
    for named, environ in (("rel.toml", {}), (None, {"TOKENCLI_CONFIG": "rel.toml"})):
        with pytest.raises(ConfigError, match=r"'rel\.toml'") as caught:
            find_config_path(named, environ)
        assert "has been deleted" in str(caught.value.cause)
        assert caught.value.fix == 'cd "$HOME"'
    assert find_config_path("/c.toml", {}) == Path("/c.toml")
    assert expand_path("/x", Path("/base")) == Path("/x")


def test_sandbox_runs_in_a_deleted_directory(tmp_path: Path) -> None:
    """The sandbox does not depend on the working directory and passes the exit status on."""
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


@pytest.mark.parametrize("read", [provider_file.read_provider_text, read_token_requests])
def test_fifo_is_rejected_without_blocking(read: object, tmp_path: Path) -> None:
    """A provider or a recording is read from a regular file only."""
    assert callable(read)
    os.mkfifo(tmp_path / "own.toml")
    with pytest.raises(ConfigError, match="not a regular file"):
        read(str(tmp_path / "own.toml"))


def test_fifo_in_a_collection_is_rejected_by_name(tmp_path: Path) -> None:
    """Reading a directory does not block either, and the error names the file."""
    (tmp_path / "bruno.json").write_text("{}")
    os.mkfifo(tmp_path / "login.bru")
    with pytest.raises(ConfigError, match=r"login\.bru.*not a regular file"):
        read_token_requests(str(tmp_path))


def test_regular_file_is_read(tmp_path: Path) -> None:
    """Any name is fine."""
    (tmp_path / "own").write_text('title = "Ü"', encoding="utf-8")
    assert provider_file.read_provider_text(str(tmp_path / "own")) == 'title = "Ü"'


def test_toml_error_says_the_line_once() -> None:
    """The line is a part of the problem, so the message has only the column."""
    with pytest.raises(ConfigError) as caught:
        parse_toml("a = 1\na = 2\n", Path("c.toml"))
    (problem,) = caught.value.problems
    assert (problem.line, problem.what) == (2, "Cannot overwrite a value (column 6)")
    assert problem.right
