"""Properties of every row of the tables of formats."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.formats.test_token_formats import NOW, PROFILE, token
from tokencli.errors import ReplyError, UsageError
from tokencli.formats import DIALECTS, SHELLS, TOKEN_FORMATS, Dialect, load_dialect, render_token
from tokencli.models import Secret
from tokencli.oauth.dpop import generate_dpop_key

NASTY = st.text(st.characters(categories=None), max_size=30) | st.text(
    " '\"\\$`!*?[]{}~=;&|#\n\r\t%^<>"
)


GOLDEN = Path(__file__).parents[1] / "golden" / "formats"
OPTIONS = {
    "dpop": {"method": "POST", "url": "https://api.example.com/orders"},
    "netrc": {"url": "https://x-access-token@git.example.com/"},
    "exec_credential": {"api_version": "client.authentication.k8s.io/v1beta1"},
    "template": {"template": "token = {{ access_token }}, until {{ expires_at | json }}"},
}
"""Options of the formats that need some."""
RANDOM = {r"\beyJ\S+": "PROOF", r"end_[0-9a-f]{32}": "DELIMITER"}
"""What differs from one call to the next, and what it is compared as."""
KEY = generate_dpop_key()
MEMBERS = {
    "dpop": {"token_type": "DPoP", "dpop_key": KEY},
    "aws_process": {
        "outputs": {
            "access_key_id": Secret("canary-access-key-id"),
            "secret_access_key": Secret("canary-secret-access-key"),
        }
    },
}
"""What else a token set has in the formats that need it."""
VARIABLES = [
    ("ACCESS_TOKEN", "canary-token-7f3a"),
    ("ACCESS_TOKEN_TYPE", "Bearer"),
    ("ACCESS_TOKEN_SCOPE", "read write"),
]


def compare_with_golden_file(name: str, text: str) -> None:
    """Compare a format's output with its file."""
    for pattern, word in RANDOM.items():
        text = re.sub(pattern, word, text)
    assert text == (GOLDEN / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", TOKEN_FORMATS)
def test_token_formats_match_their_golden_files(name: str) -> None:
    """A change of what consumers read shows as a change of tests/golden/formats."""
    more = MEMBERS.get(name, {})
    issued = token(scope="read", expires_at=NOW + 600, **more)
    found = render_token(name, PROFILE, issued, NOW, **OPTIONS.get(name, {}))
    compare_with_golden_file(name, found)


@pytest.mark.parametrize("name", sorted(set(DIALECTS) - set(SHELLS) - set(TOKEN_FORMATS)))
def test_data_formats_match_their_golden_files(name: str) -> None:
    """Likewise for variables."""
    compare_with_golden_file(name, load_dialect(name).render(VARIABLES))


@pytest.mark.requirement(13)
@pytest.mark.parametrize("name", sorted(set(TOKEN_FORMATS) - {"dpop"}))  # two headers, two lines
def test_token_formats_print_one_line_of_ascii(name: str) -> None:
    """A token is printed whole, on one line, and without an escape; a netrc file takes no long one."""
    value = "t" * (4000 if name == "netrc" else 20_000)
    issued = token(value, **MEMBERS.get(name, {}))
    found = render_token(name, PROFILE, issued, NOW, **OPTIONS.get(name, {}))
    assert found.isascii() and found.endswith("\n") and found[:-1].isprintable()
    assert value in found


@pytest.mark.parametrize("name", DIALECTS)
def test_dialects_write_bearer_tokens_unchanged(name: str) -> None:
    """The characters of RFC 6750 need no escape and no warning anywhere."""
    variables = [("ACCESS_TOKEN", "aZ09-._~+/=")]
    row = load_dialect(name)
    assert isinstance(row, Dialect)
    assert "aZ09-._~+/=" in row.render(variables)
    assert row.find_warning is None or row.find_warning(variables) is None


@pytest.mark.requirement(11)
@pytest.mark.parametrize("name", DIALECTS)
@given(value=NASTY)
def test_dialects_write_printable_ascii_or_reject(name: str, value: str) -> None:
    """No control character, no character outside ASCII and no stray white space is ever printed."""
    try:
        found = load_dialect(name).render([("ACCESS_TOKEN", "t"), ("ACCESS_TOKEN_SCOPE", value)])
    except ReplyError as error:
        assert error.fix or error.cause
        assert not value.strip() or value.strip() not in error.message or len(value.strip()) < 12
    else:
        assert found.isascii() and found.endswith("\n")
        assert found.replace("\n", "").isprintable()
        assert value.isascii() and value.isprintable() and "  " not in value


@pytest.mark.requirement(11)
@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("variable", ["PATH", "LD_PRELOAD", "A;id", "A b", ""])
def test_dialects_reject_dangerous_variables(name: str, variable: str) -> None:
    """Names are checked where they are written, wherever they came from."""
    row = load_dialect(name)
    with pytest.raises(UsageError):
        row.render([(variable, "x")])
    if row.render_unset is not None:
        with pytest.raises(UsageError):
            row.render_unset([variable])


@pytest.mark.requirement(11)
@pytest.mark.parametrize("name", SHELLS)
def test_shell_statements_are_terminated_without_comments(name: str) -> None:
    """POSIX, fish and PowerShell get one line; a comment would swallow what follows."""
    row = load_dialect(name)
    found = row.render([("A_TOKEN", "x"), ("B_TOKEN", "y")])
    assert "#" not in found
    if name != "cmd":
        assert found.count("\n") == 1 and found.endswith(";\n")
    assert row.failure_text


@pytest.mark.requirement(12)
@pytest.mark.parametrize("name", sorted(set(DIALECTS) - set(SHELLS)))
def test_data_formats_are_empty_on_failure(name: str) -> None:
    """A file that failed to be written holds nothing that looks like a setting."""
    assert load_dialect(name).failure_text == ""
