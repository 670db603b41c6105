"""Refreshing (RFC 6749 section 6)."""

from dataclasses import replace

from tokencli.grants.custom import following
from tokencli.grants.params import grant_type
from tokencli.grants.steps import Need, Post, Steps
from tokencli.model import Profile, Secret, TokenSet
from tokencli.providers.call import renewal

NEEDS: tuple[str, ...] = ()


def run(
    profile: Profile,
    refresh_token: Secret = Secret(""),  # noqa: B008 - immutable
    known: TokenSet | None = None,
) -> Steps:
    """Spend a refresh token on a new token set, in the provider's own words where it has any.

    No scope is sent: the server grants what it granted before, and asking for the same set in
    other words is refused by some. Without a token the profile's own is spent: one that a person
    got elsewhere.
    """
    own = renewal(profile.provider)
    if own is not None and own.whole and known is not None:
        return (yield from following(profile, own, replace(known, refresh_token=refresh_token)))
    if not refresh_token:
        refresh_token = yield Need("refresh_token")
    token: TokenSet = yield Post(
        {"grant_type": grant_type(profile, "refresh_token"), "refresh_token": refresh_token}
    )
    return token
