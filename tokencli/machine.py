"""What the ports find out about this machine and its connections, for the checks of `doctor`.

Frozen records without I/O. None of them holds a secret.
"""

from typing import Literal

from tokencli.errors import TokencliError
from tokencli.fast_dataclass import dataclass

StoreName = Literal["keyring", "runtime", "none"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that a server sent (RFC 5280)."""

    subject: str
    """Distinguished names as in RFC 4514."""
    issuer: str
    not_before: float
    """Epoch seconds, as is the next."""
    not_after: float


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """One connection to a server, as far as it got. No credentials were sent."""

    authority: str
    """The server's host, with its port unless that is the default."""
    is_tls: bool = True
    trust: str = ""
    """What certificates are checked against, and what decided that."""
    proxy: str | None = None
    """Host and port of the proxy."""
    proxy_reason: str = ""
    """What decided which proxy is used, or that none is, as a clause."""
    addresses: tuple[str, ...] = ()
    """The host's IP addresses; empty if a proxy looks them up."""
    dns_s: float | None = None
    """Seconds that the name lookup took."""
    connect_s: float | None = None
    """Seconds until the connection was usable, with TLS and the proxy."""
    tls_version: str | None = None
    certificates: tuple[Certificate, ...] = ()
    """The server's own first; also if they are the reason of the failure."""
    status: int | None = None
    """HTTP status of the reply."""
    skew: float | None = None
    """Seconds by which this computer's clock is ahead of the Date header; None if there is none."""
    failed_stage: Literal["url", "proxy", "dns", "connect", "tls", "reply"] | None = None
    error: TokencliError | None = None
    """Why it failed at that stage."""


@dataclass(frozen=True, slots=True)
class DirectoryReport:
    """A directory that tokencli uses."""

    purpose: str
    """E.g. `state`."""
    path: str | None
    """None if there is none on this machine."""
    exists: bool = False
    error: TokencliError | None = None
    """Why it can't be used."""
    remark: str = ""
    """Why there is none, or why it isn't the usual one, as a clause."""


@dataclass(frozen=True, slots=True)
class KeyringReport:
    """The OS keyring, after an item was written, read and deleted."""

    backend: str
    seconds: float
    """What that took."""
    is_tested: bool = True
    """False if nothing was written, because the keyring would have asked the user first."""


@dataclass(frozen=True, slots=True)
class StoreChoice:
    """What the store `auto` means on this machine."""

    name: StoreName
    reasons: tuple[str, ...] = ()
    """Why the stores before it can't be used, each as a clause."""


@dataclass(frozen=True, slots=True)
class ShellAddition:
    """The hook or the completion of the user's shell."""

    shell: str | None
    """None if the shell is unknown."""
    is_supported: bool = False
    path: str | None = None
    """The file in which it is installed; None if it isn't."""
    is_current: bool | None = None
    """Whether the file is of this version; None if that can't be told."""
    install_command: str = ""
    is_loaded: bool | None = None
    """Whether the shell that started this process has it; None if that can't be told."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The process's environment, as far as it changes what works."""

    remarks: tuple[str, ...] = ()
    """What is unusual, each as a sentence without a full stop."""
    clock_command: str | None = None
    """The command that sets the clock right; None if the user can't do that here."""
    is_clock_synchronized: bool | None = None
    """Whether the kernel says that its clock is synchronized, e.g. by NTP; None if unknown."""
