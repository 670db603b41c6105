"""Requirement 11: no token is put into a variable that controls what runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokencli.errors import ReplyError, UsageError
from tokencli.formats.variable_checks import (
    DENIED_NAMES,
    DENIED_PREFIXES,
    check_variable_name,
    check_variable_names,
    check_variables,
)


@pytest.mark.parametrize(
    "name", ["ACCESS_TOKEN", "T", "_t1", "GITHUB_TOKEN", "GIT_TOKEN", "x" * 200]
)
def test_ordinary_names_are_accepted(name: str) -> None:
    """Names that people give their tokens."""
    check_variable_name(name)
    assert check_variable_names([name]) == [name]


@pytest.mark.requirement(11)
@pytest.mark.parametrize(
    "name",
    [
        "", "1A", "A-B", "A B", "A=B", "A;B", "A\n", "É", "a$b", "A'", "x" * 201,
        "PATH", "path", "Ld_Preload", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "BASH_ENV", "ENV",
        "BASH_FUNC_x", "IFS", "PROMPT_COMMAND", "PYTHONPATH", "PYTHONSTARTUP", "NODE_OPTIONS",
        "PERL5OPT", "GIT_SSH_COMMAND", "https_proxy", "REQUESTS_CA_BUNDLE", "GITHUB_ENV", "ps4", "_",
        "UID", "TOKENCLI_CONFIG", "ComSpec",
    ],
)  # fmt: skip
def test_dangerous_names_are_rejected(name: str) -> None:
    """Neither an invalid name nor one that a shell, loader or interpreter obeys, in any letter case."""
    with pytest.raises(UsageError):
        check_variable_name(name)


@pytest.mark.requirement(11)
@given(st.sampled_from([*sorted(DENIED_NAMES), *DENIED_PREFIXES]), st.randoms())
def test_letter_case_is_ignored(name: str, chance: object) -> None:
    """Every row of the list holds in every mixture of cases."""
    mixed = "".join(c.lower() if chance.random() < 0.5 else c for c in name)  # type: ignore[attr-defined]
    with pytest.raises(UsageError):
        check_variable_name(mixed)


@given(st.text())
def test_any_text_is_accepted_or_rejected(name: str) -> None:
    """Any text is either a valid name or a UsageError."""
    try:
        check_variable_name(name)
    except UsageError as error:
        assert error.message
    else:
        assert name.isascii() and name.isidentifier()


def test_refused_values_suggest_no_command_for_another_profile() -> None:
    """A format doesn't know the profile, and without one `get` would print the default profile's token."""
    with pytest.raises(ReplyError) as caught:
        check_variables([("T", "a$b")], "dotenv", "$")
    assert caught.value.fix is None and "get --json" in (caught.value.cause or "")
