"""Grants: one OAuth conversation per file.

A grant is a generator: it yields a step, is sent what came of it, and returns the token set.
It does no I/O, so a test drives it with `next()` and `send()`. Each module of the table offers
`run(profile) -> Steps` and `NEEDS`, the logical names that a profile must give.
"""

from importlib import import_module
from typing import cast

from tokencli.models import Profile
from tokencli.oauth.grants.steps import GrantModule

GRANTS: dict[str, str] = {
    "authorization_code": "tokencli.oauth.grants.authorization_code",
    "device_code": "tokencli.oauth.grants.device_code",
    "client_credentials": "tokencli.oauth.grants.client_credentials",
    "password": "tokencli.oauth.grants.password",
    "refresh_token": "tokencli.oauth.grants.refresh_token",
    "token_exchange": "tokencli.oauth.grants.token_exchange",
    "jwt_bearer": "tokencli.oauth.grants.jwt_bearer",
}

CUSTOM_GRANT = "tokencli.oauth.grants.custom"
"""Any other name that a provider's [grants] table knows: `grant_type` and parameters alone."""


def load_grant(grant: str) -> GrantModule:
    """Return the module of a grant by its name in the table; any other is a custom grant."""
    return cast(GrantModule, import_module(GRANTS.get(grant, CUSTOM_GRANT)))


def required_inputs(grant: str) -> tuple[str, ...]:
    """Return the logical names that a profile must give for this grant."""
    return load_grant(grant).NEEDS


def required_endpoints(grant: str) -> tuple[str, ...]:
    """Return the endpoints that this grant needs beside the token endpoint."""
    return getattr(load_grant(grant), "ENDPOINTS", ())


def is_interactive(grant: str) -> bool:
    """Tell whether a person has to sign in for this grant."""
    return getattr(load_grant(grant), "INTERACTIVE", False)


def exchanged_secrets(grant: str) -> tuple[str, ...]:
    """Return the secrets that are traded for the token: another of them means another token."""
    return getattr(load_grant(grant), "EXCHANGED_SECRETS", ())


def one_of_secrets(grant: str) -> tuple[str, ...]:
    """Return the secrets of which a profile must give at least one."""
    return getattr(load_grant(grant), "ONE_OF_SECRETS", ())


def required_secrets(profile: Profile) -> tuple[str, ...]:
    """Return the secrets that the profile's grant and client authentication take, in asking order."""
    from tokencli.oauth import client_authentication

    if profile.provider.request.is_custom:
        from tokencli.providers.custom_request_writer import list_profile_inputs

        return tuple(
            name for name in list_profile_inputs(profile.provider) if name in profile.secrets
        )
    spec = profile.provider.grants[profile.grant]
    names = (
        *required_inputs(profile.grant),
        *one_of_secrets(profile.grant),
        *exchanged_secrets(profile.grant),
        *spec.needs,
        *_extra_secrets(profile),
        *client_authentication.required_inputs(profile.client_auth),
        *client_authentication.METHOD_SECRETS[profile.client_auth],
    )
    return tuple(dict.fromkeys(name for name in names if name in profile.secrets))


def _extra_secrets(profile: Profile) -> tuple[str, ...]:
    """Return the secrets that the provider's own parameters and headers name."""
    provider = profile.provider
    if not provider.request.headers and not provider.grants[profile.grant].params:
        return ()
    from tokencli.providers.custom_request_writer import list_extra_values

    return tuple(
        name for name in list_extra_values(provider, profile.grant) if name in profile.secrets
    )


def renewal_secrets(profile: Profile) -> tuple[str, ...]:
    """Return the secrets that the provider's own way to renew a token takes."""
    from tokencli.providers.custom_request_writer import find_renewal_request, list_request_values

    own = find_renewal_request(profile.provider)
    if own is None or not own.is_custom:
        return ()
    return tuple(
        name for name in list_request_values(profile.provider, own) if name in profile.secrets
    )
