"""The token exchange grant (RFC 8693), for impersonation and delegation."""

from tokencli.models import ParamValue, Profile, Secret, TokenSet
from tokencli.oauth.grants.request_params import build_common_params, resolve_grant_type
from tokencli.oauth.grants.steps import GrantSpec, GrantSteps, NeedSecret, PostTokenRequest

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"
"""Section 3."""
TOKEN_TYPE_NOT_APPLICABLE = "n_a"
"""`token_type` of an issued token that is not an access token (section 2.2.1)."""


def run(profile: Profile) -> GrantSteps:
    """Exchange the subject token, with the actor token if the profile has one."""
    params: dict[str, ParamValue] = {
        "grant_type": resolve_grant_type(profile, "token_exchange", GRANT_TYPE)
    }
    for name in GRANT.exchanged_secrets:
        secret: Secret | None = yield NeedSecret(name, optional=name not in GRANT.required_inputs)
        if secret is not None:
            params[name] = secret
            params[f"{name}_type"] = profile.values.get(f"{name}_type", ACCESS_TOKEN_TYPE)
    if requested_type := profile.values.get("requested_token_type"):
        params["requested_token_type"] = requested_type
    common = yield from build_common_params(profile)
    token: TokenSet = yield PostTokenRequest({**params, **common})
    return token


GRANT = GrantSpec(
    run,
    GRANT_TYPE,
    required_inputs=("subject_token",),
    exchanged_secrets=("subject_token", "actor_token"),
    extra_token_types=(TOKEN_TYPE_NOT_APPLICABLE,),
)
