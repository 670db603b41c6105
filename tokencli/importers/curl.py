"""Read a curl command line."""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlencode

from tokencli.errors import ConfigError
from tokencli.importers.model import ImportedRequest, has_basic_auth

_OPTIONS_WITH_VALUE = ("-X", "--request", "-H", "--header", "-d", "--data", "--data-raw", "--data-binary",
           "--data-ascii", "--data-urlencode", "--json", "-u", "--user", "--url", "-F", "--form",
           "-o", "--output", "-A", "--user-agent", "-b", "--cookie", "--cacert", "-E", "--cert",
           "--key", "-e", "--referer", "-m", "--max-time", "--connect-timeout", "-x", "--proxy",
           "-w", "--write-out", "--retry", "-c", "--cookie-jar", "--resolve", "--oauth2-bearer")  # fmt: skip
_DATA_OPTIONS = (
    "-d",
    "--data",
    "--data-raw",
    "--data-binary",
    "--data-ascii",
    "--data-urlencode",
    "--json",
)


def parse_curl(text: str) -> ImportedRequest:
    """Return the request of a curl command line. Nothing is run, and no file that it names is read.

    Raises:
        ConfigError: it is not a curl command with a URL. The message does not quote it.
    """
    try:
        words = split_command(text)
    except ValueError:
        raise ConfigError(
            "the curl command has an unclosed quotation mark",
            fix="paste the whole command from the browser or the documentation",
        ) from None
    if not words or not words[0].lower().removesuffix(".exe").endswith("curl"):
        raise ConfigError(
            "this is not a curl command line", fix="paste a command that begins with curl"
        )
    arguments = list(_parse_options(words[1:]))
    urls = [value for name, value in arguments if name in ("", "--url")]
    if not urls:
        raise ConfigError("the curl command has no URL")
    data = [(name, value) for name, value in arguments if name in _DATA_OPTIONS]
    headers = [
        (name.strip(), value.strip())
        for option, line in arguments
        if option in ("-H", "--header")
        for name, colon, value in [line.partition(":")]
        if colon
    ]
    if any(option == "--oauth2-bearer" for option, _ in arguments):
        headers.append(("Authorization", "Bearer x"))
    method = next((value for name, value in arguments if name in ("-X", "--request")), None)
    as_query = any(name in ("-G", "--get") for name, _ in arguments)
    notes = list(_iter_file_notes(arguments))
    body = "&".join(
        _encode_data(name, value) for name, value in data if not _is_file_reference(name, value)
    )
    url = urls[0]
    if as_query and body:
        url, body = f"{url}{'&' if '?' in url else '?'}{body}", ""
    parts = [value.partition("=") for name, value in arguments if name in ("-F", "--form")]
    kind = "multipart" if parts and not data else ""
    if kind:
        body = urlencode([(name, "x") for name, equals, _ in parts if equals])
    basic = any(name in ("-u", "--user") for name, _ in arguments) or has_basic_auth(headers)
    verb = method or ("POST" if (data or parts) and not as_query else "GET")
    return ImportedRequest(
        verb.upper(), url, tuple(headers), body, basic, body_format=kind, notes=tuple(notes)
    )


def _is_file_reference(option: str, value: str) -> bool:
    """Return whether the data are a whole file, which is not read."""
    return option in _DATA_OPTIONS and option != "--data-raw" and value.startswith("@")


def _iter_file_notes(arguments: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield notes about files that are not read."""
    for option, value in arguments:
        name, at, _ = value.partition("@")
        if _is_file_reference(option, value):
            yield "the body is in a file, which is not read: set request.body and request.send"
        elif option == "--data-urlencode" and at and "=" not in value:
            yield f"the value of {name[:60]} is in a file, which is not read"
        elif option in ("-H", "--header") and value.startswith("@"):
            yield "headers are in a file, which is not read: set request.headers"


def _parse_options(words: list[str]) -> Iterator[tuple[str, str]]:
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if word in _OPTIONS_WITH_VALUE:
            yield word, next(rest, "")
        elif equals and name in _OPTIONS_WITH_VALUE and name.startswith("--"):
            yield name, value
        elif word.startswith("-") and not word.startswith("--") and word[:2] in _OPTIONS_WITH_VALUE:
            yield word[:2], word[2:]
        elif word.startswith("-"):
            yield word, ""
        else:
            yield "", word


def _encode_data(option: str, value: str) -> str:
    if option != "--data-urlencode":
        return value
    name, equals, text = value.partition("=")
    if not equals:
        name, equals, text = value.partition("@")  # followed by a file name
    return urlencode([(name, text)]) if equals else value


_BASH_PIECE = re.compile(
    r"""(?P<gap>(?:\s|\\\r?\n)+)
    |\$'(?P<ansi>(?:[^'\\]|\\.)*)'
    |'(?P<single>[^']*)'
    |\$?"(?P<double>(?:[^"\\]|\\.)*)"
    |\\(?P<escaped>.)
    |(?P<plain>[^\s'"\\$]+|\$(?!'))""",
    re.VERBOSE | re.DOTALL,
)
_ANSI_ESCAPE = re.compile(
    r"\\(?:u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|x([0-9a-fA-F]{1,2})|([0-7]{1,3})|c(.)|(.))",
    re.DOTALL,
)
_ESCAPE_LETTERS = {"a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r",
            "t": "\t", "v": "\v"}  # fmt: skip
_CMD_CARET = re.compile(r"""\^\r?\n(\r?\n)?|\^(.)|"[^"]*"?""", re.DOTALL)
_CMD_SEPARATOR = re.compile(r"""(\\+)(?=")|(\s+)|(")""")


def split_command(text: str) -> list[str]:
    """Split a command line of bash, zsh or Windows' cmd into words; raises ValueError."""
    quote = re.search(r"""\^?["']""", text)
    found = _split_cmd(text) if quote and quote[0][0] == "^" else _split_bash(text)
    # A character outside the basic plane may be written as a surrogate pair.
    return [word.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for word in found]


def _split_bash(text: str) -> Iterator[str]:
    """Split by the quoting rules of bash, including `$'…'`, and accept cmd's `^` at line ends."""
    text = re.sub(r"\^\r?\n", " ", text)
    word: str | None = None
    at = 0
    while at < len(text):
        piece = _BASH_PIECE.match(text, at)
        if piece is None:
            raise ValueError("a quotation mark is not closed")
        at = piece.end()
        kind, inside = str(piece.lastgroup), piece[str(piece.lastgroup)]
        if kind == "gap":
            if word is not None:
                yield word
            word = None
            continue
        if kind == "ansi":
            inside = _ANSI_ESCAPE.sub(_decode_escape, inside)
        elif kind == "double":
            inside = re.sub(r'\\(?:\r?\n|([\\"$`]))', lambda found: found[1] or "", inside)
        word = (word or "") + inside
    if word is not None:
        yield word


def _decode_escape(found: re.Match[str]) -> str:
    """Return the character of an escape in `$'…'`."""
    code = found[1] or found[2] or found[3]
    number = int(code, 16) if code else int(found[4], 8) if found[4] else None
    if number is not None:
        return chr(number) if number <= 0x10FFFF else ""
    return "" if found[5] else _ESCAPE_LETTERS.get(found[6], found[6])


def _split_cmd(text: str) -> Iterator[str]:
    """Remove carets as cmd does, then split by the quoting rules of Windows programs."""

    def plain(found: re.Match[str]) -> str:
        if found[0][0] == '"':
            return found[0]  # inside quotation marks, a caret is literal
        return found[2] or ("\n" if found[1] else "")

    line = _CMD_CARET.sub(plain, text)
    word, quoted, at = "", False, 0
    begun = False
    for mark in _CMD_SEPARATOR.finditer(line):
        if mark.start() < at:
            continue
        word, at = word + line[at : mark.start()], mark.end()
        begun = begun or bool(word)
        if mark[1]:
            count = len(mark[1])
            word, begun = word + "\\" * (count // 2), True
            if count % 2:
                word, at = word + '"', at + 1
        elif mark[3]:
            quoted, begun = not quoted, True
        elif quoted:
            word += mark[2]
        elif begun:
            yield word
            word, begun = "", False
    if quoted:
        raise ValueError("a quotation mark is not closed")
    if begun or line[at:]:
        yield word + line[at:]
