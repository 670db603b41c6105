"""Secrets that the user types each time."""

from collections.abc import Mapping
from typing import ClassVar

from tokencli.errors import CredentialsError, LoginRequiredError
from tokencli.models import Secret, SecretRef
from tokencli.protocols import Interaction, Terminal
from tokencli.secret_sources import normalize_secret
from tokencli.secret_sources.setup_commands import default_variable


class PromptSource:
    """Asks for the secret at the terminal, masked."""

    interaction: ClassVar[Interaction] = "prompt"

    # Every source is called with the same keywords.
    def __init__(self, *, environ: Mapping[str, str], terminal: Terminal) -> None:  # noqa: ARG002
        self._terminal = terminal

    def explain_missing(self, ref: SecretRef) -> tuple[None, str]:
        """Return a fix: the login, which asks for it again."""
        return None, f"tokencli login {ref.profile}"

    def read(self, ref: SecretRef) -> Secret | None:
        """Return what was typed, or None for an empty line.

        Raises:
            LoginRequiredError: there is no terminal to ask at.
            CredentialsError: the input contains control characters.
        """
        name = ref.name.replace("_", " ")
        try:
            typed = self._terminal.ask_secret(
                f"{name.capitalize()} for profile {ref.profile}", required=True
            )
        except LoginRequiredError as error:
            raise LoginRequiredError(
                error.message,
                cause=error.cause,
                fix=f"tokencli profiles edit {ref.profile}"
                f" --secret {ref.name}=env:{default_variable(ref)}",
            ) from None
        try:
            return normalize_secret(typed.reveal(), "the input")
        except CredentialsError as error:
            raise CredentialsError(error.message, cause=error.cause) from None
