"""The servers that people have: what their documents say, and nothing that they don't."""

from dataclasses import fields
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tokencli.config.load import Config
from tokencli.config.profile_draft import is_base_url_field
from tokencli.models import Profile
from tokencli.oauth import client_authentication
from tokencli.providers.catalog import load_builtin

TOKEN_URLS = {
    "keycloak": "https://sso.example.com/realms/acme/protocol/openid-connect/token",
    "entra": "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/oauth2/v2.0/token",
    "okta": "https://acme.okta.com/oauth2/default/v1/token",
    "auth0": "https://acme.eu.auth0.com/oauth/token",
    "google": "https://oauth2.googleapis.com/token",
    "aws-cognito": "https://acme.auth.eu-west-1.amazoncognito.com/oauth2/token",
    "identityserver": "https://identity.example.com/connect/token",
    "gitlab": "https://gitlab.com/oauth/token",
    "github": "https://github.com/login/oauth/access_token",
    "ping": "https://auth.pingone.com/11111111-2222-3333-4444-555555555555/as/token",
    "zitadel": "https://acme-abc123.zitadel.cloud/oauth/v2/token",
    "authentik": "https://authentik.example.com/application/o/token/",
    "hydra": "https://hydra.example.com/oauth2/token",
    "dex": "https://dex.example.com/dex/token",
    "salesforce": "https://login.salesforce.com/services/oauth2/token",
    "slack": "https://slack.com/api/oauth.v2.access",
}
AUDIENCES = {
    "entra": TOKEN_URLS["entra"],
    "okta": TOKEN_URLS["okta"],
    "auth0": "https://acme.eu.auth0.com/",
    "google": TOKEN_URLS["google"],
    "hydra": TOKEN_URLS["hydra"],
    "zitadel": "https://acme-abc123.zitadel.cloud",
    "salesforce": "https://login.salesforce.com",
    "keycloak": "https://sso.example.com/realms/acme",
}
"""Whom assertions are for, where the server says so."""


def config(name: str, more: str = "") -> Config:
    """Return a configuration with one profile of that provider, filled in with its examples."""
    fields = load_builtin(name).fields
    given = {field: said.example for field, said in fields.items() if said.example}
    given = {"client_id": "c", "username": "jdoe", **given}
    lines = [f'{key} = "{value}"\n' for key, value in given.items()]
    return Config(Path("c.toml"), f'[profiles.p]\nprovider = "{name}"\n{"".join(lines)}{more}', {})


@pytest.mark.parametrize("name", TOKEN_URLS)
def test_the_token_endpoint_is_the_documented_one(name: str) -> None:
    """With the file's own examples filled in."""
    assert config(name).find_problems() == ()
    assert config(name).get_profile("p").token_url == TOKEN_URLS[name]


@pytest.mark.parametrize("name", TOKEN_URLS)
def test_the_file_cites_the_document(name: str) -> None:
    """So that whoever doubts a line of it can look it up."""
    doc = load_builtin(name).doc or ""
    assert urlsplit(doc).scheme == "https" and len(urlsplit(doc).path) > 1


@pytest.mark.parametrize("name", TOKEN_URLS)
def test_every_endpoint_is_on_a_host_of_the_vendors(name: str) -> None:
    """Nothing is sent to, and no key fetched from, anybody else."""
    profile = config(name).get_profile("p")
    home = ".".join((urlsplit(profile.token_url).hostname or "").split(".")[-2:])
    alike = {
        "googleapis.com": {"google.com"},
        "microsoftonline.com": {"microsoft.com"},
        "amazoncognito.com": {"amazonaws.com"},
    }.get(home, set())
    for url in (*profile.endpoints.values(), profile.issuer or profile.token_url):
        assert ".".join((urlsplit(url).hostname or "").split(".")[-2:]) in {home, *alike}


@pytest.mark.parametrize("name", TOKEN_URLS)
def test_what_is_known_saves_asking_the_issuer(name: str) -> None:
    """Each endpoint that a grant of the file needs stands in the file."""
    from tokencli.oauth import grants

    points = load_builtin(name).endpoints
    known = {field.name for field in fields(points) if getattr(points, field.name)}
    for grant in load_builtin(name).grants:
        assert set(grants.load_grant(grant).endpoints) <= known


@pytest.mark.parametrize("name", AUDIENCES)
def test_assertions_are_addressed_as_the_server_wants(name: str) -> None:
    """RFC 7523 section 3 leaves a choice, and servers differ."""
    assert (
        client_authentication.assertion_audience(config(name).get_profile("p")) == AUDIENCES[name]
    )


BASES = [
    (name, field)
    for name in (*TOKEN_URLS, "screening-eagle", "socialid")
    for field in load_builtin(name).fields
    if is_base_url_field(load_builtin(name), field)
]


@pytest.mark.parametrize(("name", "field"), BASES)
def test_a_slash_at_the_end_of_a_base_url_says_nothing(name: str, field: str) -> None:
    """Endpoints, issuer and audience are those without it, so that ID tokens fit."""
    said = load_builtin(name).fields[field]
    url = said.example or said.default or ""
    both = [_with(name, field, written) for written in (url, f"{url}/", f"{url}//")]
    assert both[0].issuer is None or not both[0].issuer.endswith(url + "/")
    for profile in both[1:]:
        assert (profile.issuer, profile.token_url) == (both[0].issuer, both[0].token_url)
        assert profile.endpoints == both[0].endpoints
        assert profile.signing.audience == both[0].signing.audience


def _with(name: str, field: str, value: str) -> Profile:
    """Return a profile of that provider whose field has that value."""
    fields = load_builtin(name).fields
    given = {key: said.example for key, said in fields.items() if said.example}
    given = {"client_id": "c", "username": "jdoe", **given, field: value}
    lines = "".join(f'{key} = "{text}"\n' for key, text in given.items())
    text = f'[profiles.p]\nprovider = "{name}"\nallow_password_grant = true\n{lines}'
    if name == "socialid":
        text = text.replace('email_address = "john_doe@domain.com"\n', "")
    return Config(Path("c.toml"), text, {}).get_profile("p")


def test_an_issuer_with_a_slash_can_still_be_written() -> None:
    """As the issuer, which is compared to the letter."""
    more = 'issuer = "https://hydra.example.com/"\n'
    assert config("hydra", more).get_profile("p").issuer == "https://hydra.example.com/"


@pytest.mark.parametrize("name", ["auth0", "identityserver"])
def test_no_certificate_is_shown_where_none_is_taken(name: str) -> None:
    """RFC 8705 section 5: these servers take them at other addresses, which their metadata name."""
    assert "tls_client_auth" not in load_builtin(name).client_auth


def test_who_is_known_to_name_itself_in_every_redirect_has_to() -> None:
    """RFC 9207: Google's document says so; where it depends, the profile does."""
    assert config("google").get_profile("p").sign_in.iss_in_redirect
    assert not config("keycloak").get_profile("p").sign_in.iss_in_redirect
    assert config("keycloak", "iss_in_redirect = true\n").get_profile("p").sign_in.iss_in_redirect
    assert (
        not config("google", "iss_in_redirect = false\n").get_profile("p").sign_in.iss_in_redirect
    )


def test_slacks_app_is_a_public_client_with_a_redirect_to_localhost() -> None:
    """Its document takes no secret from a PKCE app, and knows no loopback address but that name."""
    slack = load_builtin("slack")
    assert slack.client_auth == ("none",)
    assert slack.redirect_host == "localhost"
    assert "bot" not in slack.title


def test_googles_service_accounts_put_the_scope_into_the_assertion() -> None:
    """Its document has it as a claim."""
    assert load_builtin("google").grants["jwt_bearer"].claims == {"scope": "{scope}"}


@pytest.mark.parametrize(
    ("name", "ttl"), [("github", "never"), ("slack", "never"), ("salesforce", 900)]
)
def test_where_replies_say_nothing_of_a_tokens_life_the_file_does(
    name: str, ttl: float | str
) -> None:
    """Else no token would ever be served from the store."""
    assert load_builtin(name).reply.ttl == ttl
