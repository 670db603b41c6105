"""Turn what a source holds into a secret: UTF-8 text without the newline that editors and pipes add."""

from tokencli.errors import CredentialsError
from tokencli.models import Secret

MAX_SECRET_BYTES = 64 * 1024
"""Longer than any password, key or token that is stored."""
_KEY_PREFIXES = ("-----BEGIN ", "{")
_KEY_WHITESPACE = frozenset("\n\r\t")


def normalize_secret(raw: bytes | str, source: str) -> Secret | None:
    """Return the secret in `raw` without one trailing newline, or None if it is empty.

    A key in PEM or JSON form keeps its line breaks. Any other control character is refused: it
    comes from a clipboard or an editor by mistake, and no server would accept it.

    Raises:
        CredentialsError: it is not UTF-8 text, or contains control characters.
    """
    try:
        text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw
        text.encode("utf-8")
    except UnicodeError:
        raise CredentialsError(
            f"{source} is not UTF-8 text", fix="store the secret again as UTF-8"
        ) from None
    text = text.removesuffix("\n").removesuffix("\r")
    allowed = _KEY_WHITESPACE if text.startswith(_KEY_PREFIXES) else frozenset()
    for position, char in enumerate(text, start=1):
        if (char < " " or "\x7f" <= char <= "\x9f") and char not in allowed:
            what = "a line break" if char in "\n\r" else f"a control character (U+{ord(char):04X})"
            raise CredentialsError(
                f"{source} contains {what} at character {position} of the secret",
                fix="store the secret alone, on one line",
            )
    return Secret(text) if text else None
