"""Grants: one OAuth conversation per file.

A grant is a generator: it yields a step, is sent what came of it, and returns the token set.
It does no I/O, so a test drives it with `next()` and `send()`. Each module of the table offers
`run(profile) -> Steps` and `NEEDS`, the logical names that a profile must give.
"""

from importlib import import_module
from typing import cast

from tokencli.grants.steps import GrantModule
from tokencli.model import Profile

GRANTS: dict[str, str] = {
    "authorization_code": "tokencli.grants.authorization_code",
    "device_code": "tokencli.grants.device_code",
    "client_credentials": "tokencli.grants.client_credentials",
    "password": "tokencli.grants.password",
    "refresh_token": "tokencli.grants.refresh_token",
    "token_exchange": "tokencli.grants.token_exchange",
    "jwt_bearer": "tokencli.grants.jwt_bearer",
}

CUSTOM = "tokencli.grants.custom"
"""Any other name that a provider's [grants] table knows: `grant_type` and parameters alone."""


def load(grant: str) -> GrantModule:
    """Return the module of a grant by its name in the table; any other is a custom grant."""
    return cast(GrantModule, import_module(GRANTS.get(grant, CUSTOM)))


def needs(grant: str) -> tuple[str, ...]:
    """Return the logical names that a profile must give for this grant."""
    return load(grant).NEEDS


def endpoints(grant: str) -> tuple[str, ...]:
    """Return the endpoints that this grant needs beside the token endpoint."""
    return getattr(load(grant), "ENDPOINTS", ())


def by_person(grant: str) -> bool:
    """Tell whether a person has to sign in for this grant."""
    return getattr(load(grant), "INTERACTIVE", False)


def trades(grant: str) -> tuple[str, ...]:
    """Return the secrets that are traded for the token: another of them means another token."""
    return getattr(load(grant), "TRADES", ())


def either(grant: str) -> tuple[str, ...]:
    """Return the secrets of which a profile must give at least one."""
    return getattr(load(grant), "EITHER", ())


def needed_secrets(profile: Profile) -> tuple[str, ...]:
    """Return the secrets that the profile's grant and client authentication take, in asking order."""
    from tokencli import clientauth

    if profile.provider.request.whole:
        from tokencli.providers.call import inputs

        return tuple(name for name in inputs(profile.provider) if name in profile.secrets)
    spec = profile.provider.grants[profile.grant]
    names = (
        *needs(profile.grant),
        *either(profile.grant),
        *trades(profile.grant),
        *spec.needs,
        *_beside(profile),
        *clientauth.needs(profile.client_auth),
        *clientauth.SECRETS[profile.client_auth],
    )
    return tuple(dict.fromkeys(name for name in names if name in profile.secrets))


def _beside(profile: Profile) -> tuple[str, ...]:
    """Return the secrets that the provider's own parameters and headers name."""
    provider = profile.provider
    if not provider.request.headers and not provider.grants[profile.grant].params:
        return ()
    from tokencli.providers.call import beside

    return tuple(name for name in beside(provider, profile.grant) if name in profile.secrets)


def renewing_secrets(profile: Profile) -> tuple[str, ...]:
    """Return the secrets that the provider's own way to renew a token takes."""
    from tokencli.providers.call import names, renewal

    own = renewal(profile.provider)
    if own is None or not own.whole:
        return ()
    return tuple(name for name in names(profile.provider, own) if name in profile.secrets)
