"""Interactive sign-in: open the browser, wait for the redirect, show a device code and the time left."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tokencli.errors import LoginRequiredError
from tokencli.humanize import humanize_duration
from tokencli.models import AuthorizationResponse, Profile, Secret
from tokencli.oauth.grants.steps import (
    AwaitAuthorizationResponse,
    ListenForRedirect,
    OpenBrowser,
    ShowUserCode,
    WaitSeconds,
)
from tokencli.protocols import Context, RedirectListener, WaitStatus

SIGN_IN_TIMEOUT_S = 300.0
"""How long to wait for the redirect by default."""
POLL_S = 0.2
"""How long to wait at the port and at the keyboard in turn."""
_URL_LIKE = re.compile(
    r"""(?ix) :// | [?&%] | callback | ^(?:code|error|state)=
      | ^(?:localhost|(?:\d{1,3}\.){3}\d{1,3}|\[[0-9a-f:.]+\])(?:[:/]|$)   # the host alone
      | ^[a-z0-9-]+(?:\.[a-z0-9-]+)*:\d+(?:/|$)                           # any host and its port
      | ^(?:[a-z0-9-]+\.)+[a-z]{2,63}/                                    # or with a path
    """
)
"""Matches a URL or a part of one. An authorization code may contain `/`, `=`, `.` and `-`."""


class UserSignIn:
    """One interactive sign-in. What it opens is closed at the end."""

    def __init__(self, profile: Profile, ctx: Context) -> None:
        self._profile = profile
        self._ctx = ctx
        self._listener: RedirectListener | None = None
        self._listen_step: ListenForRedirect | None = None
        self._use_browser = self._browser_opened = False
        self._keyboard_stack = ExitStack()
        self._read_line: Callable[[float], str | None] | None = None
        self._wait_stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._wait_stack.close()
        self._keyboard_stack.close()
        if self._listener is not None:
            self._listener.close()

    def start_listener(self, step: ListenForRedirect) -> str:
        """Open the loopback port and return the redirect URI.

        Raises:
            LoginRequiredError: no user can be reached.
        """
        self._use_browser = self._profile.sign_in.browser and self._ctx.browser.is_available
        self._require_user()
        self._listen_step = step
        self._listener = self._ctx.browser.listen_for_redirect(
            step.port, step.parse_response, step.host, step.path
        )
        return self._listener.redirect_uri

    def open_browser(self, step: OpenBrowser) -> None:
        """Open the authorization URL in a browser, or show it so that it can be opened anywhere."""
        terminal = self._ctx.terminal
        # Before the URL is shown, so that nothing of an immediate paste gets lost.
        self._read_line = self._keyboard_stack.enter_context(terminal.open_line_reader())
        host = urlsplit(step.url).netloc
        self._browser_opened = self._use_browser and self._ctx.browser.open_url(step.url)
        if self._browser_opened:
            terminal.print_note(
                f"opened {host} in your browser; if no browser appears, open this URL:"
            )
            terminal.print_note(step.url, whole=True)
        else:
            terminal.show_message(f"to sign in at {host}, open this URL in a browser:")
            terminal.show_message(step.url)
        if terminal.interactive and not self._browser_opened:
            terminal.show_message(
                "if the browser is on another machine, the last page can't be loaded after you sign in:"
                " paste its whole address here and press Enter"
            )

    def await_redirect(self, _: AwaitAuthorizationResponse) -> AuthorizationResponse:
        """Wait for the redirect at the port, and at the keyboard for a pasted address."""
        assert self._read_line is not None, "the authorization URL was opened"
        with self._keyboard_stack, self._wait_stack:
            return self._poll_for_redirect(self._read_line)

    def _poll_for_redirect(self, read_line: Callable[[float], str | None]) -> AuthorizationResponse:
        assert self._listener is not None, "the port is open before the browser"
        assert self._listen_step is not None
        clock, terminal = self._ctx.clock, self._ctx.terminal
        timeout = self._profile.sign_in.wait or SIGN_IN_TIMEOUT_S
        deadline = clock.monotonic() + timeout
        terminal.print_note(f"waiting up to {humanize_duration(timeout)} (Ctrl-C to cancel)")
        self._show_wait(timeout)
        while (left := deadline - clock.monotonic()) > 0:
            response = self._listener.wait_for_redirect(min(POLL_S, left))
            if response is not None:
                return response
            line = read_line(min(POLL_S, left))
            pasted = None if line is None else self._parse_pasted_line(line, self._listen_step)
            if pasted is not None:
                return pasted
        raise LoginRequiredError(
            f"no redirect from {urlsplit(self._profile.endpoints['authorization']).netloc}"
            f" within {humanize_duration(timeout)}: the sign-in wasn't finished",
            cause="if the page says that the redirect URI is wrong, register"
            f" {self._listener.redirect_uri} for the client, or set redirect_host, redirect_port and"
            " redirect_path to the registered one",
            fix=f"tokencli login {self._profile.command_line_name} --wait 15m",
        )

    def _parse_pasted_line(
        self, line: str, step: ListenForRedirect
    ) -> AuthorizationResponse | None:
        """Parse a pasted redirect address or a bare code, which PKCE ties to this sign-in.

        Text that looks like a part of an address isn't taken as a code: the server would refuse it
        and end the sign-in.
        """
        line = line.strip()
        if not line:
            return None
        if _URL_LIKE.search(line):
            response = step.parse_response(line.partition("#")[0].partition("?")[2])
            if response is None:
                self._ctx.terminal.show_message(
                    "this is not the redirect address of this sign-in; paste the whole address,"
                    " starting with http://"
                )
            return response
        if step.accepts_bare_code and line.isascii() and line.isprintable() and " " not in line:
            return AuthorizationResponse(code=Secret(line))
        self._ctx.terminal.show_message("paste the whole address, starting with http://")
        return None

    def show_user_code(self, step: ShowUserCode) -> None:
        """Show the verification URI and the user code (RFC 8628 section 3.3).

        The URI that contains the code is only shown as a QR code, if that can be drawn.
        """
        self._require_user()
        terminal = self._ctx.terminal
        complete_uri = step.verification_uri_complete
        # It comes first: on a small screen, it would push the URL out of sight.
        qr_drawn = terminal.show_message(
            "sign in on any device, e.g. a phone", qr=complete_uri or step.verification_uri
        )
        terminal.show_message(f"to sign in, open this URL on any device: {step.verification_uri}")
        terminal.show_message(f"and type this code there: {step.user_code}")
        if complete_uri:
            alternative = "scan the QR code" if qr_drawn else "open the URL below"
            terminal.show_message(
                f"or {alternative}, and check that the page shows {step.user_code}"
            )
            if not qr_drawn:
                terminal.show_message(complete_uri)
        terminal.print_note(
            f"waiting up to {humanize_duration(step.expires_in)} (Ctrl-C to cancel)"
        )
        self._show_wait(step.expires_in)

    def wait_interval(self, step: WaitSeconds) -> float:
        """Wait, and return the monotonic time at the end."""
        clock = self._ctx.clock
        clock.sleep(max(step.seconds, 0.0))
        return clock.monotonic()

    def _show_wait(self, seconds: float) -> None:
        """Show until the end of the sign-in that the user is waited for, for so many seconds."""
        status = WaitStatus("waiting for you to sign in", seconds)
        self._wait_stack.enter_context(self._ctx.terminal.show_wait(lambda: status))

    def _require_user(self) -> None:
        """Check that a user can be reached: by browser, by terminal, or as `--wait` says."""
        if self._use_browser or self._ctx.terminal.interactive or self._profile.sign_in.wait:
            return
        raise LoginRequiredError(
            f"profile {self._profile.name!r} requires an interactive sign-in, and there is neither a"
            " browser nor a terminal (or --no-input or CI forbids prompts)",
            cause="with --wait, the login doesn't need a terminal if someone reads its output elsewhere",
            fix=f"tokencli login {self._profile.command_line_name} --wait 5m",
        )
