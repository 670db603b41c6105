"""Secrets from files, such as those that Docker, Kubernetes and systemd hand out."""

import os
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path

from tokencli.errors import CredentialsError
from tokencli.models import Secret, SecretRef
from tokencli.protocols import Terminal
from tokencli.secret_sources.normalize import MAX_SECRET_BYTES, normalize_secret


class FileSource:
    """Read the file that a reference names. Links are followed: orchestrators use them."""

    # Every source is opened alike, whether it needs both or not.
    def __init__(self, *, environ: Mapping[str, str], terminal: Terminal) -> None:  # noqa: ARG002
        self._terminal = terminal

    def read(self, ref: SecretRef) -> Secret | None:
        """Return the file's content, or None where it is empty; warn where anybody can read it.

        Raises:
            CredentialsError: it is not there, not a regular file, too large, or not readable.
        """
        path = Path(ref.target[0]).expanduser()
        where = f"the file {path}"
        shown = f"ls -la {shlex.quote(str(path))}"
        try:
            # Without O_NONBLOCK the open of a FIFO would wait for a writer.
            fd = os.open(
                path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            )
        except (OSError, ValueError) as error:
            raise _unreadable_error(ref, path, error) from None
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                kind = "a directory" if stat.S_ISDIR(found.st_mode) else "not a regular file"
                raise CredentialsError(
                    f"{where}, which is to hold {ref.name}, is {kind}", fix=shown
                )
            if found.st_size > MAX_SECRET_BYTES:
                raise CredentialsError(f"{where} is too large to be a secret", fix=shown)
            raw = os.read(fd, MAX_SECRET_BYTES + 1)
        except OSError as error:
            raise _unreadable_error(ref, path, error) from None
        finally:
            os.close(fd)
        if found.st_mode & 0o006 and _is_world_reachable(path):
            self._terminal.print_warning(
                f"{where} holds {ref.name} of profile {ref.profile!r} and is open to every user of"
                f" this machine; close it: chmod 600 {shlex.quote(str(path))}"
            )
        return normalize_secret(raw, where)


def _unreadable_error(ref: SecretRef, path: Path, error: Exception) -> CredentialsError:
    missing = isinstance(error, FileNotFoundError)
    reason = (
        "is not there" if missing else f"can't be read: {getattr(error, 'strerror', 'no path')}"
    )
    mend = "write the secret to" if missing else "see whose it is: ls -la"
    return CredentialsError(
        f"the file {path}, which is to hold {ref.name} of profile {ref.profile!r}, {reason}",
        fix=f"{mend} {shlex.quote(str(path))}",
    )


def _is_world_reachable(path: Path) -> bool:
    """Tell whether every user can pass all folders above a file."""
    try:
        return all(folder.stat().st_mode & 0o001 for folder in path.resolve().parents)
    except OSError:
        return True
