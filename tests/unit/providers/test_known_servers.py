"""The servers that people have: what their documents say, and nothing that they don't."""

from dataclasses import fields
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tokencli import clientauth
from tokencli.config.load import Config
from tokencli.providers.catalog import builtin

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
    fields = builtin(name).fields
    given = {field: said.example for field, said in fields.items() if said.example}
    given = {"client_id": "c", "username": "jdoe", **given}
    lines = [f'{key} = "{value}"\n' for key, value in given.items()]
    return Config(Path("c.toml"), f'[profiles.p]\nprovider = "{name}"\n{"".join(lines)}{more}', {})


@pytest.mark.parametrize("name", TOKEN_URLS)
def test_the_token_endpoint_is_the_documented_one(name: str) -> None:
    """With the file's own examples filled in."""
    assert config(name).problems() == ()
    assert config(name).profile("p").token_url == TOKEN_URLS[name]


@pytest.mark.parametrize("name", TOKEN_URLS)
def test_the_file_cites_the_document(name: str) -> None:
    """So that whoever doubts a line of it can look it up."""
    doc = builtin(name).doc or ""
    assert urlsplit(doc).scheme == "https" and len(urlsplit(doc).path) > 1


@pytest.mark.parametrize("name", TOKEN_URLS)
def test_every_endpoint_is_on_a_host_of_the_vendors(name: str) -> None:
    """Nothing is sent to, and no key fetched from, anybody else."""
    profile = config(name).profile("p")
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
    from tokencli import grants

    points = builtin(name).endpoints
    known = {field.name for field in fields(points) if getattr(points, field.name)}
    for grant in builtin(name).grants:
        assert set(grants.endpoints(grant)) <= known


@pytest.mark.parametrize("name", AUDIENCES)
def test_assertions_are_addressed_as_the_server_wants(name: str) -> None:
    """RFC 7523 section 3 leaves a choice, and servers differ."""
    assert clientauth.audience(config(name).profile("p")) == AUDIENCES[name]


def test_googles_service_accounts_put_the_scope_into_the_assertion() -> None:
    """Its document has it as a claim."""
    assert builtin("google").grants["jwt_bearer"].claims == {"scope": "{scope}"}


@pytest.mark.parametrize(
    ("name", "ttl"), [("github", "never"), ("slack", "never"), ("salesforce", 900)]
)
def test_where_replies_say_nothing_of_a_tokens_life_the_file_does(
    name: str, ttl: float | str
) -> None:
    """Else no token would ever be served from the store."""
    assert builtin(name).reply.ttl == ttl
