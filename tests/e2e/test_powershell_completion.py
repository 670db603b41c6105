"""The committed completion script in a real PowerShell, by TabExpansion2 and in a terminal."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import powershell
from tests.completions import FILES, FOLDER
from tests.conftest import script
from tests.fast_path_world import CONFIG, World, world
from tokencli.commands.completions import INSTALL_COMMANDS
from tokencli.fastpath.hooks import render_hook_script

ODD_NAMES = (
    "zo\u00eb",
    "\u0141\u00f3d\u017a caf\u00e9",
    "it's",
    "curved\u2019s",
    "a,b;c",
    "$x",
    "\U0001f511",
)
"""Names of profiles that can be in a file, although they are refused when they are used."""
pytestmark = pytest.mark.long
MODES = pytest.mark.parametrize("constrained", [False, True], ids=["full", "constrained"])
COMPLETE = r"""
{before}
. '{script}'
$found = @(foreach ($line in Get-Content -Encoding utf8 '{lines}') {{
    $result = TabExpansion2 $line $line.Length
    , @($result.CompletionMatches | ForEach-Object {{
        , @($line.Substring(0, $result.ReplacementIndex), $_.CompletionText, $_.ListItemText, $_.ToolTip)
    }})
}})
Set-Content -Encoding utf8 '{out}' (ConvertTo-Json -Depth 4 @($found))
{after}
"""


class Match(NamedTuple):
    """One completion."""

    kept: str
    """What stays of the line."""
    text: str
    listed: str
    tooltip: str


@pytest.fixture
def place() -> Iterator[World]:
    """Provide a warm world whose shells find the program."""
    with world() as made:
        made.make()
        made.environ["PATH"] = f"{Path(script()).parent}{os.pathsep}{os.environ['PATH']}"
        yield made


def complete(
    lines: Sequence[str],
    place: World,
    *,
    constrained: bool = False,
    before: str = "",
    after: str = "",
    first: str = "",
) -> list[list[Match]]:
    """Return what is offered at the end of each line; `first` runs in FullLanguage mode."""
    (place.root / "lines").write_text("\n".join(lines), encoding="utf-8")
    folder = place.root / "folder with files"
    folder.mkdir(exist_ok=True)
    (folder / "file").touch()
    text = COMPLETE.format(
        before=before,
        after=after,
        script=FOLDER / FILES["powershell"],
        lines=place.root / "lines",
        out=place.root / "out",
    )
    done = powershell.run(text, place.environ, constrained=constrained, first=first, cwd=folder)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    found = json.loads((place.root / "out").read_text(encoding="utf-8"))
    assert len(found) == len(lines)
    return [[Match(*match) for match in matches] for matches in found]


@pytest.mark.promise("completion in PowerShell, in both language modes", "PowerShell 7 on Linux")
@MODES
def test_tab_completes(constrained: bool, place: World) -> None:
    """Commands, options, values and profiles, each where it is valid, however the line is written."""
    cases: dict[str, tuple[set[str], set[str]]] = {
        "tokencli in": ({"inspect"}, {"get", "p"}),
        "tokencli get ": ({"p", "q.2"}, {"get", "--json", "file"}),
        "tokencli get q": ({"q.2"}, {"p"}),
        "tokencli get Q": ({"q.2"}, {"p"}),
        "tokencli get --for": ({"--format", "--force"}, {"p", "--shell"}),
        "tokencli get -": ({"--format", "-p", "-h"}, {"p"}),
        "tokencli get --": ({"--format", "--json"}, {"-p"}),
        "tokencli get --format ": ({"raw", "header", "json"}, {"p", "fish"}),
        "tokencli get --format=h": ({"--format=header"}, {"--format=raw"}),
        "tokencli get --format=": ({"--format=header", "--format=raw"}, {"--format"}),
        "tokencli get --profile=q": ({"--profile=q.2"}, {"--profile=p"}),
        "tokencli get 'q": ({"'q.2'"}, {"q.2"}),
        'tokencli get "q': ({"'q.2'"}, {"q.2"}),
        "tokencli get \u201cq": ({"'q.2'"}, {"q.2"}),
        "tokencli get --output ": ({"./file"}, {"p"}),
        "tokencli get --nosuch=x": (set(), {"p"}),
        "tokencli export --shell fi": ({"fish"}, {"p"}),
        "tokencli export -p ": ({"p", "q.2"}, {"fish"}),
        "tokencli 'export' -p ": ({"p", "q.2"}, {"fish"}),
        "tokencli profiles re": ({"remove", "rename"}, {"refresh", "p"}),
        "tokencli profiles rm ": ({"p", "q.2"}, {"add"}),
        "tokencli profiles rm p --s": ({"--secrets"}, {"--set"}),
        "tokencli profiles edit p --provider group": ({"groupid"}, {"p"}),
        "tokencli request p -H": ({"-H", "-h"}, {"p"}),
        "tokencli hook ": ({"bash", "zsh", "fish"}, {"p"}),
        "tokencli completion ": ({"powershell"}, {"p"}),
        "tokencli.exe in": ({"inspect"}, set()),
        "TOKENCLI in": ({"inspect"}, set()),
        "& tokencli get q": ({"q.2"}, set()),
        "& 'tokencli' in": ({"inspect"}, set()),
        "$x = tokencli get q": ({"q.2"}, set()),
        "if ($true) { tokencli get q": ({"q.2"}, set()),
        "tokencli get p | tokencli in": ({"inspect"}, set()),
        "tokencli exec p -- Get-ChildI": ({"Get-ChildItem"}, {"p"}),
        "tokencli exec p -- tokencli export --shell fi": ({"fish"}, {"p"}),
        "tokencli exec p -- ./fi": ({"./file"}, {"p"}),
        "tc get q": ({"q.2"}, {"p"}),
        "TKN profiles l": ({"list"}, set()),
    }
    before = f"Set-Alias tc tokencli; Set-Alias tkn '{script()}'; Set-Alias other Get-Item"
    for (line, (expected, unexpected)), matches in zip(
        cases.items(),
        complete(list(cases), place, constrained=constrained, before=before),
        strict=True,
    ):
        texts = {match.text for match in matches}
        assert expected <= texts, line
        assert not unexpected & texts, line


def quote(name: str) -> str:
    """Return a name as a word of PowerShell."""
    doubled = "".join(mark * 2 if mark in "'\u2018\u2019\u201a\u201b" else mark for mark in name)
    return name if name.replace("\u0301", "").isalnum() else f"'{doubled}'"


ENCODINGS = [
    "utf-8",
    "us-ascii",
    "iso-8859-1",
    "ibm850",
    "shift_jis",
    "koi8-r",
    "utf-16",
    "utf-16BE",
    "ibm037",
]


@pytest.mark.promise("completion in PowerShell with names in any encoding", "PowerShell 7 on Linux")
@MODES
def test_names_in_any_encoding(constrained: bool, place: World) -> None:
    """Names are right and quoted whatever the console's encoding is, which is as it was afterwards."""
    tables = "".join(f"[profiles.{json.dumps(name, ensure_ascii=False)}]\n" for name in ODD_NAMES)
    place.write(CONFIG.format(state=place.state) + tables)
    for encoding in ["ibm850"] if constrained else ENCODINGS:
        set_it = f"[Console]::OutputEncoding = [System.Text.Encoding]::GetEncoding('{encoding}')"
        check = f"if ([Console]::OutputEncoding.WebName -ne '{encoding}') {{ 'changed' }}"
        (offered,) = complete(
            ["tokencli get "], place, constrained=constrained, first=set_it,
            before="" if constrained else set_it, after=check,
        )  # fmt: skip
        assert {match.text for match in offered} == {"p", "q.2", *map(quote, ODD_NAMES)}, encoding
        assert {match.listed for match in offered} == (
            {match.text for match in offered} if constrained else {"p", "q.2", *ODD_NAMES}
        )


@pytest.mark.promise("completion in PowerShell with descriptions", "PowerShell 7 on Linux")
def test_descriptions(place: World) -> None:
    """Commands, options, values and profiles have a line about them, in the tooltip."""
    found = complete(
        ["tokencli g", "tokencli get --fo", "tokencli get --format=h", "tokencli get q",
         "tokencli profiles edit p --provider=g", "tokencli help profi"],
        place,
    )  # fmt: skip
    tooltips = {match.text: match.tooltip for matches in found for match in matches}
    assert tooltips["get"] == "Print a token, fetching a new one only if needed."
    assert tooltips["--force"] == "Get a new token even if the stored one is fresh."
    assert tooltips["--format=header"].startswith("The header that carries the token")
    assert tooltips["q.2"] == "oauth2 at 127.0.0.1:9"
    assert tooltips["--provider=groupid"] == "GroupID (Netwrix Directory Manager)"
    assert len(tooltips["profiles"]) > len("profiles")


def test_profiles_with_problems_are_completed(place: World) -> None:
    """They can be edited and removed; their tooltip is their name."""
    place.write("[profiles.broken]\nprovider = 'nosuch'\n")
    ((match,),) = complete(["tokencli profiles edit "], place)
    assert (match.text, match.tooltip) == ("broken", "broken")


BEFORE = """
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $false
sh -c 'exit 3'
$PSNativeCommandUseErrorActionPreference = $true
$before = @(Get-Variable -Scope Global | ForEach-Object { $_.Name })
"""
AFTER = """
foreach ($one in $Error) { "new error: $one" }
if ($LASTEXITCODE -ne 3) { "new exit code: $LASTEXITCODE" }
(Get-Variable -Scope Global).Name | Where-Object {
    $_ -cnotin @($before) + 'before', 'foreach', 'found', 'line', 'result'
}
$global:LASTEXITCODE = 0
"""


@MODES
@pytest.mark.parametrize("trouble", ["none", "configuration", "program"])
def test_the_session_stays_as_it_was(constrained: bool, trouble: str, place: World) -> None:
    """Also with strict settings and a broken configuration or a missing program: no error, no variable."""
    if trouble == "configuration":
        place.write("nonsense")
    if trouble == "program":
        place.environ["PATH"] = "/usr/bin:/bin"
    lines = ["tokencli get ", "tokencli in", "tokencli get --nosuch "]
    offered, commands, _ = complete(
        lines, place, constrained=constrained, before=BEFORE, after=AFTER
    )
    assert "inspect" in {match.text for match in commands}
    assert ({"p", "q.2"} <= {match.text for match in offered}) == (trouble == "none")


def test_the_command_of_the_help_installs_it(place: World) -> None:
    """It creates the profile script and its folder, and can be added to a script with other lines."""
    install = INSTALL_COMMANDS["powershell"]
    for _ in range(2):
        done = powershell.run(install, place.environ)
        assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    text = ". $PROFILE\n(TabExpansion2 'tokencli insp' 13).CompletionMatches[0].ToolTip"
    done = powershell.run(text, place.environ)
    assert (done.stdout, done.stderr) == ("Decode and explain a token.\n", "")


@pytest.mark.promise("scripts in the grammar of Windows PowerShell 5.1", "PowerShell 7 on Linux")
def test_script_has_no_newer_syntax() -> None:
    """It has only what Windows PowerShell 5.1 parses, and is ASCII, as that reads files without a mark."""
    text = (FOLDER / FILES["powershell"]).read_text(encoding="ascii")
    assert powershell.find_newer_syntax(text) == []
    assert powershell.find_newer_syntax(render_hook_script("powershell", ["p"])) == []
    newer = "a && b\n$x = $a ? 1 : 2\n$x ?? 1\n${x}?.y\n$x ??= 2\n"
    assert [line[0] for line in powershell.find_newer_syntax(newer)] == list("12345")


def test_menu_in_a_terminal(place: World) -> None:
    """PSReadLine's menu shows the candidates, and below them the tooltip of the selected one."""
    start = """
        tokencli completion powershell | Out-String | Invoke-Expression
        Set-PSReadLineKeyHandler -Key Tab -Function MenuComplete
    """
    with powershell.Session(place.environ, start=start) as session:
        session.wait_for("ready>")
        session.type("tokencli profiles \t")
        session.wait_for("List profiles with their secrets")
        session.type("\t")
        session.wait_for("Add a profile")
