"""The story of `export`, with hand-written fakes at the ports."""

import json

import pytest

from tests.fakes import FakeEdges, filled_keeper, json_reply, make_profile
from tokencli.actions.export import export, unset
from tokencli.actions.variables import token_alone
from tokencli.errors import ReplyError, UsageError
from tokencli.model import Secret, TokenSet

PROFILE = make_profile(export="CORP_TOKEN")


def edges_with(body: str) -> FakeEdges:
    """Return edges whose server answers with this."""
    edges = FakeEdges(keeper=filled_keeper())
    edges.transport.replies = [json_reply(body)]
    return edges


def test_the_variable_is_the_profiles_unless_said_otherwise() -> None:
    """`export` in the profile names it; `--var` stands over it."""
    reply = '{"access_token": "abc", "token_type": "Bearer", "expires_in": 1200}'
    assert export(PROFILE, edges_with(reply), to="sh").text == "export CORP_TOKEN='abc';\n"
    assert export(PROFILE, edges_with(reply), to="fish", variable="T").text == "set -gx T 'abc';\n"


def test_all_variables_come_after_the_token() -> None:
    """Type, end and scope have names of their own."""
    edges = edges_with(
        '{"access_token": "abc", "token_type": "bearer", "expires_in": 60, "scope": "a b"}'
    )
    found = export(PROFILE, edges, to="sh", all_variables=True).text
    assert found == (
        "export CORP_TOKEN='abc'; export CORP_TOKEN_TYPE='bearer';"
        " export CORP_TOKEN_EXPIRES_AT='1800000060'; export CORP_TOKEN_SCOPE='a b';"
        " export CORP_TOKEN_HEADER='Authorization: Bearer abc';\n"
    )


def test_12_what_is_not_known_is_emptied_rather_than_left() -> None:
    """An older value must not stay beside a newer token."""
    edges = edges_with('{"access_token": "abc", "token_type": "Bearer"}')
    found = json.loads(export(PROFILE, edges, to="json", all_variables=True).text)
    assert (found["CORP_TOKEN_EXPIRES_AT"], found["CORP_TOKEN_SCOPE"]) == ("", "")


def test_11_a_token_beyond_rfc_6750_is_exported_with_a_warning() -> None:
    """Only the quoted form is safe then, and stderr says so; data needs no such care."""
    reply = '{"access_token": "a*b", "token_type": "Bearer", "expires_in": 1200}'
    edges = edges_with(reply)
    assert export(PROFILE, edges, to="sh").text == "export CORP_TOKEN='a*b';\n"
    assert any("quoted form" in said for said in edges.terminal.said)
    edges = edges_with(reply)
    assert export(PROFILE, edges, to="docker").text == "CORP_TOKEN=a*b\n"
    assert not any("quoted form" in said for said in edges.terminal.said)


@pytest.mark.parametrize("value", ["a b", "a\nb", "", "é", "a\x00b"])
def test_11_a_token_that_is_no_word_is_refused(value: str) -> None:
    """Controls, spaces and characters outside ASCII are never written."""
    with pytest.raises(ReplyError):
        token_alone(TokenSet(Secret(value), "Bearer", 0.0), "T")


@pytest.mark.parametrize(
    ("to", "variable"), [("tcsh", None), ("sh", "PATH"), ("sh", "A B"), ("json", "LD_PRELOAD")]
)
def test_a_wrong_command_line_costs_no_request(to: str, variable: str | None) -> None:
    """Dialect and variable are checked before anything is sent."""
    edges = edges_with("{}")
    with pytest.raises(UsageError):
        export(PROFILE, edges, to=to, variable=variable, all_variables=True)
    assert edges.transport.requests == []


def test_unset_names_the_same_variables_and_fetches_nothing() -> None:
    """What was set can be taken away again, without a profile's secrets."""
    assert unset(PROFILE, to="sh", variable=None, all_variables=False) == "unset CORP_TOKEN;\n"
    assert unset(PROFILE, to="zsh", variable="T", all_variables=True) == (
        "unset T; unset T_TYPE; unset T_EXPIRES_AT; unset T_SCOPE; unset T_HEADER;\n"
    )
    with pytest.raises(UsageError):
        unset(PROFILE, to="dotenv", variable=None, all_variables=False)
