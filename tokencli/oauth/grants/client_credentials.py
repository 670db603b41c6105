"""The client credentials grant (RFC 6749 section 4.4)."""

from tokencli.models import Profile, TokenSet
from tokencli.oauth.grants.common_params import common_params, grant_type_value
from tokencli.oauth.grants.steps import GrantSteps, PostTokenRequest

NEEDS: tuple[str, ...] = ()


def run(profile: Profile) -> GrantSteps:
    """Ask for a token for the client itself."""
    token: TokenSet = yield PostTokenRequest(
        {
            "grant_type": grant_type_value(profile, "client_credentials"),
            **(yield from common_params(profile)),
        }
    )
    return token
