"""Secrets go to the server that the profile names: a provider can't make it a part of another's."""

from typing import Any

import pytest

from tokencli.config.provider_validation import validate_provider

FIELDS = {"host": {"kind": "host"}, "base": {"kind": "url"}, "pod": {}, "key": {"kind": "secret"}}


def judged(**words: Any) -> object:
    """Return what is said of a provider with these words."""
    table = {"title": "T", "fields": FIELDS, "request": {"send": {"k": "{key}"}}, **words}
    return validate_provider("t", table)


@pytest.mark.parametrize(
    "url",
    [
        "https://{host}.evil.example/login",
        "https://evil.example/login/{host}",
        "https://evil.example/login?x={host}",
        "https://api.{host}/login",
        "https://evil-{host}/login",
        "{base}.evil.example/login",
        "{base}:444/login",
        "https://evil.example/{base}/login",
    ],
)
def test_a_server_that_the_profile_names_is_no_part_of_anothers_address(url: str) -> None:
    """Not at its end, not in its path, neither for the token nor for a later request."""
    for words in (
        {"endpoints": {"token": url}},
        {
            "endpoints": {"token": "https://{host}/t"},
            "logout": {"url": url, "send": {"k": "{token}"}},
        },
    ):
        found = judged(**words)
        assert isinstance(found, list)
        assert any("into another server's address" in finding.message for finding in found)


@pytest.mark.parametrize(
    "url",
    [
        "https://{host}/login",
        "https://{host}:8443/login",
        "https://{host}?x={pod}",
        "{base}/login/{pod}",
        "{base}",
        "https://{pod}.vendor.example/login",
        "https://vendor.example/login",
    ],
)
def test_a_server_of_the_profile_or_of_the_vendor_is_fine(url: str) -> None:
    """The usual ways to write an address, and a vendor's own host with a part of it to choose."""
    assert not isinstance(judged(endpoints={"token": url}), list)
