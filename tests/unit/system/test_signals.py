"""Signals are deferred to the end of the block, announced, and then delivered."""

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tokencli.system.signals import DEFERRED_SIGNALS, defer_signals, is_reply_kept, stoppable

ROOT = Path(__file__).parents[3]

PROGRAM = """
import os, select, signal, sys
from tokencli.system.signals import defer_signals
if {ignored}:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
try:
    with defer_signals(lambda text: print(text, file=sys.stderr, flush=True), "finishing"):
        print("in", flush=True)
        # In turns: a signal just before a blocking call would be heard only after it.
        while not select.select([sys.stdin], [], [], 0.02)[0]:
            pass
        print("saved", flush=True)
    print("after", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start programs that stay in the block until they get a line; none outlives the test."""
    with ExitStack() as programs:

        def begin(*, ignored: bool = False) -> subprocess.Popen[str]:
            program = programs.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", PROGRAM.format(ignored=ignored)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    cwd=ROOT,
                )
            )
            programs.callback(program.kill)
            assert program.stdout is not None
            assert program.stdout.readline() == "in\n"
            return program

        yield begin


def told(program: subprocess.Popen[str]) -> str:
    """Return the next line of the program's stderr."""
    assert program.stderr is not None
    return program.stderr.readline()


@pytest.mark.parametrize(
    ("number", "code", "last"),
    [
        (signal.SIGINT, 0, "saved\ninterrupted\n"),
        (signal.SIGTERM, -signal.SIGTERM, "saved\n"),
        (signal.SIGHUP, -signal.SIGHUP, "saved\n"),
        (signal.SIGQUIT, -signal.SIGQUIT, "saved\n"),
    ],
)
def test_a_signal_is_delivered_after_the_block(
    number: int, code: int, last: str, start: Start
) -> None:
    """The block ends, then the signal has its usual effect."""
    program = start()
    program.send_signal(number)
    assert told(program) == "finishing\n"
    out, _ = program.communicate("\n", timeout=20)
    assert out == last
    assert program.returncode == code


def test_a_second_ctrl_c_is_answered(start: Start) -> None:
    """A second Ctrl-C doesn't end the block either, and is answered as the first."""
    program = start()
    program.send_signal(signal.SIGINT)
    told(program)
    assert program.stderr is not None
    program.send_signal(signal.SIGINT)
    while not select.select([program.stderr], [], [], 0.5)[0]:
        program.send_signal(signal.SIGINT)  # one that comes amid the first note is not told of
    assert told(program) == "finishing\n"
    out, _ = program.communicate("\n", timeout=20)
    assert out == "saved\ninterrupted\n"


def test_ctrl_z_stops_after_the_block(start: Start) -> None:
    """SIGTSTP is deferred as well: a stopped program would miss the reply and keep the lock."""
    program = start()
    program.send_signal(signal.SIGTSTP)
    told(program)
    assert program.stdin is not None and program.stdout is not None
    program.stdin.write("\n")
    program.stdin.flush()
    assert program.stdout.readline() == "saved\n"
    _, status = os.waitpid(program.pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):  # a group without a shell above it is not stopped (POSIX)
        program.send_signal(signal.SIGCONT)
    else:
        program.returncode = os.waitstatus_to_exitcode(status)
    # Not communicate(): it would miss what readline() has already put into the buffer.
    assert program.stdout.read() == "after\n"


def test_ignored_signals_stay_ignored(start: Start) -> None:
    """Under nohup SIGHUP is ignored, in the block and after it."""
    program = start(ignored=True)
    program.send_signal(signal.SIGHUP)
    out, err = program.communicate("\n", timeout=20)
    assert out == "saved\nafter\n"
    assert err == ""


def test_handlers_are_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the block, also after an error in it, each signal has its previous handler."""
    before = [signal.getsignal(number) for number in DEFERRED_SIGNALS]
    with defer_signals(print, ""):
        assert [signal.getsignal(number) for number in DEFERRED_SIGNALS] != before
    assert [signal.getsignal(number) for number in DEFERRED_SIGNALS] == before
    with pytest.raises(ValueError, match="inside"), defer_signals(print, ""):
        raise ValueError("inside")
    assert [signal.getsignal(number) for number in DEFERRED_SIGNALS] == before


def test_ctrl_c_after_an_error_is_still_delivered() -> None:
    """An error in the block doesn't lose a signal that arrived during it."""
    heard: list[str] = []
    with pytest.raises(KeyboardInterrupt) as caught, defer_signals(heard.append, ""):
        signal.raise_signal(signal.SIGINT)
        raise ValueError("inside")
    assert isinstance(caught.value.__context__, ValueError)
    assert len(heard) == 1


def test_other_threads_are_left_alone() -> None:
    """In another thread the block runs, and no handler is changed."""
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def work() -> None:
        with defer_signals(print, ""):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)
    assert seen == [before]


def test_a_note_that_cant_be_written_is_ignored() -> None:
    """The signal may interrupt a write to stderr."""

    def reentrant(text: str) -> None:
        raise RuntimeError("reentrant call")

    with pytest.raises(KeyboardInterrupt), defer_signals(reentrant, ""):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("keep_reply", [True, False])
def test_a_wait_in_the_block_is_stopped(early: bool, keep_reply: bool) -> None:
    """A signal before or during the wait stops it, and nothing is said, as the block ends now."""
    stopped: list[bool] = []

    def stop(keep: bool) -> float:
        stopped.append(keep)
        return 0.0

    heard: list[str] = []
    with (
        pytest.raises(KeyboardInterrupt),
        defer_signals(heard.append, "finishing", keep_reply=keep_reply),
    ):
        if early:
            signal.raise_signal(signal.SIGINT)
        assert heard == ["finishing"] * early
        with stoppable(stop):
            if not early:
                signal.raise_signal(signal.SIGINT)
            assert stopped == [keep_reply]
            assert is_reply_kept() is keep_reply
    assert heard == ["finishing"] * early
    assert not is_reply_kept()


def test_a_wait_that_goes_on_has_a_limit() -> None:
    """If a reply may come, each signal is answered with the seconds that are left."""
    left, heard = [12.3, 11.0], []
    with (
        pytest.raises(KeyboardInterrupt),
        defer_signals(heard.append, "finishing"),
        stoppable(lambda _: left.pop(0)),
    ):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert heard == ["finishing; at most 13 s", "finishing; at most 11 s"]


def test_ctrl_z_stops_no_wait() -> None:
    """The program is to go on later, so a wait isn't ended by SIGTSTP."""
    before = signal.signal(signal.SIGTSTP, lambda *_: None)  # the test itself is not stopped
    try:
        with defer_signals(print, "finishing"), stoppable(lambda _: pytest.fail("stopped")):
            signal.raise_signal(signal.SIGTSTP)
    finally:
        signal.signal(signal.SIGTSTP, before)


def test_without_a_deferral_signals_have_their_usual_effect() -> None:
    """A wait is not stopped by `stop` then, but by the exception."""
    with (
        pytest.raises(KeyboardInterrupt),
        stoppable(lambda _: pytest.fail("stopped")),
    ):
        signal.raise_signal(signal.SIGINT)
