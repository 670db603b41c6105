"""Signals and unexpected errors at the outermost level."""

import subprocess
import sys
from collections.abc import Sequence

import pytest

from tokencli.commands import run


@pytest.mark.requirement(5)
@pytest.mark.parametrize(
    "end", [KeyboardInterrupt(), run.Terminated(15)], ids=lambda end: type(end).__name__
)
def test_signal_in_class_statement(end: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.11 wraps what `__set_name__` raises in a RuntimeError; the run still ends by the signal."""

    class Member:
        def __set_name__(self, owner: type, name: str) -> None:
            raise end

    def load(argv: Sequence[str]) -> int:
        type("Loading", (), {"member": Member()})
        return 0

    monkeypatch.setattr(run, "_dispatch_command", load)
    with pytest.raises(type(end)):
        run._run_and_report(["get"])


def test_unexpected_error_is_an_internal_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A chain of plain errors ends with exit code 1 and the location of the last."""

    def fail(argv: Sequence[str]) -> int:
        try:
            raise KeyError("first")
        except KeyError as first:
            raise RuntimeError("second") from first

    monkeypatch.setattr(run, "_dispatch_command", fail)
    assert run._run_and_report(["get"]) == 1
    assert "internal error: RuntimeError" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        ImportError("_ssl.so: failed to map segment from shared object"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_lack_of_memory_or_threads_is_no_bug(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is reported as a lack of local resources, not as a bug."""

    def fail(argv: Sequence[str]) -> int:
        raise error

    monkeypatch.setattr(run, "_dispatch_command", fail)
    assert run._run_and_report(["get"]) == 8
    said = capsys.readouterr().err
    assert "out of memory or threads" in said and "ulimit" in said
    assert "bug in tokencli" not in said


DROPPED = """
import os, signal, sys, time
from tokencli.commands import run

class Loud:
    def __del__(self):
        os.kill(os.getpid(), signal.{name})
        time.sleep(0.5)  # the signal is raised here, and dropped

def invoke(argv):
    Loud()
    time.sleep(30)
    return 0

run._dispatch_command = invoke
sys.exit(run.run_command_line(["get"]))
"""


@pytest.mark.requirement(5)
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_signal_in_destructor_is_not_lost(name: str, code: int) -> None:
    """Python drops what a destructor raises; the run still ends, without a traceback."""
    done = subprocess.run(
        [sys.executable, "-c", DROPPED.format(name=name)],
        capture_output=True,
        text=True,
        timeout=25,
        check=False,
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr
