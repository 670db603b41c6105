"""The key `api_url`: the base URL of the API to which requests with the token go."""

from pathlib import Path

import pytest

from tests.unit.config.test_load import GROUPID, OAUTH2
from tokencli.config.load import Config
from tokencli.errors import ConfigError
from tokencli.fastpath import profile_cache
from tokencli.providers.endpoint_urls import check_api_is_named
from tokencli.token_store.credential_key import derive_credential_key

OWN = """
[providers.own]
title = "Own"
endpoints.token = "https://id.example.com/token"
api_url = "{api_url}"
fields.region = { optional = true }
[profiles.own]
provider = "own"
client_id = "c"
"""


def config(text: str) -> Config:
    """Return the configuration of that text."""
    return Config(Path("/etc/tokencli/config.toml"), text, {})


def own(api_url: str, more: str = "") -> Config:
    """Return a configuration whose provider has this `api_url`."""
    return config(OWN.replace("{api_url}", api_url, 1) + more)


def test_groupid_has_a_default_at_its_host() -> None:
    """It has the host's port, and the profile's own value replaces it."""
    profile = config(GROUPID).get_profile("groupid")
    assert profile.api_url == "https://demomachine:4443/GroupIDDataService/api/"
    assert profile.value_sources["api_url"] == "provider groupid"
    text = GROUPID.replace("demomachine", "demomachine:8443")
    assert config(text).get_profile("groupid").api_url == (
        "https://demomachine:8443/GroupIDDataService/api/"
    )
    profile = config(f'{GROUPID}api_url = "https://gw.example.com/groupid"\n').get_profile(
        "groupid"
    )
    assert profile.api_url == "https://gw.example.com/groupid"
    assert profile.value_sources["api_url"] == "config.toml"
    assert profile_cache.parse_profile(profile_cache.dump_profile(profile)) == profile


def test_a_default_whose_value_is_missing_is_no_problem() -> None:
    """A profile with a token endpoint instead of a host has no `api_url`."""
    text = GROUPID.replace('host = "demomachine"', 'token_url = "https://x.example/t"')
    assert config(text).get_profile("groupid").api_url is None
    template = "https://{region}.example.com/"
    assert own(template).get_profile("own").api_url is None
    assert own(template, 'region = "eu"\n').get_profile("own").api_url == "https://eu.example.com/"


def test_it_is_not_part_of_the_credential_key() -> None:
    """A stored token is found again after the key is set or changed."""
    changed = f'{OAUTH2}api_url = "https://api.example.com/"\n'
    before, after = (config(text).get_profile("corp") for text in (OAUTH2, changed))
    assert derive_credential_key(before) == derive_credential_key(after)
    before, after = (
        own(url).get_profile("own") for url in ("https://a.example", "https://b.example")
    )
    assert derive_credential_key(before) == derive_credential_key(after)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://api.example.com/", "unencrypted"),
        ("http://localhost/", "unencrypted"),
        ("https://user@api.example.com/", "user name"),
        ("https://api.example.com/?v=2", "query"),
        ("https://api.example.com/#top", "fragment"),
        ("https://api.example.com\\\\@evil.example/", "backslash"),
        ("api.example.com/v2", "not an https URL"),
        ("//api.example.com/v2", "not an https URL"),
        ("https://", "not an https URL"),
        ("ftp://api.example.com/", "not an https URL"),
        ("https://ap\u0131.example.com/", "non-ASCII"),
        ("http://127.0.0.1:8080/", "allow_http"),
    ],
)
def test_it_has_the_rules_of_an_endpoint(url: str, problem: str) -> None:
    """The token goes there, so it is https (or http to loopback, if allowed) and has only a path."""
    found = config(f'{OAUTH2}api_url = "{url}"\n').find_problems()
    assert [each.where for each in found] == ["profiles.corp.api_url"]
    assert problem in f"{found[0].what} {found[0].right}"


def test_plain_http_to_loopback_is_allowed_on_request() -> None:
    """As for the token endpoint, also if the provider supplies it."""
    line = 'api_url = "http://127.0.0.1:8080/"\n'
    assert config(f"{OAUTH2}{line}allow_http = true\n").find_problems() == ()
    (problem,) = own("http://127.0.0.1:8080/").find_problems()
    assert problem.where == "profiles.own.api_url"
    assert own("http://127.0.0.1:8080/", "allow_http = true\n").find_problems() == ()


@pytest.mark.parametrize("url", ["http://api.example.com/", "https://api.{nothing}/", "{{"])
def test_a_providers_template_is_checked(url: str) -> None:
    """It names known values only, and makes an endpoint's URL."""
    assert any(".api_url" in problem.where for problem in own(url).find_problems())


def test_a_providers_field_may_have_the_name() -> None:
    """A field that is a URL is the API's; any other keeps its own meaning."""
    text = OWN.replace('api_url = "{api_url}"\n', "").replace(
        "fields.region = { optional = true }", 'fields.api_url = { kind = "KIND", optional = true }'
    )
    url = f'{text}api_url = "https://api.example.com/v2"\n'
    profile = config(url.replace("KIND", "url")).get_profile("own")
    assert profile.api_url == profile.values["api_url"] == "https://api.example.com/v2"
    host = f'{text}api_url = "api.example.com"\n'
    profile = config(host.replace("KIND", "host")).get_profile("own")
    assert (profile.api_url, profile.values["api_url"]) == (None, "api.example.com")


@pytest.mark.requirement(16)
def test_an_own_providers_api_on_another_server_has_to_be_named() -> None:
    """As for its endpoints: a provider can't send tokens to a server that the profile doesn't name."""
    with pytest.raises(ConfigError, match="a server that the profile does not name") as wrong:
        check_api_is_named(own("https://evil.example/api").get_profile("own"))
    assert wrong.value.fix == ("tokencli profiles edit own --set api_url=https://evil.example/api")
    check_api_is_named(own("https://id.example.com/api").get_profile("own"))
    named = 'api_url = "https://evil.example/api"\n'
    check_api_is_named(own("https://evil.example/api", named).get_profile("own"))
    check_api_is_named(config(GROUPID).get_profile("groupid"))
