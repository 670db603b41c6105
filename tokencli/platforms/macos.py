"""macOS, written by Apple's documentation; it has not been run there."""

import sys

assert sys.platform != "win32"  # for mypy, which checks for Windows as well

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from tokencli.platforms.platform import ProxySettings, is_remote
from tokencli.platforms.posix import Posix

_F_FULLFSYNC = 51
"""See fcntl(2) of macOS; the module `fcntl` of Python has it there alone."""


def _control_file(descriptor: int, command: int) -> None:
    import fcntl

    fcntl.fcntl(descriptor, command)


def _read_proxies() -> tuple[Mapping[str, str], Mapping[str, Any]]:
    """Call SCDynamicStoreCopyProxies through the module that urllib uses."""
    scproxy: Any = import_module("_scproxy")
    return scproxy._get_proxies(), scproxy._get_proxy_settings()


def _run_scutil() -> str:
    """Return what `scutil --proxy` prints; nothing if it fails."""
    import subprocess

    command = ["/usr/sbin/scutil", "--proxy"]
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=5)  # noqa: S603 - no input
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace")


class MacOS(Posix):
    """macOS; `control_file` is fcntl(2), `sync` is fsync(2), and the others read proxy settings."""

    name = "macOS"
    other_store = 'choose a local disk (state_dir = "/…" with store = "file"), or store = "none"'
    browser_opener = ("/usr/bin/open",)
    keyring_name = "Keychain"
    state_parent = "Library/Application Support"
    keyring_deletes_before_adding = True
    keyring_lists_items = False
    keyring_survives_fork = False

    def __init__(
        self,
        control_file: Callable[[int, int], None] = _control_file,
        sync: Callable[[int], None] = os.fsync,
        read_proxies: Callable[[], tuple[Mapping[str, str], Mapping[str, Any]]] = _read_proxies,
        run_scutil: Callable[[], str] = _run_scutil,
    ) -> None:
        self._control_file = control_file
        self._sync = sync
        self._read_proxies = read_proxies
        self._run_scutil = run_scutil

    def read_proxy_settings(self) -> ProxySettings:
        """Ask the dynamic store of System Configuration, as urllib does."""
        proxies, settings = self._read_proxies()
        url = proxies.get("https", "")
        if not url and (socks := proxies.get("socks")):
            url = f"socks5h://{socks.partition('://')[2] or socks}"
        exceptions = tuple(str(entry) for entry in settings.get("exceptions") or () if entry)
        return ProxySettings(url, exceptions, bool(settings.get("exclude_simple")))

    def find_proxy_script(self) -> str | None:
        """Ask scutil(8), which prints one setting per line."""
        lines = [line.partition(" : ") for line in self._run_scutil().splitlines()]
        values = {name.strip(): value.strip() for name, _, value in lines}
        is_used = values.get("ProxyAutoConfigEnable") == "1"
        return values.get("ProxyAutoConfigURLString") if is_used else None

    def clock_command(self) -> str:
        return "sudo sntp -sS time.apple.com"

    def keyring_delete_command(self, service: str, username: str) -> list[str]:
        account = ["-a", username] if username else []
        return ["security", "delete-generic-password", "-s", service, *account]

    def has_screen(self, environ: Mapping[str, str]) -> bool:
        """Say no over SSH: pages open on the screen of this machine, even if SSH forwards a display."""
        return not is_remote(environ)

    def can_keyring_prompt(self, environ: Mapping[str, str], *, is_interactive: bool) -> bool:
        """In a terminal, unless this is an SSH session: the Keychain itself asks who may read an item.

        A pipe may be part of a terminal's command line; cron has no TERM.
        """
        return not is_remote(environ) and (is_interactive or bool(environ.get("TERM")))

    def list_clipboards(self, environ: Mapping[str, str]) -> Sequence[str]:
        return ("macos",)

    def sync_file(self, descriptor: int) -> None:
        """Let the drive write as well: fsync(2) of macOS leaves the data in the drive's cache.

        Network and foreign file systems have no F_FULLFSYNC, with various error codes, so fsync(2)
        decides whether it is an error.
        """
        try:
            self._control_file(descriptor, _F_FULLFSYNC)
        except OSError:
            self._sync(descriptor)
