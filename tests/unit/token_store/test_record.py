"""The table of what was run against which server is the tests' own, and README.md shows it."""

import re

import pytest

from tests.servers import record
from tests.servers.oidc_provider import CLIENT_IDS
from tokencli.oauth.client_authentication import AUTH_METHODS


def test_the_readme_shows_the_record() -> None:
    """Letter by letter; `python -m tests.servers.record` writes both anew."""
    assert record.shown() == record.table(record.rows())


@pytest.mark.parametrize("test", sorted({row[3] for row in record.rows()}))
def test_every_row_was_written_by_a_test_that_is_there(test: str) -> None:
    """A test that goes takes its rows along."""
    path, _, function = test.partition("::")
    text = (record.ROOT / path).read_text(encoding="utf-8")
    assert re.search(rf"^def {function}\(", text, re.MULTILINE)
    assert "ran(" in text


def test_every_method_was_run() -> None:
    """No client authentication stands in the table of methods alone."""
    assert {row[2] for row in record.rows()} >= set(AUTH_METHODS) == set(CLIENT_IDS)
