"""The resource owner password credentials grant (RFC 6749 section 4.3).

RFC 9700 section 2.4 forbids it for new systems; two of the documented systems have no other grant.
"""

from tokencli.models import ParamValue, Profile, Secret, TokenSet
from tokencli.oauth.grants.request_params import build_common_params, resolve_grant_type
from tokencli.oauth.grants.steps import GrantSpec, GrantSteps, NeedSecret, PostTokenRequest


def run(profile: Profile) -> GrantSteps:
    """Exchange a user name and a password for a token.

    `username` is omitted if the profile has none: a provider can identify its users by another
    field, listed in the grant's `one_of`.
    """
    params: dict[str, ParamValue] = {"grant_type": resolve_grant_type(profile, "password")}
    if "username" in profile.values:
        params["username"] = profile.values["username"]
    password: Secret = yield NeedSecret("password")
    params["password"] = password
    common = yield from build_common_params(profile)
    token: TokenSet = yield PostTokenRequest({**params, **common})
    return token


GRANT = GrantSpec(run, required_inputs=("username", "password"))
