"""What is unusual about the process's environment, and the state of the user's directories."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from tokencli import platforms
from tokencli.errors import StorageError
from tokencli.machine import DirectoryReport, Surroundings
from tokencli.system.private_files import build_storage_error, ensure_private_dir
from tokencli.system.user_dirs import (
    explain_missing_runtime_dir,
    is_creatable,
    runtime_dir,
    state_dir,
)

_STATE_SUBDIRS = ("locks", "journal", "tokens", "keys", "accounts", "issuers", "event_log")


def describe_surroundings(environ: Mapping[str, str], *, is_user_present: bool) -> Surroundings:
    """Return what changes how tokencli works here, compared with a user's own terminal."""
    platform = platforms.current()
    return Surroundings(
        tuple(_list_remarks(environ, is_user_present=is_user_present)),
        clock_command=platform.clock_command(),
        is_clock_synchronized=platform.is_clock_synchronized(),
    )


def _list_remarks(environ: Mapping[str, str], *, is_user_present: bool) -> Iterator[str]:
    yield from platforms.current().describe_session(environ)
    if environ.get("SUDO_USER"):
        yield "this was started by sudo, so keyring, files and state are those of root"
    elif environ.get("SSH_CONNECTION"):
        yield "this is an SSH session, in which a desktop's keyring stays locked"
    if environ.get("CI", "").lower() not in ("", "0", "false"):
        yield "CI is set, so tokencli asks nothing and opens no browser"
    elif not is_user_present:
        yield "there is no terminal, so tokencli can't ask for anything"
    if shutil.which("tokencli", path=environ.get("PATH")) is None:
        yield "tokencli is not on PATH, so hooks, completion and the commands shown here don't find it"


def inspect_directories(
    environ: Mapping[str, str], chosen_state_dir: str | None, *, isolated: bool
) -> Iterator[DirectoryReport]:
    """Yield the directories for state and for data in memory; nothing is created.

    As before any other use, one of tokencli's own directories that is open to others is closed.
    """
    if chosen_state_dir is not None:
        yield _inspect_state_dir("state_dir of the configuration", Path(chosen_state_dir))
    if isolated:
        return
    state = state_dir()
    in_tmp = "the home directory is missing or not writable" if state.parts[1:2] == ("tmp",) else ""
    yield _inspect_state_dir("state", state, in_tmp)
    if not platforms.current().has_memory_directories:
        return
    runtime = runtime_dir(environ)
    if runtime is None:
        yield DirectoryReport("runtime", None, remark=explain_missing_runtime_dir())
        return
    try:
        exists = ensure_private_dir(runtime, create=False)
    except StorageError as error:
        yield DirectoryReport("runtime", str(runtime), exists=True, error=error)
    else:
        yield DirectoryReport("runtime", str(runtime), exists)


def _inspect_state_dir(purpose: str, path: Path, remark: str = "") -> DirectoryReport:
    try:
        exists = ensure_private_dir(path, create=False, chosen=True)
        if exists:
            for name in _STATE_SUBDIRS:
                ensure_private_dir(path / name, create=False)
            if not os.access(path, os.W_OK):
                raise PermissionError(13, "permission denied")
        elif not is_creatable(path):
            raise PermissionError(13, "permission denied")
    except StorageError as error:
        return DirectoryReport(purpose, str(path), exists=True, error=error, remark=remark)
    except OSError as error:
        storage_error = build_storage_error(error, path)
        return DirectoryReport(purpose, str(path), error=storage_error, remark=remark)
    return DirectoryReport(purpose, str(path), exists, remark=remark)
