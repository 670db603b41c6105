"""The parameters that every grant may carry: the provider's own, the scope, and the profile's."""

from collections.abc import Generator

from tokencli.grants.steps import Need, Value
from tokencli.model import Profile, Secret
from tokencli.providers import template

URNS: dict[str, str] = {
    "device_code": "urn:ietf:params:oauth:grant-type:device_code",
    "token_exchange": "urn:ietf:params:oauth:grant-type:token-exchange",
    "jwt_bearer": "urn:ietf:params:oauth:grant-type:jwt-bearer",
}
"""Grant -> the name that it has on the wire, where that is not its own."""


def grant_type(profile: Profile, grant: str) -> str:
    """Return the wire value of `grant_type`: the profile's, the provider's, or the grant's own name."""
    spec = profile.provider.grants.get(grant)
    written = profile.values.get("grant_type") if grant == profile.grant else None
    return written or (spec.grant_type if spec else None) or URNS.get(grant, grant)


def further(profile: Profile) -> Generator[Need, Secret | None, dict[str, Value]]:
    """Fill in the provider's extra parameters, asking for the secrets among them.

    A parameter whose value the profile does not give is left out.
    """
    found: dict[str, Value] = {}
    if profile.scope:
        found["scope"] = profile.scope
    for wire, text in profile.provider.grants[profile.grant].params.items():
        value = yield from _value(profile, text)
        if value is not None:
            found[wire] = value
    return found | dict(profile.params)


def _value(profile: Profile, text: str) -> Generator[Need, Secret | None, Value | None]:
    names = template.names(text)
    if not any(name in profile.secrets for name in names):
        return template.fill(text, profile.values)
    values = dict(profile.values)
    for name in names:
        if name in profile.secrets:
            secret = yield Need(name, optional=True)
            if secret is None:
                return None
            values[name] = secret.reveal()
    filled = template.fill(text, values)
    return None if filled is None else Secret(filled)
