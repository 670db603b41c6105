"""A failed exchange: what is known about it, and a row of the tables that put it into words."""

from collections.abc import Callable
from typing import Any

from tokencli.errors import TokencliError, UnreachableError
from tokencli.fast_dataclass import dataclass
from tokencli.net.connection import ExchangeStage
from tokencli.net.proxy import Proxy
from tokencli.net.request_guard import RequestTarget
from tokencli.net.tls_context import TrustConfig

CHECK_ENDPOINT_HINT = (
    "check the endpoint's address, token_url or whichever it is: tokencli profiles show"
)
CHECK_NETWORK_HINT = (
    "check the host and port (tokencli profiles show), the network and firewall, and whether it "
    "takes a proxy (HTTPS_PROXY)"
)


@dataclass(frozen=True, slots=True)
class FailureContext:
    """What is known about an exchange that failed."""

    target: RequestTarget
    trust: TrustConfig
    proxy: Proxy | None
    stage: ExchangeStage
    request_sent: bool
    """Whether the request may have reached the server."""
    elapsed_s: float
    """Wall-clock seconds since the whole exchange began, earlier tries included."""
    remaining_s: float = 0.0
    """Wall-clock seconds until the deadline."""

    @property
    def server_description(self) -> str:
        """Name the server, and the proxy in between if there is one."""
        if self.proxy is None:
            return self.target.authority
        return f"{self.target.authority} (through the proxy {self.proxy.authority}, from {self.proxy.configured_by})"


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """One kind of failure: when it is that, what is said, and as which error."""

    exception_type: type[BaseException]
    describe: Callable[[Any, FailureContext], tuple[str, str]]
    """Exception, circumstances -> a sentence and the next step. No text of an exception or a server
    is passed on: either may quote a URL, a header or a body."""
    error_type: type[TokencliError] = UnreachableError
    transient: bool = False
    """Whether it may be gone at the next try, if sending once more is harmless."""
    matches: Callable[[Any], bool] = lambda _: True
