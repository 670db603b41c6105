"""Secrets that a person types each time."""

from collections.abc import Mapping

from tokencli.errors import CredentialsError, LoginNeeded
from tokencli.model import Secret, SecretRef
from tokencli.ports import Terminal
from tokencli.sources.clean import clean


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
        except LoginNeeded as error:
            raise LoginNeeded(error.message, hint=_elsewhere(ref)) from None
        try:
            return clean(typed.reveal(), "what was typed")
        except CredentialsError as error:
            raise CredentialsError(error.message, hint="type it again") from None


def _elsewhere(ref: SecretRef) -> str:
    variable = f"{ref.profile}_{ref.name}".upper().replace("-", "_").replace(".", "_")
    variable = variable if variable[:1].isalpha() else f"TOKEN_{variable}"
    return (
        f"run it in a terminal; or name another place in the profile, such as {ref.name} = {{ env ="
        f' "{variable}" }}: tokencli profiles edit {ref.profile}'
    )
