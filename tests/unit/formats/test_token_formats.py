"""Output of `get --format`."""

import json
from dataclasses import replace

import pytest

from tokencli.errors import ReplyError, UsageError
from tokencli.formats import (
    TOKEN_FORMATS,
    check_format_options,
    load_dialect,
    render_token,
    require_token_format,
)
from tokencli.models import Profile, Secret, TokenSet
from tokencli.provider_schema import Endpoints, Grant, Provider

NOW = 1_716_466_000.0
PROVIDER = Provider("A server", Endpoints("https://id.example.com/token"), {"password": Grant()})
PROFILE = Profile("corp", PROVIDER, "password", "none", "https://id.example.com/token")


def token(value: str = "canary-token-7f3a", token_type: str = "bearer", **more: object) -> TokenSet:
    """Return a token set with the access token `value`."""
    return TokenSet(Secret(value), token_type, obtained_at=NOW - 10.5, **more)  # type: ignore[arg-type]


def test_raw_is_the_token_and_a_newline() -> None:
    """Nothing else is printed."""
    assert render_token("raw", PROFILE, token(), NOW) == "canary-token-7f3a\n"


@pytest.mark.parametrize("token_type", ["bearer", "Bearer", "BEARER"])
def test_header_normalizes_bearer(token_type: str) -> None:
    """The scheme is `Bearer` however the server spelled it."""
    found = render_token("header", PROFILE, token(token_type=token_type), NOW)
    assert found == "Authorization: Bearer canary-token-7f3a\n"


def test_header_keeps_other_schemes() -> None:
    """DPoP and unknown types keep their names."""
    assert render_token("header", PROFILE, token(token_type="dpop"), NOW).startswith(
        "Authorization: DPoP "
    )
    assert "Authorization: Custom " in render_token(
        "header", PROFILE, token(token_type="Custom"), NOW
    )


def test_json_times() -> None:
    """Times are RFC 3339 in UTC and whole epoch seconds; the refresh token is left out."""
    found = render_token(
        "json",
        PROFILE,
        token(expires_at=NOW + 218.9, scope="a b", refresh_token=Secret("canary-refresh")),
        NOW,
    )
    assert found.endswith("}\n") and found.count("\n") == 1
    assert json.loads(found) == {
        "profile": "corp",
        "access_token": "canary-token-7f3a",
        "token_type": "bearer",
        "scope": "a b",
        "expires_at": "2024-05-23T12:10:18Z",
        "expires_at_epoch": 1716466218,
        "expires_in": 218,
        "obtained_at": "2024-05-23T12:06:29Z",
        "obtained_at_epoch": 1716465989,
    }


def test_json_has_null_for_unknown_values() -> None:
    """Every key is always present."""
    found = json.loads(render_token("json", PROFILE, token(), NOW))
    assert [key for key, value in found.items() if value is None] == [
        "scope",
        "expires_at",
        "expires_at_epoch",
        "expires_in",
    ]


@pytest.mark.requirement(26)
@pytest.mark.parametrize("name", ["raw", "header"])
@pytest.mark.parametrize(
    "value", ["", "a\nb", "a\r\nX-Evil: 1", "a b", "é", "a\x00", "a\x7f", "\ud800"]
)
def test_header_injection_is_rejected(name: str, value: str) -> None:
    """A token that is not one word of printable ASCII is the server's mistake and is not printed."""
    with pytest.raises(ReplyError) as caught:
        render_token(name, PROFILE, token(value), NOW)
    assert not value.strip() or value not in caught.value.message


@pytest.mark.requirement(13)
def test_json_is_ascii_for_any_token() -> None:
    """JSON escapes what the other formats reject, including DEL."""
    found = render_token("json", PROFILE, token("é\x1b\x7f\ud800##[x]"), NOW)
    assert found.isascii() and found.rstrip("\n").isprintable() and "##" not in found
    assert json.loads(found)["access_token"] == "é\x1b\x7f\ud800##[x]"


def test_unknown_format_lists_the_known_ones() -> None:
    """The fix is the other command if that has the format."""
    with pytest.raises(UsageError) as caught:
        require_token_format("yaml")
    assert all(name in caught.value.message for name in TOKEN_FORMATS)
    with pytest.raises(UsageError) as caught:
        render_token("fish", PROFILE, token(), NOW)
    assert caught.value.fix == "tokencli export --format fish"
    with pytest.raises(UsageError) as caught:
        require_token_format("dotenv", "my.profile")
    assert caught.value.fix == "tokencli export my.profile --format dotenv"
    with pytest.raises(UsageError) as caught:
        load_dialect("terraform")
    assert caught.value.fix == "tokencli get --format terraform"
    with pytest.raises(UsageError) as caught:
        load_dialect("terraform", "my.profile")
    assert caught.value.fix == "tokencli get my.profile --format terraform"


def test_terraform_result_has_only_strings() -> None:
    """Every member is there, also if its value isn't known; the data source refuses other types."""
    known = json.loads(
        render_token("terraform", PROFILE, token(expires_at=NOW + 218.9, scope="a b"), NOW)
    )
    assert known == {
        "profile": "corp",
        "access_token": "canary-token-7f3a",
        "token_type": "bearer",
        "scope": "a b",
        "expires_at": "2024-05-23T12:10:18Z",
        "expires_at_epoch": "1716466218",
    }
    unknown = json.loads(render_token("terraform", PROFILE, token(), NOW))
    assert unknown.keys() == known.keys()
    assert unknown["expires_at"] == unknown["scope"] == ""
    with pytest.raises(UsageError, match="DPoP-bound"):  # Terraform hides warnings
        check_format_options("terraform", replace(PROFILE, dpop=True), {})
