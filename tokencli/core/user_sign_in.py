"""Deal with the person who has to sign in: send them away, wait for them, tell how things stand."""

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
from tokencli.protocols import Context, RedirectListener

SIGN_IN_TIMEOUT_S = 300.0
"""How long a redirect is waited for where nobody says otherwise."""
STATUS_INTERVAL_S = 1.0
"""How often it is told how much time is left."""
POLL_S = 0.2
"""How long one place, port or keyboard, is looked at while both are waited for."""
_URL_LIKE = re.compile(
    r"""(?ix) :// | [?&%] | callback | ^(?:code|error|state)=
      | ^(?:localhost|(?:\d{1,3}\.){3}\d{1,3}|\[[0-9a-f:.]+\])(?:[:/]|$)   # the host alone
      | ^[a-z0-9-]+(?:\.[a-z0-9-]+)*:\d+(?:/|$)                           # any host and its port
      | ^(?:[a-z0-9-]+\.)+[a-z]{2,63}/                                    # or with a path
    """
)
"""What shows that a line is an address or a part of one; a code may hold `/`, `=`, `.` and `-`."""


class UserSignIn:
    """One sign-in as seen from here; what it opened is closed at the end."""

    def __init__(self, profile: Profile, ctx: Context) -> None:
        self._profile = profile
        self._ctx = ctx
        self._listener: RedirectListener | None = None
        self._listen_step: ListenForRedirect | None = None
        self._use_browser = self._browser_opened = False
        self._keyboard_stack = ExitStack()
        self._read_line: Callable[[float], str | None] | None = None
        self._last_status = ""
        self._deadline: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._keyboard_stack.close()
        if self._deadline is not None:
            self._ctx.terminal.set_status_line("")
        if self._listener is not None:
            self._listener.close()

    def start_listener(self, step: ListenForRedirect) -> str:
        """Open the loopback port; first see that somebody can be reached at all."""
        self._use_browser = self._profile.sign_in.browser and self._ctx.browser.is_available
        self._require_user()
        self._listen_step = step
        self._listener = self._ctx.browser.listen_for_redirect(
            step.port, step.parse_response, step.host
        )
        return self._listener.redirect_uri

    def open_browser(self, step: OpenBrowser) -> None:
        """Open the page, or show its address to be opened anywhere."""
        terminal = self._ctx.terminal
        # Before the address is shown: what is pasted at once must come whole, too.
        self._read_line = self._keyboard_stack.enter_context(terminal.open_line_reader())
        host = urlsplit(step.url).netloc
        self._browser_opened = self._use_browser and self._ctx.browser.open_url(step.url)
        if self._browser_opened:
            terminal.print_note(
                f"a browser is open at {host}: sign in there; if you see none, open this:"
            )
            terminal.print_note(step.url, whole=True)
        else:
            terminal.show_message(f"to sign in at {host}, open this address in a browser:")
            terminal.show_message(step.url)
        if terminal.interactive and not self._browser_opened:
            terminal.show_message(
                "if that browser is on another machine, it ends at an address that it can't open:"
                " paste that whole address here, and press Enter"
            )

    def await_redirect(self, _: AwaitAuthorizationResponse) -> AuthorizationResponse:
        """Wait at the port, and at the keyboard for what is pasted."""
        assert self._read_line is not None, "somebody was sent away"
        with self._keyboard_stack:
            return self._poll_for_redirect(self._read_line)

    def _poll_for_redirect(self, typed: Callable[[float], str | None]) -> AuthorizationResponse:
        assert self._listener is not None, "the port is open before a person is sent away"
        assert self._listen_step is not None
        clock, terminal = self._ctx.clock, self._ctx.terminal
        patience = self._profile.sign_in.wait or SIGN_IN_TIMEOUT_S
        self._deadline = clock.monotonic() + patience
        terminal.print_note(f"waiting for {humanize_duration(patience)} at most; Ctrl-C leaves")
        while (left := self._deadline - clock.monotonic()) > 0:
            if self._browser_opened:  # else the line is free for what is pasted
                self._show_status()
            came = self._listener.wait_for_redirect(min(POLL_S, left))
            if came is not None:
                return came
            line = typed(min(POLL_S, left))
            pasted = None if line is None else self._parse_pasted_line(line, self._listen_step)
            if pasted is not None:
                return pasted
        raise LoginRequiredError(
            f"nobody came back from {urlsplit(self._profile.endpoints['authorization']).netloc}"
            f" within {humanize_duration(patience)}",
            fix=f"tokencli login {self._profile.command_line_name} --wait 15m",
        )

    def _parse_pasted_line(
        self, typed: str, step: ListenForRedirect
    ) -> AuthorizationResponse | None:
        """Take an address that was pasted, or the bare code; PKCE ties that to this sign-in.

        What may be a part of an address is no code: sent as one it would use up the sign-in.
        """
        typed = typed.strip()
        if not typed:
            return None
        if _URL_LIKE.search(typed):
            came = step.parse_response(typed.partition("#")[0].partition("?")[2])
            if came is None:
                self._ctx.terminal.show_message(
                    "that is not the address at which this sign-in ends; copy it whole, from"
                    " http:// to its end"
                )
            return came
        if step.accepts_bare_code and typed.isascii() and typed.isprintable() and " " not in typed:
            return AuthorizationResponse(code=Secret(typed))
        self._ctx.terminal.show_message("paste the whole address, from http:// to its end")
        return None

    def show_user_code(self, step: ShowUserCode) -> None:
        """Show page and code (RFC 8628 section 3.3); the page with the code in it only to be scanned."""
        self._require_user()
        terminal = self._ctx.terminal
        terminal.show_message(
            f"to sign in, open this address on any device: {step.verification_uri}"
        )
        complete = step.verification_uri_complete
        drawn = terminal.show_message(
            f"and type this code there: {step.user_code}", qr=complete or step.verification_uri
        )
        if complete:
            way = "scan the picture" if drawn else "open the address below"
            terminal.show_message(f"or {way}, and see that the page shows {step.user_code}")
            if not drawn:
                terminal.show_message(complete)
        self._deadline = self._ctx.clock.monotonic() + step.expires_in
        terminal.print_note(
            f"waiting for {humanize_duration(step.expires_in)} at most; Ctrl-C leaves"
        )

    def wait_interval(self, step: WaitSeconds) -> float:
        """Let time pass, and tell how much is left."""
        clock = self._ctx.clock
        end = clock.monotonic() + step.seconds
        while (left := end - clock.monotonic()) > 0:
            self._show_status()
            clock.sleep(min(STATUS_INTERVAL_S, left))
        return clock.monotonic()

    def _show_status(self) -> None:
        if self._deadline is None:
            return
        left = max(self._deadline - self._ctx.clock.monotonic(), 0.0)
        text = f"waiting for you to sign in; {humanize_duration(left)} left"
        if text != self._last_status:
            self._last_status = text
            self._ctx.terminal.set_status_line(text)

    def _require_user(self) -> None:
        """See that somebody is there, by terminal or screen, or that the caller said so."""
        if self._use_browser or self._ctx.terminal.interactive or self._profile.sign_in.wait:
            return
        raise LoginRequiredError(
            f"somebody has to sign in for profile {self._profile.name!r}, and there is no terminal"
            " to show where (or --no-input or CI forbids it)",
            fix=f"tokencli login {self._profile.command_line_name}   in a terminal; or with --wait 5m, to wait"
            " for somebody who reads this output elsewhere",
        )
