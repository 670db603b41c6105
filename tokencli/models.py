"""The data of the program: secret, profile, token set, HTTP request, reply. Frozen, without I/O."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from datetime import UTC
from hmac import compare_digest
from typing import Literal, NoReturn, TypeAlias

from tokencli.errors import TokencliError
from tokencli.fast_dataclass import dataclass
from tokencli.fastpath.reader import fresh_until
from tokencli.provider_schema import Provider


class Secret:
    """A secret that prints as `***` however it is printed; only `reveal()` returns it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and compare_digest(
            self._value.encode(errors="surrogatepass"), other._value.encode(errors="surrogatepass")
        )

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is stored; never the secret itself."""

    kind: str
    """A key of `secret_sources.SECRET_SOURCES`, or `profile` for the token of another profile."""
    name: str
    """The secret's logical name: `password`, `client_secret`, …"""
    profile: str
    target: tuple[str, ...] = ()
    """What the source's `TargetType` describes, in one part or several; or the other profile's name."""

    def label_source(self) -> str:
        """Return the kind and, if there is one, the variable, file, program, service or profile."""
        return " ".join((self.kind, *self.target[:1]))

    def describe_source(self) -> str:
        """Return the same for a sentence."""
        if self.kind == "env":
            return f"the environment variable {self.target[0]}"
        return self.label_source()


ParamValue: TypeAlias = str | Secret | tuple[str, ...]
"""A request parameter: one value, a secret one, or a repeated one."""
CLOCK_TOLERANCE_S = 60.0
"""Two clocks that differ by less than this count as equal."""
NOTABLE_SKEW_S = 30.0
"""A server's Date header that differs by more from this computer's clock is worth a remark."""
BACKDATE_S = 10
"""So many seconds before now is the time of issue in signed assertions, since clocks differ."""
NEVER_S = 10 * 365.25 * 86_400
"""The lifetime of a token that does not expire; no other token gets exactly this one."""

DEFAULT_REDIRECT_PATH = "/callback"
"""Path of the redirect URI, unless the client registered another one."""
BUSY_STATUSES = (429, 502, 503, 504)
"""The server did not process the request, so it can be sent again (RFC 9110 sections 15.6.3 to
15.6.5, RFC 6585 section 4)."""
TRANSIENT_STATUSES = (408, 425, *BUSY_STATUSES)
"""The refusal is about the moment and says nothing about the credentials."""
TRANSIENT_ERRORS = ("temporarily_unavailable", "server_error")
"""Error codes that say the same; some servers send them with status 400."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How to connect to an endpoint: timeout, TLS and proxy."""

    timeout: float = 30.0
    """Wall-clock seconds for the whole exchange: DNS, connect, TLS, headers and body."""
    ca_file: str | None = None
    """A CA bundle to trust exclusively: no other trust anchor is used."""
    insecure: bool = False
    """Whether any certificate is accepted; every run warns about it."""
    proxy: str | None = None
    """Proxy URL, `none` for no proxy, or None to follow the environment."""
    profile: str = ""
    """Name of the profile, for fixes; empty if there is none."""
    is_timeout_option: bool = False
    """Whether the timeout was given with --timeout, so that the profile's doesn't count."""

    def edit_command(self, *settings: str) -> str:
        """Return the command that edits the profile, e.g. with `ca_file=/path/to/ca.pem`."""
        name = (self.profile,) if self.profile else ()
        return " ".join(("tokencli profiles edit", *name, *(f"--set {each}" for each in settings)))

    def show_command(self) -> str:
        """Return the command that shows the profile's settings, with the source of each."""
        return f"tokencli profiles show {self.profile}".rstrip()


@dataclass(frozen=True, slots=True)
class SignIn:
    """How the user signs in, for the interactive grants."""

    browser: bool = True
    """Whether a browser may be opened; otherwise the URL is only shown."""
    interactive: bool = False
    """Whether `get` may start a sign-in, not just `login`."""
    redirect_port: int | None = None
    """The loopback port registered for the client; None: any free port."""
    redirect_host: str | None = None
    """The host of the redirect URI; None: that of the provider."""
    redirect_path: str = DEFAULT_REDIRECT_PATH
    """The path of the redirect URI; empty or beginning with a slash."""
    par: bool = False
    """Whether the authorization request is pushed first (RFC 9126)."""
    iss_in_redirect: bool = False
    """Whether the server puts `iss` into every authorization response (RFC 9207)."""
    wait: float | None = None
    """Seconds to wait for the user; None: the default of the grant."""


@dataclass(frozen=True, slots=True)
class Signing:
    """How the client signs its assertions (RFC 7521)."""

    alg: str | None = None
    """The JWS algorithm; None: the default for the type of key."""
    key_id: str | None = None
    """The `kid` under which the server registered the key."""
    audience: str | None = None
    """The `aud` of assertions: `issuer`, `token_endpoint` or a value; None: the issuer if known, else the token endpoint."""
    certificate: str | None = None
    """The PEM file of the key's certificate; its thumbprints are sent as `x5t` and `x5t#S256`."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile with all defaults filled in: a token endpoint and the credentials to use there."""

    name: str
    provider: Provider
    grant: str
    client_auth: str
    token_url: str
    """The token endpoint with templates filled in: https or loopback http, no userinfo, no fragment.

    If the profile names only its issuer, this is the issuer until its metadata is known.
    """
    values: Mapping[str, str] = field(default_factory=dict)
    """Logical name -> value of everything that is not a secret: client_id, username, host, …"""
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)
    scope: str | None = None
    """Space-separated scopes to request."""
    params: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    """Extra request parameters by logical name: audience, resource, and `params`."""
    connection: Connection = field(default_factory=Connection)
    store: str = "auto"
    state_dir: str | None = None
    """Directory for locks, journals and the file store; None: the fixed per-user directory."""
    isolated: bool = False
    """Whether only `state_dir` is used, and neither the keyring nor the runtime directory."""
    event_log: bool = True
    """Whether what happens to its tokens is recorded in the event log."""
    hot_copy: bool = True
    export: str = "ACCESS_TOKEN"
    """The environment variable that `export` sets."""
    api_url: str | None = None
    """The base URL of the API that the token is for; not part of the credential key."""
    min_ttl: float | None = None
    """Minimum remaining lifetime of a stored token in seconds, if longer than the expiry margin."""
    basic_encoding: Literal["rfc6749", "raw"] = "rfc6749"
    lock_timeout: float = 30.0
    """Seconds to wait for another process that is fetching the same token."""
    issuer: str | None = None
    """The authorization server's issuer identifier (RFC 8414 section 2)."""
    endpoints: Mapping[str, str] = field(default_factory=dict)
    """Logical name -> URL of the other known endpoints: `authorization`, `revocation`, …"""
    sign_in: SignIn = field(default_factory=SignIn)
    signing: Signing = field(default_factory=Signing)
    client_cert: tuple[str, str] | None = None
    """The PEM files of the TLS client certificate and of its key."""
    dpop: bool = False
    """Whether tokens are bound to a key that tokencli generates (RFC 9449)."""
    value_sources: Mapping[str, str] = field(default_factory=dict)
    """Key -> source of its value: `config.toml`, `provider groupid`, `--scope`; else the default."""

    @property
    def own_keys(self) -> frozenset[str]:
        """The keys that the profile sets itself, in contrast to those that its provider supplies."""
        supplied = f"provider {self.provider.name}"
        return frozenset(key for key, source in self.value_sources.items() if source != supplied)

    def reachable_min_ttl(self, min_ttl: float | None = None) -> float | None:
        """Return `min_ttl`, or else the profile's, as far as asking the server can help.

        A server that returns the same token until `sticky` seconds before its expiry isn't asked
        earlier.
        """
        least = self.min_ttl if min_ttl is None else min_ttl
        sticky = self.provider.issuing.sticky
        return least if least is None or sticky is None else min(least, sticky)

    @property
    def command_line_name(self) -> str:
        """Return its name for a command line, with `--scope` if the scope was set there."""
        if self.value_sources.get("scope") != "--scope":
            return self.name
        from tokencli.shell_words import quote

        return f"{self.name} --scope {quote(self.scope or '')}"


@dataclass(frozen=True, slots=True)
class DpopKey:
    """The key that a token set is bound to (RFC 9449); stored with the refresh token."""

    private_jwk: Secret
    """The private key as a JWK in JSON."""
    nonce: str | None = None
    """The nonce that the authorization server last supplied."""


@dataclass(frozen=True, slots=True)
class TokenSet:
    """The tokens that a token endpoint issued, with their times."""

    access_token: Secret
    token_type: str
    obtained_at: float
    """Epoch seconds when the request was started; lifetimes are counted from here."""
    expires_at: float | None = None
    """Epoch seconds, or None if the expiry is unknown; then the token is never used from a store."""
    refresh_token: Secret | None = None
    id_token: Secret | None = None
    scope: str | None = None
    """The granted scope, space-separated; None if the reply doesn't say."""
    outputs: Mapping[str, Secret] = field(default_factory=dict)
    """Further values of the reply, by the provider's names; each may be secret."""
    margin: float | None = None
    """Seconds before its expiry from which the token is not used, if the provider sets it."""
    sliding_lifetime: float | None = None
    """Lifetime in seconds after each use, if the server counts from the last use."""
    dpop_key: DpopKey | None = None
    """The key that the tokens are bound to, if any; without it they are useless."""
    clock_skew: float | None = None
    """Seconds by which this computer's clock was ahead of the server's when the token was issued; None
    if they agreed, or if it is unknown. The times above are by this computer's clock."""
    unmet_min_ttl: float | None = None
    """The minimum lifetime that no token of this server reaches, once the user was told."""
    refresh_issued_at: float | None = None
    """Epoch seconds when the refresh token was issued; None if unknown, as in records of release 0.1."""

    @property
    def never_expires(self) -> bool:
        """Return whether the provider says that the token does not expire."""
        return self.lifetime is not None and abs(self.lifetime - NEVER_S) < 1

    @property
    def known_expiry(self) -> float | None:
        """Return when it expires, in epoch seconds; None if that is unknown, or if it never does."""
        return None if self.never_expires else self.expires_at

    def server_time(self, now: float) -> float:
        """Return the time by the clock of the server, if this computer's clock is still as wrong.

        It isn't if the token seems to come from the future: then the clock was set back.
        """
        is_set_back = self.obtained_at > now + CLOCK_TOLERANCE_S
        return now if is_set_back else now - (self.clock_skew or 0.0)

    def in_server_time(self) -> "TokenSet":
        """Return the token set with its times by the clock of the server."""
        skew = self.clock_skew or 0.0
        expires_at = None if self.expires_at is None else self.expires_at - skew
        return replace(
            self, obtained_at=self.obtained_at - skew, expires_at=expires_at, clock_skew=None
        )

    @property
    def lifetime(self) -> float | None:
        """Return the whole lifetime in seconds, or None if the expiry is unknown."""
        return None if self.expires_at is None else self.expires_at - self.obtained_at

    def storable_copy(self, *, cacheable: bool) -> "TokenSet":
        """Return what to store: everything, or all but the access token if that is for a single use."""
        return self if cacheable else replace(self, access_token=Secret(""), expires_at=None)

    def remaining_lifetime(self, now: float) -> float | None:
        """Return the seconds left at `now`, negative once expired; None if the expiry is unknown."""
        return None if self.expires_at is None else self.expires_at - now

    def may_be_valid(self, now: float) -> bool:
        """Tell whether it hasn't expired at `now`; one whose expiry is unknown may be valid."""
        return self.expires_at is None or now < self.expires_at

    def fresh_until(self, min_ttl: float | None = None) -> float | None:
        """Return the epoch second from which the token is stale; None if its expiry is unknown."""
        if self.expires_at is None:
            return None
        return fresh_until(self.obtained_at, self.expires_at, self.margin, min_ttl)

    def is_fresh(self, now: float, min_ttl: float | None = None) -> bool:
        """Return whether the token can be used at `now`: see `fastpath.reader.fresh_until`.

        A token from the future is stale: the clock was set back, so its age is unknown.
        """
        until = self.fresh_until(min_ttl)
        if until is None or self.expires_at is None:
            return False
        return (
            self.obtained_at <= now + CLOCK_TOLERANCE_S and now <= until and now < self.expires_at
        )


@dataclass(frozen=True, slots=True)
class TokenBinding:
    """Where a token set came from; it is never sent anywhere else."""

    key: str
    """Hash of everything that identifies the token; see `token_store.credential_key`."""
    profile: str
    origin: str
    """Scheme, host and port of the token endpoint: `https://id.example.com:443`."""
    client_id: str
    receivers: tuple[str, ...] = field(default=(), compare=False)
    """The other servers to which its tokens are sent, as in the key: `userinfo https://…`. Records of
    release 0.1 don't name them."""


@dataclass(frozen=True, slots=True)
class StoredTokenSet:
    """A stored token set, with its binding."""

    binding: TokenBinding
    token: TokenSet
    subject_hash: str = ""
    """Hash of what it was exchanged for, if that can change while the profile stays the same."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A TLS client certificate: its PEM file, its key's, and the passphrase of an encrypted key."""

    cert_file: str
    key_file: str
    passphrase: Secret | None = None


@dataclass(frozen=True, slots=True)
class AuthAdditions:
    """What client authentication adds to a request."""

    params: Mapping[str, str | Secret] = field(default_factory=dict)
    headers: Mapping[str, Secret] = field(default_factory=dict)
    certificate: ClientCertificate | None = None
    encoded_secrets: tuple[Secret, ...] = ()
    """The secrets that those headers contain in another spelling."""


@dataclass(frozen=True, slots=True)
class StreamedBody:
    """A body that is sent piece by piece, because it may be larger than memory."""

    open: Callable[[], Iterator[bytes]]
    """Returns its pieces; may be called once for each time that it is sent."""
    length: int | None = None
    """Bytes, or None if that is unknown; then it is sent in chunks (RFC 9112 section 7.1)."""
    is_repeatable: bool = True
    """Whether it can be sent again."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """An HTTP request as it will be sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""
    secrets: tuple[Secret, ...] = ()
    """The secrets in it, to be masked in logs."""
    is_retry_safe: bool = False
    """Whether sending it twice is harmless: idempotent in effect (RFC 9110 section 9.2.2)."""
    is_answered_by: "Callable[[HttpReply], bool] | None" = None
    """Whether a reply that broke off has what was asked for, so that repeating the request is useless."""
    client_certificate: ClientCertificate | None = None
    """The certificate that the client presents in the TLS handshake (RFC 8705)."""
    expects_token: bool = False
    """Whether the reply should contain a token, so that any value of another reply may be one."""
    redirect_is_reply: bool = False
    """Whether the provider replies with a redirect; it is never followed."""
    grant: str = ""
    """The grant it is part of, or `refresh_token`; empty for other endpoints than the token endpoint."""
    masked_copy: "HttpRequest | None" = None
    """The same request with `***` for each secret, however short, for display."""
    streamed_body: StreamedBody | None = None
    """The body instead of `body`, for a request with `receive`."""
    receive: "Callable[[HttpReply], Callable[[bytes], object] | None] | None" = None
    """Gets the reply without its body once the headers are there, and returns what gets each piece of the
    body; or None, if the body is to be part of the reply. If it is set, the timeout isn't for the whole
    exchange but for each wait without progress, and a body that is part of the reply ends at the limit."""

    def __repr__(self) -> str:
        return f"<{self.method} {self.url.split('?')[0]}>"


@dataclass(frozen=True, slots=True)
class HttpReply:
    """An HTTP reply as received: status, headers (lower-case names) and the bytes of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at: float | None = None
    """Epoch seconds at which it arrived, by this computer's clock; None if not recorded."""
    defect: TokencliError | None = None
    """Why the body is incomplete or still encoded; to be raised if what is needed can't be read."""
    proxy: str | None = None
    """Host and port of the proxy that it came through."""
    reason: str = ""
    """The reason phrase behind the status."""
    version: int = 11
    """The version of HTTP: 10 or 11."""
    header_lines: tuple[tuple[str, str], ...] = ()
    """The headers as they came, one by one."""

    @property
    def server_time(self) -> float | None:
        """Return its Date header in epoch seconds; None if it is missing or malformed."""
        return _parse_http_date(self.headers.get("date"))

    @property
    def retry_after(self) -> float | None:
        """Return the seconds to wait, by its Retry-After header (RFC 9110 section 10.2.3).

        None if the header is missing or malformed.
        """
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return float(text[:9])
        moment, now = _parse_http_date(text), self.server_time or self.received_at
        return max(0.0, moment - now) if moment is not None and now is not None else None

    @property
    def clock_skew(self) -> float | None:
        """Return how many seconds this computer's clock is ahead of the server's; negative: behind.

        None if it is unknown, or within `NOTABLE_SKEW_S` (the reply took time to arrive).
        """
        server_time = self.server_time
        if server_time is None or self.received_at is None:
            return None
        skew = self.received_at - server_time
        return skew if abs(skew) > NOTABLE_SKEW_S else None

    def __repr__(self) -> str:
        return f"<HTTP {self.status}, {len(self.body)} bytes>"


def _parse_http_date(text: str | None) -> float | None:
    """Return an HTTP date in epoch seconds; None if it is missing or malformed."""
    if not text:
        return None
    from email.utils import parsedate_to_datetime  # start-up cost: it imports socket

    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class AuthorizationResponse:
    """The authorization response that a sign-in ended with (RFC 6749 section 4.1.2): a code or an error."""

    code: Secret | None = None
    error: TokencliError | None = None
