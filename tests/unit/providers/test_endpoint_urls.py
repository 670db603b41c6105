"""Hosts and endpoint URLs: what may be sent a credential."""

import pytest

from tokencli.errors import ConfigError
from tokencli.providers.endpoint_urls import (
    check_endpoint_url,
    check_host_port,
    is_loopback_url,
    is_plain_http,
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("demomachine", "demomachine:4443"),
        ("demomachine:8443", "demomachine:8443"),
        ("id.example.com", "id.example.com:4443"),
        ("10.0.0.7", "10.0.0.7:4443"),
        ("[::1]", "[::1]:4443"),
        ("[2001:db8::7]:443", "[2001:db8::7]:443"),
        ("under_score.example", "under_score.example:4443"),
    ],
)
def test_a_host_gets_the_documented_port(written: str, meant: str) -> None:
    """A host without a port takes the provider's; one with a port keeps its own."""
    assert check_host_port(written, 4443) == meant


@pytest.mark.parametrize(
    "written",
    [
        "", "a b", "a@b", "a:b", "a:", "a:0", "a:65536", "a:1:2", ":443", "a?b", "a#b", "a\\b", "a\nb",
        "ä.example", "-a", "[::1", "[x]", "[::1]x", "::1", "a..b", "a:+1", "a:\uff11",
    ],
)  # fmt: skip
def test_what_is_no_host_is_refused(written: str) -> None:
    """Nothing but a name or address and a port passes."""
    with pytest.raises(ConfigError):
        check_host_port(written, 4443)


@pytest.mark.parametrize(
    "pasted",
    [
        "https://demomachine:4443/GroupID",
        "https://jdoe:canary-password-7f3a@demomachine:4443/GroupID",
        "demomachine:4443/GroupID",
        "https://demomachine:4443?x=1",
    ],
)
def test_a_pasted_url_is_answered_with_the_host_in_it(pasted: str) -> None:
    """Who pastes a URL is told which part of it was meant, and no more of it."""
    with pytest.raises(ConfigError) as error:
        check_host_port(pasted)
    assert error.value.fix == 'write "demomachine:4443"'
    assert "canary" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://id.example.com/token",
        "https://id.example.com:8443/token?tenant=a&b=%20",
        "https://[::1]:8443/token",
        "http://127.0.0.1:8080/token",
        "http://127.9.9.9/token",
        "http://[::1]/token",
        "http://169.254.169.254/latest/api/token",
        "http://[fd00:ec2::254]/latest/api/token",
    ],
)
def test_endpoints_that_are_fit(url: str) -> None:
    """https to anywhere and http to a loopback literal are returned as they were, query and all."""
    assert check_endpoint_url(url) == url


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://id.example.com/token", "unencrypted"),
        ("http://localhost/token", "unencrypted"),
        ("http://169.254.1.1/token", "unencrypted"),
        ("http://[fe80::1]/token", "unencrypted"),
        ("http://0x7f000001/token", "unencrypted"),
        ("http://127.0.0.1.evil.example/token", "unencrypted"),
        ("https://user:canary-password-7f3a@id.example.com/", "password"),
        ("https://127.0.0.1@evil.example/", "user name"),
        ("https://id.example.com/token#part", "fragment"),
        ("https://id.example.com/token#", "fragment"),
        ("ftp://id.example.com/", "https"),
        ("id.example.com/token", "https"),
        ("https:///token", "https"),
        ("https://id.example.com:99999/", "port"),
        ("https://[::1/", "https"),
        ("https://id.example.com/a b", "space"),
        ("https://id.example.com\\@evil.example/", "backslash"),
        ("https://id.example.com/\r\nHost: x", "control"),
        ("https://\u0131d.example.com/", "ASCII"),
        ("", "https"),
    ],
)
def test_endpoints_that_are_not(url: str, word: str) -> None:
    """Each other URL is refused with its reason, and none is quoted."""
    with pytest.raises(ConfigError, match=word) as error:
        check_endpoint_url(url)
    assert "canary" not in f"{error.value} {error.value.fix}"


def test_a_base_url_takes_no_query() -> None:
    """Where more is put after a URL, a query can't be in the way."""
    with pytest.raises(ConfigError, match="query"):
        check_endpoint_url("https://id.example.com/?x=1", query=False)


def test_loopback_and_clear_text() -> None:
    """Loopback means an address literal; clear means http, in any case of its letters."""
    assert is_loopback_url("http://127.0.0.1/") and is_loopback_url("http://[::1]:1/")
    assert not is_loopback_url("http://localhost/") and not is_loopback_url("https://[bad")
    assert is_plain_http("HTTP://127.0.0.1/") and not is_plain_http("https://127.0.0.1/")
    assert not is_plain_http("https://[bad")
