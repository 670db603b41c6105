"""An assertion as the grant (RFC 7523 section 2.1): ready-made, or signed here for this once."""

from tokencli.grants.params import further, grant_type
from tokencli.grants.steps import Need, Post, Sign, Steps
from tokencli.model import Profile, Secret, TokenSet
from tokencli.providers import template

NEEDS: tuple[str, ...] = ()
EITHER = ("assertion", "private_key")
TRADES = ("assertion",)


def run(profile: Profile) -> Steps:
    """Trade an assertion for a token.

    What is signed here names the client as its issuer, and as its subject the profile's user,
    else the client itself (section 3).
    """
    assertion: Secret | None = yield Need("assertion", optional=True)
    if assertion is None:
        client = profile.values.get("client_id", "")
        assertion = yield Sign(client, profile.values.get("username") or client, _claims(profile))
    found: TokenSet = yield Post(
        {
            "grant_type": grant_type(profile, "jwt_bearer"),
            "assertion": assertion,
            **(yield from further(profile)),
        }
    )
    return found


def _claims(profile: Profile) -> dict[str, str]:
    values = {**profile.values, **({"scope": profile.scope} if profile.scope else {})}
    texts = profile.provider.grants[profile.grant].claims
    filled = {name: template.fill(text, values) for name, text in texts.items()}
    return {name: value for name, value in filled.items() if value is not None}
