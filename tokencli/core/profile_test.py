"""Test whether a profile's settings get a token."""

from tokencli.core.get_token import get_token
from tokencli.core.secret_resolver import source_interaction
from tokencli.core.token_renewal import TokenResult
from tokencli.fast_dataclass import dataclass
from tokencli.models import Profile
from tokencli.oauth import client_authentication, grants
from tokencli.protocols import Context


@dataclass(frozen=True, slots=True)
class ProfileTestResult:
    """The new token, and which secrets it proves to be right."""

    token_result: TokenResult
    verified_secrets: tuple[str, ...]
    """Names of the profile's secrets, or `refresh token`."""
    unverified_secrets: tuple[str, ...]
    """The secrets that weren't used this time, or `a sign-in`."""


def run_profile_test(profile: Profile, ctx: Context) -> ProfileTestResult:
    """Get a token by the grant if that works without a user, else by the refresh token.

    The new token replaces the stored one. If the test fails, the stored one is kept.

    Raises:
        TokencliError: any subclass.
    """
    needed = grants.required_secrets(profile)
    prompts = any(
        source_interaction(profile.secrets[name], ctx) in ("prompt", "stdin")
        for name in needed
        if name in profile.secrets
    )
    by_grant = not grants.is_interactive(profile.grant) and (
        ctx.terminal.interactive or not prompts
    )
    result = get_token(profile, ctx, force=True, by_grant=by_grant)
    if result.source != "refresh_token":
        return ProfileTestResult(result, tuple(needed), ())
    used = client_authentication.METHOD_SECRETS[profile.client_auth]
    unused = tuple(name for name in needed if name not in used)
    sign_in = ("a sign-in",) if grants.is_interactive(profile.grant) else ()
    return ProfileTestResult(result, ("refresh token", *used), (*unused, *sign_in))
