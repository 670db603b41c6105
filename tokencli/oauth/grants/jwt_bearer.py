"""The JWT bearer grant (RFC 7523 section 2.1), with a ready-made assertion or one signed here."""

from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth.grants.request_params import build_common_params, resolve_grant_type
from tokencli.oauth.grants.steps import (
    GrantSpec,
    GrantSteps,
    NeedSecret,
    PostTokenRequest,
    SignAssertion,
)
from tokencli.providers import template

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def run(profile: Profile) -> GrantSteps:
    """Exchange an assertion for a token.

    An assertion that is signed here has the client as its issuer. Its subject is the profile's
    username, or the client if there is none (section 3).
    """
    assertion: Secret | None = yield NeedSecret("assertion", optional=True)
    if assertion is None:
        client_id = profile.values.get("client_id", "")
        subject = profile.values.get("username") or client_id
        assertion = yield SignAssertion(client_id, subject, _extra_assertion_claims(profile))
    token: TokenSet = yield PostTokenRequest(
        {
            "grant_type": resolve_grant_type(profile, "jwt_bearer", GRANT_TYPE),
            "assertion": assertion,
            **(yield from build_common_params(profile)),
        }
    )
    return token


def _extra_assertion_claims(profile: Profile) -> dict[str, str]:
    values = {**profile.values, **({"scope": profile.scope} if profile.scope else {})}
    templates = profile.provider.grants[profile.grant].claims
    claims = {name: template.fill_template(text, values) for name, text in templates.items()}
    return {name: value for name, value in claims.items() if value is not None}


GRANT = GrantSpec(
    run,
    GRANT_TYPE,
    one_of_secrets=("assertion", "private_key"),
    exchanged_secrets=("assertion",),
)
