"""Token exchange (RFC 8693): trade somebody's token for another, for oneself or on their behalf."""

from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth.grants.common_params import common_params, grant_type_value
from tokencli.oauth.grants.steps import GrantSteps, NeedSecret, ParamValue, PostTokenRequest

NEEDS: tuple[str, ...] = ("subject_token",)
EXCHANGED_SECRETS = ("subject_token", "actor_token")
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"
"""Section 3."""


def run(profile: Profile) -> GrantSteps:
    """Trade the subject token, with the actor's beside it where the profile names one."""
    params: dict[str, ParamValue] = {"grant_type": grant_type_value(profile, "token_exchange")}
    for name in EXCHANGED_SECRETS:
        token: Secret | None = yield NeedSecret(name, optional=name not in NEEDS)
        if token is not None:
            params[name] = token
            params[f"{name}_type"] = profile.values.get(f"{name}_type", ACCESS_TOKEN_TYPE)
    if wanted := profile.values.get("requested_token_type"):
        params["requested_token_type"] = wanted
    found: TokenSet = yield PostTokenRequest({**params, **(yield from common_params(profile))})
    return found
