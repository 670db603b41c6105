"""What a grant may ask for, and the shape of a grant."""

from collections.abc import Callable, Generator, Mapping
from typing import Any, Literal, Protocol, TypeAlias

from tokencli.fast_dataclass import dataclass
from tokencli.models import AuthorizationResponse, Profile, Secret, TokenSet
from tokencli.provider_schema import Request

ParamValue: TypeAlias = str | Secret | tuple[str, ...]
"""A request parameter: one value, a secret one, or one repeated."""


@dataclass(frozen=True, slots=True)
class NeedSecret:
    """Ask for a secret of the profile; a Secret is sent back, or None for an optional one."""

    name: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class PostTokenRequest:
    """Send these parameters to the token endpoint; the TokenSet is sent back, or an error thrown."""

    params: Mapping[str, ParamValue]


@dataclass(frozen=True, slots=True)
class SignAssertion:
    """Sign an assertion of the profile's own with its private key; a Secret is sent back."""

    issuer: str
    subject: str
    claims: Mapping[str, str]
    """What it says beside whose, for whom and how long it is good."""


@dataclass(frozen=True, slots=True)
class CompleteValues:
    """Complete these values by those made up for the request, computed and signed; all are sent back."""

    known_values: Mapping[str, str | Secret]


@dataclass(frozen=True, slots=True)
class SendCustomRequest:
    """Send a request that is the provider's own; the TokenSet is sent back, or an error thrown."""

    request: Request
    values: Mapping[str, str | Secret]


@dataclass(frozen=True, slots=True)
class PostToEndpoint:
    """Send these parameters to another endpoint; the reply's members are sent back as they came."""

    endpoint: Literal["device_authorization", "pushed_authorization_request"]
    params: Mapping[str, ParamValue]


@dataclass(frozen=True, slots=True)
class ListenForRedirect:
    """Open the loopback port that a browser will come back to; the redirect URI is sent back."""

    parse_response: Callable[[str], AuthorizationResponse | None]
    """Takes a query and returns what it says, or None where it is not the one that is awaited."""
    port: int | None = None
    accepts_bare_code: bool = True
    """Whether a person may paste the bare code instead of the whole address."""
    host: str = "127.0.0.1"
    """How the redirect URI calls this machine."""


@dataclass(frozen=True, slots=True)
class OpenBrowser:
    """Send the person to this page: in a browser of this machine, or by showing the address."""

    url: str


@dataclass(frozen=True, slots=True)
class AwaitAuthorizationResponse:
    """Wait until the person comes back to the port; the Redirect is sent back."""


@dataclass(frozen=True, slots=True)
class ShowUserCode:
    """Show where to go and what to type there (RFC 8628 section 3.3)."""

    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    expires_in: float
    """Seconds for which the code is waited for."""


@dataclass(frozen=True, slots=True)
class WaitSeconds:
    """Let so many seconds pass; the monotonic time after them is sent back."""

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


class GrantModule(Protocol):
    """What every module of the table offers.

    One that needs a person says `INTERACTIVE = True`, and one that needs more than the token
    endpoint names the others in `ENDPOINTS`. One that trades secrets which change by themselves
    names them in `EXCHANGED_SECRETS`, and those of which it needs at least one in `ONE_OF_SECRETS`.
    """

    NEEDS: tuple[str, ...]

    def run(self, profile: Profile) -> GrantSteps:
        """Hold the conversation."""
        ...
