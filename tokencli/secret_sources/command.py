"""Secrets from the output of a command, e.g. `pass show work/groupid`."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import ClassVar

from tokencli import platforms
from tokencli.errors import CredentialsError
from tokencli.models import Secret, SecretRef
from tokencli.protocols import Interaction, Terminal, WaitStatus
from tokencli.secret_sources import MAX_SECRET_BYTES, normalize_secret
from tokencli.shell_words import quote
from tokencli.system.child_process import explain_no_program, find_program, wait_for_child
from tokencli.system.signals import defer_signals
from tokencli.system.timeout import run_with_timeout

COMMAND_TIMEOUT_S = 60.0
"""Includes the time for typing a passphrase."""


class CommandSource:
    """Runs a command without a shell and reads the secret from its stdout."""

    interaction: ClassVar[Interaction] = "program"

    def __init__(
        self, *, environ: Mapping[str, str], terminal: Terminal, timeout: float = COMMAND_TIMEOUT_S
    ) -> None:
        self._environ = environ
        self._terminal = terminal
        self._timeout = timeout

    def explain_missing(self, ref: SecretRef) -> tuple[None, str]:
        """Return a fix: to look at the command. It isn't repeated, as it may contain a secret."""
        return None, f"tokencli profiles show {ref.profile}"

    def read(self, ref: SecretRef) -> Secret | None:
        """Return the first line of the command's output, or the key in it; None if it is empty.

        `pass show` prints the user name and other remarks on further lines.

        Its stdin is the terminal if a user is there, and its stderr is always ours, unfiltered: it
        asks for passphrases (`pass`, gpg with pinentry-curses) and reports errors there. Whatever it
        may do to the terminal, the program that the user chose could do anyway. A pipe in between
        would take the terminal away from it, and would stay open as long as any agent that it
        started.

        Raises:
            CredentialsError: it can't be run, fails, takes too long, or prints too much.
        """
        interactive = self._terminal.interactive
        deadline, ended = monotonic() + self._timeout, False
        process: subprocess.Popen[bytes] | None = None
        try:
            # A signal between the start and the assignment would leave the command running.
            with defer_signals(lambda _: None, ""):
                process = self._start_process(ref, interactive=interactive)
                group = platforms.current().open_group(process, is_own=not interactive)
            with self._terminal.show_wait(partial(self._describe_wait, ref), shares_terminal=True):
                raw = run_with_timeout(partial(_read_output, process), self._timeout)
                code = 0
                if len(raw) <= MAX_SECRET_BYTES:
                    code = wait_for_child(process, max(deadline - monotonic(), 0.1))
                    ended = True
        except (TimeoutError, subprocess.TimeoutExpired):
            raise _command_error(ref, f"did not end within {self._timeout:g} s") from None
        finally:
            if process is not None:
                if not ended:
                    group.kill()
                    process.wait()
                assert process.stdout is not None
                process.stdout.close()
        if len(raw) > MAX_SECRET_BYTES:
            raise _command_error(ref, "printed too much to be a secret")
        if code != 0:
            raise _command_error(ref, platforms.current().describe_exit(code))
        source = f"the output of the command '{ref.target[0]}'"
        return normalize_secret(raw, source, first_line=True)

    def _describe_wait(self, ref: SecretRef) -> WaitStatus:
        return WaitStatus(
            f"waiting for the {ref.name} from the command '{ref.target[0]}'", self._timeout
        )

    def _start_process(self, ref: SecretRef, *, interactive: bool) -> subprocess.Popen[bytes]:
        platform = platforms.current()
        try:
            return subprocess.Popen(  # the user's own argv; no shell is involved
                **platform.launch_options(ref.target, find_program(ref.target[0], self._environ)),
                stdin=None if interactive else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                env=dict(self._environ),
                bufsize=0,
                # In its own session it can be killed with everything it started. If a user is
                # there, it stays in ours, or it could not read from the terminal.
                **({} if interactive else platform.group_options()),
            )
        except (OSError, ValueError) as error:
            raise self._start_error(ref, error) from None

    def _start_error(self, ref: SecretRef, error: Exception) -> CredentialsError:
        program, cause = ref.target[0], None
        candidates = platforms.current().list_candidates(program, self._environ.get("PATH"))
        is_missing = "\0" not in program and not any(map(os.path.exists, candidates))
        fix: str | None = f"command:{quote('pass show x')}"
        if (obstacle := explain_no_program(program)) is not None and is_missing:
            reason = obstacle
        elif isinstance(error, FileNotFoundError) and is_missing:
            reason = "does not exist"
            cause = "it is run without a shell, so it must be a program in PATH"
            if path := self._find_unquoted_path(ref.target):
                cause = f"{path} has spaces, so it must be in double quotation marks"
                fix = quote(f'command:"{path}"') if ref.target == tuple(path.split(" ")) else None
        else:
            reason = f"can't be run: {getattr(error, 'strerror', None) or 'not a command'}"
        return CredentialsError(
            f"can't read the {ref.name} of profile {ref.profile!r}: the command '{program}' {reason}",
            cause=cause,
            fix=fix and f"tokencli profiles edit {ref.profile} --secret {ref.name}={fix}",
        )

    def _find_unquoted_path(self, words: Sequence[str]) -> str | None:
        """Return the program whose path was split at its spaces, if there is one."""
        for count in range(2, len(words) + 1):
            path = " ".join(words[:count])
            with suppress(OSError, ValueError):
                if os.path.dirname(words[0]):  # noqa: PTH120 - a string
                    find_program(path, self._environ)
                    return path
        return None


def _command_error(ref: SecretRef, outcome: str) -> CredentialsError:
    return CredentialsError(
        f"can't read the {ref.name} of profile {ref.profile!r}: the command '{ref.target[0]}' {outcome}",
        cause="run the command yourself to see what it prints",
        fix=f"tokencli profiles show {ref.profile}",
    )


def _read_output(process: subprocess.Popen[bytes]) -> bytes:
    """Read stdout to its end, or until it is too long for a secret."""
    assert process.stdout is not None
    raw = b""
    while len(raw) <= MAX_SECRET_BYTES and (chunk := process.stdout.read(MAX_SECRET_BYTES + 1)):
        raw += chunk
    return raw
