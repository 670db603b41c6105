"""Make untrusted text safe to print to a terminal, a log or a CI runner."""

_SPACE_TRANSLATION = {ord(character): " " for character in "\r\n\t\u00a0\u202f\u3000"}
_ELLIPSIS = "…"


def sanitize_text(text: str, limit: int = 2048, *, multiline: bool = False) -> str:
    r"""Return `text` as at most `limit` characters on one line, without anything a terminal obeys.

    Controls (C0, DEL, C1), bidi and other invisible formatting characters, line and paragraph
    separators, lone surrogates, and private or unassigned code points become visible `\u` escapes.
    Line breaks become spaces. With `multiline`, newlines and tabs stay: only for text whose line
    breaks are trusted, as a CI runner obeys a line that starts with `::`.
    """
    cut = text[: max(limit, 0) + 1]
    if not (cut.isascii() and cut.isprintable()):
        cut = "".join(_escape_multiline(cut) if multiline else _escape_single_line(cut))
    if "##" in cut:  # `##[add-matcher]`, `##vso[…]`: CI runners obey these anywhere in a line
        cut = cut.replace("##", "#\\u0023")
    if cut.lstrip().startswith("::"):  # and these at its start
        cut = cut.replace("::", "\\u003a:", 1)
    return cut if len(cut) <= limit else cut[: max(limit - 1, 0)] + _ELLIPSIS[:limit]


def _escape_single_line(text: str) -> list[str]:
    one_line = text.replace("\r\n", "\n").translate(_SPACE_TRANSLATION)
    return [
        character if character.isprintable() else _escape_character(character)
        for character in one_line
    ]


def _escape_multiline(text: str) -> list[str]:
    return [
        character
        if character in "\n\t" or character.isprintable()
        else _escape_character(character)
        for character in text.replace("\r\n", "\n")
    ]


def _escape_character(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
