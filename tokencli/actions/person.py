"""Deal with the person who has to sign in: send them away, wait for them, tell how things stand."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tokencli.browsing import Listener, Redirect
from tokencli.errors import ConfigError, LoginNeeded
from tokencli.grants.steps import AwaitRedirect, Listen, OpenBrowser, ShowUserCode, Wait
from tokencli.jwt.times import words
from tokencli.model import Profile, Secret
from tokencli.ports import Edges

PATIENCE_S = 300.0
"""How long a redirect is waited for where nobody says otherwise."""
TICK_S = 1.0
"""How often it is told how much time is left."""
GLANCE_S = 0.2
"""How long one place, port or keyboard, is looked at while both are waited for."""
_OF_AN_ADDRESS = re.compile(
    r"""(?ix) :// | [?&%] | callback | ^(?:code|error|state)=
      | ^(?:localhost|(?:\d{1,3}\.){3}\d{1,3}|\[[0-9a-f:.]+\])(?:[:/]|$)   # the host alone
      | ^[a-z0-9-]+(?:\.[a-z0-9-]+)*:\d+(?:/|$)                           # any host and its port
      | ^(?:[a-z0-9-]+\.)+[a-z]{2,63}/                                    # or with a path
    """
)
"""What shows that a line is an address or a part of one; a code may hold `/`, `=`, `.` and `-`."""


class Person:
    """One sign-in as seen from here; what it opened is closed at the end."""

    def __init__(self, profile: Profile, edges: Edges) -> None:
        self._profile = profile
        self._edges = edges
        self._listener: Listener | None = None
        self._expected: Listen | None = None
        self._by_browser = self._opened = False
        self._keyboard = ExitStack()
        self._typed: Callable[[float], str | None] | None = None
        self._told = ""
        self._until: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._keyboard.close()
        if self._until is not None:
            self._edges.terminal.status("")
        if self._listener is not None:
            self._listener.close()

    def listen(self, step: Listen) -> str:
        """Open the loopback port; first see that somebody can be reached at all."""
        self._by_browser = self._profile.sign_in.browser and self._edges.browser.usable
        self._require()
        self._expected = step
        self._listener = self._edges.browser.listen(step.port, step.accept, step.host)
        return self._listener.redirect_uri

    def send(self, step: OpenBrowser) -> None:
        """Open the page, or show its address to be opened anywhere."""
        terminal = self._edges.terminal
        # Before the address is shown: what is pasted at once must come whole, too.
        self._typed = self._keyboard.enter_context(terminal.keyboard())
        host = urlsplit(step.url).netloc
        self._opened = self._by_browser and self._edges.browser.open(step.url)
        if self._opened:
            terminal.note(
                f"a browser is open at {host}: sign in there; if you see none, open this:"
            )
            terminal.note(step.url, whole=True)
        else:
            terminal.show(f"to sign in at {host}, open this address in a browser:")
            terminal.show(step.url)
        if terminal.interactive and not self._opened:
            terminal.show(
                "if that browser is on another machine, it ends at an address that it can't open:"
                " paste that whole address here, and press Enter"
            )

    def await_redirect(self, _: AwaitRedirect) -> Redirect:
        """Wait at the port, and at the keyboard for what is pasted."""
        assert self._typed is not None, "somebody was sent away"
        with self._keyboard:
            return self._awaited(self._typed)

    def _awaited(self, typed: Callable[[float], str | None]) -> Redirect:
        assert self._listener is not None, "the port is open before a person is sent away"
        assert self._expected is not None
        clock, terminal = self._edges.clock, self._edges.terminal
        patience = self._profile.sign_in.wait or PATIENCE_S
        self._until = clock.monotonic() + patience
        terminal.note(f"waiting for {words(patience)} at most; Ctrl-C leaves")
        while (left := self._until - clock.monotonic()) > 0:
            if self._opened:  # else the line is free for what is pasted
                self._tell()
            came = self._listener.wait(min(GLANCE_S, left))
            if came is not None:
                return came
            line = typed(min(GLANCE_S, left))
            pasted = None if line is None else self._pasted(line, self._expected)
            if pasted is not None:
                return pasted
        raise LoginNeeded(
            f"nobody came back from {urlsplit(self._profile.endpoints['authorization']).netloc}"
            f" within {words(patience)}",
            hint=f"tokencli login {self._profile.as_typed} --wait 15m",
        )

    def _pasted(self, typed: str, step: Listen) -> Redirect | None:
        """Take an address that was pasted, or the bare code; PKCE ties that to this sign-in.

        What may be a part of an address is no code: sent as one it would use up the sign-in.
        """
        typed = typed.strip()
        if not typed:
            return None
        if _OF_AN_ADDRESS.search(typed):
            came = step.accept(typed.partition("#")[0].partition("?")[2])
            if came is None:
                self._edges.terminal.show(
                    "that is not the address at which this sign-in ends; copy it whole, from"
                    " http:// to its end"
                )
            return came
        if step.takes_code and typed.isascii() and typed.isprintable() and " " not in typed:
            return Redirect(code=Secret(typed))
        self._edges.terminal.show("paste the whole address, from http:// to its end")
        return None

    def show_user_code(self, step: ShowUserCode) -> None:
        """Show page and code (RFC 8628 section 3.3); the page with the code in it only to be scanned."""
        self._require()
        terminal = self._edges.terminal
        terminal.show(f"to sign in, open this address on any device: {step.verification_uri}")
        complete = step.verification_uri_complete
        drawn = terminal.show(
            f"and type this code there: {step.user_code}", qr=complete or step.verification_uri
        )
        if complete:
            way = "scan the picture" if drawn else "open the address below"
            terminal.show(f"or {way}, and see that the page shows {step.user_code}")
            if not drawn:
                terminal.show(complete)
        self._until = self._edges.clock.monotonic() + step.expires_in
        terminal.note(f"waiting for {words(step.expires_in)} at most; Ctrl-C leaves")

    def wait(self, step: Wait) -> float:
        """Let time pass, and tell how much is left."""
        clock = self._edges.clock
        end = clock.monotonic() + step.seconds
        while (left := end - clock.monotonic()) > 0:
            self._tell()
            clock.sleep(min(TICK_S, left))
        return clock.monotonic()

    def _tell(self) -> None:
        if self._until is None:
            return
        left = max(self._until - self._edges.clock.monotonic(), 0.0)
        text = f"waiting for you to sign in; {words(left)} left"
        if text != self._told:
            self._told = text
            self._edges.terminal.status(text)

    def _require(self) -> None:
        """See that somebody is there, by terminal or screen, or that the caller said so."""
        if self._by_browser or self._edges.terminal.interactive or self._profile.sign_in.wait:
            return
        raise LoginNeeded(
            f"somebody has to sign in for profile {self._profile.name!r}, and there is no terminal"
            " to show where (or --no-input or CI forbids it)",
            hint=f"tokencli login {self._profile.as_typed}   in a terminal; or with --wait 5m, to wait"
            " for somebody who reads this output elsewhere",
        )


class Unaddressed(ConfigError):
    """The address of an endpoint is known neither from the profile nor from the server."""

    endpoint = ""
    """Its logical name."""


def unaddressed(profile: Profile, endpoint: str) -> Unaddressed:
    """Say that the address of an endpoint is known neither from the profile nor from the server."""
    words_of_it = endpoint.replace("_", " ")
    found = Unaddressed(
        f"the {words_of_it} endpoint of profile {profile.name!r} is not known",
        hint=f"tokencli profiles edit {profile.name}   and give its address, or the server's issuer",
    )
    found.endpoint = endpoint
    return found
