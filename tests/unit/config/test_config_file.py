"""The configuration file as a file: who may write it, how it is encoded, and that it is TOML."""

import os
from pathlib import Path

import pytest

from tokencli.config.config_file import MAX_CONFIG_BYTES, parse_toml, read_config_text
from tokencli.config.load import load_config
from tokencli.errors import ConfigError


def written(tmp_path: Path, data: bytes, mode: int = 0o600) -> Path:
    """Write a configuration of those bytes."""
    path = tmp_path / "config.toml"
    path.write_bytes(data)
    path.chmod(mode)
    return path


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    """A file that an editor saved with a BOM reads like any other."""
    assert (
        read_config_text(written(tmp_path, b'\xef\xbb\xbfdefault_profile = "a"\n'))[0]
        == 'default_profile = "a"\n'
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_named(tmp_path: Path, encoding: str) -> None:
    """A file in UTF-16 is called that, with what to do."""
    with pytest.raises(ConfigError, match="UTF-16") as error:
        read_config_text(written(tmp_path, 'default_profile = "a"\n'.encode(encoding)))
    assert "UTF-8" in (error.value.fix or "")


def test_latin1_is_named_with_its_line(tmp_path: Path) -> None:
    """A byte that is not UTF-8 is reported with its line."""
    with pytest.raises(ConfigError, match="line 2") as error:
        read_config_text(written(tmp_path, 'a = 1\nb = "é"\n'.encode("latin-1")))
    assert error.value.problems[0].line == 2


def test_a_file_that_everybody_may_write_is_refused(tmp_path: Path) -> None:
    """Who can change the file can point credentials elsewhere: refused, with the command that mends it."""
    path = written(tmp_path, b"", 0o606)
    with pytest.raises(ConfigError, match="everybody") as error:
        load_config(path, {}, must_exist=True)
    assert f"chmod go-w {path}" in (error.value.fix or "")


def test_a_file_that_the_group_may_write_is_warned_about(tmp_path: Path) -> None:
    """A group that may write is one warning, with the command that mends it."""
    path = written(tmp_path, b"", 0o660)
    config = load_config(path, {}, must_exist=True)
    assert len(config.warnings) == 1
    assert f"chmod g-w {path}" in config.warnings[0]


def test_a_file_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that belongs to another user than oneself and root is not believed."""
    path = written(tmp_path, b"")
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    else:  # nobody but root can give a file away; then it is oneself who is somebody else
        me = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(ConfigError, match="belongs to another user"):
        load_config(path, {}, must_exist=True)


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    """A folder and a FIFO end in an error, not in a wait."""
    with pytest.raises(ConfigError):
        read_config_text(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ConfigError, match="not a file"):
        read_config_text(tmp_path / "fifo")


def test_an_absent_file_is_empty_unless_demanded(tmp_path: Path) -> None:
    """Without a file there are no profiles; who names a file wants it there."""
    assert load_config(tmp_path / "none.toml", {}, must_exist=False).profile_names() == ()
    with pytest.raises(ConfigError, match="there is no configuration file"):
        load_config(tmp_path / "none.toml", {}, must_exist=True)
    with pytest.raises(FileNotFoundError):
        read_config_text(written(tmp_path, b"") / "below")


def test_a_file_too_large_is_refused(tmp_path: Path) -> None:
    """There is an end to what is read."""
    path = written(tmp_path, b"")
    os.truncate(path, MAX_CONFIG_BYTES + 1)
    with pytest.raises(ConfigError, match="larger than"):
        read_config_text(path)


def test_a_path_that_is_none(tmp_path: Path) -> None:
    """A NUL or an endless name in the path is a plain error."""
    with pytest.raises(ConfigError):
        read_config_text(Path("a\0b"))
    with pytest.raises(ConfigError):
        read_config_text(tmp_path / ("x" * 5000))


@pytest.mark.parametrize(
    ("text", "line", "right"),
    [
        ("\nhost = demomachine\n", 2, "quotes"),
        ('a = "x"\na = "y"\n', 2, "twice"),
        ("[a]\n[a]\n", 2, "twice"),
        ('ca = "C:\\certs"\n', 1, "single quotes"),
        ("host\n", 1, 'key = "value"'),
        ('a = "x" y\n', 1, "one setting per line"),
        ('a = "x\n', 1, "ends on the line"),
    ],
)
def test_toml_errors_have_a_line_and_the_mend(text: str, line: int, right: str) -> None:
    """The usual slips of TOML are answered with their line and what would be right."""
    with pytest.raises(ConfigError, match="not valid TOML") as error:
        parse_toml(text, Path("config.toml"))
    problem = error.value.problems[0]
    assert (problem.line, right in (problem.right or "")) == (line, True)


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 100_000, "a = " + "9" * 5000, "a = {" * 5000, "a = 0000-00-00", "a." * 2000],
)
def test_monstrous_toml_is_an_error_too(text: str) -> None:
    """Depth and length end in the same error as any other slip."""
    with pytest.raises(ConfigError, match="not valid TOML"):
        parse_toml(text, Path("config.toml"))


def test_a_toml_error_quotes_nothing_of_the_file() -> None:
    """The line that is wrong may hold a secret, so it is not shown."""
    with pytest.raises(ConfigError) as error:
        parse_toml("password = canary-password-7f3a\n", Path("config.toml"))
    assert "canary" not in f"{error.value} {error.value.fix} {error.value.problems}"
