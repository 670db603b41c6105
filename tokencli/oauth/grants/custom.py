"""Provider-specific grants: another `grant_type`, or a request that is not OAuth's at all."""

from collections.abc import Mapping
from dataclasses import replace

from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth.grants.request_params import build_common_params, resolve_grant_type
from tokencli.oauth.grants.steps import (
    GrantSpec,
    GrantSteps,
    NeedSecret,
    PostTokenRequest,
    SendCustomRequest,
)
from tokencli.provider_schema import Request
from tokencli.providers.template_values import list_request_values


def run(profile: Profile) -> GrantSteps:
    """Send the provider's request, then its second one (`then`), if there is one.

    If the reply has only a refresh token, the provider's `refresh` request spends it.
    """
    provider = profile.provider
    if not provider.request.is_custom:
        token: TokenSet = yield PostTokenRequest(
            {
                "grant_type": resolve_grant_type(profile, profile.grant),
                **(yield from build_common_params(profile)),
            }
        )
    else:
        token = yield from send_custom_request(profile, provider.request, {})
    second = provider.then
    if second is None and token.refresh_token and not token.access_token:
        second = provider.refresh
    return token if second is None else (yield from send_followup_request(profile, second, token))


def send_followup_request(profile: Profile, request: Request, earlier: TokenSet) -> GrantSteps:
    """Send a request that may use values of an earlier reply; keep those that it doesn't renew."""
    values: dict[str, str | Secret] = {**earlier.outputs}
    if earlier.access_token:
        values["token"] = earlier.access_token
    if earlier.refresh_token:
        values["refresh_token"] = earlier.refresh_token
    token = yield from send_custom_request(profile, request, values)
    return replace(
        token,
        refresh_token=token.refresh_token or earlier.refresh_token,
        outputs={**earlier.outputs, **token.outputs},
    )


def send_custom_request(
    profile: Profile, request: Request, reply_values: Mapping[str, str | Secret]
) -> GrantSteps:
    """Send one provider-specific request, with the secrets of the profile that it uses."""
    values: dict[str, str | Secret] = dict(profile.values)
    if profile.scope:
        values["scope"] = profile.scope
    for name in list_request_values(profile.provider, request):
        if name in profile.secrets and name not in reply_values:
            field = profile.provider.fields.get(name)
            optional = name == "key_passphrase" or (field is not None and field.optional)
            secret = yield NeedSecret(name, optional=optional)
            if secret is not None:
                values[name] = secret
    token: TokenSet = yield SendCustomRequest(request, {**values, **reply_values})
    return token


GRANT = GrantSpec(run)
