"""What `tokencli request` is asked to send: the method, the headers and the body, as curl takes them."""

import os
import re
import stat
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tokencli.errors import StorageError, UsageError
from tokencli.models import StreamedBody
from tokencli.net.request_guard import FRAMING_HEADERS

MAX_BUFFERED_BYTES = 16 << 20
"""Bytes of a pipe that are kept, so that their number can be sent and the request be repeated."""
CHUNK_BYTES = 64 * 1024
MAX_HEADERS_BYTES = 1 << 20
FORM_CONTENT_TYPE = "application/x-www-form-urlencoded"
METHODS = r"[A-Z][A-Z-]{0,19}"
COMMON_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_HEADER = re.compile(
    r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?::[ \t]*([\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?[ \t]*|;)"
)
"""`NAME: VALUE`, `NAME:` to send none, or `NAME;` to send an empty one, as in curl."""
_DROPPED_IN_FORMS = b"\r\n\0"
_FORM_PARAMETER = re.compile(r";\s*(type|filename)=")


@dataclass(frozen=True, slots=True)
class RequestArguments:
    """The arguments and options of one run."""

    profile: str | None
    url: str
    method: str | None = None
    headers: Sequence[str] = ()
    data: Sequence[str] = ()
    json: Sequence[str] = ()
    form: Sequence[str] = ()
    output: str | None = None
    include: bool = False
    fail: bool = False
    anywhere: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether the request has nothing but a method and a URL."""
        return not (self.headers or self.data or self.json or self.form)


def read_words(
    words: Sequence[str], profile: str | None, method: str | None = None
) -> tuple[str | None, str | None, str]:
    """Return the profile, the method and the URL: `[PROFILE] [METHOD] URL`, or `-X METHOD`.

    A word is only recognized as a method behind a profile, because it could be a profile's name.

    Raises:
        UsageError: there are too few or too many words, or the second of three is no method.
    """
    *before, url = words or ("",)
    if not words or len(before) > (2 if profile is None else 1):
        raise UsageError("a request has a profile, a method if it is not GET, and a URL")
    if profile is None:
        profile, before = (before[0] if before else None), before[1:]
    if before and method is not None:
        raise UsageError("the method is given twice, before the URL and with -X")
    given = before[0] if before else method
    if given is None and url in COMMON_METHODS:
        raise UsageError(
            f"there is no URL after the method {url}",
            fix=f"for a path of that name, write /{url}",
        )
    if given is not None and not re.fullmatch(METHODS, given.upper()):
        raise UsageError(f"not a method: {given[:20]!r}")
    return profile, given and given.upper(), url


def read_headers(lines: Sequence[str]) -> tuple[list[tuple[str, str]], set[str]]:
    """Return the headers, and in lower case the names of those that are not to be sent.

    `@FILE` stands for the lines of a file, `@-` for those of stdin.

    Raises:
        UsageError: a line is no header, or one that only the transport may set.
    """
    headers: list[tuple[str, str]] = []
    removed: set[str] = set()
    for line in _expand_header_files(lines):
        match = _HEADER.fullmatch(line)
        if match is None and not line.isascii():
            raise UsageError(
                f"the header {line.partition(':')[0][:60]!r} has a character that is not ASCII"
            )
        if match is None:
            raise UsageError(
                f"not a header: {line.partition(':')[0][:60]!r}", fix="write it as NAME: VALUE"
            )
        name, value = match[1], match[2]
        if name.lower() in FRAMING_HEADERS:
            raise UsageError(f"the header {name} can't be set, because it follows from the request")
        if value is None and not line.endswith(";"):
            removed.add(name.lower())
        else:
            headers.append((name, value or ""))
    return headers, removed


def _expand_header_files(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith("@"):
            yield line
            continue
        content = b"".join(_File(line[1:]).iterate())[:MAX_HEADERS_BYTES]
        yield from filter(None, content.decode("latin-1").splitlines())


def build_request_parts(
    given: RequestArguments,
) -> tuple[str, tuple[tuple[str, str], ...], StreamedBody | None]:
    """Return the method, the headers and the body of a request.

    Raises:
        UsageError: options can't be combined, or a file can't be read.
    """
    kinds = [name for name in ("data", "json", "form") if getattr(given, name)]
    if len(kinds) > 1:
        raise UsageError("-d, --json and -F each make a whole body, so only one can be used")
    headers, removed = read_headers(given.headers)
    names = {name.lower() for name, _ in headers} | removed
    content_type = FORM_CONTENT_TYPE
    body: StreamedBody | None = None
    if given.json:
        body, content_type = _join_pieces(_read_data(given.json)), "application/json"
        if "accept" not in names:
            headers.append(("Accept", "application/json"))
    elif given.data:
        is_form = "content-type" not in names
        body = _join_pieces(_read_data(given.data, b"&", is_form=is_form))
    elif given.form:
        boundary = os.urandom(16).hex()
        body = _join_pieces(_build_form(given.form, boundary))
        content_type = f"multipart/form-data; boundary={boundary}"
        if "content-type" in names:
            raise UsageError("-F sets the header Content-Type, because the parts follow from it")
    if body is not None and "content-type" not in names:
        headers.append(("Content-Type", content_type))
    if "accept" not in {name.lower() for name, _ in headers} | removed:
        headers.append(("Accept", "*/*"))
    return given.method or ("GET" if body is None else "POST"), tuple(headers), body


@dataclass(frozen=True, slots=True)
class _File:
    """A file that is a part of the body; `-` is stdin."""

    path: str
    is_form: bool = False
    """Whether line breaks and null bytes are left out, as curl does in a form."""

    def iterate(self) -> Generator[bytes, None, None]:
        """Yield its content, which is never empty."""
        try:
            with open(0 if self.path == "-" else self.path, "rb", closefd=self.path != "-") as file:
                while chunk := file.read(CHUNK_BYTES):
                    if self.is_form:
                        chunk = chunk.translate(None, _DROPPED_IN_FORMS)
                    if chunk:
                        yield chunk
        except (OSError, ValueError) as error:
            raise _unreadable_error(self.path, error) from None

    def measure(self) -> int | None:
        """Return how many bytes `iterate` yields; None if it can be read only once, e.g. a pipe.

        Raises:
            UsageError: it can't be read.
        """
        if self.path == "-":
            return None
        try:
            status = Path(self.path).stat()
        except (OSError, ValueError) as error:
            raise _unreadable_error(self.path, error) from None
        if not stat.S_ISREG(status.st_mode):
            return None
        if self.is_form or not status.st_size:  # files in /proc have content, but no size
            return sum(map(len, self.iterate()))
        with closing(self.iterate()) as chunks:
            next(chunks, None)  # raises an error if it can't be read
        return status.st_size


@dataclass(frozen=True, slots=True)
class _SizedFile:
    """A file that can be read again, and how many of its bytes are sent."""

    file: _File
    size: int

    def iterate(self) -> Iterator[bytes]:
        """Yield as many bytes as it had, because the length was sent already."""
        left = self.size
        for chunk in self.file.iterate():
            piece = chunk[:left]
            left -= len(piece)
            if piece:
                yield piece
        if left:
            path = self.file.path[:200]
            raise StorageError(f"the file {path!r} became shorter while it was sent")


_Piece = bytes | _SizedFile | Iterator[bytes]
"""A part of a body; an iterator yields what was not kept of a pipe."""


def _unreadable_error(path: str, error: Exception) -> UsageError:
    reason = error.strerror if isinstance(error, OSError) else "it is not a file name"
    return UsageError(f"can't read the file '{path[:200]}': {reason}")


def _read_data(
    values: Sequence[str], separator: bytes = b"", *, is_form: bool = False
) -> Iterator[_Piece]:
    """Yield the pieces of a body: each value, or with `@FILE` what is in the file."""
    for number, value in enumerate(values):
        if number:
            yield separator
        if not value.startswith("@"):
            yield os.fsencode(value)
        else:
            yield from _open_file(value[1:], is_form=is_form)


def _open_file(path: str, *, is_form: bool = False) -> Iterator[_Piece]:
    file = _File(path, is_form)
    size = file.measure()
    if size is not None:
        yield _SizedFile(file, size)
        return
    if path == "-" and sys.stdin is None:
        raise UsageError("can't read the body: stdin is closed")
    kept = bytearray()
    chunks = file.iterate()
    for chunk in chunks:
        kept += chunk
        if len(kept) > MAX_BUFFERED_BYTES:
            yield bytes(kept)
            yield chunks
            return
    yield bytes(kept)


def _join_pieces(pieces: Iterator[_Piece]) -> StreamedBody:
    """Return a body that is read while it is sent."""
    parts = [piece for piece in pieces if piece != b""]
    sizes = [
        len(part) if isinstance(part, bytes) else part.size
        for part in parts
        if isinstance(part, bytes | _SizedFile)
    ]
    is_known = len(sizes) == len(parts)

    def iterate() -> Iterator[bytes]:
        for part in parts:
            if isinstance(part, bytes):
                yield part
            elif isinstance(part, _SizedFile):
                yield from part.iterate()
            else:
                yield from part

    return StreamedBody(iterate, sum(sizes) if is_known else None, is_repeatable=is_known)


def _build_form(values: Sequence[str], boundary: str) -> Iterator[_Piece]:
    """Yield the pieces of a multipart form (RFC 7578): `name=text`, `name=@FILE`, `name=<FILE`.

    `;type=MEDIA/TYPE` and `;filename=NAME` may follow, as in curl.
    """
    for value in values:
        name, equals, content = value.partition("=")
        if not equals or not name:
            raise UsageError(f"not a part of a form: {name[:60]!r}", fix="write it as NAME=VALUE")
        content, *found = _FORM_PARAMETER.split(content)
        parameters = dict(zip(found[::2], map(_unquote, found[1::2]), strict=True))
        source, content = (content[:1], content[1:]) if content[:1] in ("@", "<") else ("", content)
        path = _unquote(content)
        file_name = parameters.get("filename", Path(path).name if source == "@" else None)
        media_type = parameters.get("type")
        if media_type is None and file_name is not None:
            from mimetypes import guess_type

            media_type = guess_type(file_name)[0] or "application/octet-stream"
        yield _render_part_head(boundary, name, file_name, media_type)
        if source:
            yield from _open_file(path)
        else:
            yield os.fsencode(path)
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def _render_part_head(
    boundary: str, name: str, file_name: str | None, media_type: str | None
) -> bytes:
    """Return what precedes the content of a part; names are escaped as browsers do (WHATWG, HTML 4.10.22.8)."""
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_escape_name(name)}"'
    if file_name is not None:
        head += f'; filename="{_escape_name(file_name)}"'
    if media_type is not None:
        if not media_type.isprintable():
            raise UsageError("a media type in -F has a control character")
        head += f"\r\nContent-Type: {media_type}"
    return os.fsencode(f"{head}\r\n\r\n")


def _escape_name(name: str) -> str:
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def _unquote(text: str) -> str:
    """Return a value without quotation marks, in which a backslash protects a quotation mark."""
    text = text.strip() if text.startswith(" ") else text
    if len(text) > 1 and text[0] == text[-1] == '"':
        return re.sub(r'\\([\\"])', r"\1", text[1:-1])
    return text
