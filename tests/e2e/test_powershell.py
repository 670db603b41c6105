"""What `export --shell powershell` prints, in a real PowerShell."""

import json
import os
from itertools import product
from pathlib import Path

import pytest

from tests import powershell
from tests.e2e.test_shells import ATTACKS, SCOPE, rendered
from tokencli.formats import powershell as dialect

pytestmark = pytest.mark.long
MODES = pytest.mark.parametrize("constrained", [False, True], ids=["full", "constrained"])
MARKS = "'\"`$(){}[]@#%&|<>;,\\!^~*?+-=/:._x"
VALUES = [
    *ATTACKS,
    *("".join(pair) for pair in product(MARKS, repeat=2)),
    "$(New-Item CANARY)", "'; New-Item CANARY; '", "' + (New-Item CANARY) + '", "${env:HOME}",
    "`'; New-Item CANARY #", "'@; New-Item CANARY", "--%", "$env:PATH", "`n`0`u{41}", "<#", "#>",
    "$null", "-ErrorAction", "eyJhbGciOiJub25lIn0.e30.", "x" * 9000,
]  # fmt: skip
CODE_POINTS = [
    "".join(
        map(
            chr,
            filter(lambda code: code and not 0xD800 <= code < 0xE000, range(start, start + 4096)),
        )
    )
    for start in range(0, 0x110000, 4096)
]
COMPARE = """
$number = 0
foreach ($case in Get-Content -Raw -Encoding utf8 cases | ConvertFrom-Json) {
    $value = $null
    $case[0] | Invoke-Expression
    if (-not $case[1].Equals($value) -or -not $case[2].Equals($scope)) { "$number differs" }
    $number++
}
"$number compared"
if (Test-Path CANARY) { 'something ran' }
"""


def test_script_and_session() -> None:
    """Both language modes run scripts, and a session shows what a command prints."""
    text = "$ExecutionContext.SessionState.LanguageMode; 'zo\u00eb'; exit 3"
    for constrained, mode in ((False, "FullLanguage"), (True, "ConstrainedLanguage")):
        done = powershell.run(text, constrained=constrained)
        assert (done.stdout, done.stderr, done.returncode) == (f"{mode}\nzo\u00eb\n", "", 3)
    with powershell.Session(os.environ) as session:
        assert session.enter("1 + 1") == "2\n"


@pytest.mark.promise(
    "`export --shell powershell` sets exactly the value, in both language modes",
    "PowerShell 7 on Linux",
)
@pytest.mark.requirement(11)
@MODES
def test_invoke_expression_gives_exactly_any_value(constrained: bool, tmp_path: Path) -> None:
    """Hundreds of values that mean something in shells: they are set as they are, and none runs."""
    statements = rendered("powershell", VALUES)
    cases = [
        [statement + "$value = $env:A_TOKEN; $scope = $env:A_TOKEN_SCOPE", value, SCOPE]
        for statement, value in zip(statements, VALUES, strict=True)
    ]
    (tmp_path / "cases").write_text(json.dumps(cases))
    done = powershell.run(COMPARE, constrained=constrained, cwd=tmp_path)
    assert (done.stdout, done.stderr) == (f"{len(VALUES)} compared\n", "")


@pytest.mark.requirement(11)
@MODES
def test_quotes_keep_every_code_point(constrained: bool, tmp_path: Path) -> None:
    """Also typographic quotation marks, which PowerShell takes for straight ones, in any order."""
    quotes = "".join(
        map("".join, product(f"{dialect.SINGLE_QUOTES}\u201c\u201d\u201e`$a", repeat=3))
    )
    texts = [*CODE_POINTS, quotes, *dialect.SINGLE_QUOTES]
    cases = [[f"$value = {dialect.quote_value(text)}; $scope = 'x'", text, "x"] for text in texts]
    (tmp_path / "cases").write_text(json.dumps(cases))
    done = powershell.run(COMPARE, constrained=constrained, cwd=tmp_path)
    assert (done.stdout, done.stderr) == (f"{len(texts)} compared\n", "")


@pytest.mark.promise("a failed `export` stops a script", "PowerShell 7 on Linux")
@pytest.mark.requirement(12)
@MODES
def test_failed_export_stops_a_script(constrained: bool, tmp_path: Path) -> None:
    """Its output throws, so that nothing after it runs, whatever `$ErrorActionPreference` is."""
    failure = dialect.FAILURE_TEXT.strip().replace("'", "''")
    for preference in ("Continue", "Stop"):
        text = (
            f"$ErrorActionPreference = '{preference}'\n'{failure}' | Invoke-Expression\n'went on'"
        )
        done = powershell.run(text, constrained=constrained, cwd=tmp_path)
        assert (done.stdout, done.returncode) == ("", 1)
        assert "tokencli export failed" in done.stderr
    text = f"try {{ '{failure}' | Invoke-Expression }} catch {{ 'caught' }}"
    assert powershell.run(text, constrained=constrained).stdout == "caught\n"
