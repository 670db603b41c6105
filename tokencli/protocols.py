"""The ports of the program: one protocol for each thing outside it.

`net`, `terminal`, `secret_sources`, `token_store`, `fastpath` and `system` implement them, `app`
builds the implementations, and the tests use hand-written fakes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from tokencli.errors import SetupCommand, StorageError
from tokencli.fast_dataclass import dataclass
from tokencli.models import (
    AuthorizationResponse,
    Connection,
    DpopKey,
    HttpReply,
    HttpRequest,
    Profile,
    Secret,
    SecretRef,
    StoredTokenSet,
    TokenBinding,
)

if TYPE_CHECKING:  # start-up cost: a fresh token is no event
    from tokencli.token_event import TokenEvent


class Clock(Protocol):
    """The current time, and waiting."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait `seconds`."""
        ...


class Transport(Protocol):
    """HTTP: send one request and return the reply."""

    def send(self, request: HttpRequest, connection: Connection) -> HttpReply:
        """Send `request` and return the reply, whatever its status.

        Redirects are not followed, netrc is not read, and the whole exchange ends within
        `connection.timeout` seconds.

        Raises:
            UnreachableError, TlsError, DeadlineError: no reply was received.
            ReplyError: the reply is a redirect, is too large or has a content encoding.
            ConfigError: a CA file is missing or isn't one.
        """
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """An option that the user can choose."""

    value: str
    """What `ask_choice` returns; users may type it as well."""
    label: str
    hint: str = ""
    """A few words beside the label."""


@dataclass(frozen=True, slots=True)
class WaitStatus:
    """What the program is waiting for."""

    doing: str
    """For example `waiting for id.example.com`."""
    limit: float | None = None
    """Seconds from the beginning after which the wait ends at the latest."""
    hint: str = "Ctrl-C to cancel"
    """How to cancel it."""


class ShowWait(Protocol):
    """Shows what the program is waiting for; see `Terminal.show_wait`."""

    def __call__(
        self,
        describe: Callable[[], WaitStatus],
        /,
        *,
        note_after: float | None = None,
        shares_terminal: bool = False,
    ) -> AbstractContextManager[object]:
        """Return the context manager around the wait."""
        ...


def hide_wait(
    describe: Callable[[], WaitStatus],  # noqa: ARG001  # the signature of ShowWait
    /,
    *,
    note_after: float | None = None,  # noqa: ARG001
    shares_terminal: bool = False,  # noqa: ARG001
) -> AbstractContextManager[object]:
    """Show nothing."""
    return nullcontext()


class Terminal(Protocol):
    """The user at stderr. stdout is never written to."""

    @property
    def interactive(self) -> bool:
        """Whether the user can be prompted."""
        ...

    @property
    def can_user_type(self) -> bool:
        """Whether a suggested command may ask the user something, even if nothing is prompted for here."""
        ...

    def print_note(self, text: str, *, whole: bool = False) -> None:
        """Print information; silent under `-q`, and long text is cut unless `whole`."""
        ...

    def print_warning(self, text: str) -> None:
        """Print a warning, each text only once."""
        ...

    def print_detail(self, text: str) -> None:
        """Print a line for `-v`."""
        ...

    def ask_line(
        self,
        question: str,
        *,
        default: str | None = None,
        validate: Callable[[str], str | None] | None = None,
        help: str | None = None,
    ) -> str:
        """Prompt for a line of text until it is valid, and return it without surrounding spaces.

        An empty answer means the `default`. `validate` returns why an answer isn't valid, or None; it
        is called while the user types, too, but never with an empty answer. `help` is shown for `?`.

        Raises:
            LoginRequiredError: the user can't be prompted. KeyboardInterrupt: the user cancelled.
        """
        ...

    def ask_choice(
        self,
        question: str,
        options: Sequence[Choice],
        *,
        default: str | None = None,
        help: str | None = None,
    ) -> str:
        """Let the user choose an option by its number or a part of its name; return its value.

        `default` is the value that an empty answer means. Raises as `ask_line` does.
        """
        ...

    def ask_secret(self, question: str, *, required: bool = False) -> Secret:
        """Prompt for a secret, masked; it may be empty unless `required`. Raises as `ask_line` does."""
        ...

    def ask_yes_no(self, question: str, *, default: bool, help: str | None = None) -> bool:
        """Prompt for yes or no. Raises as `ask_line` does."""
        ...

    def show_message(self, text: str, *, qr: str | None = None) -> bool:
        """Print what the user needs in order to continue, in full and even under `-q`.

        Draw `qr` as a QR code, and return whether that was possible.
        """
        ...

    def show_wait(
        self,
        describe: Callable[[], WaitStatus],
        /,
        *,
        note_after: float | None = None,
        shares_terminal: bool = False,
    ) -> AbstractContextManager[object]:
        """Show on a terminal what the block waits for, if it takes more than a second.

        The line has the elapsed time and how to cancel, and is removed before anything else is
        printed. `describe` is called from another thread, again and again. Of nested blocks, the innermost
        is shown that has taken more than a second.

        If no line can be shown, a note is printed once after `note_after` seconds. So it is after a
        second if the block `shares_terminal` with another program, which may be asking something.
        """
        ...

    def open_line_reader(self) -> AbstractContextManager[Callable[[float], str | None]]:
        """Provide a function that returns a line typed within that many seconds, or None.

        Lines may have any length. If the user can't type, the function always returns None.
        """
        ...


class Browser(Protocol):
    """The user's web browser, and the loopback redirect that brings the user back."""

    @property
    def is_available(self) -> bool:
        """Whether a window can be expected to open in front of the user."""
        ...

    def open_url(self, url: str) -> bool:
        """Open a page and return whether that worked.

        Raises:
            ConfigError: the URL is not one that may be passed to a browser.
        """
        ...

    def listen_for_redirect(
        self,
        port: int | None,
        accept: Callable[[str], AuthorizationResponse | None],
        host: str,
        path: str,
    ) -> "RedirectListener":
        """Open a loopback port, `port` or any free one, for the redirect that `accept` recognizes.

        The redirect URI names it by its address, or as `localhost` if that is the `host`, and ends
        with `path`. Every other request is rejected and has no effect.

        Raises:
            ConfigError: another program uses the port.
        """
        ...


class RedirectListener(Protocol):
    """The loopback port that one sign-in is redirected to (RFC 8252 section 7.3)."""

    @property
    def redirect_uri(self) -> str:
        """Return the redirect URI to send to the authorization server."""
        ...

    def wait_for_redirect(self, seconds: float) -> AuthorizationResponse | None:
        """Return the authorization response, or None if it doesn't arrive within `seconds`."""
        ...

    def close(self) -> None:
        """Release the port."""
        ...


Interaction = Literal["none", "program", "stdin", "prompt"]
"""What reading a secret involves besides this process: nothing, another program, this run's stdin,
or a question to the user."""


class SecretSource(Protocol):
    """Reads secrets from one kind of source."""

    interaction: ClassVar[Interaction]

    def explain_missing(self, ref: SecretRef) -> tuple[str | None, str | None]:
        """Return the cause and the fix to show if there is no secret, as far as they help here."""
        ...

    def read(self, ref: SecretRef) -> Secret | None:
        """Return the secret, or None if the source is readable and holds none.

        Raises:
            CredentialsError: the source can't be read.
        """
        ...


class WritableSecretSource(SecretSource, Protocol):
    """A source that can also store secrets: the keyring."""

    def check_usable(self) -> None:
        """Check that secrets can be stored; raises KeyringError."""
        ...

    def store_secret(
        self, ref: SecretRef, secret: Secret, account: Mapping[str, str] | None = None
    ) -> Callable[[], bool]:
        """Store the secret, with a record of the account that it is for, and read it back.

        Return a function that undoes this, and returns whether it restored an older secret. Raises
        KeyringError if the secret wasn't stored.
        """
        ...

    def delete_secret(self, ref: SecretRef, *, everywhere: bool = False) -> bool:
        """Delete the secret, with `everywhere` for other servers as well; return whether it existed."""
        ...

    def delete_command(self, service: str, username: str = "") -> str:
        """Return the system's command that deletes an item, or the first item of the service."""
        ...

    def read_account(self, ref: SecretRef) -> Mapping[str, str] | None:
        """Return the account that the secret was stored for; None if there is no record of it."""
        ...

    def record_account(self, ref: SecretRef, secret: Secret, account: Mapping[str, str]) -> None:
        """Record the account of a stored secret, if it is still this one.

        Raises:
            KeyringError, StorageError: it can't be recorded.
        """
        ...


class TokenStore(Protocol):
    """Where token sets are stored: keyring, runtime directory, file or nowhere."""

    @property
    def name(self) -> str:
        """`keyring`, `runtime`, `file` or `none`."""
        ...

    @property
    def loss_reason(self) -> str | None:
        """Why tokens are lost when this process ends, as a clause; None if the store keeps them."""
        ...

    def load(self, key: str) -> StoredTokenSet | None:
        """Return what is stored under `key`; a damaged record is set aside and counts as a miss.

        Raises:
            StorageError: the location isn't safe to read. KeyringError: it doesn't respond.
        """
        ...

    def fingerprint(self, key: str) -> object | None:
        """Return what changes whenever that which is stored under `key` does, at the cost of one `stat`.

        None means that nothing is stored, or that this can't be told without loading it.
        """
        ...

    def reserve_space(self, key: str, size: int) -> None:
        """Make sure that `size` bytes can be saved, before anything is sent.

        Raises:
            StorageError: disk full, read-only, quota. KeyringError: it doesn't store anything.
        """
        ...

    def save(self, stored: StoredTokenSet) -> None:
        """Save durably: once this returns, a crash loses nothing.

        Raises:
            StorageError, KeyringError.
        """
        ...

    def begin_refresh(self, key: str, refresh_token: Secret) -> None:
        """Record durably that this refresh token is about to be used, until `save` or `end_refresh`.

        Only a hash of it is stored.
        """
        ...

    def end_refresh(self, key: str) -> None:
        """Record that the refresh is over: the server replied."""
        ...

    def was_refresh_interrupted(self, key: str, refresh_token: Secret) -> bool:
        """Return whether an earlier run began to use this refresh token and never finished."""
        ...

    def list_credential_keys(self, profile: str) -> Sequence[str]:
        """Return the keys under which token sets of that profile may be stored.

        Raises:
            StorageError: the location can't be read.
        """
        ...

    def delete_profile_tokens(self, profile: str, *, force: bool = False) -> int:
        """Delete everything of that profile: token sets, chunks, journals and leftover drafts.

        Return the number of token sets deleted.

        Raises:
            KeyringError: tokens may be stored where they can't be reached; with `force` the
                references to it are deleted nevertheless.
        """
        ...

    def delete_token_set(self, key: str, only: Secret | None = None) -> bool:
        """Delete what is stored under `key`; with `only`, just if its refresh token is that one."""
        ...

    def lock_credential(
        self, key: str, timeout: float, unless: Callable[[], StoredTokenSet | None] = ...
    ) -> AbstractContextManager[StoredTokenSet | None]:
        """Hold the credential's lock, which is kept with the store.

        While this process waits for others, `unless` may be called. The token set that it returns is
        yielded instead of None, and then the lock is not held.

        Raises:
            LockTimeoutError: another process holds it for longer than `timeout` seconds.
        """
        ...


class AccessTokenCache(Protocol):
    """A profile's access token where a warm `get` finds it: derived, disposable, never an error."""

    def load_token(self, bound: TokenBinding) -> StoredTokenSet | None:
        """Return the cached access token alone, or None if the cache can't be sure of it."""
        ...

    def fill_from_store(self, stored: StoredTokenSet, store: TokenStore) -> None:
        """Cache what was read from the store."""
        ...

    def delete_copies(self) -> Sequence[tuple[StorageError, bool]]:
        """Delete the cached token in every runtime directory that may have it.

        Return an error for each copy that can't be deleted, and whether it may still be printed.
        """
        ...


class Credentials(Protocol):
    """A profile's secrets and its proof key for one run."""

    proof_key: DpopKey | None
    """The key that this run's tokens are bound to (RFC 9449)."""

    def resolve(self, name: str, *, optional: bool = False) -> Secret | None:
        """Return the secret with that logical name; None only if it is `optional`.

        Raises:
            PromptRequiredError: it must be prompted for, but the credential's lock is held.
            CredentialsError: it is missing, or its source can't be read.
        """
        ...


class EventLog(Protocol):
    """The log of what happened to the profiles' tokens; it holds no secret, and recording never fails."""

    @property
    def enabled(self) -> bool:
        """Return whether events are recorded (`event_log` of the configuration)."""
        ...

    def record(self, event: Mapping[str, Any]) -> None:
        """Append an event, given as the fields of `TokenEvent`; if that fails, `-v` says so.

        A mapping, because defining the class takes half a percent of a cold `get`.
        """
        ...

    def read(
        self, profile: str | None = None, since: float | None = None
    ) -> "Iterator[TokenEvent]":
        """Yield the events, the oldest first: of one profile, from `since` on (epoch seconds).

        Raises:
            StorageError: the log can't be read.
        """
        ...

    def follow(self, wait: Callable[[], None]) -> "Iterator[TokenEvent]":
        """Yield all events, then each new one; `wait` is called while there is none.

        Raises:
            StorageError: the log can't be read.
        """
        ...

    def fingerprint(self, token: Secret) -> str:
        """Return 12 hex digits that are equal for equal tokens on this machine, and useless elsewhere."""
        ...

    def rename_profile(self, old: str, new: str) -> None:
        """Give the profile's events its new name; raises StorageError."""
        ...

    def delete_profile(self, profile: str) -> None:
        """Delete the profile's events; raises StorageError."""
        ...


class RememberedValue(Protocol):
    """A small file about a server."""

    def load(self) -> bytes | None:
        """Return what was saved, or None; raises StorageError."""
        ...

    def save(self, data: bytes) -> None:
        """Save it; raises StorageError."""
        ...


class Context(Protocol):
    """Everything that `core` and `oauth` may use; `app.App` builds each part on first use."""

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
        """Return the HTTP transport."""
        ...

    @property
    def browser(self) -> Browser:
        """Return the browser."""
        ...

    @property
    def keyring(self) -> WritableSecretSource:
        """Return the OS keyring, for storing secrets."""
        ...

    def secret_source(self, kind: str) -> SecretSource:
        """Return the secret source of that kind."""
        ...

    def list_setup_commands(
        self, profile: Profile, refs: Sequence[SecretRef]
    ) -> Sequence[SetupCommand]:
        """Return commands that make the profile take these secrets from elsewhere than the keyring."""
        ...

    def get_profile_token(self, name: str, requesters: tuple[str, ...]) -> Secret:
        """Return the access token of another profile, for the profiles that exchange it.

        Raises:
            ConfigError: there is no such profile. TokencliError: its token can't be obtained.
        """
        ...

    def with_endpoints(self, profile: Profile, *names: str) -> Profile:
        """Return the profile with these endpoints added from its issuer's metadata.

        Raises:
            ConfigError: the metadata don't name them. TokencliError: they can't be fetched.
        """
        ...

    def remembered_spelling(self, profile: Profile, name: str) -> RememberedValue:
        """Return where the spelling of a constant that the token endpoint accepts is remembered."""
        ...

    def defer_signals(
        self, purpose: str, *, keep_reply: bool = True
    ) -> AbstractContextManager[None]:
        """Hold back INT, TERM, HUP, QUIT and TSTP inside the block and deliver them after it.

        Each prints the `purpose`, and how long it takes at most. A request that wasn't sent yet is
        cancelled instead, and without `keep_reply` one that was sent as well.
        """
        ...

    def token_store(self, profile: Profile) -> TokenStore:
        """Return the profile's token store; `auto` is resolved here."""
        ...

    def token_cache(self, profile: Profile) -> AccessTokenCache:
        """Return the profile's token cache; writing to the store updates it as well."""
        ...

    @property
    def event_log(self) -> EventLog:
        """Return the log of what happened to the profiles' tokens."""
        ...

    def all_token_stores(self, profile: Profile) -> Sequence[TokenStore]:
        """Return every store that may hold tokens of the profile, whatever its `store` says now."""
        ...
