"""Hand tokens to a command outside its environment: in files that are kept fresh, or as descriptors."""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tokencli import platforms
from tokencli.app import App
from tokencli.core.token_keeper import RENEWAL_SHARE, KeptToken, TokenKeeper
from tokencli.errors import StorageError, TokencliError, UsageError
from tokencli.fastpath.launcher import FILE_SUFFIX
from tokencli.humanize import format_time
from tokencli.models import Profile, Secret, TokenSet
from tokencli.system.child_process import open_filled_pipe
from tokencli.system.companion import (
    ProcessWatch,
    delete_abandoned_dirs,
    process_dir_name,
    start_companion,
)
from tokencli.system.private_files import (
    ensure_private_dir,
    remove_file,
    stat_stamp,
    write_atomically,
)
from tokencli.system.user_dirs import explain_missing_runtime_dir, hand_over_dir
from tokencli.terminal.console import write_stderr_line
from tokencli.token_store.credential_key import derive_binding

STORE_INTERVAL_S = 2.0
"""Seconds between two looks at whether another process has renewed the token."""


class TokenFiles:
    """The files of one command: a directory in memory, with one file for each token."""

    def __init__(self, app: App) -> None:
        """Create the directory, and delete those of commands that have ended.

        Raises:
            StorageError: there is no directory in memory, or it can't be used.
        """
        parent = hand_over_dir(app.environ)
        if parent is None:
            raise _missing_memory_error()
        self._app = app
        self._stamps: dict[Path, tuple[int, ...] | None] = {}
        self._tokens: dict[Path, str] = {}
        for directory in (parent.parent, parent):
            ensure_private_dir(directory)
        delete_abandoned_dirs(parent)
        self.directory = parent / process_dir_name()
        ensure_private_dir(self.directory)

    def path(self, variable: str) -> Path:
        """Return the path of the file of the token that would be in this variable."""
        return self.directory / variable

    def write(self, variable: str, token: Secret) -> None:
        """Write a token, without a line break; raises StorageError."""
        path = self.path(variable)
        write_atomically(path, token.reveal().encode("ascii"))
        self._tokens[path], self._stamps[path] = token.reveal(), None

    @property
    def variables(self) -> dict[str, str]:
        """The variables with the paths of the files."""
        return {f"{path.name}{FILE_SUFFIX}": str(path) for path in self._tokens}

    def read_all(self) -> list[str]:
        """Return the tokens that are in the files now, as far as there are any."""
        for path, stamp in self._stamps.items():
            changed = stat_stamp(path)
            if changed is not None and changed != stamp:
                with suppress(OSError):
                    self._tokens[path] = path.read_text(encoding="ascii")
                    self._stamps[path] = changed
        return list(self._tokens.values())

    def remove(self) -> None:
        """Delete the files."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def keep_fresh(
        self,
        written: Sequence[tuple[Profile, TokenSet, str]],
        *,
        scope: str | None,
        min_ttl: float | None,
    ) -> None:
        """Renew the tokens in the background while this process, or what replaces it, runs.

        `written` are the tokens in the files and their variables. The files are deleted at the end.
        """

        def work(watch: ProcessWatch) -> None:
            app = App(replace(self._app.options, no_input=True, quiet=True), self._app.environ)
            kept = [
                _KeptFile(self, app, profile.name, token, variable, scope=scope, min_ttl=min_ttl)
                for profile, token, variable in written
            ]
            while not watch.wait(min(file.step() for file in kept)):
                pass

        def note(text: str) -> None:
            write_stderr_line(f"warning: the helper that keeps the tokens fresh {text}")

        start_companion(work, self.remove, note)


class _KeptFile:
    """Keeps one file fresh."""

    def __init__(
        self,
        files: TokenFiles,
        app: App,
        profile: str,
        token: TokenSet,
        variable: str,
        *,
        scope: str | None,
        min_ttl: float | None,
    ) -> None:
        self._files, self._app, self._name, self._variable = files, app, profile, variable
        self._profile: Profile | None = None
        self._keeper = TokenKeeper(
            lambda: app.get_profile(self._name, scope=scope),
            app,
            min_ttl=min_ttl,
            renewal_share=RENEWAL_SHARE,
        )
        self._written: Secret | None = None
        self._deleted: Secret | None = None
        self._fingerprint: object = None
        self._reported = ""
        self._expires_at = token.known_expiry

    def step(self) -> float:
        """Renew the token if that is due, and return the seconds until the next look."""
        fingerprint = self._read_fingerprint()
        is_changed, self._fingerprint = fingerprint != self._fingerprint, fingerprint
        try:
            kept = self._keeper.get(anew=is_changed)
            if kept.is_new or self._profile is None:
                self._profile = kept.profile
                self._fingerprint = self._read_fingerprint()
            if is_changed and kept.error is not None and not self._is_stored(kept):
                self._remove_file()
                self._deleted = kept.token.access_token
            elif kept.token.access_token not in (self._written, self._deleted):
                self._write(kept)
            self._report(kept.error)
        except TokencliError as error:
            self._end_expired_token()
            self._report(error)
        due = self._keeper.due_at - self._app.clock.now()
        return min(max(due, 0.01), STORE_INTERVAL_S)

    def _write(self, kept: KeptToken) -> None:
        self._files.write(self._variable, kept.token.access_token)
        self._written, self._expires_at = kept.token.access_token, kept.token.known_expiry
        self._deleted = None

    def _report(self, error: TokencliError | None) -> None:
        """Say once why there is no newer token, and what that means."""
        if error is None:
            self._reported = ""
            return
        if error.message == self._reported:
            return
        self._reported = error.message
        path = self._files.path(self._variable)
        if not path.exists():
            reason = "has expired" if self._deleted is None else "was deleted, e.g. by a logout"
            state = f"{path} was removed, because the token {reason}"
        elif self._expires_at is None:
            state = "the old token stays"
        else:
            state = f"the old token stays until {format_time(self._expires_at)}"
        write_stderr_line(f"warning: {self._name}: {error.message}; {state}")

    def _end_expired_token(self) -> None:
        """Remove a token that has expired, so that the command doesn't go on with it."""
        is_expired = self._expires_at is not None and self._app.clock.now() >= self._expires_at
        if is_expired and self._files.path(self._variable).exists():
            self._remove_file()

    def _remove_file(self) -> None:
        remove_file(self._files.path(self._variable))
        self._written, self._reported = None, ""

    def _is_stored(self, kept: KeptToken) -> bool:
        key = derive_binding(kept.profile).key
        return self._app.token_store(kept.profile).load(key) is not None

    def _read_fingerprint(self) -> object:
        """Return what changes whenever another process stores or deletes a token of the profile."""
        if self._profile is None:
            return None
        stored = self._app.token_store(self._profile).fingerprint(derive_binding(self._profile).key)
        return stored, self._app.token_cache(self._profile).fingerprint()


def _missing_memory_error() -> StorageError:
    """Return the error that says why there is no place for the files."""
    return StorageError(
        "--file needs a directory in memory for the token",
        cause=f"{explain_missing_runtime_dir()}. --proxy keeps the token fresh without a file",
    )


def open_token_descriptor(token: Secret) -> int:
    """Return a descriptor for a command, from which it reads a token, without a line break.

    On Linux it is a file in memory without a name, which can be opened again as /dev/fd/N. Elsewhere
    it is a pipe, which can be read once.

    Raises:
        UsageError: this system can't hand over descriptors, or the token doesn't fit into a pipe.
    """
    if not platforms.current().has_descriptor_paths:
        raise UsageError(f"--fd is not supported on {platforms.current().name}")
    data = token.reveal().encode("ascii")
    if not hasattr(os, "memfd_create"):
        pipe = open_filled_pipe(data)
        if pipe is None:
            raise UsageError("the token is too long for --fd")
        return pipe
    writable: int = os.memfd_create("token")
    try:
        os.fchmod(writable, 0o400)
        while data:
            data = data[os.write(writable, data) :]
        descriptor = os.open(f"/proc/self/fd/{writable}", os.O_RDONLY)
        os.dup2(descriptor, writable)  # the lower number, which every shell can redirect
        os.close(descriptor)
    except BaseException:
        os.close(writable)
        raise
    return writable
