"""Hide secrets in a command's output, which arrives in pieces."""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from urllib.parse import quote

from tokencli.errors import StorageError
from tokencli.system.child_process import end_like, run_child
from tokencli.system.output_relay import OutputRelay

MASK = b"***"
LONG_PREFIX = 16
"""The start of a secret is held back if it has this many bytes, even if nothing follows for a while."""
MIN_FORM_CHARS = 8
"""Shorter parts of an encoded secret are not searched for, because other text may contain them."""


def run_masked(
    command: Sequence[str],
    environ: Mapping[str, str],
    list_secrets: Callable[[], Iterable[str]],
) -> int:
    """Run a command as a child, with secrets hidden in its output, and end as it does.

    Raises:
        OSError: it can't be run (`run_child`). StorageError: its output can't be read or written.
    """
    try:
        relay = OutputRelay(lambda: OutputMask(list_secrets))
    except OSError as error:  # no pty is left, or none can be opened in a container
        reason = error.strerror or error
        raise StorageError(f"can't read the command's output: {reason}") from None
    status = run_child(command, environ, relay)
    if relay.failure is not None:
        reason = relay.failure.strerror or type(relay.failure).__name__
        raise StorageError(f"can't write the command's output: {reason}")
    return end_like(status)


def list_forms(secret: str) -> list[bytes]:
    """Return how a secret may be written: as it is, percent-encoded, in JSON and in base64.

    In base64 it may be part of a longer text, as in HTTP Basic. Then its first and last characters
    depend on what is before and after it, and are left out.
    """
    raw = secret.encode()
    quoted = quote(secret, safe="")
    lower = re.sub("%..", lambda match: match.group().lower(), quoted)
    forms = [raw, quoted.encode(), lower.encode(), secret.replace("/", "\\/").encode()]
    for before in range(3):
        encoded = b64encode(bytes(before) + raw).rstrip(b"=")
        is_cut = (before + len(raw)) % 3 != 0
        inner = encoded[(0, 2, 3)[before] : -1 if is_cut else None]
        if len(inner) >= MIN_FORM_CHARS:
            forms += [inner, inner.translate(bytes.maketrans(b"+/", b"-_"))]
    return list(dict.fromkeys(forms))


class OutputMask:
    """Replaces secrets in one stream by `***`, also across pieces and line breaks.

    The start of a secret at the end of a piece is held back.
    """

    def __init__(self, list_secrets: Callable[[], Iterable[str]]) -> None:
        """Hide what `list_secrets` returns, which is asked for each piece."""
        self._list_secrets = list_secrets
        self._forms: dict[str, list[bytes]] = {}
        self._data = b""
        self._shown = 0
        """How many bytes of `_data` have been returned; they may be the start of a secret."""

    @property
    def is_holding(self) -> bool:
        """Tell whether something is held back."""
        return len(self._data) > self._shown

    def feed(self, piece: bytes) -> bytes:
        """Take a piece of output, and return what can be shown."""
        for secret in self._list_secrets():
            if secret and secret not in self._forms:
                self._forms[secret] = list_forms(secret)
        self._data += piece
        return self._take(shown_below=0)

    def release(self) -> bytes:
        """Return what is held back, unless it is a long part of a secret: nothing followed for a while."""
        return self._take(shown_below=LONG_PREFIX)

    def finish(self) -> bytes:
        """Return the rest; a long part of a secret is hidden."""
        shown = self.release()
        return shown + (MASK if self.is_holding else b"")

    def _take(self, *, shown_below: int) -> bytes:
        """Return what can be shown, including the start of a secret if it is shorter than `shown_below`."""
        data = self._data
        plain = data.translate(None, b"\r\n")
        spans, end = self._find_secrets(plain)
        positions = _Positions(data, plain)
        held = len(plain) - end
        limit = len(data) if held == 0 else positions.find(end)
        until = len(data) if held < shown_below else limit
        shown, at = [], self._shown
        for first, last in spans:
            start, stop = positions.find(first), positions.find(last - 1) + 1
            if stop > at:
                shown += [data[at:start] if start > at else b"", MASK]
                at = stop
        if until > at:
            shown.append(data[at:until])
            at = until
        self._data, self._shown = data[limit:], max(at - limit, 0)
        return b"".join(shown)

    def _find_secrets(self, plain: bytes) -> tuple[list[tuple[int, int]], int]:
        """Return where secrets are, merged and in order, and where one may begin at the end."""
        found, end = [], len(plain)
        for form in (form for forms in self._forms.values() for form in forms):
            at = plain.find(form)
            while at >= 0:
                found.append((at, at + len(form)))
                at = plain.find(form, at + len(form))
            end = min(end, _find_prefix(plain, form))
        merged: list[tuple[int, int]] = []
        for start, stop in sorted(found):
            if merged and start < merged[-1][1]:
                merged[-1] = merged[-1][0], max(stop, merged[-1][1])
            else:
                merged.append((start, stop))
        # What was found is hidden in any case, so nothing in it has to be held back.
        if merged and merged[-1][1] > end:
            end = merged[-1][1]
        return merged, end


class _Positions:
    """Where the bytes of a text without line breaks are in the text with them."""

    def __init__(self, data: bytes, plain: bytes) -> None:
        self._is_same = len(data) == len(plain)
        self._data = data
        self._positions: list[int] | None = None

    def find(self, index: int) -> int:
        """Return the position of a byte."""
        if self._is_same:
            return index
        if self._positions is None:
            self._positions = [at for at, byte in enumerate(self._data) if byte not in b"\r\n"]
        return self._positions[index]


def _find_prefix(plain: bytes, form: bytes) -> int:
    """Return where the longest start of `form` begins that `plain` ends with; its end if there is none."""
    at = plain.find(form[:1], max(0, len(plain) - len(form) + 1))
    while at >= 0:
        if form.startswith(plain[at:]):
            return at
        at = plain.find(form[:1], at + 1)
    return len(plain)
