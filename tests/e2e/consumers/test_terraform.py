"""Terraform's data source `external`, by its documented protocol.

https://registry.terraform.io/providers/hashicorp/external/latest/docs/data-sources/external: the
program gets the query as JSON on stdin, and prints an object whose values are strings. If it ends
with another code than 0, its stderr is the message of the failure.
"""

import json
import re
from typing import Any

import pytest

from tests.conftest import Result, Run
from tests.e2e.consumers.expiries import until_expired
from tokencli.commands.help import read_page
from tokencli.sandbox.server import Sandbox


def run_data_source(tokencli: Run, profile: str, query: dict[str, str]) -> Result:
    """Run the program of the manual's page as the data source does."""
    (program,) = re.findall(r"program = (\[.*\])", read_page("terraform"))
    name, *args = json.loads(program.replace("groupid", profile))
    assert name == "tokencli"
    return tokencli(*args, stdin=json.dumps(query))


def read_result(found: Result) -> dict[str, Any]:
    """Return the result, or fail as the data source does."""
    assert found.code == 0, found.err
    result = json.loads(found.out)
    assert isinstance(result, dict)
    assert all(isinstance(value, str) for value in result.values())
    return result


def test_tokens_expire_between_refreshes(short_lived: Sandbox, tokencli: Run) -> None:
    """Each refresh gets a token that is valid at that moment."""
    for _ in until_expired(short_lived):
        result = read_result(run_data_source(tokencli, "oauth2", {}))
        assert result["access_token"] == short_lived.issued_tokens[-1].token


@pytest.mark.parametrize("query", [{}, {"key": "value" * 50_000}])
def test_query_is_ignored(query: dict[str, str], short_lived: Sandbox, tokencli: Run) -> None:
    """Also one that is larger than a pipe."""
    assert read_result(run_data_source(tokencli, "oauth2", query))["profile"] == "oauth2"


def test_failure_has_a_message(short_lived: Sandbox, tokencli: Run) -> None:
    """Terraform shows stderr; there is nothing on stdout."""
    found = run_data_source(tokencli, "nosuch", {})
    assert found.code != 0
    assert found.out == ""
    assert "error: there is no profile 'nosuch'" in found.err
