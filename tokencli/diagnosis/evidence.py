"""The evidence about a call that fails: what was found, without any judgment and without I/O.

Nothing here holds a token. Texts of servers are redacted before they get here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tokencli.errors import TokencliError
from tokencli.jwt.decode import TokenKind
from tokencli.oauth.www_authenticate import Challenge

NetworkFailure = Literal["dns", "connect", "tls", "timeout", "broken_off", "redirect", "other"]
TokenRole = Literal[
    "access",
    "id",
    "refresh",
    "client_assertion",
    "dpop_proof",
    "logout_token",
    "request_object",
    "saml_assertion",
    "authorization_code",
    "client_secret",
    "api_key",
    "unknown",
]
BodyKind = Literal["empty", "json", "html", "xml", "text"]


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """The token that the call is made with, unverified."""

    kind: TokenKind
    length: int
    """Characters, as it is sent."""
    fingerprint: str
    """Salted hash of it, the same one as in the event log."""
    header: Mapping[str, object] = field(default_factory=dict)
    claims: Mapping[str, object] = field(default_factory=dict)
    role: TokenRole = "unknown"
    role_sign: str | None = None
    """By what the role was recognized, as a clause: `it has nonce and at_hash`."""
    issued_at: float | None = None
    """Epoch seconds by the issuer's clock, as are the next two."""
    not_before: float | None = None
    expires_at: float | None = None
    stated_expiry: float | None = None
    """When it expires by the token response that it came in, in epoch seconds by the server's clock."""
    issuer: str | None = None
    subject: str | None = None
    client: str | None = None
    audience: tuple[str, ...] = ()
    scopes: tuple[str, ...] | None = None
    """None if neither the token nor its token response says."""
    bound_to: Literal["dpop", "certificate"] | None = None
    """What it can't be used without (RFC 7800 `cnf`)."""
    thumbprint_of_profile: str | None = None
    """The `x5t#S256` of the profile's client certificate, if the token is bound to one."""
    holds_bound_key: bool | None = None
    """Whether the profile has the key or certificate that `cnf` names; None if unknown or unbound."""
    damage: str | None = None
    """Why it is no complete token, as a clause."""
    mangling: tuple[str, ...] = ()
    """What happened to it in transit, each as a clause: `it is in quotes`, `it begins with "Bearer "`."""
    signature: Literal["valid", "invalid", "unchecked"] = "unchecked"
    signature_problem: str | None = None
    """Why the signature is invalid or couldn't be checked, as a clause."""
    stored: bool = False
    """Whether it is the token that the profile has stored."""
    part_of_stored: int | None = None
    """Characters of the profile's stored token if this one is a part of it, e.g. its beginning."""


@dataclass(frozen=True, slots=True)
class CallFacts:
    """One exchange with the API: replayed, or read from a saved reply."""

    method: str
    url: str
    """Without userinfo, fragment, and the values of query parameters that may be secret."""
    carrier: str | None = None
    """What carries the token: `Authorization: Bearer`, `X-Api-Token`, `?access_token`; None: nothing."""
    withheld: str | None = None
    """Why nothing carries it, as a clause: `the URL is not https`."""
    proof: Literal["dpop", "certificate"] | None = None
    """What proved, beside the token, that the sender has the key that it is bound to."""
    follows_redirects: bool = False
    """Whether the client that failed follows redirects, as `curl -L` does."""
    redirected_from: tuple[str, ...] = ()
    """The URLs, in order, whose replies redirected to this one; only a saved reply has them."""
    is_saved: bool = False
    """Whether it is a saved reply, so that its time is not now."""
    request_header_size: int | None = None
    """Bytes of the request's line and headers."""
    status: int | None = None
    """None if no reply was received."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the reply, names in lower case, redacted; `location` without secrets; no cookies.

    `server`, `via`, `age`, `location`, `retry-after`, `dpop-nonce`, `content-type` and those that
    start with `x-` or `cf-` are used.
    """
    challenges: tuple[Challenge, ...] = ()
    """WWW-Authenticate, and for 407 Proxy-Authenticate."""
    body_kind: BodyKind = "empty"
    error_code: str | None = None
    """The error code in the challenge or, if it has none, in the body; also of a reply with status 200."""
    error_text: str | None = None
    """What the server says about it, redacted: the description in the challenge, the texts of the
    JSON body, or the whole text of a short plain-text body; several are joined by `; `."""
    required_scopes: tuple[str, ...] = ()
    """The scopes that the challenge or the JSON body (`scope`, `needed`, …) says the call requires."""
    page_title: str | None = None
    """The title of an HTML page, or its first heading."""
    is_sign_in_page: bool = False
    """Whether the page asks for a password, or sends a sign-in (SAML, OpenID Connect) to a server."""
    server_time: float | None = None
    """Epoch seconds of the Date header."""
    received_at: float | None = None
    """Epoch seconds by this computer's clock; None for a saved reply without a time."""
    failure: NetworkFailure | None = None
    """Why there is no reply."""
    failure_error: TokencliError | None = None
    proxy: str | None = None
    """Host and port of the proxy that the call went through."""

    @property
    def clock_skew(self) -> float | None:
        """Return how many seconds this computer's clock is ahead of the server's; None if unknown."""
        if self.server_time is None or self.received_at is None:
            return None
        return self.received_at - self.server_time


@dataclass(frozen=True, slots=True)
class ProfileFacts:
    """What the profile expects. Nothing of it is secret."""

    name: str
    provider: str
    """The provider's name."""
    grant: str
    token_host: str
    """Host of the token endpoint."""
    command_line_name: str
    """The profile with `--scope`, as a command needs it."""
    issuer: str | None = None
    client_id: str | None = None
    username: str | None = None
    audiences: tuple[str, ...] = ()
    """The audiences that the profile requests."""
    audience_key: str | None = None
    """The key that requests them, `audience` or `resource`; None if the profile has neither."""
    scopes: tuple[str, ...] = ()
    """The scopes that the profile requests."""
    carriers: tuple[str, ...] = ()
    """What carries the token by the provider's `use`, as in `CallFacts.carrier`."""
    dpop: bool = False
    is_interactive: bool = False
    has_refresh_token: bool = False


@dataclass(frozen=True, slots=True)
class IssuerFacts:
    """What the issuer that the profile trusts says; that of the token may be another one.

    Each question has an answer here, an error here, or a reason in `Evidence.open_questions`, unless
    the server has no endpoint to ask.
    """

    issuer: str | None = None
    """The issuer identifier that its metadata states."""
    metadata_error: TokencliError | None = None
    key_ids: tuple[str, ...] | None = None
    """The `kid` of each key of its JWK Set; None if it wasn't fetched."""
    jwks_url: str | None = None
    jwks_error: TokencliError | None = None
    introspection: Mapping[str, object] | None = None
    """The claims of its introspection response (RFC 7662), e.g. `active`."""
    userinfo: Mapping[str, object] | None = None
    userinfo_status: int | None = None
    server_time: float | None = None
    """Epoch seconds of the Date header of its last reply."""
    received_at: float | None = None


@dataclass(frozen=True, slots=True)
class ResourceFacts:
    """The API's protected resource metadata (RFC 9728)."""

    url: str
    resource: str | None = None
    authorization_servers: tuple[str, ...] = ()
    scopes_supported: tuple[str, ...] = ()
    bearer_methods_supported: tuple[str, ...] = ()
    dpop_bound_access_tokens_required: bool = False
    error: TokencliError | None = None


@dataclass(frozen=True, slots=True)
class EventFacts:
    """What the event log says about the profile and the token."""

    issued_to: str | None = None
    """The profile that the token was issued to, if the log knows its fingerprint; it may be this one."""
    obtained_at: float | None = None
    replaced_at: float | None = None
    """When a newer token was issued to the same profile."""
    revoked_at: float | None = None
    last_failure: str | None = None
    """The last failure since the last success, as a clause."""
    failing_since: float | None = None
    """When the first of these failures was."""
    previous_scopes: tuple[str, ...] | None = None
    """Of the token that the profile had before this one."""


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """What was not found out."""

    probe: str
    """What was to be asked: a key of `PROBE_TITLES` of `gather.py`, `issuer`, `signature`, or
    `resource_metadata`."""
    reason: str
    """Why it wasn't, as a clause: `it takes more than 10 seconds`, `--offline`, `no URL was given`."""
    command: str | None = None
    """The command that asks it."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that the causes are judged by."""

    now: float
    """Epoch seconds by this computer's clock."""
    token: TokenFacts | None = None
    token_error: TokencliError | None = None
    """Why there is no token."""
    call: CallFacts | None = None
    bare_call: CallFacts | None = None
    """The same call without a token."""
    fresh_token: TokenFacts | None = None
    """Another token, issued for this diagnosis (`--probe`)."""
    fresh_call: CallFacts | None = None
    """The same call with the fresh token."""
    fresh_error: TokencliError | None = None
    profile: ProfileFacts | None = None
    issuer: IssuerFacts = field(default_factory=IssuerFacts)
    resource: ResourceFacts | None = None
    events: EventFacts = field(default_factory=EventFacts)
    same_token_as: tuple[str, ...] = ()
    """The other profiles that have this very token stored."""
    rival_profiles: tuple[str, ...] = ()
    """The other profiles whose stored token names what the API asks for: its issuer, audience or scope."""
    open_questions: tuple[OpenQuestion, ...] = ()
