"""Errors: the command that a fix is."""

import pytest

from tokencli.errors import TokencliError


@pytest.mark.parametrize(
    ("fix", "expected"),
    [
        ("tokencli get p", "tokencli get p --config 'a b.toml'"),
        (
            "tokencli get p --format header | curl -H @- https://api.example.com/",
            "tokencli get p --format header --config 'a b.toml' | curl -H @- https://api.example.com/",
        ),
        ("tokencli get p && ls", "tokencli get p && ls"),
        ("tokencli get --config c.toml p | cat", "tokencli get --config c.toml p | cat"),
        (  # as PowerShell chains commands
            "tokencli profiles edit p --unset scope; if ($?) { tokencli login p }",
            "tokencli profiles edit p --unset scope; if ($?) { tokencli login p }",
        ),
        ("export TOKEN", "export TOKEN"),
        (None, None),
    ],
)
def test_fix_names_the_configuration(fix: str | None, expected: str | None) -> None:
    """The file that `--config` named is given to tokencli, not to a program behind a pipe."""
    error = TokencliError("", fix=fix)
    error.name_config("a b.toml")
    assert error.fix == expected
