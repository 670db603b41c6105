"""What tokencli prints for PowerShell, in a real one."""

import os

from tests import powershell


def test_script_and_session() -> None:
    """Both language modes run scripts, and a session shows what a command prints."""
    text = "$ExecutionContext.SessionState.LanguageMode; 'zo\u00eb'; exit 3"
    for constrained, mode in ((False, "FullLanguage"), (True, "ConstrainedLanguage")):
        done = powershell.run(text, constrained=constrained)
        assert (done.stdout, done.stderr, done.returncode) == (f"{mode}\nzo\u00eb\n", "", 3)
    with powershell.Session(os.environ) as session:
        assert session.enter("1 + 1") == "2\n"
