"""The declaration of a grant, and the steps that a grant yields."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import field
from typing import Any, Literal, TypeAlias

from tokencli.fast_dataclass import dataclass
from tokencli.models import (
    DEFAULT_REDIRECT_PATH,
    AuthorizationResponse,
    ParamValue,
    Profile,
    Secret,
    TokenSet,
)
from tokencli.provider_schema import Request


@dataclass(frozen=True, slots=True)
class NeedSecret:
    """Look up a secret of the profile; sends back a Secret, or None if it is optional and missing."""

    name: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class PostTokenRequest:
    """Send these parameters to the token endpoint; sends back the TokenSet, or throws the error."""

    params: Mapping[str, ParamValue]


@dataclass(frozen=True, slots=True)
class SignAssertion:
    """Sign an assertion with the profile's private key; sends back a Secret."""

    issuer: str
    subject: str
    claims: Mapping[str, str]
    """Claims besides issuer, subject, audience and times."""


@dataclass(frozen=True, slots=True)
class CompleteValues:
    """Add the generated, computed and signed values to these; sends back all of them."""

    known_values: Mapping[str, str | Secret]


@dataclass(frozen=True, slots=True)
class SendCustomRequest:
    """Send a provider-specific request; sends back the TokenSet, or throws the error."""

    request: Request
    values: Mapping[str, str | Secret]
    spelled: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Constants of the request to replace, see `template.replace_constants`."""


@dataclass(frozen=True, slots=True)
class PostToEndpoint:
    """Send these parameters to another endpoint; sends back the members of the reply."""

    endpoint: Literal["device_authorization", "pushed_authorization_request"]
    params: Mapping[str, ParamValue]


@dataclass(frozen=True, slots=True)
class ListenForRedirect:
    """Listen on the loopback port that the browser is redirected to; sends back the redirect URI."""

    parse_response: Callable[[str], AuthorizationResponse | None]
    """Maps a query string to the authorization response; None if it belongs to another sign-in."""
    port: int | None = None
    accepts_bare_code: bool = True
    """Whether the user may paste the code alone instead of the whole URL."""
    host: str = "127.0.0.1"
    """The name of this computer in the redirect URI."""
    path: str = DEFAULT_REDIRECT_PATH


@dataclass(frozen=True, slots=True)
class OpenBrowser:
    """Open this URL in a browser on this computer, or show it."""

    url: str


@dataclass(frozen=True, slots=True)
class AwaitAuthorizationResponse:
    """Wait for the redirect; sends back the AuthorizationResponse."""


@dataclass(frozen=True, slots=True)
class ShowUserCode:
    """Show the verification URI and the user code (RFC 8628 section 3.3)."""

    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    expires_in: float
    """Seconds until the sign-in is given up."""


@dataclass(frozen=True, slots=True)
class WaitSeconds:
    """Sleep; sends back the monotonic time afterwards."""

    seconds: float


GrantStep: TypeAlias = (
    NeedSecret
    | CompleteValues
    | PostTokenRequest
    | SendCustomRequest
    | SignAssertion
    | PostToEndpoint
    | ListenForRedirect
    | OpenBrowser
    | AwaitAuthorizationResponse
    | ShowUserCode
    | WaitSeconds
)
GrantSteps: TypeAlias = Generator[GrantStep, Any, TokenSet]


@dataclass(frozen=True, slots=True)
class GrantSpec:
    """One grant: how it runs and what it needs. Each module of the table has one, named `GRANT`."""

    run: Callable[[Profile], GrantSteps]
    """Carries out the grant for a profile."""
    grant_type: str = ""
    """The value of `grant_type` in the request; empty: the grant's name."""
    required_inputs: tuple[str, ...] = ()
    """Logical names of the values and secrets that a profile must have."""
    one_of_secrets: tuple[str, ...] = ()
    """Secrets of which a profile must have at least one."""
    exchanged_secrets: tuple[str, ...] = ()
    """Secrets that are exchanged for the token. They can change while the profile stays the same,
    so a stored token is bound to their hash."""
    endpoints: tuple[str, ...] = ()
    """Endpoints that it needs besides the token endpoint."""
    is_interactive: bool = False
    """Whether the user has to sign in."""
    extra_token_types: tuple[str, ...] = ()
    """Token types in lower case that a reply may have besides Bearer or DPoP."""
