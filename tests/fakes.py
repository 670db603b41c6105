"""Hand-written fakes of the protocols, shared by the unit tests."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, ClassVar

from tokencli.core.get_token import get_subject_token
from tokencli.errors import LoginRequiredError, SetupCommand, StorageError
from tokencli.models import (
    AuthorizationResponse,
    Connection,
    HttpReply,
    HttpRequest,
    Profile,
    Secret,
    SecretRef,
    StoredTokenSet,
    TokenBinding,
)
from tokencli.protocols import (
    AccessTokenCache,
    Choice,
    Interaction,
    SecretSource,
    TokenStore,
    WaitStatus,
    WritableSecretSource,
)
from tokencli.providers.catalog import load_builtin
from tokencli.terminal.prompts import check_option, check_secret, match_options
from tokencli.token_event import TokenEvent


@dataclass
class FakeClock:
    """A clock that only changes when a test sets it."""

    current_time: float = 1_800_000_000.0

    def now(self) -> float:
        return self.current_time

    def monotonic(self) -> float:
        return self.current_time

    def sleep(self, seconds: float) -> None:
        self.current_time += seconds


@dataclass
class FakeTerminal:
    """A terminal with prepared answers that records its output."""

    answers: list[str] = field(default_factory=list)
    interactive: bool = False
    messages: list[str] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)
    """What was waited for, one after the other."""
    typed_lines: list[str] = field(default_factory=list)

    @property
    def can_user_type(self) -> bool:
        return self.interactive

    def print_note(self, text: str, *, whole: bool = False) -> None:
        self.messages.append(text)

    def print_warning(self, text: str) -> None:
        self.messages.append(f"warning: {text}")

    def print_detail(self, text: str) -> None:
        self.messages.append(f"detail: {text}")

    def ask_line(
        self,
        question: str,
        *,
        default: str | None = None,
        validate: Callable[[str], str | None] | None = None,
        help: str | None = None,
    ) -> str:
        while True:
            answer = self._next_answer(question)
            if help and answer == "?":
                self.messages.append(help)
            elif answer and validate and (reason := validate(answer)):
                self.messages.append(reason)
            else:
                return answer or default or ""

    def ask_choice(
        self,
        question: str,
        options: Sequence[Choice],
        *,
        default: str | None = None,
        help: str | None = None,
    ) -> str:
        while True:
            answer = self._next_answer(question)
            if help and answer == "?":
                self.messages.append(help)
            elif not answer and default is not None:
                return default
            elif reason := check_option(options, answer):
                self.messages.append(reason)
            else:
                return options[match_options(options, answer)[0]].value

    def ask_secret(self, question: str, *, required: bool = False) -> Secret:
        while True:
            answer = self._next_answer(question)
            reason = check_secret(answer, required=required)
            if reason is None or not self.answers:  # the last answer is taken as it is
                return Secret(answer)
            self.messages.append(reason)

    def ask_yes_no(self, question: str, *, default: bool, help: str | None = None) -> bool:
        return (
            self._next_answer(question) in ("y", "")
            if default
            else self._next_answer(question) == "y"
        )

    def show_message(self, text: str, *, qr: str | None = None) -> bool:
        self.messages.append(text if qr is None else f"{text} [QR {qr}]")
        return qr is not None

    def show_wait(
        self, describe: Callable[[], WaitStatus], /, **_: object
    ) -> AbstractContextManager[None]:
        self.waits.append(describe().doing)
        return nullcontext()

    @contextmanager
    def open_line_reader(self) -> Iterator[Callable[[float], str | None]]:
        yield lambda _: self.typed_lines.pop(0) if self.interactive and self.typed_lines else None

    def _next_answer(self, question: str) -> str:
        if not self.interactive:
            raise LoginRequiredError(f"no answer is prepared for {question!r}")
        self.messages.append(question)
        return self.answers.pop(0)


@dataclass
class FakeTransport:
    """A server that answers from a list and records the requests."""

    replies: list[HttpReply | Exception] = field(default_factory=list)
    requests: list[HttpRequest] = field(default_factory=list)

    def send(self, request: HttpRequest, connection: Connection) -> HttpReply:
        self.requests.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


@dataclass
class FakeBrowser:
    """A browser that returns prepared redirects, or none."""

    clock: FakeClock
    is_available: bool = True
    opened_urls: list[str] = field(default_factory=list)
    response_queries: list[Callable[[str], str]] = field(default_factory=list)
    """Each makes a query of the address that was opened or shown."""
    terminal: FakeTerminal | None = None
    close_count: int = 0
    redirect_uri: str = "http://127.0.0.1:49152/callback"
    listened_at: list[tuple[int | None, str, str]] = field(default_factory=list)
    """Port, host and path of each listener that was opened."""

    def open_url(self, url: str) -> bool:
        self.opened_urls.append(url)
        return True

    def listen_for_redirect(
        self,
        port: int | None,
        accept: Callable[[str], AuthorizationResponse | None],
        host: str,
        path: str,
    ) -> "FakeBrowser":
        self.accept = accept
        self.listened_at.append((port, host, path))
        return self

    def wait_for_redirect(self, seconds: float) -> AuthorizationResponse | None:
        if not self.response_queries:
            self.clock.sleep(seconds)
            return None
        url = (
            self.opened_urls[-1]
            if self.opened_urls
            else self.terminal.messages[1]
            if self.terminal
            else ""
        )
        return self.accept(self.response_queries.pop(0)(url))

    def close(self) -> None:
        self.close_count += 1


@dataclass
class FakeKeyring:
    """A keyring in memory."""

    interaction: ClassVar[Interaction] = "none"
    secrets: dict[tuple[str, ...], Secret] = field(default_factory=dict)
    accounts: dict[tuple[str, ...], Mapping[str, str]] = field(default_factory=dict)
    read_count: int = 0

    def explain_missing(self, ref: SecretRef) -> tuple[None, str]:
        return None, f"tokencli login {ref.profile}"

    def read(self, ref: SecretRef) -> Secret | None:
        self.read_count += 1
        return self.secrets.get(ref.target)

    def read_account(self, ref: SecretRef) -> Mapping[str, str] | None:
        return self.accounts.get(ref.target)

    def record_account(self, ref: SecretRef, secret: Secret, account: Mapping[str, str]) -> None:
        if self.secrets.get(ref.target) == secret:
            self.accounts[ref.target] = account

    def check_usable(self) -> None:
        pass

    def store_secret(
        self, ref: SecretRef, secret: Secret, account: Mapping[str, str] | None = None
    ) -> Callable[[], bool]:
        before = self.secrets.get(ref.target)
        self.secrets[ref.target] = secret
        if account is not None:
            self.accounts[ref.target] = account

        def undo() -> bool:
            self.secrets.pop(ref.target)
            if before is not None:
                self.secrets[ref.target] = before
            return before is not None

        return undo

    def delete_secret(self, ref: SecretRef, *, everywhere: bool = False) -> bool:
        return self.secrets.pop(ref.target, None) is not None

    def delete_command(self, service: str, username: str = "") -> str:
        return f"delete {service} {username}".strip()


@dataclass
class FakeStore:
    """A store in memory that counts calls, and can fail or be changed by another process."""

    name: str = "fake"
    loss_reason: str | None = None
    stored_tokens: dict[str, StoredTokenSet] = field(default_factory=dict)
    begun_refreshes: dict[str, Secret] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    save_error: Exception | None = None
    saved_by_others: list[StoredTokenSet] = field(default_factory=list)
    """Token sets that another process saves while this one waits for the lock."""

    def load(self, key: str) -> StoredTokenSet | None:
        self.events.append("load")
        return self.stored_tokens.get(key)

    def reserve_space(self, key: str, size: int) -> None:
        self.events.append("prepare")

    def save(self, stored: StoredTokenSet) -> None:
        self.events.append("save")
        if self.save_error:
            raise self.save_error
        self.stored_tokens[stored.binding.key] = stored
        self.begun_refreshes.pop(stored.binding.key, None)

    def begin_refresh(self, key: str, refresh_token: Secret) -> None:
        self.events.append("begin")
        self.begun_refreshes[key] = refresh_token

    def end_refresh(self, key: str) -> None:
        self.events.append("conclude")
        self.begun_refreshes.pop(key, None)

    def was_refresh_interrupted(self, key: str, refresh_token: Secret) -> bool:
        return self.begun_refreshes.get(key) == refresh_token

    def list_credential_keys(self, profile: str) -> list[str]:
        return [
            key for key, stored in self.stored_tokens.items() if stored.binding.profile == profile
        ]

    def delete_profile_tokens(self, profile: str, *, force: bool = False) -> int:
        gone = self.list_credential_keys(profile)
        for key in gone:
            del self.stored_tokens[key]
        return len(gone)

    def delete_token_set(self, key: str, only: Secret | None = None) -> bool:
        self.events.append("clear")
        stored = self.stored_tokens.get(key)
        if stored is None or (only is not None and stored.token.refresh_token != only):
            return False
        del self.stored_tokens[key]
        return True

    @contextmanager
    def lock_credential(
        self, key: str, timeout: float, unless: object = None
    ) -> Iterator[StoredTokenSet | None]:
        self.events.append("lock")
        for stored in self.saved_by_others:
            self.stored_tokens[stored.binding.key] = stored
        self.saved_by_others = []
        try:
            yield None
        finally:
            self.events.append("unlock")


class EmptyTokenCache:
    """A token cache that never has a copy."""

    def load_token(self, bound: TokenBinding) -> None:
        return None

    def fill_from_store(self, stored: StoredTokenSet, store: TokenStore) -> None:
        return None

    def delete_copies(self) -> Sequence[tuple[StorageError, bool]]:
        return ()


@dataclass
class FakeEventLog:
    """An event log in memory."""

    events: list[TokenEvent] = field(default_factory=list)
    enabled: bool = True

    def record(self, event: Mapping[str, Any]) -> None:
        self.events.append(TokenEvent(**event))

    def read(self, profile: str | None = None, since: float | None = None) -> Iterator[TokenEvent]:
        for event in self.events:
            if profile in (None, event.profile) and (since is None or event.time >= since):
                yield event

    def follow(self, wait: Callable[[], None]) -> Iterator[TokenEvent]:
        yield from self.events
        wait()

    def fingerprint(self, token: Secret) -> str:
        return sha256(token.reveal().encode()).hexdigest()[:12]

    def rename_profile(self, old: str, new: str) -> None:
        self.events = [
            replace(event, profile=new) if event.profile == old else event for event in self.events
        ]

    def delete_profile(self, profile: str) -> None:
        self.events = [event for event in self.events if event.profile != profile]


@dataclass
class FakeContext:
    """A context of fakes."""

    transport: FakeTransport = field(default_factory=FakeTransport)
    clock: FakeClock = field(default_factory=FakeClock)
    terminal: FakeTerminal = field(default_factory=FakeTerminal)
    keyring: WritableSecretSource = field(default_factory=FakeKeyring)
    fake_store: FakeStore = field(default_factory=FakeStore)
    profiles: dict[str, Profile] = field(default_factory=dict)
    spellings: dict[tuple[str, str], "FakeRememberedValue"] = field(default_factory=dict)
    browser: FakeBrowser = field(default_factory=lambda: FakeBrowser(FakeClock()))
    event_log: FakeEventLog = field(default_factory=FakeEventLog)

    def __post_init__(self) -> None:
        self.browser.clock, self.browser.terminal = self.clock, self.terminal

    def list_setup_commands(
        self, profile: Profile, refs: Sequence[SecretRef]
    ) -> Sequence[SetupCommand]:
        return [SetupCommand("a prompt each time", f"tokencli profiles edit {profile.name}")]

    def get_profile_token(self, name: str, requesters: tuple[str, ...]) -> Secret:
        return get_subject_token(self.profiles[name], self, requesters)

    def with_endpoints(self, profile: Profile, *names: str) -> Profile:
        return profile

    def remembered_spelling(self, profile: Profile, name: str) -> "FakeRememberedValue":
        return self.spellings.setdefault((profile.token_url, name), FakeRememberedValue())

    def secret_source(self, kind: str) -> SecretSource:
        return FakePromptSource(self.terminal) if kind == "prompt" else self.keyring

    def token_store(self, profile: Profile) -> TokenStore:
        return self.fake_store

    def token_cache(self, profile: Profile) -> AccessTokenCache:
        return EmptyTokenCache()

    def all_token_stores(self, profile: Profile) -> Sequence[TokenStore]:
        return [self.fake_store]

    def defer_signals(
        self, purpose: str, *, keep_reply: bool = True
    ) -> AbstractContextManager[None]:
        return nullcontext()


@dataclass
class FakeRememberedValue:
    data: bytes | None = None

    def load(self) -> bytes | None:
        return self.data

    def save(self, data: bytes) -> None:
        self.data = data


@dataclass
class FakePromptSource:
    interaction: ClassVar[Interaction] = "prompt"
    terminal: FakeTerminal

    def explain_missing(self, ref: SecretRef) -> tuple[None, str]:
        return None, f"tokencli login {ref.profile}"

    def read(self, ref: SecretRef) -> Secret | None:
        return self.terminal.ask_secret(ref.name)


PASSWORD = Secret("canary-password-7f3a")
CLIENT_SECRET = Secret("canary-client-secret-91be")


def keyring_ref(name: str, profile: str = "p") -> SecretRef:
    """Return the default reference of a profile's secret."""
    return SecretRef("keyring", name, profile, (f"tokencli:{profile}:{name}", name))


def filled_keyring(profile: str = "p") -> FakeKeyring:
    """Return a keyring that has a password and a client secret."""
    kept = {
        keyring_ref("password", profile).target: PASSWORD,
        keyring_ref("client_secret", profile).target: CLIENT_SECRET,
    }
    return FakeKeyring(kept)


def make_profile(
    provider: str = "oauth2",
    *,
    name: str = "p",
    grant: str = "client_credentials",
    client_auth: str = "client_secret_basic",
    token_url: str = "https://id.example.com/token",
    values: Mapping[str, str] | None = None,
    secrets: Mapping[str, SecretRef] | None = None,
    **more: object,
) -> Profile:
    """Return a profile without a configuration file."""
    return Profile(
        name=name,
        provider=load_builtin(provider),
        grant=grant,
        client_auth=client_auth,
        token_url=token_url,
        values=values or {"client_id": "batch"},
        secrets=secrets or {n: keyring_ref(n, name) for n in ("password", "client_secret")},
        **more,  # type: ignore[arg-type]  # a test's own keywords
    )


def json_reply(body: str, status: int = 200, kind: str = "application/json") -> HttpReply:
    """Return a reply with that JSON body."""
    return HttpReply(status, {"content-type": kind}, body.encode())
