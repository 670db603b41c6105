"""Where a request with a token may go: no spelling of a URL reaches another server than the API's."""

from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests import Request

from tests.fakes import make_profile
from tokencli.core.api_request import WrongSchemeError, resolve_api_url
from tokencli.errors import ConfigError, TokencliError, UsageError
from tokencli.models import Profile

API = "https://api.example.com/v2"


def profile(api_url: str | None = API) -> Profile:
    """Return a profile with that API, and its token endpoint on id.example.com."""
    return replace(make_profile(), api_url=api_url, value_sources={"api_url": "config.toml"})


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", API),
        ("orders", f"{API}/orders"),
        ("/orders", f"{API}/orders"),
        ("?page=2", f"{API}?page=2"),
        ("orders?page=2#top", f"{API}/orders?page=2"),
        ("orders/./1/../2", f"{API}/orders/2"),
        ("../v1/orders", "https://api.example.com/v1/orders"),
        ("../../../..", "https://api.example.com/"),
        ("a//b/", f"{API}/a//b/"),
        ("/..//evil.example/x", "https://api.example.com//evil.example/x"),
        ("orders:search", f"{API}/orders:search"),
        ("@evil.example/", f"{API}/@evil.example/"),
        (".evil.example/", f"{API}/.evil.example/"),
        (":443@evil.example/", f"{API}/:443@evil.example/"),
        ("https://api.example.com/v1", "https://api.example.com/v1"),
        ("HTTPS://API.EXAMPLE.COM:0443/x", "https://API.EXAMPLE.COM:0443/x"),
        ("https://api.example.com", "https://api.example.com/"),
        ("https://api.example.com#@evil.example/", "https://api.example.com/"),
        ("https://api.example.com?@evil.example/", "https://api.example.com/?@evil.example/"),
    ],
)
def test_urls_of_the_api(text: str, url: str) -> None:
    """A path is appended to `api_url`; a whole URL stays; dot segments and fragments go."""
    assert resolve_api_url(profile(), text) == url
    assert resolve_api_url(profile(f"{API}/"), text) in (url, url.replace("/v2", "/v2/", 1))


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example/",
        "https://api.example.com.evil.example/",
        "https://api.example.com:8443/",
        "https://id.example.com/",
        "http://127.0.0.1:1/",
        "https://api.example.com./",
    ],
)
def test_other_servers_need_permission(text: str) -> None:
    """Another host or port, the token endpoint's included, unless `anywhere`."""
    with pytest.raises(ConfigError, match="nothing was sent"):
        resolve_api_url(profile(), text)
    assert resolve_api_url(profile(), text, anywhere=True) == text


@pytest.mark.parametrize(
    "text",
    [
        "//evil.example/", "///evil.example/", "https:evil.example", "https:/evil.example", "HTTP:x",
        "https://api.example.com@evil.example/", "https://u:p@api.example.com/", "https://",
        "https://api.example.com\\@evil.example/", "\\\\evil.example\\x", "/\\evil.example",
        "http://api.example.com/", "ftp://api.example.com/", "https://api.example.com:99999/",
        "https://api.example.com /x", "https://api.example.com\t.evil.example/", "x\r\nHost: evil.example",
        "https://[::1/", "https://api.example.com:443:443/", "https://evil%2eexample/",
        "https://\u0430pi.example.com/", "x\u2028y",
    ],
)  # fmt: skip
@pytest.mark.parametrize("anywhere", [False, True])
def test_urls_that_could_be_read_differently(text: str, anywhere: bool) -> None:
    """User names, backslashes, control characters, missing schemes and plain http are always refused."""
    with pytest.raises(UsageError, match="can't use the URL"):
        resolve_api_url(profile(), text, anywhere=anywhere)


@pytest.mark.parametrize("rest", ["", "/", "/v2/orders?page=2", ":443/x"])
@pytest.mark.parametrize("scheme", ["http://", "HTTP://", "ftp://", ""])
def test_a_wrong_scheme_names_the_right_url(scheme: str, rest: str) -> None:
    """On the API's host and port, and only there."""
    with pytest.raises(WrongSchemeError) as refused:
        resolve_api_url(profile(), f"{scheme}api.example.com{rest}")
    assert refused.value.url == f"https://api.example.com{rest}"
    other = replace(profile(), api_url="https://orders/v2")
    assert resolve_api_url(other, "orders/1") == "https://orders/v2/orders/1"


def test_without_an_api_the_token_endpoints_server_counts() -> None:
    """And a path is appended to nothing."""
    assert (
        resolve_api_url(profile(None), "https://id.example.com/me") == "https://id.example.com/me"
    )
    with pytest.raises(ConfigError, match=r"is only for https://id\.example\.com,") as refused:
        resolve_api_url(profile(None), "https://api.example.com/")
    assert "as it has no api_url" in (refused.value.cause or "")
    assert refused.value.fix is None
    with pytest.raises(ConfigError, match="has no api_url"):
        resolve_api_url(profile(None), "orders")


PIECES = ("https:", "http:", "//", "/", "\\", "@", ":", ".", "..", "?", "#", "%2f", "%5c", "[", "]", ";",
          "api.example.com", "evil.example", "user", "443", " ", "\t", "\n", "\u3002", "\uff0f", "*")  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_no_combination_reaches_another_server(text: str) -> None:
    """What the HTTP library makes of an accepted URL is still on the API's server."""
    try:
        url = resolve_api_url(profile(), text)
    except TokencliError:
        return
    sent = Request("GET", url).prepare().url
    assert sent is not None
    parts = urlsplit(sent)
    assert (parts.scheme, parts.hostname, parts.port) in (
        ("https", "api.example.com", None),
        ("https", "api.example.com", 443),
    )
