"""The port to a browser: a person is sent away with it, and comes back through a loopback redirect."""

from collections.abc import Callable
from typing import Protocol

from tokencli.errors import TokencliError
from tokencli.fast_dataclass import dataclass
from tokencli.models import Secret


@dataclass(frozen=True, slots=True)
class AuthorizationResponse:
    """What a person came back with from the authorization server: a code, or why there is none."""

    code: Secret | None = None
    error: TokencliError | None = None


class Browser(Protocol):
    """Send a person to a page, and hear when the page sends them back."""

    @property
    def is_available(self) -> bool:
        """Whether a window can be expected to open where the person sits."""
        ...

    def open_url(self, url: str) -> bool:
        """Open a page and tell whether that worked.

        Raises:
            ConfigError: the address is not one that a browser may be given.
        """
        ...

    def listen_for_redirect(
        self,
        port: int | None,
        accept: Callable[[str], AuthorizationResponse | None],
        host: str = ...,
    ) -> "RedirectListener":
        """Open a loopback port, this one or any that is free, for the redirect that `accept` takes.

        The redirect URI calls it by its address, or `localhost` where that is the `host`. Everything else that comes in is turned away and changes nothing.

        Raises:
            ConfigError: another program has the port.
        """
        ...


class RedirectListener(Protocol):
    """The loopback port that a browser is sent back to, for one sign-in."""

    @property
    def redirect_uri(self) -> str:
        """Return the address that the authorization server has to redirect to."""
        ...

    def wait_for_redirect(self, seconds: float) -> AuthorizationResponse | None:
        """Return the redirect, or None where it has not come once the time is over."""
        ...

    def close(self) -> None:
        """Give the port back."""
        ...
