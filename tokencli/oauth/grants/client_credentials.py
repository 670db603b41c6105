"""The client credentials grant (RFC 6749 section 4.4)."""

from tokencli.models import Profile, TokenSet
from tokencli.oauth.grants.request_params import build_common_params, resolve_grant_type
from tokencli.oauth.grants.steps import GrantSpec, GrantSteps, PostTokenRequest


def run(profile: Profile) -> GrantSteps:
    """Request a token for the client itself."""
    token: TokenSet = yield PostTokenRequest(
        {
            "grant_type": resolve_grant_type(profile, "client_credentials"),
            **(yield from build_common_params(profile)),
        }
    )
    return token


GRANT = GrantSpec(run)
