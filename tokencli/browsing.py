"""The port to a browser: a person is sent away with it, and comes back through a loopback redirect."""

from collections.abc import Callable
from typing import Protocol

from tokencli.errors import TokencliError
from tokencli.frozen import dataclass
from tokencli.model import Secret


@dataclass(frozen=True, slots=True)
class Redirect:
    """What a person came back with from the authorization server: a code, or why there is none."""

    code: Secret | None = None
    failure: TokencliError | None = None


class Browser(Protocol):
    """Send a person to a page, and hear when the page sends them back."""

    @property
    def usable(self) -> bool:
        """Whether a window can be expected to open where the person sits."""
        ...

    def open(self, url: str) -> bool:
        """Open a page and tell whether that worked.

        Raises:
            ConfigError: the address is not one that a browser may be given.
        """
        ...

    def listen(
        self, port: int | None, accept: Callable[[str], Redirect | None], host: str = ...
    ) -> "Listener":
        """Open a loopback port, this one or any that is free, for the redirect that `accept` takes.

        The redirect URI calls it by its address, or `localhost` where that is the `host`. Everything else that comes in is turned away and changes nothing.

        Raises:
            ConfigError: another program has the port.
        """
        ...


class Listener(Protocol):
    """The loopback port that a browser is sent back to, for one sign-in."""

    @property
    def redirect_uri(self) -> str:
        """Return the address that the authorization server has to redirect to."""
        ...

    def wait(self, seconds: float) -> Redirect | None:
        """Return the redirect, or None where it has not come once the time is over."""
        ...

    def close(self) -> None:
        """Give the port back."""
        ...
