"""The command that installs an optional package into tokencli's environment."""

import shutil
import sys
import sysconfig
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from tokencli.shell_words import quote, user_shell


def build_package_command(
    package: str, *, prefix: str = sys.prefix, find: Callable[[str], str | None] = shutil.which
) -> str | None:
    """Return the command that installs a package into this Python environment, or None if unknown.

    Environments of `uv tool` and `uv venv` have no pip. Those of pipx share one, but pipx must know
    of the package to keep it when it upgrades tokencli.
    """
    environment = Path(prefix)
    if (environment / "pipx_metadata.json").is_file() and find("pipx"):
        return f"pipx inject {quote(environment.name)} {package}"
    shell = user_shell()
    python = shell.quote_program(sys.executable)
    if not (environment / "uv-receipt.toml").is_file() and find_spec("pip"):
        return None if _is_managed_by_system() else f"{python} -m pip install {package}"
    if find("uv"):
        return f"uv pip install --python {shell.quote(sys.executable)} {package}"
    if find_spec("ensurepip") and not _is_managed_by_system():
        return shell.chain(f"{python} -m ensurepip", f"{python} -m pip install {package}")
    return None


def _is_managed_by_system() -> bool:
    """Tell whether pip must leave this environment to the operating system (PEP 668)."""
    marker = Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED"
    return sys.prefix == sys.base_prefix and marker.is_file()
