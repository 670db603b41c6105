"""The person's browser: opened only at addresses that are nothing but addresses, and never by a shell."""

import subprocess
import sys
from collections.abc import Callable, Mapping

from tokencli.models import AuthorizationResponse
from tokencli.providers.endpoint_urls import check_browser_url
from tokencli.terminal.redirect_server import LoopbackListener

LAUNCH_TIMEOUT_S = 3.0
"""A starter that still runs after so long is the browser itself, or has handed the address on."""
_OPEN_SCRIPT = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"


class SystemBrowser:
    """Open pages the way the system does, with $BROWSER before all else."""

    def __init__(self, environ: Mapping[str, str], *, forbidden: bool = False) -> None:
        self._environ = environ
        self._disabled = forbidden
        self._launch_processes: list[subprocess.Popen[bytes]] = []

    @property
    def is_available(self) -> bool:
        """Whether a window can be expected to open where the person sits.

        Not over SSH, whose other end has the screen, unless that is forwarded or $BROWSER knows a way.
        """
        environ = self._environ
        if self._disabled:
            return False
        if environ.get("BROWSER"):
            return True
        screen = any(environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
        remote = any(environ.get(name) for name in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"))
        return screen or (sys.platform in ("darwin", "win32") and not remote)

    def open_url(self, url: str) -> bool:
        """Open `url` and tell whether that worked; what the browser prints goes to stderr.

        A process of its own does it: `webbrowser` gives its children our stdout, which carries the
        token, and may wait for them as long as they run.

        Raises:
            ConfigError: the address is not one that a browser may be given.
        """
        command = [sys.executable, "-I", "-c", _OPEN_SCRIPT, check_browser_url(url)]
        try:
            starter = subprocess.Popen(  # noqa: S603  # a checked address, and no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=_stderr_descriptor(),
                env=dict(self._environ),
                start_new_session=True,  # Ctrl-C here is not meant for the browser
            )
        except OSError:
            return False
        self._launch_processes.append(starter)
        try:
            return starter.wait(LAUNCH_TIMEOUT_S) == 0
        except subprocess.TimeoutExpired:
            return True

    def listen_for_redirect(
        self,
        port: int | None,
        accept: Callable[[str], AuthorizationResponse | None],
        host: str = "127.0.0.1",
    ) -> LoopbackListener:
        """Open a loopback port: this one, or any that is free; raises ConfigError."""
        return LoopbackListener(port, accept, by_name=host == "localhost")


def _stderr_descriptor() -> int:
    """Return the descriptor of stderr, or of nowhere where that is closed."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return subprocess.DEVNULL
