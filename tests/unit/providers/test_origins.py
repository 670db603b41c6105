"""The servers that a provider's requests reach, and those to which nothing is sent."""

from dataclasses import replace

import pytest

from tests.fakes import make_profile
from tokencli.errors import ConfigError
from tokencli.models import Profile
from tokencli.provider_schema import Call, Endpoints, Field, Provider
from tokencli.providers.endpoint_urls import KEY_BY_ENDPOINT, check_endpoint_is_named
from tokencli.providers.origins import list_request_origins

HOST = Field(kind="host")
EVIL = "https://evil.example"


def origins_of(provider: Provider) -> dict[str, tuple[str, ...]]:
    """Return the requests by origin."""
    return {row.origin: row.requests for row in list_request_origins(provider)}


def test_every_request_is_listed_under_its_server() -> None:
    """Endpoints and further requests; a URL without a server of its own is the token endpoint's."""
    provider = Provider(
        "Acme",
        Endpoints(
            "https://{host}/t", userinfo="https://Evil.Example:443/u", issuer="https://{host}"
        ),
        fields={"host": HOST},
        refresh=Call(url="{token_url}/r"),
        logout=Call(url="https://evil.example/out"),
        then=Call(),
    )
    assert origins_of(provider) == {
        "https://{host}": ("token", "issuer", "then", "refresh"),
        "https://evil.example": ("userinfo", "logout"),
    }
    rows = list_request_origins(provider)
    assert [row.is_named for row in rows] == [True, False]
    assert rows[1].keys_to_set == ("userinfo_url",)
    assert "refused unless the profile sets userinfo_url" in rows[1].describe()


def test_computed_values_and_defaults_hide_no_server() -> None:
    """A server in a computed value or a default is shown as such, whatever the nesting."""
    doubling = {f"v{n}": f"{{v{n - 1}}}{{v{n - 1}}}" for n in range(1, 40)}
    provider = Provider(
        "Acme",
        Endpoints("https://{host}/t", revocation="https://{other}/r"),
        fields={"host": HOST, "other": Field(kind="host", default="evil.example")},
        values={"base": EVIL, "again": "{base}", "v0": "x", **doubling},
        refresh=Call(url="{again}/r"),
        logout=Call(url="https://{v39}/out"),
    )
    found = list_request_origins(provider)
    assert [row.origin for row in found[:3]] == ["https://{host}", EVIL, EVIL]
    assert [row.is_named for row in found] == [True, False, False, False]
    assert len(found[3].origin) < 300
    sources = dict.fromkeys(("host", "other", "token_url"), "config.toml")
    profile = replace(
        make_profile(),
        token_url="https://elsewhere.example:8443/t",
        values={"host": "h:1", "other": "o"},
        value_sources=sources,
    )
    given = list_request_origins(provider, profile)
    assert [(row.origin, row.is_named) for row in given[:2]] == [
        ("https://elsewhere.example:8443", True),
        ("https://o", True),
    ]


def profile_with(name: str, url: str, **more: object) -> Profile:
    """Return a profile whose provider supplies one endpoint."""
    provider = Provider("T", Endpoints("https://id.example.com/t"), name="t", fields={"x": HOST})
    urls = {"issuer": url} if name == "issuer" else {"endpoints": {name: url}}
    return replace(
        make_profile(),
        provider=provider,
        token_url="https://id.example.com/t",
        **{"value_sources": {KEY_BY_ENDPOINT[name]: "provider t"}, **urls, **more},
    )


@pytest.mark.requirement(16)
@pytest.mark.parametrize("name", [name for name in KEY_BY_ENDPOINT if name != "token"])
def test_nothing_is_sent_to_an_unnamed_server(name: str) -> None:
    """Each endpoint of a user-defined provider is on a server that the profile names, or refused."""
    key = KEY_BY_ENDPOINT[name]
    with pytest.raises(ConfigError, match="a server that the profile does not name") as wrong:
        check_endpoint_is_named(profile_with(name, EVIL), name)
    assert wrong.value.fix is not None and f"--set {key}={EVIL}" in wrong.value.fix
    check_endpoint_is_named(profile_with(name, "https://id.example.com/x"), name)
    check_endpoint_is_named(profile_with(name, EVIL, value_sources={key: "config.toml"}), name)
    check_endpoint_is_named(profile_with(name, EVIL, value_sources={}), name)
    sources = {key: "provider t", "x": "provider t.toml"}
    named = profile_with(name, EVIL, values={"x": "evil.example"}, value_sources=sources)
    check_endpoint_is_named(named, name)
    with pytest.raises(ConfigError):
        check_endpoint_is_named(replace(named, value_sources={key: "provider t"}), name)
    with pytest.raises(ConfigError):
        check_endpoint_is_named(replace(named, endpoints={name: "http://evil.example"}, issuer="http://evil.example"), name)  # fmt: skip


def test_the_built_in_providers_are_trusted() -> None:
    """They come with the program."""
    profile = profile_with("userinfo", EVIL)
    check_endpoint_is_named(
        replace(profile, provider=replace(profile.provider, name="google")), "userinfo"
    )
