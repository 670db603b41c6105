"""Put a profile to the test: whether what it says of itself brings a token."""

from tokencli.core.get_token import TokenResult, get_token
from tokencli.core.secret_resolver import source_interaction
from tokencli.fast_dataclass import dataclass
from tokencli.models import Profile
from tokencli.oauth import client_authentication, grants
from tokencli.protocols import Context


@dataclass(frozen=True, slots=True)
class ProfileTestResult:
    """The token that came, and what it shows to be right."""

    token_result: TokenResult
    verified_secrets: tuple[str, ...]
    """Names of the profile's secrets, or `refresh token`."""
    unverified_secrets: tuple[str, ...]
    """What was not needed this time."""


def run_profile_test(profile: Profile, ctx: Context) -> ProfileTestResult:
    """Get a token by the grant where that takes no person, else by the refresh token.

    It replaces the stored one; where none comes, that one stays.

    Raises:
        TokencliError: any of its kinds.
    """
    needed = grants.required_secrets(profile)
    asked = any(
        source_interaction(profile.secrets[name], ctx) in ("prompt", "stdin")
        for name in needed
        if name in profile.secrets
    )
    alone = not grants.is_interactive(profile.grant) and (ctx.terminal.interactive or not asked)
    obtained = get_token(profile, ctx, force=True, by_grant=alone)
    if obtained.source != "refresh_token":
        return ProfileTestResult(obtained, tuple(needed), ())
    used = client_authentication.METHOD_SECRETS[profile.client_auth]
    left = tuple(name for name in needed if name not in used)
    sign_in = ("a sign-in",) if grants.is_interactive(profile.grant) else ()
    return ProfileTestResult(obtained, ("refresh token", *used), (*left, *sign_in))
