"""Secrets from environment variables."""

from collections.abc import Mapping
from typing import ClassVar

from tokencli.models import Secret, SecretRef
from tokencli.protocols import Interaction, Terminal
from tokencli.secret_sources import normalize_secret


class EnvSource:
    """Reads the secret from an environment variable; an empty variable counts as missing."""

    interaction: ClassVar[Interaction] = "none"

    # Every source is called with the same keywords.
    def __init__(self, *, environ: Mapping[str, str], terminal: Terminal) -> None:
        self._environ = environ
        self._terminal = terminal

    def explain_missing(self, ref: SecretRef) -> tuple[str | None, str | None]:
        """Return a command that asks for it or, if the user can't type, what has to set the variable."""
        name = ref.target[0]
        if self._terminal.can_user_type:
            from tokencli.secret_sources.setup_commands import read_variable_command

            command = read_variable_command(self._environ, ref, name)
            if command is not None:
                return None, command
        if self._environ.get("GITHUB_ACTIONS") == "true":
            return f"the step must set it: env: {{ {name}: ${{{{ secrets.{name} }}}} }}", None
        if self._environ.get("CI"):
            return f"the job must set it, e.g. from a secret variable {name} of the project", None
        return f"the script or service that runs tokencli must set and export {name}", None

    def read(self, ref: SecretRef) -> Secret | None:
        """Return the variable's value, or None if it is empty or not set."""
        name = ref.target[0]
        return normalize_secret(self._environ.get(name, ""), f"the environment variable {name}")
