"""Secrets from stdin, for one run."""

import sys
from collections.abc import Mapping

from tokencli.errors import CredentialsError
from tokencli.models import Secret, SecretRef
from tokencli.protocols import Terminal
from tokencli.secret_sources.normalize import MAX_SECRET_BYTES, normalize_secret


class StdinSource:
    """Read stdin to its end; it holds one secret, and can be read once."""

    # Every source is opened alike, whether it needs both or not.
    def __init__(self, *, environ: Mapping[str, str], terminal: Terminal) -> None:  # noqa: ARG002
        self._terminal = terminal

    def read(self, ref: SecretRef) -> Secret | None:
        """Return what stands on stdin, or None where that is nothing.

        Raises:
            CredentialsError: stdin is closed, or holds more than any secret.
        """
        fix = f"… | tokencli get {ref.profile}"
        if sys.stdin is None:
            raise CredentialsError(
                f"stdin, which is to bring {ref.name} of profile {ref.profile!r}, is closed",
                fix=fix,
            )
        if sys.stdin.isatty():
            self._terminal.print_note(f"paste the {ref.name}, then press Enter and Ctrl-D")
        raw = sys.stdin.buffer.read(MAX_SECRET_BYTES + 1)
        if len(raw) > MAX_SECRET_BYTES:
            raise CredentialsError("stdin holds too much to be a secret", fix=fix)
        return normalize_secret(raw, "stdin")
