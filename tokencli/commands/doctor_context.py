"""What the checks of `doctor` may use: an App that prints nothing, and the ports that only they need."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import local
from typing import Literal

from tokencli.app import App
from tokencli.commands.shell_additions import inspect_shell_addition
from tokencli.machine import (
    ConnectionReport,
    DirectoryReport,
    KeyringReport,
    ShellAddition,
    StoreChoice,
    Surroundings,
)
from tokencli.models import ClientCertificate, Connection
from tokencli.protocols import hide_wait
from tokencli.secret_sources.keyring_client import get_os_keyring
from tokencli.system.surroundings import describe_surroundings, inspect_directories
from tokencli.terminal.console import StderrTerminal, is_user_present
from tokencli.token_store import auto


class SilentTerminal(StderrTerminal):
    """A terminal that asks nothing, and prints only the details of `-v`: the checks report the rest."""

    def __init__(self, environ: Mapping[str, str], verbose: int, *, can_user_type: bool) -> None:
        super().__init__(environ, no_input=True, quiet=True, verbose=verbose)
        self._can_user_type = can_user_type
        self._thread = local()

    @property
    def can_user_type(self) -> bool:
        """Whether the fixes of the checks may ask something, which the checks themselves don't."""
        return self._can_user_type

    def print_warning(self, text: str) -> None:
        """Keep the warning for the check that runs in this thread."""
        self._thread.warnings = [*self.take_warnings(), text]

    def take_warnings(self) -> list[str]:
        """Return the warnings in this thread since the last call."""
        warnings: list[str] = getattr(self._thread, "warnings", [])
        self._thread.warnings = []
        return list(dict.fromkeys(warnings))

    show_wait = staticmethod(hide_wait)  # several checks wait at the same time


@dataclass
class DoctorApp(App):
    """The ports of `diagnosis.checks.DoctorContext`."""

    loaded_hook: str | None = None
    """The version of the shell hook through which the command was run."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._silent_terminal = SilentTerminal(
            self.environ, self.options.verbose, can_user_type=self.terminal.can_user_type
        )
        self.terminal = self._silent_terminal

    def probe_connection(
        self, url: str, connection: Connection, certificate: ClientCertificate | None
    ) -> ConnectionReport:
        """Connect to the server of a URL without sending credentials."""
        from tokencli.net.connection_probe import probe_connection

        detail = self.terminal.print_detail if self.options.verbose else None
        return probe_connection(url, connection, self.environ, certificate, detail)

    def take_warnings(self) -> list[str]:
        """Return what the ports warned of in this thread since the last call."""
        return self._silent_terminal.take_warnings()

    def inspect_directories(self) -> Iterator[DirectoryReport]:
        """Yield the directories for state and for data in memory."""
        try:
            chosen, isolated = self.config.state_dir, self.config.isolated
        except Exception:  # noqa: BLE001  # `configuration` reports it
            chosen, isolated = None, False
        yield from inspect_directories(self.environ, chosen, isolated=isolated)

    def describe_surroundings(self) -> Surroundings:
        """Return what is unusual about the process's environment."""
        return describe_surroundings(self.environ, is_user_present=is_user_present())

    def test_keyring(self) -> KeyringReport:
        """Store, read and delete an item in the OS keyring."""
        return get_os_keyring(self.environ, self.terminal).test_round_trip()

    def choose_store(self) -> StoreChoice:
        """Return what the store `auto` means on this machine."""
        return auto.choose_store(self._store_context)

    def inspect_shell_addition(self, kind: Literal["hook", "completion"]) -> ShellAddition:
        """Return whether the hook or the completion is installed in the user's shell."""
        return inspect_shell_addition(
            kind,
            self.environ,
            loaded_hook=self.loaded_hook,
            is_user_present=is_user_present(),
        )
