"""Token exchange (RFC 8693): trade somebody's token for another, for oneself or on their behalf."""

from tokencli.grants.params import further, grant_type
from tokencli.grants.steps import Need, Post, Steps, Value
from tokencli.model import Profile, Secret, TokenSet

NEEDS: tuple[str, ...] = ("subject_token",)
TRADES = ("subject_token", "actor_token")
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name
"""Section 3."""


def run(profile: Profile) -> Steps:
    """Trade the subject token, with the actor's beside it where the profile names one."""
    params: dict[str, Value] = {"grant_type": grant_type(profile, "token_exchange")}
    for name in TRADES:
        token: Secret | None = yield Need(name, optional=name not in NEEDS)
        if token is not None:
            params[name] = token
            params[f"{name}_type"] = profile.values.get(f"{name}_type", ACCESS_TOKEN)
    if wanted := profile.values.get("requested_token_type"):
        params["requested_token_type"] = wanted
    found: TokenSet = yield Post({**params, **(yield from further(profile))})
    return found
