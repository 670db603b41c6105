"""A real PowerShell: scripts run in it, and an interactive session in a pseudo-terminal.

It is `pwsh` on PATH, or else the one in `shared/pwsh` beside the repository. Without either, the
tests that need it are left out, in CI as well, because Debian has no package of it.
"""

import fcntl
import os
import pty
import select
import shutil
import struct
import subprocess
import tempfile
import termios
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Self

import pyte
import pytest

from tests.transcripts import COLUMNS, LINES, Screen

BESIDE = Path(__file__).parent.parent.parent / "shared" / "pwsh" / "pwsh"
"""Where a PowerShell may be, beside the repository."""
LEFT_OUT = "left out: the tests with a real PowerShell, for want of pwsh on PATH"
LIMIT_S = 120
"""After so long a script or a session has failed."""
PROMPT = "ready> "
"""The prompt of a session, until the session defines another one."""

CONSTRAINED = """\
{first}
$ExecutionContext.SessionState.LanguageMode = 'ConstrainedLanguage'
. '{script}'
if (Test-Path variable:global:LASTEXITCODE) {{ exit $global:LASTEXITCODE }}
"""
"""How a script runs another one in ConstrainedLanguage mode."""


def find_program() -> str | None:
    """Return the path of a PowerShell, or None."""
    return shutil.which("pwsh") or shutil.which(str(BESIDE))


def summary() -> str | None:
    """Return one line about the tests that are left out without PowerShell, or None."""
    return None if find_program() else LEFT_OUT


def require() -> str:
    """Return PowerShell's path; skip the test if there is none."""
    program = find_program()
    if program is None:
        pytest.skip(LEFT_OUT)
    return program


NEWER_SYNTAX = r"""
$errors = $null
$ast = [System.Management.Automation.Language.Parser]::ParseFile($args[0], [ref]$null, [ref]$errors)
$errors | ForEach-Object { "$($_.Extent.StartLineNumber): $($_.Message)" }
$ast.FindAll({
    param($node)
    $node.GetType().Name -in 'PipelineChainAst', 'TernaryExpressionAst' -or
        "$($node.Operator)" -like 'QuestionQuestion*' -or $node.NullConditional -or
        $node.Background -or $node.CleanBlock
}, $true) | ForEach-Object { "$($_.Extent.StartLineNumber): $($_.Extent.Text)" }
"""
"""Prints the errors of a script, and what Windows PowerShell 5.1 has no grammar for."""


def find_newer_syntax(script: str) -> list[str]:
    """Return what Windows PowerShell 5.1 can't parse in a script: the line and its text."""
    with tempfile.TemporaryDirectory(prefix="tokencli-pwsh-") as folder:
        file = Path(folder, "parsed.ps1")
        file.write_text(script, encoding="utf-8")
        done = run(f"$args = @('{file}')\n{NEWER_SYNTAX}")
    assert done.stderr == "", done.stderr
    return done.stdout.splitlines()


def run(
    script: str,
    environ: Mapping[str, str] | None = None,
    *,
    constrained: bool = False,
    first: str = "",
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a script without profiles, input and colors; skip the test without PowerShell.

    Args:
        script: its text, which may have many lines.
        environ: the variables it gets; by default those of the test.
        constrained: whether it runs in ConstrainedLanguage mode.
        first: statements that run before that mode begins.
        cwd: its directory.
    """
    program = require()
    with tempfile.TemporaryDirectory(prefix="tokencli-pwsh-") as folder:
        file = Path(folder, "script.ps1")
        file.write_text(script, encoding="utf-8")
        if constrained:
            started = Path(folder, "constrained.ps1")
            started.write_text(CONSTRAINED.format(first=first, script=file), encoding="utf-8")
            file = started
        return subprocess.run(
            [program, "-NoLogo", "-NoProfile", "-NonInteractive", "-File", str(file)],
            env={**(os.environ if environ is None else environ), "NO_COLOR": "1"},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=LIMIT_S,
            check=False,
        )


class Session:
    """An interactive PowerShell in a terminal of 80 columns and 24 lines, with PSReadLine."""

    def __init__(
        self, environ: Mapping[str, str], *, cwd: Path | None = None, start: str = ""
    ) -> None:
        """Prepare a session; `start` is what it runs before the first prompt."""
        self._environ, self._cwd = environ, cwd
        self._start = f"function prompt {{ '{PROMPT}' }}\n{start}"

    def __enter__(self) -> Self:
        program = require()
        self._folder = tempfile.TemporaryDirectory(prefix="tokencli-pwsh-")
        file = Path(self._folder.name, "start.ps1")
        file.write_text(self._start, encoding="utf-8")
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self._screen = Screen(self._ours)
        self._stream = pyte.ByteStream(self._screen)
        self._process = subprocess.Popen(
            [program, "-NoLogo", "-NoProfile", "-NoExit", "-Command", f". '{file}'"],
            env={**self._environ, "TERM": "xterm-256color"},
            cwd=self._cwd,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(LIMIT_S)
        os.close(self._ours)
        self._folder.cleanup()

    @property
    def text(self) -> str:
        """Return everything that was shown so far."""
        return self._screen.render()

    def type(self, keys: str) -> None:
        """Type keys; Enter is `\\r`, Tab is `\\t`."""
        os.write(self._ours, keys.encode())

    def wait_for(self, expected: str, *, count: int = 1) -> str:
        """Wait until a text is on the screen so many times, and return everything shown.

        Raises:
            AssertionError: it isn't within LIMIT_S, or PowerShell has ended.
        """
        deadline = monotonic() + LIMIT_S
        while self.text.count(expected) < count:
            assert monotonic() < deadline, f"waiting for {expected!r}:\n{self.text}"
            self._read(0.1)
        return self.text

    def enter(self, line: str) -> str:
        """Run a line, wait for its end, and return the lines that it printed.

        The session's prompt must be that of its start.
        """
        before = self.wait_for(PROMPT.strip()).rstrip()
        prompts = before.count(PROMPT.strip())
        self.type(line + "\r")
        after = self.wait_for(PROMPT.strip(), count=prompts + 1)
        return after[len(before) :].partition("\n")[2].rpartition(PROMPT.strip())[0]

    def _read(self, timeout_s: float) -> None:
        ready, _, _ = select.select([self._ours], [], [], timeout_s)
        if ready:
            try:
                self._stream.feed(os.read(self._ours, 65536))
            except OSError:  # the other end is closed
                raise AssertionError(f"PowerShell has ended:\n{self.text}") from None
