"""The refresh token grant (RFC 6749 section 6)."""

from dataclasses import replace

from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth.grants.custom import send_followup_request
from tokencli.oauth.grants.request_params import resolve_grant_type
from tokencli.oauth.grants.steps import GrantSpec, GrantSteps, NeedSecret, PostTokenRequest
from tokencli.providers.request_writer import find_renewal_request


def run(
    profile: Profile,
    refresh_token: Secret = Secret(""),  # noqa: B008 - immutable
    token_set: TokenSet | None = None,
) -> GrantSteps:
    """Spend a refresh token, with the provider's own request if it has one.

    No scope is sent: the server then grants the same scope as before, and some servers refuse the
    same scope in another order. Without a `refresh_token` the profile's own is used, one that was
    obtained elsewhere.
    """
    request = find_renewal_request(profile.provider)
    if request is not None and request.is_custom and token_set is not None:
        token_set = replace(token_set, refresh_token=refresh_token)
        return (yield from send_followup_request(profile, request, token_set))
    if not refresh_token:
        refresh_token = yield NeedSecret("refresh_token")
    token: TokenSet = yield PostTokenRequest(
        {
            "grant_type": resolve_grant_type(profile, "refresh_token"),
            "refresh_token": refresh_token,
        }
    )
    return token


GRANT = GrantSpec(run)
