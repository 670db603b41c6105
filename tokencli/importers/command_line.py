r"""Split a pasted command line into commands and words, by the quoting rules of the shell it is for.

bash and zsh know `$'…'` and end lines with a backslash, Windows' cmd quotes with `^`, and PowerShell with a
backtick. Nothing is expanded: a variable becomes `{{name}}`, and what a command prints `{{command}}`.
"""

import re
from collections.abc import Iterator

from tokencli.errors import ConfigError

MAX_LENGTH = 1024 * 1024
"""Characters of a command line."""
_PROMPT = re.compile(
    r"\s*[\w.@:~/\\\[\]() -]{0,200}[$%#>\u276f][ \t]*(?=curl(?:\.exe)?\s)|(?s:.*)\\[ \t]*\r?\n>[ \t]"
)
_CODE_BLOCK = re.compile(
    r"(?s)\s*(?:(`{3,}|~{3,})[^\n`]*\n(?P<fenced>.*?)(?:\n[ \t]*\1[`~]*\s*)?|`(?P<inline>[^`]*)`\s*)"
)
"""Matches a code block or code span of Markdown."""
_SUBSTITUTION = r"\$\((?:[^()]|\((?:[^()]|\([^()]*+\))*+\))*+\)|`[^`]*`"
_BASH_VARIABLE = r"\$(?:[A-Za-z_]\w*|\{\w[^{}]*\})"
_POWERSHELL_VARIABLE = r"\$(?:env:)?(?:[A-Za-z_]\w*|\{[^{}]*\})"
_CONTINUED_LINE = r"""\r?\n[ \t]*(?=['"-]|https?:)"""
"""No command begins like this, so the backslash of the line before is missing."""
_BASH_PIECE = re.compile(
    rf"""(?P<joint>\\\r?\n)
    |(?P<gap>(?:[ \t\r]|[\\^](?:[ \t]*\r?\n|\Z)|{_CONTINUED_LINE})+?)
    |(?P<placeholder><[A-Za-z][\w.-]*>)
    |(?P<heredoc><<-?[ \t]*(?P<quote>['"]?)(?P<delimiter>\w+)(?P=quote))
    |(?P<redirect>(?:\d+(?=[<>])|&(?=>))?(?:>>|>\||>&|<<<|<&|>|<))
    |(?P<operator>"?(?:\$\(|`)\s*(?=[\w./]*curl\s)|[)`]"?(?=[\s;|&)]|\Z)|&&|\|\||[\n;&|()])
    |\$'(?P<ansi>(?:[^'\\]|\\.)*+)'
    |'(?P<single>[^']*)'
    |\$?"(?P<double>(?:[^"\\$`]|\\.|{_SUBSTITUTION}|[$`])*+)"
    |\\(?P<escaped>.)
    |(?P<expansion>{_BASH_VARIABLE}|{_SUBSTITUTION})
    |(?P<plain>[^\s'"\\$;&|()<>`]+|\$(?!'))
    |(?P<backtick>`)""",
    re.VERBOSE | re.DOTALL,
)
_BASH_IN_DOUBLE_QUOTES = re.compile(
    rf"\\(?:\r?\n|([\\\"$`]))|({_BASH_VARIABLE})|{_SUBSTITUTION}", re.DOTALL
)
_POWERSHELL_PIECE = re.compile(
    rf"""(?P<gap>(?:[ \t\r]|`(?:[ \t]*\r?\n|\Z)|{_CONTINUED_LINE})+)
    |(?P<placeholder><[A-Za-z][\w.-]*>)
    |(?P<redirect>(?:[\d*](?=>))?>>?(?:&(?=\d))?)
    |(?P<operator>&&|\|\||[\n;&|()])
    |'(?P<single>(?:[^']|'')*+)'
    |"(?P<double>(?:[^"`]|`.|"")*+)"
    |`(?P<escaped>.)
    |(?P<expansion>{_POWERSHELL_VARIABLE})
    |(?P<plain>[^\s'"`$;&|()>]+|\$)""",
    re.VERBOSE | re.DOTALL,
)
_POWERSHELL_IN_DOUBLE_QUOTES = re.compile(
    rf'`(?:\r?\n|(.))|"(")|({_POWERSHELL_VARIABLE})', re.DOTALL
)
_ANSI_ESCAPE = re.compile(
    r"\\(?:u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|x([0-9a-fA-F]{1,2})|([0-7]{1,3})|c(.)|(.))",
    re.DOTALL,
)
_ESCAPE_LETTERS = {"a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r",
            "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"', "?": "?"}  # fmt: skip
_POWERSHELL_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}
_CMD_CARET = re.compile(r"""\^\r?\n(\r?\n)?|\^(.)|"[^"]*"?""", re.DOTALL)
_CMD_SEPARATOR = re.compile(r"""(\\+)(?=")|(\s+)|(")""")
_CMD_REDIRECT = re.compile(r"\d?>.*|<.*")


def split_commands(text: str) -> list[list[str]]:
    """Return the words of each command in a command line of bash, zsh, cmd or PowerShell.

    It may be a code block of Markdown.

    Raises:
        ConfigError: there is a shell's prompt, an unclosed quotation mark or an unquoted `&` in a word.
    """
    if len(text) > MAX_LENGTH:
        raise ConfigError(f"the command line has more than {MAX_LENGTH} characters")
    if block := _CODE_BLOCK.fullmatch(text):
        text = block[str(block.lastgroup)]
    if _PROMPT.match(text):
        raise ConfigError(
            "the command line contains a shell prompt",
            cause="copy the command without the prompts, e.g. $ or >, at the start of its lines",
        )
    quote = re.search(r"""\^?["']""", text)
    first_quote = quote[0] if quote else ""
    if re.search(r"`[ \t]*\r?\n", text):
        found = _split_by_pieces(text, _POWERSHELL_PIECE)
    elif first_quote[:1] == "^" or (first_quote == '"' and re.search(r"\^\r?\n", text)):
        found = _split_cmd(text)
    else:
        found = _split_by_pieces(text, _BASH_PIECE)
    return [[_join_surrogates(word) for word in words] for words in found if words]


def _join_surrogates(word: str) -> str:
    """Return a word in which a character outside the basic plane may be written as a surrogate pair."""
    return word.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _split_by_pieces(text: str, pattern: re.Pattern[str]) -> Iterator[list[str]]:
    """Split by the rules of bash or PowerShell. Redirections, their targets and comments are dropped."""
    words: list[str] = []
    word: str | None = None
    is_redirect_target = False
    at, end, resume_at = 0, len(text), len(text)
    while at < len(text):
        if at >= end:  # the line before a here-document has ended
            at, end = resume_at, len(text)
            continue
        if word is None and text[at] == "#":
            at = _find_line_end(text, at)
            continue
        piece = pattern.match(text, at, end)
        if piece is None:
            raise _unclosed_quote_error()
        kind = str(piece.lastgroup)
        if kind == "joint":  # bash joins the words at the ends of the lines
            at = piece.end()
            continue
        if kind not in ("gap", "heredoc", "redirect", "operator"):
            word = (word or "") + _read_piece(kind, piece[kind], pattern)
            at = piece.end()
            continue
        if word is not None and not is_redirect_target:
            words.append(word)
        is_redirect_target = kind == "redirect" or (is_redirect_target and word is None)
        word = None
        if kind == "operator":
            _check_ampersand(text, piece)
            yield words
            words, is_redirect_target = [], False
        elif kind == "heredoc":
            end = _find_line_end(text, at)
            closing = re.compile(rf"^[ \t]*{piece['delimiter']}[ \t]*$", re.MULTILINE)
            last_line = closing.search(text, end)
            resume_at = last_line.end() if last_line else len(text)
        at = piece.end()
    if word is not None and not is_redirect_target:
        words.append(word)
    yield words


def _unclosed_quote_error() -> ConfigError:
    return ConfigError(
        "the command line has an unclosed quotation mark", cause="part of the command is missing"
    )


def _find_line_end(text: str, at: int) -> int:
    newline = text.find("\n", at)
    return newline if newline >= 0 else len(text)


def _check_ampersand(text: str, piece: re.Match[str]) -> None:
    """Raise an error for an `&` inside a word: a shell would cut the URL there."""
    around = text[max(piece.start() - 1, 0) : piece.end() + 1]
    if piece[0] == "&" and len(around) == 3 and not re.search(r"\s", around):
        raise ConfigError(
            "the command line has an & without quotation marks",
            cause="a shell ends the command there; the URL or value must be in quotation marks",
        )


def _read_piece(kind: str, inside: str, pattern: re.Pattern[str]) -> str:
    """Return what a quoted or plain piece of a word means."""
    match kind:
        case "ansi":
            return _ANSI_ESCAPE.sub(_decode_escape, inside)
        case "expansion":
            return _name_variable(inside)
        case "double" if pattern is _BASH_PIECE:
            return _BASH_IN_DOUBLE_QUOTES.sub(
                lambda found: found[1] or (_name_variable(found[0]) if found[0][0] in "$`" else ""),
                inside,
            )
        case "double":
            return _POWERSHELL_IN_DOUBLE_QUOTES.sub(
                lambda found: (
                    _name_variable(found[3])
                    if found[3]
                    else found[2] or _POWERSHELL_ESCAPES.get(found[1], found[1] or "")
                ),
                inside,
            )
        case "single" if pattern is _POWERSHELL_PIECE:
            # Older versions of PowerShell drop quotation marks that have no backslash.
            return inside.replace("''", "'").replace('\\"', '"')
    return inside


def _name_variable(expansion: str) -> str:
    """Return the placeholder for a variable, or for the output of a command."""
    name = re.match(r"\$(?:env:)?\{?(?:env:)?(\w+)", expansion)
    return f"{{{{{name[1] if name else 'command'}}}}}"


def _decode_escape(found: re.Match[str]) -> str:
    """Return the character of an escape in `$'…'`."""
    code = found[1] or found[2] or found[3]
    number = int(code, 16) if code else int(found[4], 8) if found[4] else None
    if number is not None:
        return chr(number) if number <= 0x10FFFF else ""
    return "" if found[5] else _ESCAPE_LETTERS.get(found[6], found[0])


def _split_cmd(text: str) -> Iterator[list[str]]:
    """Split into commands at cmd's operators, which a copied command separates by spaces."""
    words: list[str] = []
    for word in _split_cmd_words(text):
        if word in ("|", "||", "&", "&&"):
            yield words
            words = []
        elif not _CMD_REDIRECT.fullmatch(word):
            words.append(word)
    yield words


def _split_cmd_words(text: str) -> Iterator[str]:
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
        raise _unclosed_quote_error()
    if begun or line[at:]:
        yield word + line[at:]
