"""The parameters that every grant may carry: the provider's own, the scope, and the profile's."""

from collections.abc import Generator, Mapping
from typing import Any

from tokencli.models import Profile, Secret
from tokencli.oauth.grants.steps import CompleteValues, NeedSecret, ParamValue
from tokencli.providers import template

GRANT_TYPE_URNS: dict[str, str] = {
    "device_code": "urn:ietf:params:oauth:grant-type:device_code",
    "token_exchange": "urn:ietf:params:oauth:grant-type:token-exchange",
    "jwt_bearer": "urn:ietf:params:oauth:grant-type:jwt-bearer",
}
"""Grant -> the name that it has on the wire, where that is not its own."""


def grant_type_value(profile: Profile, grant: str) -> str:
    """Return the wire value of `grant_type`: the profile's, the provider's, or the grant's own name."""
    spec = profile.provider.grants.get(grant)
    written = profile.values.get("grant_type") if grant == profile.grant else None
    return written or (spec.grant_type if spec else None) or GRANT_TYPE_URNS.get(grant, grant)


def common_params(
    profile: Profile,
) -> Generator[NeedSecret | CompleteValues, Any, dict[str, ParamValue]]:
    """Fill in the provider's extra parameters, asking for the secrets among them.

    A parameter whose value the profile does not give is left out.
    """
    found: dict[str, ParamValue] = {}
    if profile.scope:
        separator = profile.provider.request.scope_separator
        found["scope"] = profile.scope.replace(" ", separator)
    texts = profile.provider.grants[profile.grant].params
    if texts:
        found |= yield from _fill_grant_params(profile, texts)
    return found | dict(profile.params)


def _fill_grant_params(
    profile: Profile, texts: Mapping[str, str]
) -> Generator[NeedSecret | CompleteValues, Any, dict[str, ParamValue]]:
    from tokencli.providers.custom_request_writer import expand_value_names
    from tokencli.providers.template_values import is_derived_value

    provider = profile.provider
    known: dict[str, str | Secret] = dict(profile.values)
    if profile.scope:
        known["scope"] = profile.scope
    for name in dict.fromkeys(
        one for text in texts.values() for one in expand_value_names(provider, text)
    ):
        if name in profile.secrets:
            secret = yield NeedSecret(name, optional=True)
            if secret is not None:
                known[name] = secret
    if any(
        is_derived_value(provider, name)
        for text in texts.values()
        for name in template.list_value_names(text)
    ):
        known = yield CompleteValues(known)
    values = {wire: template.fill_with_secrets(text, known) for wire, text in texts.items()}
    return {wire: value for wire, value in values.items() if value is not None}
