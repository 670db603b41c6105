"""Secrets from stdin, for one run."""

import sys
from collections.abc import Mapping
from typing import ClassVar

from tokencli import platforms
from tokencli.errors import CredentialsError
from tokencli.models import Secret, SecretRef
from tokencli.protocols import Interaction, Terminal, WaitStatus, hide_wait
from tokencli.secret_sources import MAX_SECRET_BYTES, normalize_secret


class StdinSource:
    """Reads stdin to its end; it holds one secret and can be read once."""

    interaction: ClassVar[Interaction] = "stdin"

    # Every source is called with the same keywords.
    def __init__(self, *, environ: Mapping[str, str], terminal: Terminal) -> None:  # noqa: ARG002
        self._terminal = terminal

    def explain_missing(self, ref: SecretRef) -> tuple[None, str]:
        """Return a fix: to read the secret from a file."""
        return None, f"tokencli get {ref.profile} < FILE"

    def read(self, ref: SecretRef) -> Secret | None:
        """Return the content of stdin, or None if it is empty.

        Raises:
            CredentialsError: stdin is closed or too large for a secret.
        """
        _, fix = self.explain_missing(ref)
        if sys.stdin is None:
            raise CredentialsError(
                f"can't read the {ref.name} of profile {ref.profile!r}: stdin is closed", fix=fix
            )
        show_wait = self._terminal.show_wait
        if platforms.current().is_terminal_stream(sys.stdin):
            show_wait = hide_wait
            self._terminal.print_note(
                f"paste the {ref.name}, then press {platforms.current().end_of_input}"
            )
        status = WaitStatus(f"waiting for the {ref.name} on stdin")
        with show_wait(lambda: status, shares_terminal=True):
            raw = sys.stdin.buffer.read(MAX_SECRET_BYTES + 1)
        if len(raw) > MAX_SECRET_BYTES:
            raise CredentialsError(
                f"stdin is too large to be the {ref.name} of profile {ref.profile!r}",
                cause=f"a secret has at most {MAX_SECRET_BYTES // 1024} KiB",
                fix=fix,
            )
        return normalize_secret(raw, "stdin")
