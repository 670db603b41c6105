"""Hand-written fakes for the ports: small, honest, and shared by the unit tests."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

from tokencli.browsing import Redirect
from tokencli.errors import LoginNeeded
from tokencli.model import (
    Binding,
    Connection,
    Profile,
    Secret,
    SecretRef,
    StoredToken,
    WireReply,
    WireRequest,
)
from tokencli.ports import HotCopy, SecretKeeper, SecretSource, TokenStore
from tokencli.providers.catalog import builtin


@dataclass
class FakeClock:
    """A clock that stands still until told otherwise."""

    time: float = 1_800_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class FakeTerminal:
    """A terminal whose answers are known beforehand and whose words are kept."""

    answers: list[str] = field(default_factory=list)
    interactive: bool = False
    said: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    """What the status line said, one after the other."""
    pasted: list[str] = field(default_factory=list)

    def note(self, text: str, *, whole: bool = False) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.said.append(f"warning: {text}")

    def detail(self, text: str) -> None:
        self.said.append(f"detail: {text}")

    def ask(self, question: str, *, default: str | None = None, choices: Sequence[str] = ()) -> str:
        return self._answer(question) or default or ""

    def ask_secret(self, question: str) -> Secret:
        return Secret(self._answer(question))

    def confirm(self, question: str, *, default: bool) -> bool:
        return self._answer(question) in ("y", "") if default else self._answer(question) == "y"

    def show(self, text: str, *, qr: str | None = None) -> bool:
        self.said.append(text if qr is None else f"{text} [QR {qr}]")
        return qr is not None

    def status(self, text: str) -> None:
        if text:
            self.states.append(text)

    @contextmanager
    def keyboard(self) -> Iterator[Callable[[float], str | None]]:
        yield lambda _: self.pasted.pop(0) if self.interactive and self.pasted else None

    def _answer(self, question: str) -> str:
        if not self.interactive:
            raise LoginNeeded(f"nobody answers {question!r}")
        self.said.append(question)
        return self.answers.pop(0)


@dataclass
class FakeTransport:
    """A server that answers from a list and remembers what it was asked."""

    replies: list[WireReply | Exception] = field(default_factory=list)
    requests: list[WireRequest] = field(default_factory=list)

    def send(self, request: WireRequest, connection: Connection) -> WireReply:
        self.requests.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


@dataclass
class FakeBrowser:
    """A browser whose person comes back with queries that are known beforehand, or not at all."""

    clock: FakeClock
    usable: bool = True
    opened: list[str] = field(default_factory=list)
    queries: list[Callable[[str], str]] = field(default_factory=list)
    """Each makes a query of the address that was opened or shown."""
    terminal: FakeTerminal | None = None
    closed: int = 0
    redirect_uri: str = "http://127.0.0.1:49152/callback"

    def open(self, url: str) -> bool:
        self.opened.append(url)
        return True

    def listen(
        self, port: int | None, accept: Callable[[str], Redirect | None], host: str = "127.0.0.1"
    ) -> "FakeBrowser":
        self.accept = accept
        return self

    def wait(self, seconds: float) -> Redirect | None:
        if not self.queries:
            self.clock.sleep(seconds)
            return None
        url = self.opened[-1] if self.opened else self.terminal.said[1] if self.terminal else ""
        return self.accept(self.queries.pop(0)(url))

    def close(self) -> None:
        self.closed += 1


@dataclass
class FakeKeeper:
    """A keyring in memory."""

    kept: dict[tuple[str, ...], Secret] = field(default_factory=dict)
    reads: int = 0

    def read(self, ref: SecretRef) -> Secret | None:
        self.reads += 1
        return self.kept.get(ref.target)

    def write(self, ref: SecretRef, secret: Secret) -> Callable[[], bool]:
        before = self.kept.get(ref.target)
        self.kept[ref.target] = secret

        def undo() -> bool:
            self.kept.pop(ref.target)
            if before is not None:
                self.kept[ref.target] = before
            return before is not None

        return undo

    def delete(self, ref: SecretRef, *, everywhere: bool = False) -> bool:
        return self.kept.pop(ref.target, None) is not None


@dataclass
class FakeStore:
    """A store in memory that counts, and can be told to fail or to be changed by somebody else."""

    name: str = "fake"
    kept: dict[str, StoredToken] = field(default_factory=dict)
    begun: dict[str, Secret] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    failure: Exception | None = None
    on_lock: list[StoredToken] = field(default_factory=list)
    """Token sets that another process saves while this one waits for the lock."""

    def load(self, key: str) -> StoredToken | None:
        self.events.append("load")
        return self.kept.get(key)

    def prepare(self, key: str, size: int) -> None:
        self.events.append("prepare")

    def save(self, stored: StoredToken) -> None:
        self.events.append("save")
        if self.failure:
            raise self.failure
        self.kept[stored.binding.key] = stored
        self.begun.pop(stored.binding.key, None)

    def begin(self, key: str, refresh_token: Secret) -> None:
        self.events.append("begin")
        self.begun[key] = refresh_token

    def conclude(self, key: str) -> None:
        self.events.append("conclude")
        self.begun.pop(key, None)

    def interrupted(self, key: str, refresh_token: Secret) -> bool:
        return self.begun.get(key) == refresh_token

    def keys(self, profile: str) -> list[str]:
        return [key for key, stored in self.kept.items() if stored.binding.profile == profile]

    def forget(self, profile: str, *, force: bool = False) -> int:
        gone = self.keys(profile)
        for key in gone:
            del self.kept[key]
        return len(gone)

    def clear(self, key: str, only: Secret | None = None) -> bool:
        self.events.append("clear")
        stored = self.kept.get(key)
        if stored is None or (only is not None and stored.token.refresh_token != only):
            return False
        del self.kept[key]
        return True

    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[None]:
        self.events.append("lock")
        for stored in self.on_lock:
            self.kept[stored.binding.key] = stored
        self.on_lock = []
        yield
        self.events.append("unlock")


class NoCopy:
    """A hot copy that is never there."""

    def read(self, bound: Binding) -> None:
        return None

    def keep(self, stored: StoredToken, store: TokenStore) -> None:
        return None


@dataclass
class FakeEdges:
    """All edges at once."""

    transport: FakeTransport = field(default_factory=FakeTransport)
    clock: FakeClock = field(default_factory=FakeClock)
    terminal: FakeTerminal = field(default_factory=FakeTerminal)
    keeper: SecretKeeper = field(default_factory=FakeKeeper)
    the_store: FakeStore = field(default_factory=FakeStore)
    profiles: dict[str, Profile] = field(default_factory=dict)
    browser: FakeBrowser = field(default_factory=lambda: FakeBrowser(FakeClock()))

    def __post_init__(self) -> None:
        self.browser.clock, self.browser.terminal = self.clock, self.terminal

    def profile(self, name: str) -> Profile:
        return self.profiles[name]

    def located(self, profile: Profile, *names: str) -> Profile:
        return profile

    def source(self, kind: str) -> SecretSource:
        return _Prompt(self.terminal) if kind == "prompt" else self.keeper

    def store(self, profile: Profile) -> TokenStore:
        return self.the_store

    def hot(self, profile: Profile) -> HotCopy:
        return NoCopy()

    def every_store(self, profile: Profile) -> Sequence[TokenStore]:
        return [self.the_store]

    def uninterrupted(self, at_most: float) -> AbstractContextManager[None]:
        return nullcontext()


@dataclass
class _Prompt:
    terminal: FakeTerminal

    def read(self, ref: SecretRef) -> Secret | None:
        return self.terminal.ask_secret(ref.name)


PASSWORD = Secret("canary-password-7f3a")
CLIENT_SECRET = Secret("canary-client-secret-91be")


def keyring_ref(name: str, profile: str = "p") -> SecretRef:
    """Return the place where a profile's secret rests by default."""
    return SecretRef("keyring", name, profile, (f"tokencli:{profile}:{name}", name))


def filled_keeper(profile: str = "p") -> FakeKeeper:
    """Return a keyring that holds a password and a client secret."""
    kept = {
        keyring_ref("password", profile).target: PASSWORD,
        keyring_ref("client_secret", profile).target: CLIENT_SECRET,
    }
    return FakeKeeper(kept)


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
        provider=builtin(provider),
        grant=grant,
        client_auth=client_auth,
        token_url=token_url,
        values=values or {"client_id": "batch"},
        secrets=secrets or {n: keyring_ref(n, name) for n in ("password", "client_secret")},
        **more,  # type: ignore[arg-type]  # a test's own keywords
    )


def json_reply(body: str, status: int = 200, kind: str = "application/json") -> WireReply:
    """Return a reply with that body."""
    return WireReply(status, {"content-type": kind}, body.encode())
