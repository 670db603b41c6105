"""Exporting a token as a variable."""

import json

import pytest

from tests.fakes import FakeContext, filled_keyring, json_reply, make_profile
from tokencli.core.export import (
    build_token_variable,
    export_token,
    list_export_variables,
    unset_profile_variables,
)
from tokencli.errors import ReplyError, UsageError
from tokencli.models import Secret, TokenSet

PROFILE = make_profile(export="CORP_TOKEN")


def context_with(body: str) -> FakeContext:
    """Return a context with this reply."""
    ctx = FakeContext(keyring=filled_keyring())
    ctx.transport.replies = [json_reply(body)]
    return ctx


def test_variable_name() -> None:
    """`export` in the profile sets it, and `--var` overrides it."""
    reply = '{"access_token": "abc", "token_type": "Bearer", "expires_in": 1200}'
    assert export_token(PROFILE, context_with(reply), to="sh").text == "export CORP_TOKEN='abc';\n"
    assert (
        export_token(PROFILE, context_with(reply), to="fish", variable="T").text
        == "set -gx T 'abc';\n"
    )


def test_all_variables_come_after_the_token() -> None:
    """Type, expiry and scope have their own variables."""
    ctx = context_with(
        '{"access_token": "abc", "token_type": "bearer", "expires_in": 60, "scope": "a b"}'
    )
    text = export_token(PROFILE, ctx, to="sh", all_variables=True).text
    assert text == (
        "export CORP_TOKEN='abc'; export CORP_TOKEN_TYPE='bearer';"
        " export CORP_TOKEN_EXPIRES_AT='1800000060'; export CORP_TOKEN_SCOPE='a b';"
        " export CORP_TOKEN_HEADER='Authorization: Bearer abc';\n"
    )


@pytest.mark.requirement(12)
def test_unknown_values_are_set_empty() -> None:
    """An older value must not stay next to a newer token."""
    ctx = context_with('{"access_token": "abc", "token_type": "Bearer"}')
    variables = json.loads(export_token(PROFILE, ctx, to="json", all_variables=True).text)
    assert (variables["CORP_TOKEN_EXPIRES_AT"], variables["CORP_TOKEN_SCOPE"]) == ("", "")


@pytest.mark.requirement(11)
def test_token_beyond_rfc_6750_warns() -> None:
    """Then only a quoted eval is safe, and stderr says so. Data formats need no warning."""
    reply = '{"access_token": "a*b", "token_type": "Bearer", "expires_in": 1200}'
    ctx = context_with(reply)
    assert export_token(PROFILE, ctx, to="sh").text == "export CORP_TOKEN='a*b';\n"
    assert any("quote the command" in message for message in ctx.terminal.messages)
    ctx = context_with(reply)
    assert export_token(PROFILE, ctx, to="docker").text == "CORP_TOKEN=a*b\n"
    assert not any("quote the command" in message for message in ctx.terminal.messages)


@pytest.mark.requirement(11)
@pytest.mark.parametrize("value", ["a b", "a\nb", "", "é", "a\x00b"])
def test_token_must_be_one_word(value: str) -> None:
    """Control characters, spaces and non-ASCII characters are never written."""
    with pytest.raises(ReplyError):
        build_token_variable(TokenSet(Secret(value), "Bearer", 0.0), "T")


@pytest.mark.parametrize(
    ("to", "variable"), [("tcsh", None), ("sh", "PATH"), ("sh", "A B"), ("json", "LD_PRELOAD")]
)
def test_wrong_command_line_sends_no_request(to: str, variable: str | None) -> None:
    """Dialect and variable are checked before a request is sent."""
    ctx = context_with("{}")
    with pytest.raises(UsageError):
        export_token(PROFILE, ctx, to=to, variable=variable, all_variables=True)
    assert ctx.transport.requests == []


def test_unset_matches_export() -> None:
    """Everything that was set is unset, without reading the profile's secrets."""
    assert (
        unset_profile_variables(PROFILE, to="sh", variable=None, all_variables=False)
        == "unset CORP_TOKEN;\n"
    )
    assert unset_profile_variables(PROFILE, to="zsh", variable="T", all_variables=True) == (
        "unset T; unset T_TYPE; unset T_EXPIRES_AT; unset T_SCOPE; unset T_HEADER;\n"
    )
    with pytest.raises(UsageError):
        unset_profile_variables(PROFILE, to="dotenv", variable=None, all_variables=False)


def test_rejected_variable_suggests_the_same_profile() -> None:
    """The fix keeps the profile that the command named."""
    with pytest.raises(UsageError) as error:
        list_export_variables(make_profile(name="corp"), "PATH", all_variables=False)
    assert error.value.fix == "tokencli export corp --var API_TOKEN"
