"""A provider's own grant: its name, or a request that is wholly the provider's."""

from collections.abc import Mapping
from dataclasses import replace

from tokencli.grants.params import further, grant_type
from tokencli.grants.steps import Need, Post, Send, Steps
from tokencli.model import Profile, Secret, TokenSet
from tokencli.providers.call import names
from tokencli.providers.spec import Request

NEEDS: tuple[str, ...] = ()


def run(profile: Profile) -> Steps:
    """Send what the provider describes, and after it the second request where there is one.

    A reply that brings a refresh token alone is followed by the request that spends it.
    """
    provider = profile.provider
    if not provider.request.whole:
        token: TokenSet = yield Post(
            {"grant_type": grant_type(profile, profile.grant), **(yield from further(profile))}
        )
    else:
        token = yield from call(profile, provider.request, {})
    second = provider.then
    if second is None and token.refresh_token and not token.access_token:
        second = provider.refresh
    return token if second is None else (yield from following(profile, second, token))


def following(profile: Profile, request: Request, known: TokenSet) -> Steps:
    """Send a request that may name what an earlier reply brought; what it renews not, stays."""
    values: dict[str, str | Secret] = {**known.outputs}
    if known.access_token:
        values["token"] = known.access_token
    if known.refresh_token:
        values["refresh_token"] = known.refresh_token
    token = yield from call(profile, request, values)
    return replace(
        token,
        refresh_token=token.refresh_token or known.refresh_token,
        outputs={**known.outputs, **token.outputs},
    )


def call(profile: Profile, request: Request, known: Mapping[str, str | Secret]) -> Steps:
    """Send one request of the provider's own, with the profile's secrets that it names."""
    values: dict[str, str | Secret] = dict(profile.values)
    if profile.scope:
        values["scope"] = profile.scope
    for name in names(profile.provider, request):
        if name in profile.secrets and name not in known:
            field = profile.provider.fields.get(name)
            may_lack = name == "key_passphrase" or (field is not None and field.optional)
            secret = yield Need(name, optional=may_lack)
            if secret is not None:
                values[name] = secret
    token: TokenSet = yield Send(request, {**values, **known})
    return token
