"""A provider's own grant: its name, or a request that is wholly the provider's."""

from collections.abc import Mapping
from dataclasses import replace

from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth.grants.common_params import common_params, grant_type_value
from tokencli.oauth.grants.steps import GrantSteps, NeedSecret, PostTokenRequest, SendCustomRequest
from tokencli.provider_schema import Request
from tokencli.providers.custom_request_writer import list_request_values

NEEDS: tuple[str, ...] = ()


def run(profile: Profile) -> GrantSteps:
    """Send what the provider describes, and after it the second request where there is one.

    A reply that brings a refresh token alone is followed by the request that spends it.
    """
    provider = profile.provider
    if not provider.request.is_custom:
        token: TokenSet = yield PostTokenRequest(
            {
                "grant_type": grant_type_value(profile, profile.grant),
                **(yield from common_params(profile)),
            }
        )
    else:
        token = yield from send_custom_request(profile, provider.request, {})
    second = provider.then
    if second is None and token.refresh_token and not token.access_token:
        second = provider.refresh
    return token if second is None else (yield from send_followup_request(profile, second, token))


def send_followup_request(profile: Profile, request: Request, known: TokenSet) -> GrantSteps:
    """Send a request that may name what an earlier reply brought; what it renews not, stays."""
    values: dict[str, str | Secret] = {**known.outputs}
    if known.access_token:
        values["token"] = known.access_token
    if known.refresh_token:
        values["refresh_token"] = known.refresh_token
    token = yield from send_custom_request(profile, request, values)
    return replace(
        token,
        refresh_token=token.refresh_token or known.refresh_token,
        outputs={**known.outputs, **token.outputs},
    )


def send_custom_request(
    profile: Profile, request: Request, known: Mapping[str, str | Secret]
) -> GrantSteps:
    """Send one request of the provider's own, with the profile's secrets that it names."""
    values: dict[str, str | Secret] = dict(profile.values)
    if profile.scope:
        values["scope"] = profile.scope
    for name in list_request_values(profile.provider, request):
        if name in profile.secrets and name not in known:
            field = profile.provider.fields.get(name)
            may_lack = name == "key_passphrase" or (field is not None and field.optional)
            secret = yield NeedSecret(name, optional=may_lack)
            if secret is not None:
                values[name] = secret
    token: TokenSet = yield SendCustomRequest(request, {**values, **known})
    return token
