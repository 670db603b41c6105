"""The grants: one module each, with a `GRANT = GrantSpec(...)`, and one row each in `GRANTS`.

A grant is a generator. It yields steps, receives the result of each, and returns the token set.
It does no I/O, so a test drives it with `next()` and `send()`.
"""

from functools import cache
from importlib import import_module

from tokencli.models import Profile
from tokencli.oauth import client_authentication
from tokencli.oauth.grants.steps import GrantSpec
from tokencli.providers.request_writer import find_renewal_request
from tokencli.providers.template_values import (
    list_extra_values,
    list_profile_inputs,
    list_request_values,
)

GRANTS: dict[str, str] = {
    "authorization_code": "tokencli.oauth.grants.authorization_code",
    "device_code": "tokencli.oauth.grants.device_code",
    "client_credentials": "tokencli.oauth.grants.client_credentials",
    "password": "tokencli.oauth.grants.password",
    "refresh_token": "tokencli.oauth.grants.refresh_token",
    "token_exchange": "tokencli.oauth.grants.token_exchange",
    "jwt_bearer": "tokencli.oauth.grants.jwt_bearer",
}
"""Name in profiles and providers -> module."""

CUSTOM_GRANT = "tokencli.oauth.grants.custom"
"""For any other name in a provider's [grants] table: `grant_type` and parameters only."""

EXCHANGED_SECRETS = ("subject_token", "actor_token", "assertion")
"""The secrets that any grant exchanges for a token. They may be the token of another profile."""


def load_grant(name: str) -> GrantSpec:
    """Return the grant of that name; a name that is not in the table is a custom grant."""
    return _load_spec(GRANTS.get(name, CUSTOM_GRANT))


@cache
def _load_spec(module: str) -> GrantSpec:
    grant: GrantSpec = import_module(module).GRANT
    return grant


def is_interactive(name: str) -> bool:
    """Return whether the user has to sign in for this grant."""
    return load_grant(name).is_interactive


def required_secrets(profile: Profile) -> tuple[str, ...]:
    """Return the secrets that grant and client authentication use, in the order of prompting."""
    if profile.provider.request.is_custom:
        names = list_profile_inputs(profile.provider)
    else:
        grant = load_grant(profile.grant)
        names = (
            *grant.required_inputs,
            *grant.one_of_secrets,
            *grant.exchanged_secrets,
            *profile.provider.grants[profile.grant].needs,
            *_list_extra_values(profile),
            *client_authentication.required_inputs(profile.client_auth),
            *client_authentication.METHOD_SECRETS[profile.client_auth],
        )
    return tuple(dict.fromkeys(name for name in names if name in profile.secrets))


def renewal_secrets(profile: Profile) -> tuple[str, ...]:
    """Return the secrets in the provider's own request that renews a token."""
    request = find_renewal_request(profile.provider)
    if request is None or not request.is_custom:
        return ()
    names = list_request_values(profile.provider, request)
    return tuple(name for name in names if name in profile.secrets)


def _list_extra_values(profile: Profile) -> tuple[str, ...]:
    """Return the values in the provider's own parameters and headers."""
    provider = profile.provider
    if not provider.request.headers and not provider.grants[profile.grant].params:
        return ()
    return list_extra_values(provider, profile.grant)
