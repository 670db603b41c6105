"""An assertion as the grant (RFC 7523 section 2.1): ready-made, or signed here for this once."""

from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth.grants.common_params import common_params, grant_type_value
from tokencli.oauth.grants.steps import GrantSteps, NeedSecret, PostTokenRequest, SignAssertion
from tokencli.providers import template

NEEDS: tuple[str, ...] = ()
ONE_OF_SECRETS = ("assertion", "private_key")
EXCHANGED_SECRETS = ("assertion",)


def run(profile: Profile) -> GrantSteps:
    """Trade an assertion for a token.

    What is signed here names the client as its issuer, and as its subject the profile's user,
    else the client itself (section 3).
    """
    assertion: Secret | None = yield NeedSecret("assertion", optional=True)
    if assertion is None:
        client = profile.values.get("client_id", "")
        assertion = yield SignAssertion(
            client, profile.values.get("username") or client, _extra_assertion_claims(profile)
        )
    found: TokenSet = yield PostTokenRequest(
        {
            "grant_type": grant_type_value(profile, "jwt_bearer"),
            "assertion": assertion,
            **(yield from common_params(profile)),
        }
    )
    return found


def _extra_assertion_claims(profile: Profile) -> dict[str, str]:
    values = {**profile.values, **({"scope": profile.scope} if profile.scope else {})}
    texts = profile.provider.grants[profile.grant].claims
    filled = {name: template.fill_template(text, values) for name, text in texts.items()}
    return {name: value for name, value in filled.items() if value is not None}
