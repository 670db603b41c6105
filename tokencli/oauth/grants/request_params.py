"""Request parameters of every grant: `grant_type`, scope, the provider's and the profile's own."""

from collections.abc import Generator, Mapping
from typing import Any

from tokencli.models import ParamValue, Profile, Secret
from tokencli.oauth.grants.steps import CompleteValues, NeedSecret
from tokencli.providers import template
from tokencli.providers.template_values import expand_value_names, is_derived_value


def resolve_grant_type(profile: Profile, name: str, grant_type: str = "") -> str:
    """Return the value of `grant_type` for the grant `name`.

    The profile's comes first, then the provider's, then the grant's standard `grant_type`, which is
    its name by default.
    """
    spec = profile.provider.grants.get(name)
    configured = profile.values.get("grant_type") if name == profile.grant else None
    return configured or (spec.grant_type if spec else None) or grant_type or name


def build_common_params(
    profile: Profile,
) -> Generator[NeedSecret | CompleteValues, Any, dict[str, ParamValue]]:
    """Return scope, the provider's extra parameters and the profile's, looking up secrets in them.

    A parameter is omitted if the profile has no value for it.
    """
    params: dict[str, ParamValue] = {}
    if profile.scope:
        separator = profile.provider.request.scope_separator
        params["scope"] = profile.scope.replace(" ", separator)
    templates = profile.provider.grants[profile.grant].params
    if templates:
        params |= yield from _fill_grant_params(profile, templates)
    return params | dict(profile.params)


def _fill_grant_params(
    profile: Profile, templates: Mapping[str, str]
) -> Generator[NeedSecret | CompleteValues, Any, dict[str, ParamValue]]:
    provider = profile.provider
    values: dict[str, str | Secret] = dict(profile.values)
    if profile.scope:
        values["scope"] = profile.scope
    for name in dict.fromkeys(
        name for text in templates.values() for name in expand_value_names(provider, text)
    ):
        if name in profile.secrets:
            secret = yield NeedSecret(name, optional=True)
            if secret is not None:
                values[name] = secret
    if any(
        is_derived_value(provider, name)
        for text in templates.values()
        for name in template.list_value_names(text)
    ):
        values = yield CompleteValues(values)
    filled = {name: template.fill_with_secrets(text, values) for name, text in templates.items()}
    return {name: value for name, value in filled.items() if value is not None}
