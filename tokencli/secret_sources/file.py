"""Secrets from files, e.g. those that Docker, Kubernetes and systemd provide."""

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from tokencli import platforms
from tokencli.errors import CredentialsError
from tokencli.models import Secret, SecretRef
from tokencli.protocols import Interaction, Terminal
from tokencli.secret_sources import MAX_SECRET_BYTES, normalize_secret
from tokencli.shell_words import user_shell


class FileSource:
    """Reads the secret from a file. Symbolic links are followed: orchestrators use them."""

    interaction: ClassVar[Interaction] = "none"

    def __init__(self, *, environ: Mapping[str, str], terminal: Terminal) -> None:
        self._environ = environ
        self._terminal = terminal

    def explain_missing(self, ref: SecretRef) -> tuple[str | None, str | None]:
        """Return the command that asks for the secret and writes the file, or what else has to write it."""
        if not user_shell().has_unix_tools or self._environ.get("CI"):
            return "the file with the secret must be created before tokencli is run", None
        from tokencli.secret_sources.setup_commands import write_files_command

        cause = None if self._terminal.can_user_type else "to create it, run this in a terminal"
        return cause, write_files_command([ref], [str(Path(ref.target[0]).expanduser())])

    def read(self, ref: SecretRef) -> Secret | None:
        """Return the file's content, or None if it is empty; warn if every user can read it.

        Raises:
            CredentialsError: the file is missing, not a regular file, too large or not readable.
        """
        path = Path(ref.target[0]).expanduser()
        purpose = f"the {ref.name} of profile {ref.profile!r}"
        list_command = user_shell().list_path(str(path), "-la")
        try:
            # Without O_NONBLOCK, opening a FIFO would wait for a writer.
            fd = os.open(
                path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            )
        except (OSError, ValueError) as error:
            raise self._unreadable_error(ref, path, error) from None
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
                raise CredentialsError(f"can't read {purpose}: {path} is {kind}", fix=list_command)
            if status.st_size > MAX_SECRET_BYTES:
                raise CredentialsError(
                    f"can't read {purpose}: {path} is too large to be a secret",
                    cause=f"it has {status.st_size} bytes; a secret has at most {MAX_SECRET_BYTES}",
                    fix=list_command,
                )
            raw = os.read(fd, MAX_SECRET_BYTES + 1)
            exposure = platforms.current().find_exposure(fd)
        except OSError as error:
            raise self._unreadable_error(ref, path, error) from None
        finally:
            os.close(fd)
        if exposure is not None and _is_world_reachable(path):
            who_can, others = exposure
            restriction = _describe_restriction(path, others)
            self._terminal.print_warning(
                f"{who_can} {path}, which holds {purpose}"
                + (f"; to restrict access: {restriction}" if restriction else "")
            )
        return normalize_secret(raw, f"the file {path}")

    def _unreadable_error(self, ref: SecretRef, path: Path, error: Exception) -> CredentialsError:
        purpose = f"the {ref.name} of profile {ref.profile!r}"
        if isinstance(error, FileNotFoundError):
            cause, fix = self.explain_missing(ref)
            return CredentialsError(
                f"can't read {purpose}: {path} does not exist", cause=cause, fix=fix
            )
        reason = getattr(error, "strerror", None) or "not a path"
        return CredentialsError(
            f"can't read {purpose} from {path}: {reason}",
            fix=user_shell().list_path(str(path), "-la"),
        )


def _is_world_reachable(path: Path) -> bool:
    """Tell whether every user can pass through all directories above a file."""
    try:
        return all(directory.stat().st_mode & 0o001 for directory in path.resolve().parents)
    except OSError:
        return True


def _describe_restriction(path: Path, others: Sequence[str] | None) -> str | None:
    """Say how to close the file to others; the mode of a container's volume is set where it is defined."""
    if hasattr(os, "statvfs") and os.statvfs(path).f_flag & os.ST_RDONLY:
        return (
            "set mode 0400 where the read-only volume is defined (in Kubernetes: defaultMode: 0400)"
        )
    return platforms.current().restrict_command(str(path), others)
