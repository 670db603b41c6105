"""What `tokencli keep` does while it runs: renew a token, write it, and tell whoever uses it."""

import math
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from math import floor
from time import monotonic
from typing import Self

from tokencli.app import App, AppOptions
from tokencli.commands.error_report import report_error
from tokencli.commands.keep_metrics import KeepMetrics
from tokencli.commands.keep_watch import ChangeWatch
from tokencli.commands.kept_file import KeepOptions, KeptFile
from tokencli.core.token_keeper import RENEWAL_SHARE, KeptToken, TokenKeeper, may_lock_account
from tokencli.errors import (
    ConfigError,
    CredentialsError,
    StorageError,
    TokencliError,
    TokenNotStoredError,
    UsageError,
)
from tokencli.formats import check_format_options
from tokencli.humanize import format_time, humanize_duration
from tokencli.models import Profile
from tokencli.sanitize import sanitize_text
from tokencli.system.child_process import run_with_limit
from tokencli.system.sd_notify import ServiceManager, remove_service_variables
from tokencli.system.signals import Terminated, call_on_signal
from tokencli.terminal.console import is_terminal, write_stderr_line

CHECK_INTERVAL_S = 2.0
"""Seconds between two checks of the clock, the configuration and the store."""
STEP_LIMIT_S = 300.0
"""Seconds after which a renewal counts as hung, besides the time limits of requests and commands."""
FIRST_RETRY_S, MAX_RETRY_S = 1.0, 60.0
"""Seconds until a file that could not be written is tried again; they double."""
MIN_WAIT_S = 0.01
EXIT_COMMAND_FAILED = 1


class KeepService:
    """Keeps the token of one profile in a file until a signal ends it, or a person is needed."""

    def __init__(self, options: KeepOptions, app_options: AppOptions) -> None:
        """Read the configuration.

        Raises:
            ConfigError: the profile doesn't exist or has a problem. UsageError: its tokens can't be
                used from a file.
        """
        self._options, self._app_options = options, app_options
        self._manager = ServiceManager(os.environ)
        self._file = KeptFile(options)
        self._is_renewal_requested = self._is_store_changed = False
        self._has_terminal = self._is_terminal_closed = False
        self._written: KeptToken | None = None
        """The token in the file."""
        self._unwritten: KeptToken | None = None
        """A newer one that could not be written yet."""
        self._writes_once = False
        self._problem: TokencliError | None = None
        """Why the last renewal failed."""
        self._is_expiry_reported = False
        self._reported: object = None
        """The failure that was reported last, so that it is reported once."""
        self._write_at, self._write_failures = 0.0, 0
        self._metrics = KeepMetrics(options.metrics)
        self._status = ""
        self._app, self._profile = self._load()
        self._keeper = self._start_keeper()
        self._watch = ChangeWatch(self._app, self._profile)
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._wake_sender.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._wake_receiver.close()
        self._wake_sender.close()

    def run_once(self) -> int:
        """Write the file once, and return the exit code.

        Raises:
            TokencliError: there is no token, or it can't be written.
        """
        self._writes_once = True
        try:
            kept = self._keeper.get()
            self._write(kept)
            if kept.error is not None and not isinstance(kept.error, TokenNotStoredError):
                raise kept.error
        except TokencliError:
            self._metrics.counts["failures"] += 1
            raise
        finally:
            self._write_metrics()
        return self._exit_code

    def run(self, *, once: bool = False) -> int:
        """Keep the file until a signal ends this, and return the exit code: 0 for SIGTERM.

        With `once`, it ends as well when the file has a fresh token.

        Raises:
            TokencliError: a person is needed and no valid token is left, or the first one can't be
                written.
        """
        self._writes_once = once
        self._has_terminal = is_terminal(sys.stderr)
        call_on_signal("SIGHUP", self._note_hangup_signal)
        # A signal that arrives just before `select` would be handled only after it.
        signal.set_wakeup_fd(self._wake_sender.fileno(), warn_on_full_buffer=False)
        self._manager.start_watchdog()
        self._set_status(f"{self._profile.name}: waiting for the first token")
        try:
            while True:
                self._manager.expect_progress(
                    STEP_LIMIT_S + self._options.command_timeout + self._profile.connection.timeout
                )
                self._step()
                if once and self._written is not None and self._problem is None:
                    return self._exit_code
                self._wait()
        except Terminated as end:
            if end.args[0] != signal.SIGTERM:
                raise
            return 0  # how a service manager stops a service that works
        finally:
            signal.set_wakeup_fd(-1)
            self._manager.stop_watchdog()
            self._manager.notify("STOPPING=1")
            if self._options.removes_at_end and not once:
                self._try_file(self._file.remove)

    @property
    def _exit_code(self) -> int:
        return EXIT_COMMAND_FAILED if self._metrics.counts["command_failures"] else 0

    def _step(self) -> None:
        """Do what is due; raises Terminated if the terminal was closed."""
        if self._is_terminal_closed:
            raise Terminated(signal.Signals["SIGHUP"])
        if self._is_renewal_requested:
            self._is_renewal_requested = False
            self._manager.notify_reloading()
            self._reported = None  # the sender of the signal expects a report
            self._reload()
            self._keeper = self._start_keeper()
            self._renew(forced=True)
            if self._written is not None:
                self._manager.notify("READY=1")
        elif self._watch.have_files_changed(self._app, self._profile):
            if self._reload():
                self._renew(anew=True)
        elif self._is_store_changed or (not self._is_blocked() and self._keeper.is_due):
            self._renew(anew=self._is_store_changed)
        elif self._unwritten is not None and monotonic() >= self._write_at:
            self._write(self._unwritten)
        elif self._written is not None and self._has_valid_token() and self._is_file_missing():
            self._write(self._written)
        self._is_store_changed = False
        try:
            self._check_expiry()
        finally:
            self._write_metrics()

    def _wait(self) -> None:
        """Wait until something is due, has changed or was asked for."""
        due = math.inf if self._is_blocked() else self._keeper.due_at - self._app.clock.now()
        if self._unwritten is not None:
            due = min(due, self._write_at - monotonic())
        ready, _, _ = select.select(
            [self._wake_receiver], [], [], min(max(due, MIN_WAIT_S), CHECK_INTERVAL_S)
        )
        if ready:
            self._wake_receiver.recv(4096)
        self._is_store_changed = self._watch.has_store_changed(
            self._app, self._profile, is_failing=self._problem is not None
        )

    def _renew(self, *, anew: bool = False, forced: bool = False) -> None:
        """Get the token, a new one if that is due or `forced`, and write it."""
        refused = self._written.token.access_token if forced and self._written else None
        try:
            kept = self._keeper.get(refused=refused, anew=anew)
        except TokencliError as error:
            self._report_failure(error)
            return
        is_unwritten = (
            self._written is None or self._written.token.access_token != kept.token.access_token
        )
        if is_unwritten:
            self._write(kept)
        if kept.error is not None and not isinstance(kept.error, TokenNotStoredError):
            self._report_failure(kept.error)
            return
        if kept.error is not None:
            self._app.terminal.print_warning(kept.error.message)
        self._problem = None
        if not is_unwritten:
            self._reported = None
            self._set_status(self._describe_token(kept))

    def _write(self, kept: KeptToken) -> None:
        """Write a token to the file, and tell those who use it."""
        try:
            self._file.write(kept, self._app)
        except TokencliError as error:
            if self._written is None:
                raise
            self._metrics.counts["failures"] += 1
            delay = min(FIRST_RETRY_S * 2.0 ** min(self._write_failures, 16), MAX_RETRY_S)
            self._write_failures += 1
            self._unwritten, self._write_at = kept, monotonic() + delay
            self._report(
                error, f"the old content stays; next attempt in {humanize_duration(delay)}"
            )
            return
        self._unwritten, self._write_failures, self._reported = None, 0, None
        self._written, self._is_expiry_reported = kept, False
        self._metrics.counts["renewals"] += 1
        self._metrics.last_success = self._app.clock.now()
        text = self._describe_token(kept)
        self._app.terminal.print_note(text)
        # Before the command: it may reload a service that waits for this one.
        if not self._manager.notify("READY=1"):
            self._app.terminal.print_warning("can't reach the service manager at $NOTIFY_SOCKET")
        self._set_status(text)
        self._run_command(kept)

    def _describe_token(self, kept: KeptToken) -> str:
        expiry = kept.token.known_expiry
        until = "" if expiry is None else f" is valid until {format_time(expiry)}"
        is_renewed = not self._writes_once and not kept.token.never_expires
        renewal = f", renewal at {format_time(self._keeper.due_at)}" if is_renewed else ""
        return f"{kept.profile.name}: the token in {self._options.path}{until or ' was written'}{renewal}"

    def _report_failure(self, error: TokencliError) -> None:
        """Report that there is no newer token, once for each cause."""
        if error is self._problem:
            return  # nothing was tried since
        self._problem = error
        self._metrics.counts["failures"] += 1
        if not self._has_valid_token() and self._ends_at(error):
            self._set_status(f"{self._profile.name}: {error.message}")
            return  # `_check_expiry` ends the process
        if self._is_blocked():
            following = (
                "not tried again until the configuration, a secret's file or the stored token"
                " changes, or SIGHUP arrives"
            )
        else:
            following = f"next attempt at {format_time(self._keeper.due_at)}"
        if not self._has_valid_token():
            state = "no valid token"
        else:
            assert self._written is not None
            expiry = self._written.token.known_expiry
            until = "" if expiry is None else f" until {format_time(expiry)}"
            state = f"the token in {self._options.path} stays valid{until}"
        self._report(error, f"{state}; {following}")

    def _report(self, error: TokencliError, consequence: str) -> None:
        text = f"{self._profile.name}: {consequence}"
        if self._reported != (type(error), error.message):
            self._reported = type(error), error.message
            report_error(error)
            write_stderr_line(text)
        else:
            self._app.terminal.print_detail(text)
        self._set_status(f"{self._profile.name}: {error.message}; {consequence}")

    def _check_expiry(self) -> None:
        """Say that the token in the file has expired, and end the process if a person is needed."""
        if self._has_valid_token():
            return
        if self._problem is not None and self._ends_at(self._problem):
            if self._written is not None and self._options.removes_expired:
                self._try_file(self._file.remove)
            raise self._problem
        if self._written is None or self._is_expiry_reported:
            return
        self._is_expiry_reported = True
        removed = self._options.removes_expired and self._try_file(self._file.remove)
        self._app.terminal.print_warning(
            f"{self._profile.name}: the token in {self._options.path} expired at"
            f" {format_time(self._written.token.expires_at or 0.0)}"
            + (", so it was removed" if removed else "")
        )

    def _is_file_missing(self) -> bool:
        # Path.exists raises an error if a directory can't be entered.
        exists = os.path.exists(self._options.token_path)  # noqa: PTH110
        return self._unwritten is None and not exists

    def _has_valid_token(self) -> bool:
        if self._written is None:
            return False
        expiry = self._written.token.known_expiry
        return expiry is None or self._app.clock.now() < expiry

    def _ends_at(self, error: TokencliError) -> bool:
        """Tell whether the process ends because only a person can help."""
        if self._options.waits_for_fix:
            return False
        return isinstance(error, (ConfigError, CredentialsError, UsageError)) or self._is_blocked()

    def _is_blocked(self) -> bool:
        """Tell whether the server isn't asked again: another wrong password could lock the account."""
        return self._problem is not None and may_lock_account(self._problem)

    def _load(self) -> tuple[App, Profile]:
        """Read the configuration and return the profile, without the endpoints in metadata."""
        app = App(self._app_options)
        # The whole file is read now, so that later changes don't count.
        assert app.config is not None
        profile = app.get_profile(self._options.profile, scope=self._options.scope, anew=None)
        if profile.dpop:
            raise UsageError(
                f"the tokens of profile {profile.name!r} are of no use in a file",
                cause="they are bound to a key (DPoP), so each request needs its own proof",
                fix=f"tokencli get {profile.command_line_name} --format dpop --url URL",
            )
        check_format_options(self._options.format_name, profile, self._options.format_options)
        return app, profile

    def _start_keeper(self) -> TokenKeeper:
        def load_profile() -> Profile:
            self._profile = self._app.get_profile(self._options.profile, scope=self._options.scope)
            return self._profile  # with its endpoints

        return TokenKeeper(
            load_profile,
            self._app,
            min_ttl=self._options.min_ttl,
            renewal_share=RENEWAL_SHARE,
        )

    def _reload(self) -> bool:
        """Read the configuration again; if it has a problem, go on as before and return False."""
        try:
            self._app, self._profile = self._load()
        except TokencliError as error:
            self._metrics.counts["failures"] += 1
            self._report(error, "the configuration as it was before is used")
            return False
        finally:
            self._watch.accept_files(self._app, self._profile)
        self._keeper = self._start_keeper()
        self._problem = self._reported = None
        return True

    def _run_command(self, kept: KeptToken) -> None:
        """Run the command of `--exec`; a failure is reported and changes nothing else."""
        if not self._options.command:
            return
        name, expiry = kept.profile.export, kept.token.known_expiry
        environ = {
            **os.environ,
            f"{name}_FILE": str(self._options.token_path.absolute()),
            f"{name}_EXPIRES_AT": "" if expiry is None else str(floor(expiry)),
        }
        remove_service_variables(environ)
        problem = run_with_limit(self._options.command, environ, self._options.command_timeout)
        if problem is not None:
            self._metrics.counts["command_failures"] += 1
            write_stderr_line(f"error: '{self._options.command[0]}' of --exec {problem}")

    def _write_metrics(self) -> None:
        labels = {"profile": self._profile.name, "path": str(self._options.path)}
        expiry = None if self._written is None else self._written.token.known_expiry
        try:
            self._metrics.write(labels, expiry)
        except StorageError as error:
            self._app.terminal.print_warning(f"no metrics: {error.message}")

    def _set_status(self, text: str) -> None:
        if text != self._status:
            self._status = text
            self._manager.notify(f"STATUS={sanitize_text(text)}")

    def _try_file(self, remove: Callable[[], bool]) -> bool:
        try:
            return remove()
        except StorageError as error:
            report_error(error)
            return False

    def _note_hangup_signal(self) -> None:
        """Note what SIGHUP means: that the terminal is gone, or that the token is to be renewed."""
        if self._has_terminal and not is_terminal(sys.stderr):
            self._is_terminal_closed = True
        self._is_renewal_requested = True
