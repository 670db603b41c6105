"""A failed exchange: what is known about it, and a row of the tables that put it into words."""

from collections.abc import Callable
from typing import Any

from tokencli.adapters.connection import Stage
from tokencli.adapters.outgoing import Target
from tokencli.adapters.proxy import Proxy
from tokencli.adapters.trust import Trust
from tokencli.errors import TokencliError, UnreachableError
from tokencli.frozen import dataclass

NOT_THE_ENDPOINT = (
    "check the endpoint's address, token_url or whichever it is: tokencli profiles show"
)
NETWORK = (
    "check the host and port (tokencli profiles show), the network and firewall, and whether it "
    "takes a proxy (HTTPS_PROXY)"
)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known about an exchange that failed."""

    target: Target
    trust: Trust
    proxy: Proxy | None
    stage: Stage
    sent: bool
    """Whether the request may have reached the server."""
    waited: float
    """Wall-clock seconds since the whole exchange began, earlier tries included."""
    left: float = 0.0
    """Wall-clock seconds until the deadline."""

    @property
    def server(self) -> str:
        """Name the server, and the proxy in between if there is one."""
        if self.proxy is None:
            return self.target.shown
        return (
            f"{self.target.shown} (through the proxy {self.proxy.shown}, from {self.proxy.origin})"
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of failure: when it is that, what is said, and as which error."""

    kind: type[BaseException]
    say: Callable[[Any, Circumstances], tuple[str, str]]
    """Exception, circumstances -> a sentence and the next step. No text of an exception or a server
    is passed on: either may quote a URL, a header or a body."""
    raises: type[TokencliError] = UnreachableError
    passing: bool = False
    """Whether it may be gone at the next try, if sending once more is harmless."""
    when: Callable[[Any], bool] = lambda _: True
