"""Text is UTF-8 whatever the locale is: stdin with a byte order mark, and what Windows writes to pipes."""

import os
import subprocess
import sys
from collections.abc import Mapping
from io import BytesIO, TextIOWrapper

import pytest

from tests.conftest import script
from tests.fakes import FakeTerminal
from tokencli.commands.login import _read_secret_lines

PROVIDER = """\
name = "zoe"\r
title = "Zoë's Łódź"\r
\r
[endpoints]\r
token = "https://{host}/token"\r
"""
AS_WINDOWS = (
    "import sys; from tokencli import platforms; from tokencli.platforms.windows import Windows;"
    " platforms.PLATFORM = type('Fake', (type(platforms.current()),),"
    " {'pipe_encoding': Windows.pipe_encoding})();"
    " from tokencli.commands.run import run_command_line; sys.exit(run_command_line(sys.argv[1:]))"
)


def run(*command: str, stdin: bytes = b"", env: Mapping[str, str]) -> tuple[int, bytes, bytes]:
    """Run a command with pipes, and return its exit code and the bytes it printed."""
    done = subprocess.run(command, input=stdin, env={**os.environ, **env}, capture_output=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_stdin_is_utf8_in_any_locale(mark: bytes) -> None:
    """Also with a byte order mark and carriage returns, as PowerShell and Windows' editors write them."""
    data = mark + PROVIDER.encode()
    code, out, err = run(
        script(), "providers", "check", "-", stdin=data, env={"PYTHONIOENCODING": "latin-1"}
    )
    assert b"UTF-8" not in err
    assert b"not valid TOML" not in err, err
    utf8 = run(script(), "providers", "check", "-", stdin=PROVIDER.encode(), env={})
    assert (code, err) == (utf8[0], utf8[2])
    assert out == utf8[1].decode().encode("latin-1", "backslashreplace")


def test_stdin_that_is_not_utf8_is_refused() -> None:
    """In one line, whatever encoding stdin has by the locale."""
    for command in (("providers", "check", "-"), ("providers", "new", "--from", "-")):
        code, _, err = run(
            script(), *command, stdin=b'title = "Zo\xeb"\n', env={"PYTHONIOENCODING": "latin-1"}
        )
        assert code == 3
        assert b"it is not UTF-8" in err


def test_pipes_get_utf8_on_windows() -> None:
    """Not the code page, unless PYTHONIOENCODING says so; what an encoding lacks is escaped."""
    words = (sys.executable, "-c", AS_WINDOWS, "help", "platforms")
    latin = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    code, out, err = run(*words, env=latin)
    assert (code, err) == (0, b"")
    assert "\\u…" in out.decode("utf-8")
    code, out, err = run(*words, env={**latin, "PYTHONIOENCODING": "cp850"})
    assert (code, err) == (0, b"")
    assert "\\u\\u2026" in out.decode("cp850")


def test_secrets_on_stdin_may_have_a_byte_order_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """`login --stdin` takes lines as Windows PowerShell pipes them: the secrets are what follows the mark."""
    data = "\ufeffpässword\r\nsecret\r\n".encode()
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(data), encoding="cp1252"))
    assert _read_secret_lines(FakeTerminal()) == ["pässword", "secret"]
