"""Pasted URLs are taken apart by the providers' own templates, and providers recognized by them."""

from dataclasses import fields

import pytest

from tokencli.config.resolve import check_new_profile
from tokencli.providers.catalog import BUILTIN_NAMES, load_builtin
from tokencli.providers.template import fill_url
from tokencli.providers.url_matching import recognize_endpoints, recognize_url, split_pasted_url


@pytest.mark.parametrize(
    ("url", "keys"),
    [
        ("https://demomachine:4443/GroupIDSecurityService/connect/token", {"host": "demomachine:4443"}),
        ("https://demomachine:4443/GroupID", {"host": "demomachine:4443"}),
        ("https://demomachine:4443/GroupID/?lang=en#top", {"host": "demomachine:4443"}),
        ("https://demomachine/GroupID", {"host": "demomachine:443"}),
        ("http://demomachine/GroupID", {"host": "demomachine"}),
        ("demomachine:4443/GroupID", {"host": "demomachine:4443"}),
        ("https://DEMOMACHINE:4443", {"host": "demomachine:4443"}),
        ("https://[::1]:4443/GroupID", {"host": "[::1]:4443"}),
        ("https://d.example:4443/Moved/connect/token", {"token_url": "https://d.example:4443/Moved/connect/token"}),
        ("demomachine", {"host": "demomachine"}),
    ],
)  # fmt: skip
def test_host_of_groupid(url: str, keys: dict[str, str]) -> None:
    """A host keeps the port of its URL, which is 443 if an https URL names none."""
    assert split_pasted_url(load_builtin("groupid"), "host", url) == keys


@pytest.mark.parametrize(
    "text",
    ["https://user:canary@demomachine/GroupID", "https://demomachine:99999/x", "ftp://x/y", "://"],
)
def test_other_text_is_left_to_the_rules_of_the_key(text: str) -> None:
    """A URL with a user name or an impossible port isn't reduced to something that looks right."""
    assert split_pasted_url(load_builtin("groupid"), "host", text) == {"host": text}


@pytest.mark.parametrize(
    ("provider", "name", "url", "keys"),
    [
        ("keycloak", "base_url", "https://kc.example/auth/realms/acme/protocol/openid-connect/token?x=1",
         {"base_url": "https://kc.example/auth", "realm": "acme"}),
        ("keycloak", "base_url", "https://kc.example/realms/acme/account/#/",
         {"base_url": "https://kc.example", "realm": "acme"}),
        ("keycloak", "realm", "https://kc.example/realms/a%20b", {"base_url": "https://kc.example", "realm": "a b"}),
        ("keycloak", "base_url", "https://kc.example/", {"base_url": "https://kc.example"}),
        ("keycloak", "base_url", "http://kc.example/realms/acme", {"base_url": "http://kc.example", "realm": "acme"}),
        ("keycloak", "base_url", "kc.example:8443/realms/acme", {"base_url": "https://kc.example:8443", "realm": "acme"}),
        ("keycloak", "base_url", "kc.example", {"base_url": "https://kc.example"}),
        ("keycloak", "base_url", "jdoe:canary@kc.example", {"base_url": "jdoe:canary@kc.example"}),
        ("keycloak", "base_url", "no host", {"base_url": "no host"}),
        ("entra", "tenant", "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token", {"tenant": "contoso.com"}),
        ("okta", "domain", "https://acme.okta.com/oauth2/aus1/.well-known/openid-configuration",
         {"domain": "acme.okta.com", "authorization_server": "aus1"}),
        ("gitlab", "base_url", "https://git.example/oauth/token", {"base_url": "https://git.example"}),
        ("oauth2", "token_url", "https://x.example/y?z=1", {"token_url": "https://x.example/y?z=1"}),
        ("screening-eagle", "authorization_url", "https://x.example/y?z=1", {"authorization_url": "https://x.example/y?z=1"}),
    ],
)  # fmt: skip
def test_whole_urls_set_every_key_that_they_name(
    provider: str, name: str, url: str, keys: dict[str, str]
) -> None:
    """An endpoint's URL answers the questions about all values in its template."""
    assert split_pasted_url(load_builtin(provider), name, url) == keys


@pytest.mark.parametrize("name", BUILTIN_NAMES)
def test_own_example_is_taken_apart_again(name: str) -> None:
    """The token endpoint made of a provider's examples, pasted for any of them, gives them back."""
    provider = load_builtin(name)
    given = {
        key: (field.example or field.default or "x").rstrip("/")
        for key, field in provider.fields.items()
    }
    url = fill_url(provider.endpoints.token, given)
    for key, field in provider.fields.items():
        if f"{{{key}}}" in provider.endpoints.token and key != "token_url":
            assert url is not None
            found = split_pasted_url(provider, key, url)
            assert found[key] == given[key], (key, url)
            findings = check_new_profile("p", provider, found)
            assert not [each for each in findings if each.key_path[2:3] == (key,)], field.kind


def endpoints_of(name: str, **values: str) -> dict[str, str]:
    """Return the endpoints that a provider's templates name for these values."""
    templates = load_builtin(name).endpoints
    urls = {each.name: getattr(templates, each.name) for each in fields(templates)}
    return {key: str(fill_url(url, values)) for key, url in urls.items() if url}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("keycloak", {"base_url": "https://kc.example/auth", "realm": "acme"}),
        ("entra", {"tenant": "11111111-2222-3333-4444-555555555555"}),
        ("okta", {"domain": "acme.okta.com", "authorization_server": "default"}),
        ("auth0", {"domain": "acme.eu.auth0.com"}),
        ("google", {}),
        ("zitadel", {"domain": "acme.zitadel.cloud"}),
        ("hydra", {"base_url": "https://hydra.example"}),
        ("dex", {"base_url": "https://dex.example/dex"}),
        ("gitlab", {"base_url": "https://git.example"}),
        ("identityserver", {"base_url": "https://ids.example"}),
        ("ping", {"host": "auth.pingone.eu", "environment_id": "e-1"}),
        ("authentik", {"base_url": "https://ak.example", "application": "app"}),
    ],
)
def test_providers_are_recognized_by_all_of_their_endpoints(
    name: str, values: dict[str, str]
) -> None:
    """Issuer and endpoints where this provider has them, and one elsewhere is one too many."""
    published = endpoints_of(name, **values)
    found = recognize_endpoints(published)
    assert found is not None
    assert (found[0].name, found[1]) == (name, values)
    moved = {**published, "token": "https://other.example/token"}
    assert recognize_endpoints(moved) is None


def test_groupid_is_not_taken_for_identityserver() -> None:
    """Its token endpoint has IdentityServer's path behind one that only GroupID has."""
    base = "https://demomachine:4443/GroupIDSecurityService"
    found = recognize_endpoints(endpoints_of("identityserver", base_url=base))
    assert found is not None
    assert (found[0].name, found[1]) == ("groupid", {"host": "demomachine:4443"})


def test_uncertain_servers_are_not_recognized() -> None:
    """Two or three usual paths are not enough, and an issuer with a slash is another one."""
    assert (
        recognize_endpoints({"issuer": "https://x.example", "token": "https://x.example/token"})
        is None
    )
    published = endpoints_of("hydra", base_url="https://hydra.example")
    assert recognize_endpoints({**published, "issuer": "https://hydra.example/"}) is None


@pytest.mark.parametrize(
    ("url", "name", "keys"),
    [
        ("https://login.microsoftonline.com/common/v2.0", "entra", {"tenant": "common"}),
        ("https://login.microsoftonline.com/contoso.com", "entra", {"tenant": "contoso.com"}),
        ("https://login.microsoftonline.com/contoso.com/oauth2/authorize", "entra", {"tenant": "contoso.com"}),
        ("https://sts.windows.net/11111111-2222-3333-4444-555555555555/", "entra", {"tenant": "11111111-2222-3333-4444-555555555555"}),
        ("https://LOGIN.windows.net/common/oauth2/authorize", "entra", {"tenant": "common"}),
        ("https://sts.windows.net.example/common", None, {}),
        ("https://login.microsoftonline.com.example/contoso.com/v2.0", None, {}),
        ("https://accounts.google.com", "google", {}),
        ("https://demomachine:4443/GroupIDSecurityService/connect/token", "groupid", {"host": "demomachine:4443"}),
        ("https://demomachine:4443/GroupID", "groupid", {"host": "demomachine:4443"}),
        ("https://demomachine/groupid/Home/Index?x=1#top", "groupid", {"host": "demomachine:443"}),
        ("https://demomachine:4443/GroupIDDataService/api/me", "groupid", {"host": "demomachine:4443"}),
        ("https://api.example/groupid-7/members", None, {}),
        ("https://api.example/v1/GroupID", None, {}),
        ("https://id.example/api/id/v1/auth/token", "screening-eagle", {"base_url": "https://id.example"}),
        ("https://github.com/login/oauth/access_token", "github", {"host": "github.com"}),
        ("https://kc.example/realms/acme", None, {}),
        ("https://x.example/oauth2/token", None, {}),
        ("not a url", None, {}),
    ],
)  # fmt: skip
def test_recognized_without_a_request(url: str, name: str | None, keys: dict[str, str]) -> None:
    """The vendor's own host, or a token endpoint's path that only one system has."""
    found = recognize_url(url)
    assert (found and found[0].name, found[1] if found else {}) == (name, keys)
