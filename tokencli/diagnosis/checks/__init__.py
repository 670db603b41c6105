"""The checks of `doctor`, one row each, in the order in which they are run and shown.

A check is a function from a `Subject` to an `Outcome`. All I/O goes through the subject's `ctx`.
"""

from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

from tokencli.core.secret_resolver import SecretResolver, source_interaction
from tokencli.errors import (
    ConfigError,
    CredentialsError,
    InvalidTokenError,
    StorageError,
    TokencliError,
    UnreachableError,
)
from tokencli.machine import (
    ConnectionReport,
    DirectoryReport,
    KeyringReport,
    ShellAddition,
    StoreChoice,
    Surroundings,
)
from tokencli.models import ClientCertificate, Connection, Profile
from tokencli.oauth.client_authentication import tls_client_certificate
from tokencli.protocols import Context
from tokencli.providers.endpoint_urls import get_url_origin

if TYPE_CHECKING:
    from tokencli.config.load import Config

T = TypeVar("T")

DEFAULT_TIMEOUT_S = 10.0
"""Seconds that all checks take together, at most."""
LONGER_TIMEOUT_S = 60.0
"""Seconds to suggest if the checks didn't end in time; at least twice the time that they had."""
REPORT_TIME_S = 1.0
"""Seconds before that at which a request is given up, so that there is time to say why."""
ANY_PROFILE = "ANY-PROFILE"
"""Instead of the profile's name in what is found out once for several profiles."""


class DoctorContext(Context, Protocol):
    """What the checks may use."""

    def probe_connection(
        self, url: str, connection: Connection, certificate: ClientCertificate | None
    ) -> ConnectionReport:
        """Connect to the server of a URL without sending credentials, and report each stage."""
        ...

    def take_warnings(self) -> list[str]:
        """Return what the ports warned of in this thread since the last call."""
        ...

    def inspect_directories(self) -> Iterable[DirectoryReport]:
        """Return the directories for state and for data in memory."""
        ...

    def describe_surroundings(self) -> Surroundings:
        """Return what is unusual about the process's environment."""
        ...

    def test_keyring(self) -> KeyringReport:
        """Store, read and delete an item; raises KeyringError."""
        ...

    def choose_store(self) -> StoreChoice:
        """Return what the store `auto` means on this machine."""
        ...

    def inspect_shell_addition(self, kind: Literal["hook", "completion"]) -> ShellAddition:
        """Return whether the hook or the completion is installed in the user's shell."""
        ...


State = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found."""

    state: State
    detail: str
    """What was found, or why the check was skipped, as a clause."""
    cause: str | None = None
    fix: str | None = None
    """One command that helps."""
    exit_code: int | None = None
    """For a failure; None: that of the check's row."""

    def for_profile(self, name: str) -> "Outcome":
        """Return the outcome with the profile's name instead of ANY_PROFILE."""
        texts = [text and text.replace(ANY_PROFILE, name) for text in (self.cause, self.fix)]
        detail = self.detail.replace(ANY_PROFILE, name)
        return replace(self, detail=detail, cause=texts[0], fix=texts[1])


def passed(detail: str) -> Outcome:
    """Return the outcome of a check that found nothing wrong."""
    return Outcome("ok", detail)


def skipped(reason: str) -> Outcome:
    """Return the outcome of a check that doesn't apply, or can't be made harmlessly."""
    return Outcome("skipped", reason)


def warned(detail: str, *, cause: str | None = None, fix: str | None = None) -> Outcome:
    """Return the outcome of a check that found something to know, although tokens can be obtained."""
    return Outcome("warning", detail, cause, fix)


def failed(detail: str, *, cause: str | None = None, fix: str | None = None) -> Outcome:
    """Return the outcome of a check that found why no token can be obtained."""
    return Outcome("failed", detail, cause, fix)


def failed_by(error: TokencliError) -> Outcome:
    """Return the outcome of a check that ended with an error."""
    return Outcome("failed", error.message, error.cause, error.fix, error.exit_code)


class SharedResults:
    """What is found out once, although several profiles need it at the same time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._results: dict[Hashable, Future[Any]] = {}

    def find_once(self, key: Hashable, find: Callable[[], T]) -> T:
        """Return what `find` returned, or raise what it raised, to the first caller with this key."""
        with self._lock:
            is_first = key not in self._results
            future: Future[T] = self._results.setdefault(key, Future())
        if is_first:
            try:
                future.set_result(find())
            except BaseException as error:  # noqa: BLE001  # raised by result()
                future.set_exception(error)
        return future.result()


@dataclass(frozen=True)
class Subject:
    """What is checked: this machine, or one profile."""

    ctx: DoctorContext
    deadline: float
    """Monotonic seconds by which everything has to be done."""
    config: "Config | None" = None
    """None if the configuration can't be loaded."""
    config_error: ConfigError | None = None
    checked_profiles: tuple[Profile, ...] = ()
    """All valid profiles that are checked in this run."""
    name: str | None = None
    """The profile's name; None for the machine."""
    valid_profile: Profile | None = None
    """None if the profile has problems."""
    may_request_token: bool = False
    """Whether the user allows a token request."""
    shared: SharedResults = field(default_factory=SharedResults)
    """What was found out for any of the profiles."""
    time_limit: float = DEFAULT_TIMEOUT_S
    """Seconds from the start to the deadline."""

    @property
    def profile(self) -> Profile:
        """Return the profile, with a timeout that ends before the deadline."""
        profile = self.valid_profile
        assert profile is not None, "the row comes after `profile`"
        timeout = min(profile.connection.timeout, self.remaining_s)
        return replace(profile, connection=replace(profile.connection, timeout=timeout))

    @property
    def anonymous_profile(self) -> Profile:
        """Return the profile under the name ANY_PROFILE, for what is found out once."""
        connection = replace(self.profile.connection, profile=ANY_PROFILE)
        return replace(self.profile, name=ANY_PROFILE, connection=connection)

    @property
    def connection_key(self) -> Connection:
        """Return what the connections of several profiles can have in common."""
        assert self.valid_profile is not None
        return replace(self.valid_profile.connection, profile="")

    def list_supplied_secrets(self, *names: str) -> list[str]:
        """Return those of these secrets that the user, a program or another profile has to supply."""
        refs = [self.profile.secrets[name] for name in names if name in self.profile.secrets]
        return [ref.name for ref in refs if source_interaction(ref, self.ctx) != "none"]

    @property
    def remaining_s(self) -> float:
        """Return the seconds that a request may take."""
        return max(self.deadline - self.ctx.clock.monotonic() - REPORT_TIME_S, 0.1)

    @property
    def longer_run_command(self) -> str:
        """Return the command that gives the same checks more time."""
        seconds = max(LONGER_TIMEOUT_S, 2 * self.time_limit)
        return " ".join(("tokencli doctor", *filter(None, (self.name,)), f"--timeout {seconds:g}s"))

    @property
    def connection_report(self) -> ConnectionReport:
        """Return how far a connection to the token endpoint's server gets, which is tried once."""
        profile, certificate = self.profile, None
        if profile.client_cert is not None and not self.list_supplied_secrets("key_passphrase"):
            with suppress(CredentialsError):  # `secrets` reports it
                resolver = SecretResolver(profile, self.ctx)
                passphrase = resolver.resolve("key_passphrase", optional=True)
                certificate = tls_client_certificate(profile, passphrase)
        url = profile.token_url
        key = ("connection", get_url_origin(url) or url, self.connection_key, certificate)
        connection = self.anonymous_profile.connection
        return self.shared.find_once(
            key, lambda: self.ctx.probe_connection(url, connection, certificate)
        )


class CheckSpec(NamedTuple):
    """A row of CHECKS."""

    function: str
    """`module:function`, called with the Subject."""
    sentence: str
    """What is checked, for the manual."""
    exit_code: int = 1
    """The exit code if the check fails without naming one, e.g. because it ran out of time."""
    after: tuple[str, ...] = ()
    """The checks without which this one makes no sense."""
    per_profile: bool = True
    is_local: bool = True
    """False if it depends on the network; those of a profile run beside its local ones."""


_HERE = "tokencli.diagnosis.checks"
_CONFIG, _CREDENTIALS, _NETWORK = (
    ConfigError.exit_code,
    CredentialsError.exit_code,
    UnreachableError.exit_code,
)
_STORAGE, _TOKEN = StorageError.exit_code, InvalidTokenError.exit_code

CHECKS: dict[str, CheckSpec] = {
    "configuration": CheckSpec(
        f"{_HERE}.machine:check_configuration",
        "The configuration file is there, is readable, has no unknown keys or other problems, and only you can change it.",
        _CONFIG,
        per_profile=False,
    ),
    "environment": CheckSpec(
        f"{_HERE}.machine:check_environment",
        "What is different here from your own terminal: no HOME, a container, no desktop session, CI.",
        per_profile=False,
    ),
    "permissions": CheckSpec(
        f"{_HERE}.machine:check_permissions",
        "The directories for state and for data in memory can be used, and are closed to others.",
        _STORAGE,
        per_profile=False,
    ),
    "keyring": CheckSpec(
        f"{_HERE}.machine:check_keyring",
        "The OS keyring is unlocked and returns what is stored in it, and how long that takes.",
        _CREDENTIALS,
        per_profile=False,
    ),
    "event_log": CheckSpec(
        f"{_HERE}.machine:check_event_log",
        "The event log can be read, if there is one.",
        _STORAGE,
        per_profile=False,
    ),
    "hook": CheckSpec(
        f"{_HERE}.machine:check_hook",
        "Whether your shell's startup file loads `tokencli hook`.",
        per_profile=False,
    ),
    "completion": CheckSpec(
        f"{_HERE}.machine:check_completion",
        "Whether completion is installed for your shell, and is of this version.",
        per_profile=False,
    ),
    "profile": CheckSpec(
        f"{_HERE}.profile:check_profile", "The profile's settings are valid.", _CONFIG
    ),
    "secrets": CheckSpec(
        f"{_HERE}.profile:check_secrets",
        "The secrets that the profile needs are set. Those from a prompt, a program or another profile are not read.",
        _CREDENTIALS,
        after=("profile",),
    ),
    "lock": CheckSpec(
        f"{_HERE}.profile:check_lock",
        "The lock of the profile's token can be taken, or who holds it.",
        _STORAGE,
        after=("profile",),
    ),
    "store": CheckSpec(
        f"{_HERE}.profile:check_store",
        "Where tokens are stored, why there, and that a new one would fit.",
        _STORAGE,
        after=("profile", "lock"),
    ),
    "token": CheckSpec(
        f"{_HERE}.profile:check_token",
        "A token is stored, or `get` can get one without you.",
        _CREDENTIALS,
        after=("profile", "lock", "store"),
    ),
    "proxy": CheckSpec(
        f"{_HERE}.network:check_proxy",
        "Which proxy is used for the token endpoint, what decided that, and that it can be reached.",
        _NETWORK,
        after=("profile",),
        is_local=False,
    ),
    "dns": CheckSpec(
        f"{_HERE}.network:check_dns",
        "The token endpoint's host name has an address.",
        _NETWORK,
        after=("proxy",),
        is_local=False,
    ),
    "connect": CheckSpec(
        f"{_HERE}.network:check_connect",
        "The token endpoint's server accepts connections.",
        _NETWORK,
        after=("dns",),
        is_local=False,
    ),
    "tls": CheckSpec(
        f"{_HERE}.network:check_tls",
        "The server's certificate is trusted, what it was checked against, and when it expires (a warning 30 days before).",
        _NETWORK,
        after=("connect",),
        is_local=False,
    ),
    "http": CheckSpec(
        f"{_HERE}.network:check_http",
        "The server replies to an HTTP request without credentials, whatever the status.",
        _NETWORK,
        after=("tls",),
        is_local=False,
    ),
    "clock": CheckSpec(
        f"{_HERE}.network:check_clock",
        "This computer's clock agrees with the server's Date header within 60 s.",
        _TOKEN,
        after=("http",),
        is_local=False,
    ),
    "discovery": CheckSpec(
        f"{_HERE}.network:check_discovery",
        "The issuer's metadata can be fetched, names this issuer, and moved no endpoint to another server.",
        _NETWORK,
        after=("tls",),
        is_local=False,
    ),
    "client_auth": CheckSpec(
        f"{_HERE}.network:check_client_auth",
        "The server accepts the client's own credentials, tried with a made-up token at the introspection or revocation endpoint.",
        _CREDENTIALS,
        after=("tls", "discovery"),
        is_local=False,
    ),
}
"""Id -> check, in the order in which they are run and shown."""
