"""The reply to `tokencli request`: exact bytes for a file or a pipe, formatted JSON for a terminal."""

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from tokencli.commands import output
from tokencli.commands.tables import is_terminal_output, render_styled
from tokencli.errors import StorageError
from tokencli.models import HttpReply
from tokencli.providers.response_body import decode_text, get_charset
from tokencli.sanitize import sanitize_text
from tokencli.shell_words import user_shell
from tokencli.terminal.console import begin_output

MAX_FORMATTED_BYTES = 4 << 20
"""A longer body is printed in a terminal as it comes, without being formatted."""
MAX_SAMPLE_BYTES = 64 * 1024
"""Bytes of a refusal's body that are kept for the diagnosis."""
_JSON_TOKEN = re.compile(r'("(?:[^"\\]|\\.)*")|([\[{])|([\]}])|([,:])|([^\s\[\]{},:"]+)')
_JSON_STREAM = re.compile(r"ndjson|jsonl|json-?(?:lines|seq)|json-stream|stream\+json|event-stream")
"""Media types of which each line or event is complete."""
_INDENT = "  "


class ReplyWriter:
    """Writes one reply to stdout or to a file while it comes in."""

    def __init__(self, path: str | None, *, include: bool, fail: bool) -> None:
        """Prepare to write to the file at `path`, before anything is sent.

        Raises:
            StorageError: its directory doesn't exist.
        """
        self._path = None if path == "-" else path
        if self._path is not None:
            _require_directory(self._path)
        self._is_raw = path is not None or not is_terminal_output()
        self._include, self._fail = include, fail
        self._file: BinaryIO | None = None
        self._text: _TerminalText | None = None
        self.sample = bytearray()
        """The beginning of a refusal's body."""

    def receive(self, head: HttpReply) -> "ReplyWriter":
        """Begin with the head of the final reply; return what takes the body."""
        self._is_refusal = head.status >= 400
        self._is_dropped = self._fail and self._is_refusal
        if self._is_dropped:
            return self
        if self._path is not None:
            try:
                self._file = open(self._path, "wb")  # noqa: SIM115, PTH123 - closed by `close`; no file is ""
            except (OSError, ValueError) as error:
                raise _write_error(self._path, error) from None
        if not self._is_raw:
            self._text = _TerminalText(head)
        if self._include:
            lines = [
                _describe_status(head),
                *(f"{name}: {value}" for name, value in head.header_lines),
            ]
            if self._text is not None:
                shown = [sanitize_text(line, len(line)) for line in lines]
                self._write("".join(f"{line}\n" for line in (*shown, "")).encode())
            else:
                self._write(
                    "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1", "replace")
                )
        return self

    def __call__(self, piece: bytes) -> None:
        """Take a piece of the body."""
        if self._is_refusal and len(self.sample) < MAX_SAMPLE_BYTES:
            self.sample += piece[: MAX_SAMPLE_BYTES - len(self.sample)]
        if self._is_dropped or not piece:
            return
        if self._text is None:
            self._write(piece)
        elif shown := self._text.add(piece):
            begin_output()
            output.write_stdout(shown)

    def finish(self) -> str | None:
        """Write what is left, also of a reply that broke off; return a note about what a terminal can't show."""
        note, text = None, self._text
        self._text = None
        if text is not None:
            shown, note = text.finish()
            if shown:
                begin_output()
                output.write_stdout(shown)
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                raise _write_error(self._path or "", error) from None
        return note

    def _write(self, data: bytes) -> None:
        if self._file is None:
            begin_output()
            output.write_stdout_bytes(data)
            return
        try:
            self._file.write(data)
        except OSError as error:
            raise _write_error(self._path or "", error) from None


def _describe_status(head: HttpReply) -> str:
    return f"HTTP/{head.version // 10}.{head.version % 10} {head.status} {head.reason}".rstrip()


def _require_directory(path: str) -> None:
    directory = Path(path).parent
    try:
        directory.stat()
    except FileNotFoundError:
        raise StorageError(
            f"can't write the file '{path[:200]}': its directory does not exist",
            fix=user_shell().create_private_directory(str(directory)),
        ) from None
    except (OSError, ValueError) as error:
        raise _write_error(path, error) from None


def _write_error(path: str, error: Exception) -> StorageError:
    reason = error.strerror if isinstance(error, OSError) else "it is not a file name"
    return StorageError(f"can't write the file '{path[:200]}': {reason}")


class _TerminalText:
    """A body that is shown in a terminal: formatted if it is JSON, else without control characters.

    What may be JSON is held until it is complete; anything else is shown as it comes.
    """

    def __init__(self, head: HttpReply) -> None:
        self._head = head
        self._kind = head.headers.get("content-type", "").partition(";")[0].strip().lower()
        self._held: bytearray | None = bytearray()
        """None from when on the body is shown as it comes."""
        self._decoder = getincrementaldecoder(get_charset(head) or "utf-8")("replace")
        self._is_binary = head.headers.get("content-encoding", "identity") != "identity"
        self._last = ""
        self._size = 0

    def add(self, piece: bytes) -> str:
        """Take a piece; return what can be shown already."""
        self._size += len(piece)
        if self._is_binary:
            return ""
        if self._held is not None:
            self._held += piece
            if self._may_be_json(self._held):
                return ""
            piece, self._held = bytes(self._held), None
        return self._decode(piece)

    def finish(self) -> tuple[str, str | None]:
        """Return what is left to be shown, and a note about what can't be."""
        if self._held:
            text, _ = decode_text(replace(self._head, body=bytes(self._held)))
            formatted = format_json(text)
            self._is_binary = formatted is None and "\0" in text
            shown = "" if self._is_binary else formatted or self._show(text)
            self._last = shown[-1:]
        else:
            shown = "" if self._is_binary else self._decode(b"", is_end=True)
        self._held = None
        if self._is_binary:
            return shown, f"the reply is not text ({self._size} bytes); -o FILE saves it"
        return shown if not self._size or self._last == "\n" else f"{shown}\n", None

    def _may_be_json(self, body: bytearray) -> bool:
        if len(body) > MAX_FORMATTED_BYTES or _JSON_STREAM.search(self._kind):
            return False
        start = bytes(body[:64]).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
        return "json" in self._kind or start in (b"", b"[", b"{", b'"')

    def _decode(self, piece: bytes, *, is_end: bool = False) -> str:
        self._is_binary = b"\0" in piece
        return "" if self._is_binary else self._show(self._decoder.decode(piece, is_end))

    def _show(self, text: str) -> str:
        self._last = text[-1:] or self._last
        lines = text.split("\n")
        return "\n".join(sanitize_text(line, 6 * len(line), multiline=True) for line in lines)


def format_json(text: str) -> str | None:
    """Return JSON indented and in color, with every number and name as the server wrote it; else None.

    Only the white space between values changes.
    """
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return None
    return "".join(_iter_formatted(text)) + "\n"


def _iter_formatted(text: str) -> Iterator[str]:
    depth, before = 0, ""
    tokens = [*_JSON_TOKEN.finditer(text)]
    for match, following in zip(tokens, [*tokens[1:], None], strict=True):
        string, opening, closing, separator, literal = match.groups()
        if closing:
            depth -= 1
            if before not in ("[", "{"):
                yield "\n" + _INDENT * depth
        elif before in ("[", "{", ","):
            yield "\n" + _INDENT * depth
        if opening:
            depth += 1
        if string:
            is_name = following is not None and following[4] == ":"
            yield _render_json_token(string, "bold" if is_name else "green")
        elif literal:
            yield _render_json_token(literal, "magenta")
        elif separator == ":":
            yield ": "
        else:
            yield match[0]
        before = match[0]


def _render_json_token(text: str, style: str) -> str:
    """Return a string or number in color, whatever its length."""
    shown = sanitize_text(text, 6 * len(text))
    return render_styled(shown, style) if len(shown) <= 2048 else shown
