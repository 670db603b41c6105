"""How errors are reported."""

import pytest

from tokencli.commands import error_report
from tokencli.errors import TokencliError


@pytest.mark.parametrize(
    ("fix", "needs_editor"),
    [
        ("tokencli profiles edit", True),
        ("tokencli profiles edit corp", True),
        ("tokencli profiles edit --config '/a b/c.toml'", True),
        ("tokencli profiles edit corp --set scope=a", False),
        ("tokencli profiles edit --set scope=a", False),
        ("tokencli get corp", False),
    ],
)
def test_an_editor_is_suggested_only_at_a_terminal(
    fix: str, needs_editor: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal the command that opens an editor can't help."""
    error = TokencliError("wrong", fix=fix)
    monkeypatch.setattr(error_report, "is_user_present", lambda: True)
    assert error_report.error_to_dict(error)["fix"] == fix
    monkeypatch.setattr(error_report, "is_user_present", lambda: False)
    assert error_report.error_to_dict(error)["fix"] == (None if needs_editor else fix)
