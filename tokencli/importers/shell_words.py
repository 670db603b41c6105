"""Cut a command line into its words as the shell would that it was copied for; nothing is run."""

import re
from collections.abc import Iterator

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
    """Return the words of a command line of bash or zsh, or of Windows' cmd; raises ValueError."""
    quote = re.search(r"""\^?["']""", text)
    found = _split_cmd(text) if quote and quote[0][0] == "^" else _split_bash(text)
    # A letter beyond the basic plane may be written as two halves.
    return [word.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for word in found]


def _split_bash(text: str) -> Iterator[str]:
    """Read quotation marks as bash does, `$'…'` among them, and `^` at the end of a line as cmd does."""
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
    """Return what an escape in `$'…'` stands for."""
    code = found[1] or found[2] or found[3]
    number = int(code, 16) if code else int(found[4], 8) if found[4] else None
    if number is not None:
        return chr(number) if number <= 0x10FFFF else ""
    return "" if found[5] else _ESCAPE_LETTERS.get(found[6], found[6])


def _split_cmd(text: str) -> Iterator[str]:
    """Take the carets off as cmd does, then read quotation marks as Windows' programs do."""

    def plain(found: re.Match[str]) -> str:
        if found[0][0] == '"':
            return found[0]  # between quotation marks of its own a caret is itself
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
