"""Hand variables to later steps of a GitHub Actions job, with their secrets masked in the log."""

import os
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tokencli.commands import output
from tokencli.errors import StorageError, UsageError
from tokencli.formats.github_actions import mask_command
from tokencli.models import Secret


def find_github_env(environ: Mapping[str, str]) -> Path | None:
    """Return the file named by $GITHUB_ENV, or None if stdout is redirected to a file."""
    if _stdout_is_file():
        return None
    path = environ.get("GITHUB_ENV")
    if not path:
        raise UsageError(
            "not running in GitHub Actions (GITHUB_ENV is not set)",
            cause="the format github_actions is for a workflow step; to see what it prints, redirect"
            " stdout to a file",
        )
    return Path(path)


def write_github_env(blocks: str, secrets: Sequence[Secret], github_env: Path | None) -> None:
    """Mask the secrets in the log, then append the variables to $GITHUB_ENV.

    The runner obeys commands on both stdout and stderr. If stdout is a file, as in
    `>> "$GITHUB_ENV"`, the variables go there and the masks to stderr.
    """
    masks = "".join(mask_command(secret.reveal()) for secret in secrets)
    if github_env is None:
        sys.stderr.write(masks)
        sys.stderr.flush()
        output.write_stdout(blocks)
        return
    output.write_stdout(masks)
    try:
        with github_env.open("a", encoding="ascii", newline="\n") as file:
            file.write(blocks)
    except OSError as error:
        raise StorageError(f"can't write the file of $GITHUB_ENV: {error.strerror}") from None


def _stdout_is_file() -> bool:
    try:
        return stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    except (AttributeError, OSError, ValueError):
        return False
