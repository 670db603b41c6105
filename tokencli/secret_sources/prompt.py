"""Secrets that a person types each time."""

from collections.abc import Mapping

from tokencli.errors import CredentialsError, LoginRequiredError
from tokencli.models import Secret, SecretRef
from tokencli.protocols import Terminal
from tokencli.secret_sources.normalize import normalize_secret


class PromptSource:
    """Ask the person at the terminal, without showing what is typed."""

    # Every source is opened alike, whether it needs both or not.
    def __init__(self, *, environ: Mapping[str, str], terminal: Terminal) -> None:  # noqa: ARG002
        self._terminal = terminal

    def read(self, ref: SecretRef) -> Secret | None:
        """Return what was typed, or None for nothing.

        Raises:
            LoginNeeded: nobody is there to answer.
            CredentialsError: what was typed has control characters inside.
        """
        name = ref.name.replace("_", " ")
        try:
            typed = self._terminal.ask_secret(f"{name.capitalize()} of profile {ref.profile}")
        except LoginRequiredError as error:
            raise LoginRequiredError(error.message, fix=_other_source_hint(ref)) from None
        try:
            return normalize_secret(typed.reveal(), "what was typed")
        except CredentialsError as error:
            raise CredentialsError(error.message, fix="type it again") from None


def _other_source_hint(ref: SecretRef) -> str:
    variable = f"{ref.profile}_{ref.name}".upper().replace("-", "_").replace(".", "_")
    variable = variable if variable[:1].isalpha() else f"TOKEN_{variable}"
    return (
        f"run it in a terminal; or name another place in the profile, such as {ref.name} = {{ env ="
        f' "{variable}" }}: tokencli profiles edit {ref.profile}'
    )
