"""Secrets from a command's output, such as `pass show work/groupid`."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from time import monotonic

from tokencli.errors import CredentialsError
from tokencli.models import Secret, SecretRef
from tokencli.protocols import Terminal
from tokencli.secret_sources.normalize import MAX_SECRET_BYTES, normalize_secret
from tokencli.system.bounded_call import run_with_timeout
from tokencli.system.deferred_signals import defer_signals

COMMAND_TIMEOUT_S = 60.0
"""Seconds for the command, passphrase prompts included."""


class CommandSource:
    """Run the command that a reference names, without a shell, and take what it prints."""

    def __init__(
        self, *, environ: Mapping[str, str], terminal: Terminal, limit: float = COMMAND_TIMEOUT_S
    ) -> None:
        self._environ = environ
        self._terminal = terminal
        self._timeout = limit

    def read(self, ref: SecretRef) -> Secret | None:
        """Return the command's output, or None where it printed nothing.

        Its stdin is the terminal where somebody is there, and its stderr is always ours, as it
        comes: it asks for passphrases there (`pass`, gpg with pinentry-curses) and says why it
        fails, and what it may do to a terminal, the program that the person has chosen could do
        anyhow. A pipe between them would take the terminal away from it, and would stay open as
        long as any agent that it has left running.

        Raises:
            CredentialsError: it can't be run, fails, takes too long, or prints too much.
        """
        where = f"the command {ref.target[0]!r}"
        interactive = self._terminal.interactive
        end, ended = monotonic() + self._timeout, False
        process: subprocess.Popen[bytes] | None = None
        try:
            # A signal between the start and the assignment would leave nobody to end the command.
            with defer_signals(lambda _: None):
                process = self._start_process(ref, interactive=interactive)
            raw = run_with_timeout(partial(_read_output, process), self._timeout)
            code = process.wait(max(end - monotonic(), 0.1)) if len(raw) <= MAX_SECRET_BYTES else 0
            ended = len(raw) <= MAX_SECRET_BYTES
        except (TimeoutError, subprocess.TimeoutExpired):
            raise CredentialsError(
                f"{where}, which is to print {ref.name}, did not end within {self._timeout:g} s",
                fix="run it by hand and see what it waits for",
            ) from None
        finally:
            if process is not None:
                if not ended:
                    _kill_process(process, group=not interactive)
                assert process.stdout is not None
                process.stdout.close()
        if len(raw) > MAX_SECRET_BYTES:
            raise CredentialsError(
                f"{where} prints too much to be a secret", fix="let it print the secret alone"
            )
        if code != 0:
            how = f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"
            raise CredentialsError(
                f"{where}, which is to print {ref.name} of profile {ref.profile!r}, {how}",
                fix="run it by hand and see what it says",
            )
        return normalize_secret(raw, f"the output of {where}")

    def _start_process(self, ref: SecretRef, *, interactive: bool) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603  # the user's own argv; no shell is involved
                ref.target,
                stdin=None if interactive else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                env=dict(self._environ),
                bufsize=0,
                # In a group of its own it can be ended with all it started; with a person there it
                # stays in ours, or it could not read from the terminal.
                start_new_session=not interactive,
            )
        except (OSError, ValueError) as error:
            raise self._start_error(ref, error) from None

    def _start_error(self, ref: SecretRef, error: Exception) -> CredentialsError:
        name = ref.target[0]
        if isinstance(error, FileNotFoundError) and not shutil.which(name):
            reason = "is not there (it is run without a shell, so it must be a program in PATH)"
        else:
            reason = f"can't be run: {getattr(error, 'strerror', None) or 'not a command'}"
        return CredentialsError(
            f"the command {name!r}, which is to print {ref.name} of profile {ref.profile!r}, {reason}",
            fix=f"tokencli profiles show {ref.profile}",
        )


def _read_output(process: subprocess.Popen[bytes]) -> bytes:
    """Read stdout to its end, or until it is more than a secret can be."""
    assert process.stdout is not None
    raw = b""
    while len(raw) <= MAX_SECRET_BYTES and (piece := process.stdout.read(MAX_SECRET_BYTES + 1)):
        raw += piece
    return raw


def _kill_process(process: subprocess.Popen[bytes], *, group: bool) -> None:
    """End the command, with what it started where that is a group of its own."""
    try:
        if group and sys.platform != "win32":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except ProcessLookupError:
        pass
    process.wait()
