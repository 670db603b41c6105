"""Secrets from environment variables."""

from collections.abc import Mapping

from tokencli.models import Secret, SecretRef
from tokencli.protocols import Terminal
from tokencli.secret_sources.normalize import normalize_secret


class EnvSource:
    """Read the variable that a reference names; an empty one counts as missing."""

    # Every source is opened alike, whether it needs both or not.
    def __init__(self, *, environ: Mapping[str, str], terminal: Terminal) -> None:  # noqa: ARG002
        self._environ = environ

    def read(self, ref: SecretRef) -> Secret | None:
        """Return the variable's value, or None where it is not set or empty."""
        name = ref.target[0]
        return normalize_secret(self._environ.get(name, ""), f"the environment variable {name}")
