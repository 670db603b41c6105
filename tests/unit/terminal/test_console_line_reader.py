"""Lines that are typed at a console of Windows, whose keys come one by one."""

from collections.abc import Callable

import pytest

from tokencli.platforms.windows import Windows
from tokencli.terminal.line_reader import ConsoleLineReader

Type = Callable[..., ConsoleLineReader]


def open_reader(
    *pieces: str, unread: bytes = b"", is_secret: bool = False, early: str = ""
) -> tuple[ConsoleLineReader, bytearray]:
    """Return a reader for pieces that are typed after its prompt, and what it leaves unread."""
    typed = list(pieces)
    before = list(early)
    rest = bytearray(unread)

    def read_typed(seconds: float) -> str:
        source = before if seconds == 0.0 else typed
        if not source and seconds > 0.1:
            raise OSError(6, "Invalid handle")
        return source.pop(0) if source else ""

    return ConsoleLineReader(read_typed, rest, prompt="? ", is_secret=is_secret), rest


@pytest.mark.parametrize(
    ("pieces", "line"),
    [
        (("a", "b", "\r"), "ab"),
        (("abx\x08c\r",), "abc"),
        (("abc\x15d\r",), "d"),
        (("", "a", "", "\r"), "a"),
        (("\ud83d", "\ude00", "\r"), "\U0001f600"),
        (("a\x04b\r",), "ab"),
    ],
)
def test_a_line_is_typed_and_corrected(pieces: tuple[str, ...], line: str) -> None:
    """Characters may come in halves, and between them nothing, while signals are handled."""
    reader, _ = open_reader(*pieces)
    with reader:
        assert reader.read_line() == line


@pytest.mark.parametrize("pieces", [("\x03",), ("ab\x03",), ("\x1a",), ("\x04",), ()])
def test_a_line_is_cancelled(pieces: tuple[str, ...]) -> None:
    """By Ctrl-C, by Ctrl-Z or Ctrl-D in an empty line, and when the console is gone."""
    reader, _ = open_reader(*pieces)
    with pytest.raises(KeyboardInterrupt), reader:
        reader.read_line()


def test_what_follows_a_line_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    """It answers the next question."""
    reader, unread = open_reader("one\rtwo\r")
    with reader:
        assert reader.read_line() == "one"
    assert unread == b"two\r"
    following, _ = open_reader(unread=bytes(unread))
    with following:
        assert following.read_line() == "two"


def test_nothing_around_a_secret_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither what was typed before its prompt nor what follows its line, and it isn't shown."""
    reader, unread = open_reader("canary\rrest", "more", is_secret=True, early="xyz", unread=b"old")
    with reader:
        assert reader.read_line() == "canary"
    assert unread == b""
    shown = capfd.readouterr().err
    assert shown == "? ********\n"


def test_a_wait_for_a_line_ends() -> None:
    """With what is typed so far kept for the next call."""
    reader, _ = open_reader("a")
    with reader:
        assert reader.read_line(0.05) is None
        assert reader.has_unfinished_line
    assert not Windows.has_terminal_modes
