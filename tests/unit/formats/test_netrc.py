"""`get --format netrc`: one entry, or the reason why there can't be one."""

import netrc
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.formats.test_token_formats import NOW, PROFILE, token
from tokencli.errors import ReplyError, UsageError
from tokencli.formats import check_format_options, render_token
from tokencli.models import Profile


def entry(value: str = "a-._~+/=Z9", *, profile: Profile = PROFILE, **options: str) -> str:
    """Check the options and return the entry."""
    return render_token(
        "netrc", profile, token(value), NOW, **check_format_options("netrc", profile, options)
    )


@pytest.mark.parametrize(
    ("url", "host", "login"),
    [
        ("https://git.example.com/group/x.git", "git.example.com", "oauth2"),
        ("https://x-access-token@Git.example.com:8443", "git.example.com", "x-access-token"),
        ("https://jdoe%40example.com@git.example.com", "git.example.com", "jdoe@example.com"),
        ("http://127.0.0.1:8000/", "127.0.0.1", "oauth2"),
    ],
)
def test_python_reads_the_entry(url: str, host: str, login: str, tmp_path: Path) -> None:
    """The host and the login come from the URL."""
    path = tmp_path / "netrc"
    path.write_text(entry(url=url))
    path.chmod(0o600)
    assert netrc.netrc(path).hosts == {host: (login, "", "a-._~+/=Z9")}


def test_the_api_is_the_default_host() -> None:
    """A profile that names its API needs no --url."""
    sources = {"api_url": "the configuration"}
    profile = replace(PROFILE, api_url="https://api.example.com/v1", value_sources=sources)
    assert entry(profile=profile).startswith("machine api.example.com login oauth2 ")
    with pytest.raises(UsageError, match="--url is required") as caught:
        entry()
    assert caught.value.fix == (
        "tokencli get corp --format netrc --url https://oauth2@git.example.com"
    )


@pytest.mark.parametrize(
    "url",
    ["http://git.example.com", "git.example.com", "https://", "https://a:b@git.example.com",
     "https://a%20b@git.example.com", "https://a%0Ab@git.example.com", "ssh://git@x", "https://[::1",
     "https://git .example.com"],
)  # fmt: skip
def test_other_urls_are_refused(url: str) -> None:
    """The token would be sent unencrypted, or the entry would say something else."""
    with pytest.raises(UsageError, match="must be https"):
        entry(url=url)


@pytest.mark.parametrize("value", ['a"b', "a'b", "a\\b", "#a", "a" * 5000])
def test_tokens_that_readers_would_misread_are_refused(value: str) -> None:
    """The fix is a form that can carry any token."""
    with pytest.raises(ReplyError, match="can't be read from a netrc file") as caught:
        entry(value, url="https://git.example.com")
    assert caught.value.fix == "tokencli get corp --format curl"
    assert value not in str(caught.value.cause)


def test_tokens_that_are_no_passwords_are_refused() -> None:
    """A netrc file can't carry a DPoP proof or the headers that a provider describes."""
    with pytest.raises(UsageError, match="can't be sent as a password") as caught:
        entry(profile=replace(PROFILE, dpop=True), url="https://git.example.com")
    assert "dpop --url" in (caught.value.fix or "")
    provider = replace(PROFILE.provider, use=("X-Auth-Token: {token}",))
    with pytest.raises(UsageError, match="can't be sent as a password") as caught:
        entry(profile=replace(PROFILE, provider=provider), url="https://git.example.com")
    assert (caught.value.fix or "").endswith("--format curl")
    with pytest.raises(UsageError, match="of type MAC"):
        render_token("netrc", PROFILE, token(token_type="MAC"), NOW, url="https://git.example.com")
