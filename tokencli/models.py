"""The nouns: frozen, without I/O, importing the standard library alone."""

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import UTC
from typing import Literal, TypeAlias

from tokencli.errors import TokencliError
from tokencli.fast_dataclass import dataclass
from tokencli.fastpath.reader import fresh_until
from tokencli.provider_schema import Provider
from tokencli.secret import Secret as Secret
from tokencli.secret import SecretRef as SecretRef

ParamValue: TypeAlias = str | Secret | tuple[str, ...]
"""A request parameter: one value, a secret one, or a repeated one."""
CLOCK_TOLERANCE_S = 60.0
"""Two clocks that differ by less than this count as equal."""

BUSY_STATUSES = (429, 502, 503, 504)
"""The server did not process the request, so it can be sent again (RFC 9110 sections 15.6.3 to
15.6.5, RFC 6585 section 4)."""
TRANSIENT_STATUSES = (408, 425, *BUSY_STATUSES)
"""The refusal is about the moment and says nothing about the credentials."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach an endpoint, apart from what is said to it."""

    timeout: float = 30.0
    """Wall-clock seconds for the whole exchange: DNS, connect, TLS, headers and body."""
    ca_file: str | None = None
    """A pinned CA bundle, exclusive: no other trust anchor is used beside it."""
    insecure: bool = False
    """Whether any certificate is accepted; warned about on every run."""
    proxy: str | None = None
    """Proxy URL, `none` for none, or None to follow the environment."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """How a person signs in, for the grants that need one."""

    browser: bool = True
    """Whether a browser may be opened; without it the address is only shown."""
    interactive: bool = False
    """Whether `get` may begin a sign-in, too, and not `login` alone."""
    redirect_port: int | None = None
    """The loopback port that the client is registered with; None: any that is free."""
    par: bool = False
    """Whether the authorization request is pushed first (RFC 9126)."""
    iss_in_redirect: bool = False
    """Whether the server announces that it puts `iss` into every redirect (RFC 9207)."""
    wait: float | None = None
    """Seconds to wait for the person; None: as long as is usual for the grant."""


@dataclass(frozen=True, slots=True)
class Signing:
    """How a client signs what it says of itself (RFC 7521)."""

    alg: str | None = None
    """The JWS algorithm; None: the usual one of the key."""
    key_id: str | None = None
    """The `kid` by which the server knows the key."""
    audience: str | None = None
    """The `aud` of assertions: `issuer`, `token_endpoint` or a value; None: what suits the profile."""
    certificate: str | None = None
    """The PEM file of the key's certificate, whose thumbprints go along as `x5t` and `x5t#S256`."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Who somebody is to which token endpoint: one profile, with all defaults filled in."""

    name: str
    provider: Provider
    grant: str
    client_auth: str
    token_url: str
    """The endpoint after templates are filled in: https (or loopback http), no userinfo, no fragment.

    Of a profile that names its issuer alone, the issuer itself until its metadata are known.
    """
    values: Mapping[str, str] = field(default_factory=dict)
    """Logical name -> value of everything that is not secret: client_id, username, host, …"""
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)
    scope: str | None = None
    """Space-separated scopes to ask for."""
    params: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    """Extra request parameters by logical name: audience, resource, and the profile's own."""
    connection: Connection = field(default_factory=Connection)
    store: str = "auto"
    state_dir: str | None = None
    """Where this configuration keeps locks, journals and the file store; None: the fixed per-user place."""
    hot_copy: bool = True
    export: str = "ACCESS_TOKEN"
    """The variable that `export` sets."""
    min_ttl: float | None = None
    """Seconds of life that a stored token must have left, beyond the margin."""
    basic_encoding: Literal["rfc6749", "raw"] = "rfc6749"
    lock_timeout: float = 30.0
    """Seconds to wait for another process that is fetching the same token."""
    issuer: str | None = None
    """The authorization server's own name (RFC 8414 section 2)."""
    endpoints: Mapping[str, str] = field(default_factory=dict)
    """Logical name -> URL of the other endpoints that are known: `authorization`, `revocation`, …"""
    sign_in: SignIn = field(default_factory=SignIn)
    signing: Signing = field(default_factory=Signing)
    client_cert: tuple[str, str] | None = None
    """The PEM files of the TLS client certificate and of its key."""
    dpop: bool = False
    """Whether tokens are bound to a key of this program's own (RFC 9449)."""
    value_sources: Mapping[str, str] = field(default_factory=dict)
    """Key -> where its value came from: `config.toml:12`, `provider groupid`, `default`, `--scope`."""

    @property
    def command_line_name(self) -> str:
        """Return what names it on a command line: its name, and the scopes that were given there."""
        if self.value_sources.get("scope") != "--scope":
            return self.name
        from shlex import quote

        return f"{self.name} --scope {quote(self.scope or '')}"


@dataclass(frozen=True, slots=True)
class DpopKey:
    """The key that a token set is bound to (RFC 9449); it rests where the refresh token does."""

    private_jwk: Secret
    """The private key as a JWK in JSON."""
    nonce: str | None = None
    """The nonce that the authorization server last asked for."""


@dataclass(frozen=True, slots=True)
class TokenSet:
    """What a token endpoint handed out, with its times."""

    access_token: Secret
    token_type: str
    obtained_at: float
    """Epoch seconds at which the request was started: lifetimes are counted from here."""
    expires_at: float | None = None
    """Epoch seconds, or None where the life is not known; such a token is never served from a store."""
    refresh_token: Secret | None = None
    id_token: Secret | None = None
    scope: str | None = None
    """The scope granted, space-separated; None where the reply did not say."""
    outputs: Mapping[str, Secret] = field(default_factory=dict)
    """What else the reply brought under the provider's names for it; any of it may be secret."""
    margin: float | None = None
    """Seconds before its end at which the token is given up, where its provider says so."""
    sliding_lifetime: float | None = None
    """Seconds of life that each use gives anew, where the server counts from the last use."""
    dpop_key: DpopKey | None = None
    """The key without which the tokens are of no use, where they are bound to one."""

    @property
    def lifetime(self) -> float | None:
        """Return the whole life in seconds, where it is known."""
        return None if self.expires_at is None else self.expires_at - self.obtained_at

    def storable_copy(self, *, cacheable: bool) -> "TokenSet":
        """Return what is worth keeping: all, unless the access token is good for one use alone."""
        return self if cacheable else replace(self, access_token=Secret(""), expires_at=None)

    def remaining_lifetime(self, now: float) -> float | None:
        """Return the seconds left at `now`, negative once expired, None where not known."""
        return None if self.expires_at is None else self.expires_at - now

    def fresh_until(self, min_ttl: float | None = None) -> float | None:
        """Return the epoch second from which the token is stale; None if its expiry is unknown."""
        if self.expires_at is None:
            return None
        return fresh_until(self.obtained_at, self.expires_at, self.margin, min_ttl)

    def is_fresh(self, now: float, min_ttl: float | None = None) -> bool:
        """Tell whether the token can be used at `now`: see `fastpath.reader.fresh_until`.

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
    """Tie a token set to where it came from; it goes nowhere else."""

    key: str
    """Hash of everything that decides which token this is; see `stores.key`."""
    profile: str
    origin: str
    """Scheme, host and port of the token endpoint: `https://id.example.com:443`."""
    client_id: str


@dataclass(frozen=True, slots=True)
class StoredTokenSet:
    """A token set at rest, with its binding."""

    binding: TokenBinding
    token: TokenSet
    subject_hash: str = ""
    """Hash of what was traded for it, where that can change while the profile stays as it is."""


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
class HttpRequest:
    """One HTTP request as it will be sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""
    secrets: tuple[Secret, ...] = ()
    """The secrets inside, for whoever has to mask them."""
    is_retry_safe: bool = False
    """Whether sending it twice is harmless (RFC 9110 section 9.2.2 in effect, if not in method)."""
    client_certificate: ClientCertificate | None = None
    """What the client shows in the TLS handshake (RFC 8705)."""
    redirect_is_reply: bool = False
    """Whether a redirect is what the provider answers with; it is not followed in any case."""
    masked_copy: "HttpRequest | None" = None
    """The same with `***` in the place of each secret, however short, for whoever shows it."""

    def __repr__(self) -> str:
        return f"<{self.method} {self.url.split('?')[0]}>"


@dataclass(frozen=True, slots=True)
class HttpReply:
    """One HTTP reply as it came: status, headers (lower-case names) and the bytes of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at: float | None = None
    """Epoch seconds at which it arrived, by this computer's clock; None if not recorded."""

    @property
    def server_time(self) -> float | None:
        """Return its Date header in epoch seconds; None if it is missing or malformed."""
        text = self.headers.get("date")
        if text is None:
            return None
        from email.utils import parsedate_to_datetime  # start-up cost: it imports socket

        try:
            date = parsedate_to_datetime(text)
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        except (ValueError, TypeError, IndexError, OverflowError):
            return None

    @property
    def clock_skew(self) -> float | None:
        """Return how many seconds this computer's clock is ahead of the server's; negative: behind.

        None if it is unknown, or within `CLOCK_TOLERANCE_S` (the reply took time to arrive).
        """
        server_time = self.server_time
        if server_time is None or self.received_at is None:
            return None
        skew = self.received_at - server_time
        return skew if abs(skew) > CLOCK_TOLERANCE_S else None

    def __repr__(self) -> str:
        return f"<HTTP {self.status}, {len(self.body)} bytes>"


@dataclass(frozen=True, slots=True)
class AuthorizationResponse:
    """The authorization response that a sign-in ended with (RFC 6749 section 4.1.2): a code or an error."""

    code: Secret | None = None
    error: TokencliError | None = None
