"""The system's browser: opened with checked URLs and without a shell."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

from tokencli import platforms
from tokencli.models import AuthorizationResponse
from tokencli.providers.endpoint_urls import check_browser_url
from tokencli.terminal.redirect_server import LoopbackListener

LAUNCH_TIMEOUT_S = 3.0
"""A launcher that still runs after so long is the browser itself, or has passed the URL on."""
_OPEN_SCRIPT = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"


class SystemBrowser:
    """Opens pages with $BROWSER, or as the system does."""

    def __init__(self, environ: Mapping[str, str], *, forbidden: bool = False) -> None:
        self._environ = environ
        self._disabled = forbidden
        self._launch_processes: list[subprocess.Popen[bytes]] = []

    @property
    def is_available(self) -> bool:
        """Whether a window can be expected to open on the user's screen.

        Not over SSH, unless the display is forwarded or $BROWSER is set.
        """
        environ = self._environ
        if self._disabled:
            return False
        if environ.get("BROWSER"):
            return True
        return platforms.current().has_screen(environ)

    def open_url(self, url: str) -> bool:
        """Open `url` and tell whether that worked; what the browser prints goes to stderr.

        A child process does it: `webbrowser` gives its children our stdout, which is for the token,
        and may wait for them as long as they run.

        Raises:
            ConfigError: the URL is not safe to open in a browser.
        """
        command: Sequence[str] = (sys.executable, "-I", "-c", _OPEN_SCRIPT)
        if not self._environ.get("BROWSER"):
            command = platforms.current().browser_opener or command
        try:
            launcher = subprocess.Popen(  # noqa: S603  # a checked URL, and no shell
                [*command, check_browser_url(url)],
                stdin=subprocess.DEVNULL,
                stdout=_stderr_descriptor(),
                env=dict(self._environ),
                **platforms.current().detach_options(),  # so that Ctrl-C does not end the browser
            )
        except OSError:
            return False
        self._launch_processes.append(launcher)
        try:
            return launcher.wait(LAUNCH_TIMEOUT_S) == 0
        except subprocess.TimeoutExpired:
            return True

    def listen_for_redirect(
        self,
        port: int | None,
        accept: Callable[[str], AuthorizationResponse | None],
        host: str,
        path: str,
    ) -> LoopbackListener:
        """Listen on a loopback port: this one, or any free one; raises ConfigError."""
        return LoopbackListener(port, accept, host=host, path=path)


def _stderr_descriptor() -> int:
    """Return the descriptor of stderr, or DEVNULL if it is closed."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return subprocess.DEVNULL
