"""What may be a secret: text as it was meant, without the newline that editors and pipes add."""

from tokencli.errors import CredentialsError
from tokencli.models import Secret

MAX_SECRET_BYTES = 64 * 1024
"""Bytes; no password, key or token that a person keeps is longer."""
_KEY_PREFIXES = ("-----BEGIN ", "{")
_KEY_WHITESPACE = frozenset("\n\r\t")


def normalize_secret(raw: bytes | str, where: str) -> Secret | None:
    """Return the secret in `raw`, None where it is empty; one trailing newline is taken off.

    A key in PEM or JSON form keeps its lines; any other control character inside is refused, since
    it is a slip of a clipboard or an editor and no server would take it.

    Raises:
        CredentialsError: it is not UTF-8 text, or has control characters inside.
    """
    try:
        text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw
        text.encode("utf-8")
    except UnicodeError:
        raise CredentialsError(
            f"{where} holds something that is not UTF-8 text",
            fix="write it anew as UTF-8, without a byte order mark",
        ) from None
    text = text.removesuffix("\n").removesuffix("\r")
    allowed = _KEY_WHITESPACE if text.startswith(_KEY_PREFIXES) else frozenset()
    for place, char in enumerate(text):
        if (char < " " or "\x7f" <= char <= "\x9f") and char not in allowed:
            what = "a line break" if char in "\n\r" else f"a control character (U+{ord(char):04X})"
            raise CredentialsError(
                f"{where} holds a secret with {what} inside, at character {place + 1}",
                fix="store the secret alone, on one line",
            )
    return Secret(text) if text else None
