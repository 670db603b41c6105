"""The client credentials grant (RFC 6749 section 4.4)."""

from tokencli.grants.params import further, grant_type
from tokencli.grants.steps import Post, Steps
from tokencli.model import Profile, TokenSet

NEEDS: tuple[str, ...] = ()


def run(profile: Profile) -> Steps:
    """Ask for a token for the client itself."""
    token: TokenSet = yield Post(
        {"grant_type": grant_type(profile, "client_credentials"), **(yield from further(profile))}
    )
    return token
