"""Let the user edit a text in their editor."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from tokencli import platforms
from tokencli.errors import UsageError
from tokencli.shell_words import user_shell

_FALLBACK_EDITORS = ("sensible-editor", "nano", "vi", "notepad")


def edit_text(text: str, environ: Mapping[str, str], *, suffix: str) -> str:
    """Return the edited `text`; the temporary file is in a directory that only the user can read.

    Raises:
        UsageError: there is no editor, it fails, or its output is not UTF-8.
    """
    argv = _find_editor(environ)
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="tokencli-"))
        file = Path(directory) / f"edit{suffix}"
        file.write_text(text, encoding="utf-8", newline="")
        try:
            # stdout is for results only, so the editor uses the terminal through stderr.
            done = subprocess.run(  # noqa: S603  # the user's editor, without a shell
                [*argv, str(file)], stdout=sys.stderr, check=False
            )
        except OSError as error:
            raise UsageError(
                f"can't start the editor {argv[0]}: {error.strerror}",
                fix=_choose_command(),
            ) from None
        if done.returncode != 0:
            raise UsageError(
                f"the editor {argv[0]} exited with code {done.returncode}; nothing was changed"
            )
        try:
            return file.read_bytes().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError):
            raise UsageError("the editor did not save UTF-8 text; nothing was changed") from None


def _choose_command() -> str:
    shell = user_shell()
    return shell.set_variable("EDITOR", shell.usual_editor)


def _find_editor(environ: Mapping[str, str]) -> list[str]:
    for name in ("VISUAL", "EDITOR"):
        if environ.get(name, "").strip():
            try:
                return platforms.current().split_command(environ[name])
            except ValueError:
                raise UsageError(f"${name} contains an unmatched quotation mark") from None
    for name in _FALLBACK_EDITORS:
        editor = shutil.which(name)
        if editor:
            return [editor]
    raise UsageError(
        "no editor was found", cause="neither VISUAL nor EDITOR is set", fix=_choose_command()
    )
