"""The resource owner password credentials grant (RFC 6749 section 4.3).

RFC 9700 section 2.4 forbids it for new systems; two of the documented systems offer nothing else.
"""

from tokencli.grants.params import further, grant_type
from tokencli.grants.steps import Need, Post, Steps, Value
from tokencli.model import Profile, Secret, TokenSet

NEEDS: tuple[str, ...] = ("username", "password")


def run(profile: Profile) -> Steps:
    """Trade a user's name and password for a token.

    A provider that knows its users by another name says so in the grant's `one_of`; then the
    user name is sent only where the profile gives one.
    """
    params: dict[str, Value] = {"grant_type": grant_type(profile, "password")}
    if "username" in profile.values:
        params["username"] = profile.values["username"]
    password: Secret = yield Need("password")
    params["password"] = password
    token: TokenSet = yield Post({**params, **(yield from further(profile))})
    return token
