"""The errors of tokencli: one root class; each has a stable code, an exit code, a cause and a fix.

    TokencliError ................. 1  internal
    ├── UsageError ................ 2  usage
    ├── ConfigError ............... 3  config             carries every ConfigProblem of the file
    ├── CredentialsError .......... 4  credentials        a secret is missing or can't be read
    │   ├── KeyringError .......... 4  keyring            locked, missing, not responding or unsafe
    │   │   └── NoKeyringError .... 4  keyring            this machine has no keyring
    │   ├── LoginRequiredError .... 4  login_needed       an interactive sign-in is required
    │   └── PromptRequiredError ... 4  person_needed      a prompt is due while the lock is held
    ├── RefusedError .............. 5  refused            carries the server's error code
    ├── UnreachableError .......... 6  unreachable        DNS, connection or proxy
    │   ├── TlsError .............. 6  tls
    │   └── DeadlineError ......... 6  timeout
    ├── ReplyError ................ 7  bad_reply          the reply can't be read
    ├── StorageError .............. 8  storage
    │   ├── TokenNotStoredError ... 8  not_kept           the token was issued but couldn't be stored
    │   └── LockTimeoutError ...... 8  locked
    └── InvalidTokenError ......... 9  token_invalid      expired, not yet valid, or not a token

`message` is one sentence that says what happened, with the concrete names. `cause` says why, if it
isn't obvious. `fix` is one command that helps in this very situation. All three may quote a server
or a file, so they must be sanitized before they are printed. An error never carries a secret.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from tokencli.fast_dataclass import dataclass


class TokencliError(Exception):
    """Base class: what went wrong, why, and what to do next."""

    code: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 1

    is_recorded: bool = False
    """Whether it is in the event log already."""

    def __init__(self, message: str, *, cause: str | None = None, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.fix = fix

    def name_config(self, config: str) -> None:
        """Let the fix use the configuration file that `--config` or an argument named."""
        self.fix = self.fix and add_config(self.fix, config)


def add_config(fix: str, config: str) -> str:
    """Return a fix that uses the configuration file `config`.

    A fix that doesn't begin with a command of tokencli, shows help or names a file itself stays as it
    is. Behind a pipe, other programs follow.
    """
    command, pipe, others = fix.partition(" | ")
    words = command.split()
    if words[:1] != ["tokencli"] or words[1:2] == ["help"]:
        return fix
    if {"--config", "--help", "--", "&&", "($?)", "<", ">"} & {*words}:
        return fix
    from tokencli.shell_words import quote  # start-up cost

    return f"{command} --config {quote(config)}{pipe}{others}"


class UsageError(TokencliError):
    """The command line or an argument can't be understood."""

    code = "usage"
    exit_code = 2


def check_profile_name(*names: str | None) -> None:
    """Raise UsageError if a profile's name is empty: the default profile may not be the one meant."""
    if "" in names:
        raise UsageError(
            "the profile's name is empty",
            cause="a shell variable that isn't set may be in its place; without a name it is the default"
            " profile",
        )


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """A problem in a configuration file."""

    where: str
    """Key path, e.g. `profiles.groupid.host`; empty for the file as a whole."""
    what: str
    """What is wrong, with the invalid value unless it could be a secret."""
    line: int | None = None
    """1-based line, if known."""
    right: str | None = None
    """How to correct it, or what was probably meant."""


class ConfigError(TokencliError):
    """The configuration is wrong or incomplete; nothing was sent."""

    code = "config"
    exit_code = 3

    def __init__(
        self,
        message: str,
        *,
        cause: str | None = None,
        fix: str | None = None,
        problems: Sequence[ConfigProblem] = (),
    ) -> None:
        super().__init__(message, cause=cause, fix=fix)
        self.problems = tuple(problems)


class CredentialsError(TokencliError):
    """A secret is missing or its source can't be read."""

    code = "credentials"
    exit_code = 4


@dataclass(frozen=True, slots=True)
class SetupCommand:
    """A shell command that makes a profile take its secrets from another source than the keyring."""

    source: str
    """E.g. `a prompt each time`."""
    command: str


class KeyringError(CredentialsError):
    """The OS keyring is locked, missing, not responding, or not safe for secrets."""

    code = "keyring"

    affects_whole_keyring: bool = True
    """Whether the rest of the keyring is unusable as well; False if only one item is affected."""
    alternatives: Sequence[SetupCommand] = ()
    """What works on this machine without a keyring, at a login."""


class NoKeyringError(KeyringError):
    """There is no OS keyring, or only one that stores nothing."""


class LoginRequiredError(CredentialsError):
    """The user has to sign in or type a secret."""

    code = "login_needed"


class PromptRequiredError(CredentialsError):
    """A prompt is needed while the lock is held; the caller prompts without it and tries again."""

    code = "person_needed"

    def __init__(
        self,
        message: str,
        *,
        cause: str | None = None,
        fix: str | None = None,
        names: Sequence[str] = (),
    ) -> None:
        super().__init__(message, cause=cause, fix=fix)
        self.secret_names = tuple(names)


class RefusedError(TokencliError):
    """The server understood the request and refused it."""

    code = "refused"
    exit_code = 5

    def __init__(
        self,
        message: str,
        *,
        cause: str | None = None,
        fix: str | None = None,
        status: int | None = None,
        error: str | None = None,
        description: str | None = None,
        blamed_secrets: Sequence[str] = (),
        request_ids: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        clock_skew: float | None = None,
    ) -> None:
        super().__init__(message, cause=cause, fix=fix)
        self.status = status
        """HTTP status of the refusal."""
        self.error = error
        """The server's error code, e.g. `invalid_grant` (RFC 6749 section 5.2)."""
        self.description = description
        """The server's own words."""
        self.blamed_secrets = tuple(blamed_secrets)
        """The names of the secrets that may be wrong; `refresh_token` may be the stored one."""
        self.request_ids = dict(request_ids or {})
        """Name -> value of the IDs by which the server's administrators find the request."""
        self.retry_after = retry_after
        """Seconds to wait, by the server's Retry-After header."""
        self.clock_skew = clock_skew
        """Seconds by which this computer's clock was ahead of the server's; None if they agreed."""


class UnreachableError(TokencliError):
    """No reply was received: DNS, connection or proxy."""

    code = "unreachable"
    exit_code = 6

    request_sent: bool = False
    """Whether the request may have reached the server before the failure."""
    failure: str = "other"
    """What failed: `dns`, `connect`, `tls`, `timeout` (of any of these), `broken_off`, or `other`."""
    proxy: str | None = None
    """Host and port of the proxy that the request went through, or was to go through."""
    stage: Literal["connect", "proxy", "tls", "wait", "read"] = "connect"
    """How far the exchange had come, see `net.connection.ExchangeStage`."""


class TlsError(UnreachableError):
    """The TLS handshake failed or the server's certificate was rejected."""

    code = "tls"

    untrusted_issuer: str | None = None
    """If only the CA is not trusted: its name by the server's certificates, or empty if unknown."""


class DeadlineError(UnreachableError):
    """The exchange did not finish within its wall-clock deadline."""

    code = "timeout"


class ReplyError(TokencliError):
    """The reply can't be read the way the provider describes it."""

    code = "bad_reply"
    exit_code = 7


class StorageError(TokencliError):
    """Local storage is unusable: no permission, full, or not safe."""

    code = "storage"
    exit_code = 8


class TokenNotStoredError(StorageError):
    """A token was issued and is valid, but couldn't be stored."""

    code = "not_kept"


class LockTimeoutError(StorageError):
    """Another process has held the lock for too long."""

    code = "locked"


class InvalidTokenError(TokencliError):
    """The token is expired, not yet valid, or not a token."""

    code = "token_invalid"
    exit_code = 9
