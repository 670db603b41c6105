"""Secrets from environment variables."""

from collections.abc import Mapping
from typing import ClassVar

from tokencli.models import Secret, SecretRef
from tokencli.protocols import Interaction, Terminal
from tokencli.secret_sources import normalize_secret


class EnvSource:
    """Reads the secret from an environment variable; an empty variable counts as missing."""

    interaction: ClassVar[Interaction] = "none"
    missing_secret_fix: ClassVar[str] = "read -rs {target} && export {target}"

    # Every source is called with the same keywords.
    def __init__(self, *, environ: Mapping[str, str], terminal: Terminal) -> None:  # noqa: ARG002
        self._environ = environ

    def read(self, ref: SecretRef) -> Secret | None:
        """Return the variable's value, or None if it is empty or not set."""
        name = ref.target[0]
        return normalize_secret(self._environ.get(name, ""), f"the environment variable {name}")
