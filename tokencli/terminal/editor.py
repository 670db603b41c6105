"""Let a person change a text in their own editor."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from tokencli.errors import UsageError

_FALLBACK_EDITORS = ("sensible-editor", "nano", "vi", "notepad")


def edit_text(text: str, environ: Mapping[str, str], *, suffix: str) -> str:
    """Return what a person made of `text`; the copy lies in a folder that only they can read.

    Raises:
        UsageError: there is no editor, it fails, or what it wrote is not UTF-8.
    """
    argv = _find_editor(environ)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tokencli-"))
        copy = Path(folder) / f"edit{suffix}"
        copy.write_text(text, encoding="utf-8", newline="")
        try:
            # Our stdout is for results alone: the editor talks to the terminal through stderr.
            done = subprocess.run(  # noqa: S603 - the person's own editor, without a shell
                [*argv, str(copy)], stdout=sys.stderr, check=False
            )
        except OSError as error:
            raise UsageError(
                f"the editor {argv[0]} can't be started: {error.strerror}",
                fix="set $EDITOR, or use --set KEY=VALUE",
            ) from None
        if done.returncode != 0:
            raise UsageError(
                f"the editor {argv[0]} ended with code {done.returncode}; nothing is kept"
            )
        try:
            return copy.read_bytes().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError):
            raise UsageError("the editor left no UTF-8 text; nothing is kept") from None


def _find_editor(environ: Mapping[str, str]) -> list[str]:
    for name in ("VISUAL", "EDITOR"):
        if environ.get(name, "").strip():
            try:
                return shlex.split(environ[name], posix=os.name == "posix")
            except ValueError:
                raise UsageError(f"${name} has a quotation mark without its pair") from None
    for name in _FALLBACK_EDITORS:
        found = shutil.which(name)
        if found:
            return [found]
    raise UsageError("there is no editor", fix="set $EDITOR, or use --set KEY=VALUE")
