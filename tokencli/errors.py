"""The errors of tokencli: one root; a stable code, an exit code and a next step each.

    TokencliError ................. 1  internal
    ├── UsageError ................ 2  usage
    ├── ConfigError ............... 3  config             (carries every Problem of the file)
    ├── CredentialsError .......... 4  credentials        a secret is missing or can't be read
    │   ├── KeyringError .......... 4  keyring            locked, absent, unanswering, or not to be trusted
    │   │   └── NoKeyring ......... 4  keyring            there is none here
    │   ├── LoginNeeded ........... 4  login_needed       a person has to sign in
    │   └── PersonNeeded .......... 4  person_needed      a prompt is due while the lock is held
    ├── RefusedError .............. 5  refused            the server said no (carries its error code)
    ├── UnreachableError .......... 6  unreachable        DNS, connection, proxy
    │   ├── TlsError .............. 6  tls
    │   └── DeadlineError ......... 6  timeout
    ├── ReplyError ................ 7  bad_reply          the reply can't be read as the provider's
    ├── StorageError .............. 8  storage
    │   └── LockTimeout ........... 8  locked
    └── TokenInvalid .............. 9  token_invalid      expired, not yet valid, or not a token (`inspect`)

A message is one sentence about what happened and whose fault it likely is; `hint` is the next
command to type. Both may quote a server or a file: whoever prints them makes them harmless first.
No error ever carries a secret.
"""

from collections.abc import Sequence
from typing import ClassVar

from tokencli.fast_dataclass import dataclass


class TokencliError(Exception):
    """Say what went wrong, and what to do next."""

    code: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(TokencliError):
    """The command line can't be understood."""

    code = "usage"
    exit_code = 2


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing wrong in one place of a configuration file."""

    where: str
    """Key path, such as `profiles.groupid.host`; empty for the file as a whole."""
    what: str
    """What is wrong, with the bad value unless it could be a secret."""
    line: int | None = None
    """1-based line, where it is known."""
    right: str | None = None
    """What would be right, or what was probably meant."""


class ConfigError(TokencliError):
    """The configuration is wrong or incomplete; nothing was sent."""

    code = "config"
    exit_code = 3

    def __init__(
        self, message: str, *, hint: str | None = None, problems: Sequence[ConfigProblem] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)


class CredentialsError(TokencliError):
    """A secret is missing or its source can't be read."""

    code = "credentials"
    exit_code = 4


class KeyringError(CredentialsError):
    """The OS keyring is locked, absent, unanswering, or not fit for secrets."""

    code = "keyring"

    affects_whole_keyring: bool = True
    """Whether all else in the keyring is out of reach, too; not so where one item is the trouble."""


class NoKeyringError(KeyringError):
    """There is no OS keyring here, or one that keeps nothing; so nothing of ours is in it."""


class LoginRequiredError(CredentialsError):
    """Only a person can go on: sign in, or type a secret."""

    code = "login_needed"


class PromptRequiredError(CredentialsError):
    """A prompt is due where none may happen; the caller asks outside the lock and tries again."""

    code = "person_needed"

    def __init__(self, message: str, *, hint: str | None = None, names: Sequence[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.secret_names = tuple(names)


class RefusedError(TokencliError):
    """The server understood and said no."""

    code = "refused"
    exit_code = 5

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        status: int | None = None,
        error: str | None = None,
        description: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        """HTTP status of the refusal."""
        self.error = error
        """The server's own error code, such as `invalid_grant` (RFC 6749 section 5.2)."""
        self.description = description


class UnreachableError(TokencliError):
    """No answer could be had: DNS, connection, or proxy."""

    code = "unreachable"
    exit_code = 6

    request_sent: bool = False
    """Whether the request may have reached the server before the failure."""


class TlsError(UnreachableError):
    """The server's certificate or TLS itself was refused."""

    code = "tls"


class DeadlineError(UnreachableError):
    """The whole exchange did not end within its wall-clock deadline."""

    code = "timeout"


class ReplyError(TokencliError):
    """The reply is not what this provider's endpoint answers."""

    code = "bad_reply"
    exit_code = 7


class StorageError(TokencliError):
    """Local storage refused, is full, or is not safe to use."""

    code = "storage"
    exit_code = 8


class TokenNotStoredError(StorageError):
    """A token came and is good, but it could not be stored."""

    code = "not_kept"


class LockTimeoutError(StorageError):
    """Another process holds this credential's lock for too long."""

    code = "locked"


class InvalidTokenError(TokencliError):
    """The token is expired, not yet valid, or not a token."""

    code = "token_invalid"
    exit_code = 9
