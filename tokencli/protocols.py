"""The ports: what the program needs of the world, as small protocols.

`adapters/`, `sources/` and `stores/` hold the real ones; tests bring hand-written fakes.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from tokencli.models import (
    Connection,
    HttpReply,
    HttpRequest,
    Profile,
    Secret,
    SecretRef,
)
from tokencli.protocols_browser import Browser
from tokencli.protocols_store import AccessTokenCache as AccessTokenCache
from tokencli.protocols_store import TokenStore as TokenStore


class Clock(Protocol):
    """Tell the time, and let it pass."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        ...


class Transport(Protocol):
    """Carry one request to its endpoint and the reply back."""

    def send(self, request: HttpRequest, connection: Connection) -> HttpReply:
        """Send `request` and return the reply, whatever its status.

        No redirect is followed, no netrc read, and the whole exchange ends within
        `connection.timeout` seconds.

        Raises:
            UnreachableError, TlsError, DeadlineError: no reply came.
            ReplyError: a redirect, or a reply that is too large or encoded.
            ConfigError: a CA file is missing or not one.
        """
        ...


class Terminal(Protocol):
    """Talk to the person at stderr; stdout is not touched."""

    @property
    def interactive(self) -> bool:
        """Whether somebody is there to answer."""
        ...

    def print_note(self, text: str, *, whole: bool = False) -> None:
        """Say something worth knowing; silent under `-q`, and cut where it is long and not `whole`."""
        ...

    def print_warning(self, text: str) -> None:
        """Say something that has to be known; once for each text."""
        ...

    def print_detail(self, text: str) -> None:
        """Say something for those who asked with `-v`."""
        ...

    def ask_line(
        self, question: str, *, default: str | None = None, choices: Sequence[str] = ()
    ) -> str:
        """Ask for a line of text; raises LoginNeeded where nobody is there to answer."""
        ...

    def ask_secret(self, question: str) -> Secret:
        """Ask for a secret without showing it; raises LoginNeeded as `ask` does."""
        ...

    def ask_yes_no(self, question: str, *, default: bool) -> bool:
        """Ask yes or no; raises LoginNeeded as `ask` does."""
        ...

    def show_message(self, text: str, *, qr: str | None = None) -> bool:
        """Say all of what a person has to see to go on, even under `-q`; draw `qr` as a code to scan
        and tell whether that could be."""
        ...

    def set_status_line(self, text: str) -> None:
        """Replace the line that says how things stand; an empty text takes it away."""
        ...

    def open_line_reader(self) -> AbstractContextManager[Callable[[float], str | None]]:
        """Hand out what returns a line typed within so many seconds, or None; lines of any length,
        and none where nobody can type."""
        ...


class SecretSource(Protocol):
    """Read secrets of one kind: keyring, env, file, command or prompt."""

    def read(self, ref: SecretRef) -> Secret | None:
        """Return the secret, or None where the place exists and holds none.

        Raises:
            CredentialsError: the place can't be read, and why.
        """
        ...


class WritableSecretSource(SecretSource, Protocol):
    """A source that can also be written to: the keyring."""

    def store_secret(self, ref: SecretRef, secret: Secret) -> Callable[[], bool]:
        """Store the secret and read it back; return what undoes that, and tells whether it put an
        older one back. Raises KeyringError where it did not stay."""
        ...

    def delete_secret(self, ref: SecretRef, *, everywhere: bool = False) -> bool:
        """Forget the secret, with `everywhere` for other servers, too; tell whether there was one."""
        ...


class Context(Protocol):
    """The ctx that an action may use; `app.App` builds each on first use."""

    @property
    def clock(self) -> Clock:
        """Return the clock."""
        ...

    @property
    def terminal(self) -> Terminal:
        """Return the terminal."""
        ...

    @property
    def transport(self) -> Transport:
        """Return the transport."""
        ...

    @property
    def browser(self) -> Browser:
        """Return the browser."""
        ...

    @property
    def keyring(self) -> WritableSecretSource:
        """Return the OS keyring as a place to write secrets to."""
        ...

    def secret_source(self, kind: str) -> SecretSource:
        """Return the secret source of that kind."""
        ...

    def get_profile(self, name: str) -> Profile:
        """Return another profile of the same configuration."""
        ...

    def with_endpoints(self, profile: Profile, *names: str) -> Profile:
        """Return the profile with these endpoints, too, where its issuer names them.

        Raises:
            ConfigError: it does not. TokencliError: it can't be asked.
        """
        ...

    def defer_signals(self, at_most: float) -> AbstractContextManager[None]:
        """Hold back INT, TERM, HUP, QUIT and TSTP inside the block and deliver them after it.

        A person who asks twice is told that it takes `at_most` seconds.
        """
        ...

    def token_store(self, profile: Profile) -> TokenStore:
        """Return the store that keeps the profile's tokens; `auto` is settled here."""
        ...

    def token_cache(self, profile: Profile) -> AccessTokenCache:
        """Return the profile's hot copy; a change of the store changes it, too."""
        ...

    def all_token_stores(self, profile: Profile) -> Sequence[TokenStore]:
        """Return every place where tokens of the profile may rest, whatever it says today."""
        ...
