"""The shell functions that `tokencli hook` prints."""

import os
import re

import pytest

from tests.architecture import PACKAGE
from tokencli.fastpath import reader
from tokencli.fastpath.hooks import HOOK_SHELLS, render_hook_script
from tokencli.system.user_dirs import runtime_dir


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_hooks_look_for_records_where_the_reader_does(
    shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Directories and the replacement of slashes come from the reader; no placeholder is left."""
    monkeypatch.setattr(reader, "records_base_dirs", lambda _, user: (f"/acme/{user}", "/other"))
    monkeypatch.setattr(reader, "APP_DIR", "acme-app")
    monkeypatch.setattr(reader, "RECORDS_DIR", "acme-records")
    monkeypatch.setattr(reader, "SLASH_IN_NAME", "+")
    script = render_hook_script(shell, ["p"])
    user = HOOK_SHELLS[shell].user_id or os.geteuid()
    assert f'for base in "/acme/{user}" "/other"' in script
    assert "acme-app/acme-records/" in script
    assert "//+}" in script or "--all / + --" in script
    assert "/run/user" not in script and "hot" not in script
    for placeholder in ("BASE_DIRS", "APP_DIR", "RECORDS", "SLASH", "VERSION", "PROFILES"):
        assert f"@{placeholder}" not in script


def test_moving_the_records_does_not_move_stored_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory of the store `runtime` doesn't depend on that of the records."""
    before = runtime_dir(os.environ)
    monkeypatch.setattr(reader, "records_base_dirs", lambda *_: ())
    monkeypatch.setattr(reader, "APP_DIR", "acme-app")
    assert runtime_dir(os.environ) == before


@pytest.mark.parametrize("shell", HOOK_SHELLS)
def test_hooks_are_ascii(shell: str) -> None:
    """A shell reads them with any code page, and from a file without a byte-order mark."""
    assert render_hook_script(shell, ["groupid"]).isascii()


@pytest.mark.parametrize("path", ["tokencli/fastpath/hook.bash", "completions/tokencli.bash"])
def test_bash_of_macos_can_parse_it(path: str) -> None:
    """Bash 3.2 takes an extended pattern, even in a function that isn't called, for a syntax error."""
    text = (PACKAGE.parent / path).read_text(encoding="utf-8")
    assert re.findall(r"[?*+@!]\([^(\n]*\)", text) == []
    assert re.findall(r"\|&|&>>|;;?&|\$\{\w+(?:,,|\^\^)|\bcoproc\b", text) == []
