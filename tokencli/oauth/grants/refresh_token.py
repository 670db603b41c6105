"""Refreshing (RFC 6749 section 6)."""

from dataclasses import replace

from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth.grants.common_params import grant_type_value
from tokencli.oauth.grants.custom import send_followup_request
from tokencli.oauth.grants.steps import GrantSteps, NeedSecret, PostTokenRequest
from tokencli.providers.custom_request_writer import find_renewal_request

NEEDS: tuple[str, ...] = ()


def run(
    profile: Profile,
    refresh_token: Secret = Secret(""),  # noqa: B008 - immutable
    known: TokenSet | None = None,
) -> GrantSteps:
    """Spend a refresh token on a new token set, in the provider's own words where it has any.

    No scope is sent: the server grants what it granted before, and asking for the same set in
    other words is refused by some. Without a token the profile's own is spent: one that a person
    got elsewhere.
    """
    own = find_renewal_request(profile.provider)
    if own is not None and own.is_custom and known is not None:
        return (
            yield from send_followup_request(
                profile, own, replace(known, refresh_token=refresh_token)
            )
        )
    if not refresh_token:
        refresh_token = yield NeedSecret("refresh_token")
    token: TokenSet = yield PostTokenRequest(
        {"grant_type": grant_type_value(profile, "refresh_token"), "refresh_token": refresh_token}
    )
    return token
