"""The resource owner password credentials grant (RFC 6749 section 4.3).

RFC 9700 section 2.4 forbids it for new systems; two of the documented systems offer nothing else.
"""

from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth.grants.common_params import common_params, grant_type_value
from tokencli.oauth.grants.steps import GrantSteps, NeedSecret, ParamValue, PostTokenRequest

NEEDS: tuple[str, ...] = ("username", "password")


def run(profile: Profile) -> GrantSteps:
    """Trade a user's name and password for a token.

    A provider that knows its users by another name says so in the grant's `one_of`; then the
    user name is sent only where the profile gives one.
    """
    params: dict[str, ParamValue] = {"grant_type": grant_type_value(profile, "password")}
    if "username" in profile.values:
        params["username"] = profile.values["username"]
    password: Secret = yield NeedSecret("password")
    params["password"] = password
    token: TokenSet = yield PostTokenRequest({**params, **(yield from common_params(profile))})
    return token
