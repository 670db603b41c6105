"""The story of `export`, with hand-written fakes at the ports."""

import json

import pytest

from tests.fakes import FakeContext, filled_keyring, json_reply, make_profile
from tokencli.core.export import build_token_variable, export_token, unset_profile_variables
from tokencli.errors import ReplyError, UsageError
from tokencli.models import Secret, TokenSet

PROFILE = make_profile(export="CORP_TOKEN")


def edges_with(body: str) -> FakeContext:
    """Return ctx whose server answers with this."""
    ctx = FakeContext(keyring=filled_keyring())
    ctx.transport.replies = [json_reply(body)]
    return ctx


def test_the_variable_is_the_profiles_unless_said_otherwise() -> None:
    """`export` in the profile names it; `--var` stands over it."""
    reply = '{"access_token": "abc", "token_type": "Bearer", "expires_in": 1200}'
    assert export_token(PROFILE, edges_with(reply), to="sh").text == "export CORP_TOKEN='abc';\n"
    assert (
        export_token(PROFILE, edges_with(reply), to="fish", variable="T").text
        == "set -gx T 'abc';\n"
    )


def test_all_variables_come_after_the_token() -> None:
    """Type, end and scope have names of their own."""
    ctx = edges_with(
        '{"access_token": "abc", "token_type": "bearer", "expires_in": 60, "scope": "a b"}'
    )
    found = export_token(PROFILE, ctx, to="sh", all_variables=True).text
    assert found == (
        "export CORP_TOKEN='abc'; export CORP_TOKEN_TYPE='bearer';"
        " export CORP_TOKEN_EXPIRES_AT='1800000060'; export CORP_TOKEN_SCOPE='a b';"
        " export CORP_TOKEN_HEADER='Authorization: Bearer abc';\n"
    )


@pytest.mark.requirement(12)
def test_what_is_not_known_is_emptied_rather_than_left() -> None:
    """An older value must not stay beside a newer token."""
    ctx = edges_with('{"access_token": "abc", "token_type": "Bearer"}')
    found = json.loads(export_token(PROFILE, ctx, to="json", all_variables=True).text)
    assert (found["CORP_TOKEN_EXPIRES_AT"], found["CORP_TOKEN_SCOPE"]) == ("", "")


@pytest.mark.requirement(11)
def test_a_token_beyond_rfc_6750_is_exported_with_a_warning() -> None:
    """Only the quoted form is safe then, and stderr says so; data needs no such care."""
    reply = '{"access_token": "a*b", "token_type": "Bearer", "expires_in": 1200}'
    ctx = edges_with(reply)
    assert export_token(PROFILE, ctx, to="sh").text == "export CORP_TOKEN='a*b';\n"
    assert any("quote the command" in said for said in ctx.terminal.messages)
    ctx = edges_with(reply)
    assert export_token(PROFILE, ctx, to="docker").text == "CORP_TOKEN=a*b\n"
    assert not any("quote the command" in said for said in ctx.terminal.messages)


@pytest.mark.requirement(11)
@pytest.mark.parametrize("value", ["a b", "a\nb", "", "é", "a\x00b"])
def test_a_token_that_is_no_word_is_refused(value: str) -> None:
    """Controls, spaces and characters outside ASCII are never written."""
    with pytest.raises(ReplyError):
        build_token_variable(TokenSet(Secret(value), "Bearer", 0.0), "T")


@pytest.mark.parametrize(
    ("to", "variable"), [("tcsh", None), ("sh", "PATH"), ("sh", "A B"), ("json", "LD_PRELOAD")]
)
def test_a_wrong_command_line_costs_no_request(to: str, variable: str | None) -> None:
    """Dialect and variable are checked before anything is sent."""
    ctx = edges_with("{}")
    with pytest.raises(UsageError):
        export_token(PROFILE, ctx, to=to, variable=variable, all_variables=True)
    assert ctx.transport.requests == []


def test_unset_names_the_same_variables_and_fetches_nothing() -> None:
    """What was set can be taken away again, without a profile's secrets."""
    assert (
        unset_profile_variables(PROFILE, to="sh", variable=None, all_variables=False)
        == "unset CORP_TOKEN;\n"
    )
    assert unset_profile_variables(PROFILE, to="zsh", variable="T", all_variables=True) == (
        "unset T; unset T_TYPE; unset T_EXPIRES_AT; unset T_SCOPE; unset T_HEADER;\n"
    )
    with pytest.raises(UsageError):
        unset_profile_variables(PROFILE, to="dotenv", variable=None, all_variables=False)
