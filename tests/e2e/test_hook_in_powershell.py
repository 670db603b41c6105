"""The hook in a real PowerShell: prompts and lines that it wraps, renewals, and what it leaves behind."""

import base64
import json
import os
import re
import shlex
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import powershell
from tests.conftest import Run, script
from tests.fast_path_world import TOKENS, World, world
from tokencli.commands.help import read_page
from tokencli.fastpath.hooks import render_hook_script
from tokencli.sandbox.server import Sandbox

pytestmark = pytest.mark.long

P, Q = TOKENS["p"], TOKENS["q.2"]
LOAD = "tokencli hook powershell {} | Out-String | Invoke-Expression"
SHOW = "/bin/sh -c 'echo \"<$P_TOKEN> <$Q_TOKEN>\"'"
LATE = "$global:_tokencli.Next = 0"
LIFETIME_S = 10
"""Of tokens that expire at an open prompt: long enough for a line to use a new one in time."""
STRICT = """\
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $true
"""
MODES = pytest.mark.parametrize("constrained", [False, True], ids=["full", "constrained"])


@pytest.fixture
def place() -> Iterator[World]:
    """Provide a warm world whose profiles set different variables."""
    powershell.require()
    with world() as made:
        made.make()
        text = made.config.read_text()
        made.write(text.replace('min_ttl = "2m"', 'min_ttl = "2m"\nexport = "Q_TOKEN"'))
        made.environ["PATH"] = f"{Path(script()).parent}{os.pathsep}{os.environ['PATH']}"
        yield made


def ran(text: str, place: World, *, constrained: bool = False) -> str:
    """Run a script and return its stdout; stderr must be empty."""
    done = powershell.run(text, place.environ, constrained=constrained)
    assert done.stderr == ""
    return done.stdout


def hooked(text: str, place: World, profiles: str = "p", *, constrained: bool = False) -> str:
    """Run a script after the hook was loaded and return its stdout; stderr must be empty."""
    return ran(f"{LOAD.format(profiles)}\n{text}", place, constrained=constrained)


def manual_block(containing: str) -> str:
    """Return the code block of the manual's page that contains a text."""
    blocks = re.findall(r"```powershell\n(.*?)```", read_page("powershell"), re.DOTALL)
    (block,) = [block for block in blocks if containing in block]
    return block


# What the hook wraps


@pytest.mark.promise(
    "`hook powershell` keeps `$?`, `$LASTEXITCODE` and the user's prompt", "PowerShell 7 on Linux"
)
@MODES
@pytest.mark.parametrize("settings", ["", STRICT], ids=["plain", "strict"])
def test_prompts_see_the_users_status(settings: str, constrained: bool, place: World) -> None:
    """The wrapped prompt runs once, with the user's `$?` and `$LASTEXITCODE`, which stays.

    The variable is set, and `$Error` has nothing new, in every language mode and with any preferences.
    """
    text = f"""{settings}
function global:prompt {{ "mine $? $LASTEXITCODE>"; /bin/true }}
{LOAD.format("p")}
{LOAD.format("p")}
$global:LASTEXITCODE = 3
$errors = $Error.Count
Get-Item /nonexistent -ErrorAction SilentlyContinue; prompt
{SHOW}
$null = 1; prompt
$global:LASTEXITCODE = 7
$null = 1; prompt
"code $LASTEXITCODE, errors $($Error.Count - $errors)"
"""
    assert ran(text, place, constrained=constrained).splitlines() == [
        "mine False 3>",
        f"<{P}> <>",
        "mine True 0>",
        "mine True 7>",
        "code 7, errors 1",  # the user's
    ]


@MODES
def test_an_unset_exit_code_stays_unset(constrained: bool, place: World) -> None:
    """The prompt works under strict mode before any program has run, and after it."""
    text = f"""{STRICT}
function global:prompt {{ "set: $(Test-Path variable:global:LASTEXITCODE)>" }}
{LOAD.format("p")}
Remove-Variable LASTEXITCODE -Scope Global
prompt
prompt
{SHOW}
"""
    out = ran(text, place, constrained=constrained)
    assert out.splitlines() == ["set: False>", "set: False>", f"<{P}> <>"]


SEEN = """\
Get-ChildItem function: | ForEach-Object { "$($_.Name) $($_.Definition)" }
Get-ChildItem env: | ForEach-Object { "$($_.Name)=$($_.Value)" }
Get-Variable -Scope Global | Where-Object Name -notin '^', '$', '?', 'LASTEXITCODE', 'StackTrace' |
    ForEach-Object Name
Get-Alias | ForEach-Object Name
"""


@MODES
@pytest.mark.parametrize("profiles", ["", "p q.2"], ids=["none", "two"])
def test_unhook_restores_the_shell(profiles: str, constrained: bool, place: World) -> None:
    """Functions, variables, aliases and the environment are as before, hooked once or twice."""
    load = LOAD.format(profiles)
    text = f"""
function global:prompt {{ 'mine>' }}
$before = $after = ''
$before = & {{ {SEEN} }} | Out-String
{load}
{load}
prompt
{SHOW}
tokencli_unhook
$after = & {{ {SEEN} }} | Out-String
$after -ceq $before
"""
    out = ran(text, place, constrained=constrained)
    tokens = f"<{P}> <{Q}>" if profiles else "<> <>"
    assert out.splitlines() == ["mine>", tokens, "True"]


@MODES
def test_another_program_wraps_the_prompt_later(constrained: bool, place: World) -> None:
    """Its prompt calls ours and the user's; after unhook, ours stays in the chain and does nothing.

    Loaded again, the hook acts once, and a second unhook restores the other program's prompt.
    """
    text = f"""
function global:prompt {{ "user $? $LASTEXITCODE" }}
{LOAD.format("p")}
$global:other = $function:prompt
function global:prompt {{ 'other'; & $global:other }}
$theirs = "$function:prompt"
prompt
{SHOW}
tokencli_unhook
{SHOW}
prompt
{LOAD.format("p")}
{LOAD.format("p")}
prompt
{SHOW}
tokencli_unhook
"$function:prompt" -ceq $theirs
prompt
"""
    chain = ["other", "user True 0"]
    assert ran(text, place, constrained=constrained).splitlines() == [
        *chain,
        f"<{P}> <>",
        "<> <>",
        *chain,
        *chain,
        f"<{P}> <>",
        "True",
        *chain,
    ]


def test_a_read_only_prompt_is_told(place: World) -> None:
    """It stays as it is, and a warning says that nothing is renewed."""
    text = f"""
Set-Item function:global:prompt {{ 'mine>' }} -Options ReadOnly
{LOAD.format("p")}
prompt
"""
    assert ran(text, place).splitlines() == [
        "tokencli: warning: variables are not renewed: the function prompt is read-only",
        "mine>",
    ]


@MODES
def test_preferences_and_aliases_change_nothing(constrained: bool, place: World) -> None:
    """Also those that ask, tell, only pretend, or give a command's name to something else."""
    names = "'Write-Error', 'Invoke-Expression', 'Get-Content', 'Set-Item', 'Remove-Item', 'Get-Command'"
    names += ", 'Write-Host', 'Set-StrictMode', 'Test-Path', 'Remove-Variable'"
    text = f"""
function global:prompt {{ 'mine>' }}
foreach ($name in {names}) {{ Set-Alias $name nonsense -Scope Global }}
$WhatIfPreference = $true
$ConfirmPreference = 'Low'
$VerbosePreference = $DebugPreference = 'Continue'
$InformationPreference = 'Ignore'
$WarningPreference = $ProgressPreference = 'Stop'
{LOAD.format("p").replace("Invoke-E", "Microsoft.PowerShell.Utility" + chr(92) + "Invoke-E")}
prompt
{SHOW}
tokencli_unhook
{SHOW}
"$function:prompt"
Set-Alias Test-Path Microsoft.PowerShell.Management{chr(92)}Test-Path -Scope Global -WhatIf:$false -Confirm:$false -Verbose:$false
"""
    out = ran(text, place, constrained=constrained)
    assert out.splitlines() == ["mine>", f"<{P}> <>", "<> <>", " 'mine>' "]


@MODES
def test_variables_that_are_removed_by_a_wildcard(constrained: bool, place: World) -> None:
    """The prompt still runs and can be unhooked, because the hook's state isn't among them."""
    text = f"""
function global:prompt {{ 'mine>' }}
{LOAD.format("p")}
Remove-Variable * -Scope Global -ErrorAction Ignore
prompt
{SHOW}
tokencli_unhook
"$function:prompt $(Test-Path variable:_tokencli)"
"""
    out = ran(text, place, constrained=constrained)
    assert out.splitlines() == ["mine>", f"<{P}> <>", " 'mine>'  False"]


@MODES
def test_a_trace_shows_no_token(constrained: bool, place: World) -> None:
    """Neither lines nor assignments (`Set-PSDebug -Trace 2`) at a renewal and in Get-TokencliToken."""
    text = f"""
Set-PSDebug -Trace 2
$null = prompt
$secure = Get-TokencliToken p -AsSecureString
$null = Get-TokencliToken q.2 -AsSecureString
{LATE}
$null = prompt
Set-PSDebug -Off
"end $(/usr/bin/printenv P_TOKEN)"
"""
    traced, end, left = hooked(text, place, constrained=constrained).partition("end ")
    assert "_tokencli_renew" in traced
    assert (end, left) == ("end ", f"{P}\n")
    assert P not in traced
    assert Q not in traced


def test_the_program_is_not_hidden(place: World) -> None:
    """`tokencli` is still the program, so that `--` and `$?` work."""
    out = hooked(
        "(Get-Command tokencli -All | ForEach-Object CommandType) -join ' '\n"
        "tokencli exec p -- /bin/sh -c 'echo $1' -- --c\n"
        "tokencli get missing 2>$null && 'goes on'",
        place,
    )
    assert set(out.splitlines()[0].split()) == {"Application"}
    assert out.splitlines()[1:] == ["--c"]


# Renewals


@pytest.mark.promise(
    "`hook powershell` removes a variable that can't be renewed", "PowerShell 7 on Linux"
)
@MODES
@pytest.mark.parametrize("trouble", ["server", "configuration", "profile", "variable", "program"])
def test_no_failure_leaves_a_variable(trouble: str, constrained: bool, place: World) -> None:
    """One line says what has failed, and it is tried again a minute later, not at the next prompt."""
    config, state = shlex.quote(str(place.config)), shlex.quote(str(place.state))
    change = {
        "server": f"/bin/rm -r {state} {shlex.quote(str(place.app_dir))}",
        "configuration": f"/bin/sh -c \"echo '[' >> {config}\"",
        "profile": f"/bin/sed -i 's/profiles[.]p]/profiles.r]/' {config}",
        "variable": f"/bin/sed -i s/P_TOKEN/R_TOKEN/ {config}",
        "program": "$env:PATH = '/nonexistent'",
    }[trouble]
    text = f"""
$null = prompt
$errors = $Error.Count
{SHOW}
{change}
{LATE}
$null = prompt
{SHOW}
$null = prompt
$minute = ($global:_tokencli.Next - [DateTime]::UtcNow.Ticks) / 10000000
'retry {{0}}, errors {{1}}' -f ($minute -gt 30 -and $minute -le 60), ($Error.Count - $errors)
"""
    first, *told, second, last = hooked(text, place, constrained=constrained).splitlines()
    assert (first, second) == (f"<{P}> <>", "<> <>")
    if trouble == "variable":  # there is one of another name
        assert told == []
    else:
        assert last == "retry True, errors 0"
        (line,) = told
        assert line.startswith("tokencli: error: ")


def test_output_that_is_not_readable_is_told(place: World) -> None:
    """With a console in UTF-16, which programs don't print, no line of the program is understood."""
    text = f"""
$null = prompt
{SHOW}
$encoding = [Console]::OutputEncoding
[Console]::OutputEncoding = [System.Text.Encoding]::Unicode
{LATE}
$told = prompt 6>&1
[Console]::OutputEncoding = $encoding
"$($told[0])"
{SHOW}
"""
    first, told, second = hooked(text, place).splitlines()
    assert (first, second) == (f"<{P}> <>", "<> <>")
    assert told.endswith("probably because of [Console]::OutputEncoding")


def test_an_inherited_variable_is_removed_as_well(place: World) -> None:
    """A value that another shell left behind doesn't survive a renewal that fails."""
    place.environ["P_TOKEN"] = "old"
    place.environ.pop("SECRET")
    for folder in (place.state, place.app_dir):
        shutil.rmtree(folder)
    told, left = hooked(f"$null = prompt\n{SHOW}", place).splitlines()
    assert told.startswith("tokencli: error: ")
    assert left == "<> <>"


def test_the_clock_set_back_renews(place: World) -> None:
    """A prompt that is earlier than the last one renews, although nothing is due yet."""
    text = f"""
$null = prompt
$env:P_TOKEN = 'old'
$null = prompt
{SHOW}
$global:_tokencli.Seen = $global:_tokencli.Next = [DateTime]::MaxValue.Ticks
$null = prompt
{SHOW}
"""
    assert hooked(text, place).splitlines() == ["<old> <>", f"<{P}> <>"]


def test_a_second_hook_adds_its_profiles(place: World) -> None:
    """One with the same profile, or none, changes nothing."""
    loads = "\n".join(map(LOAD.format, ("p", "q.2", "p", "")))
    out = ran(f"{loads}\n$null = prompt\n{SHOW}\n$global:_tokencli.Profiles.Count", place)
    assert out.splitlines() == [f"<{P}> <{Q}>", "2"]


@MODES
def test_get_token(constrained: bool, place: World) -> None:
    """It returns the variable's token without a process, the program's otherwise, or throws."""
    text = f"""{STRICT}
$null = prompt
$path = $env:PATH
$env:PATH = '/nonexistent'
Get-TokencliToken p
(Get-TokencliToken p -AsSecureString).GetType().Name
$env:PATH = $path
Get-TokencliToken q.2
Get-TokencliToken
$env:P_TOKEN = 'old'
{LATE}
Get-TokencliToken p
foreach ($name in 'missing', '--help') {{
    try {{ Get-TokencliToken $name 2>$null; 'no error' }} catch {{ "$_" }}
}}
"""
    text = text if not constrained else text.replace(".GetType().Name", " | Out-String -NoNewline")
    out = hooked(text, place, constrained=constrained).splitlines()
    secure = "System.Security.SecureString" if constrained else "SecureString"
    failed = [f"tokencli get {name} failed" for name in ("missing", "--help")]
    assert out == [P, secure, Q, P, P, *failed]


@pytest.mark.parametrize("shell", ["powershell", "pwsh"])
def test_other_names_and_profiles_are_refused(shell: str, tokencli: Run) -> None:
    """The script is evaluated, so nothing but a profile's name gets into it."""
    for name in ("a b", "'", "\u2019", "$(id)", "z\u00fcrich", "a;b", "`", '"'):
        done = tokencli("hook", shell, name)
        assert (done.code, done.out) == (2, "")
    assert tokencli("hook", shell, "groupid").out == render_hook_script(shell, ["groupid"])


# Windows PowerShell 5.1, by its grammar

PARSE = r"""
$tokens = $errors = $null
$tree = [Management.Automation.Language.Parser]::ParseFile('{file}', [ref]$tokens, [ref]$errors)
$errors | ForEach-Object {{ "error: $_" }}
$new = 'QuestionQuestion', 'QuestionQuestionEquals', 'QuestionDot', 'QuestionLBracket', 'QuestionMark', 'AndAnd',
    'OrOr', 'Clean', 'Default'
$tokens | Where-Object {{ "$($_.Kind)" -in $new }} | ForEach-Object {{ "token: $($_.Kind) $($_.Text)" }}
$kinds = 'TernaryExpressionAst', 'PipelineChainAst'
$tree.FindAll({{ param($node) $node.GetType().Name -in $kinds }}, $true) | ForEach-Object {{ "node: $_" }}
$tree.FindAll({{ param($node) $node -is [Management.Automation.Language.CommandAst] }}, $true) |
    ForEach-Object {{ $_.GetCommandName() }} | Where-Object {{ $_ }} | Sort-Object -Unique
"""


@pytest.mark.promise("scripts in the grammar of Windows PowerShell 5.1", "PowerShell 7 on Linux")
def test_the_script_keeps_to_5_1(place: World) -> None:
    """It is ASCII, has no operator newer than 5.1, and its commands belong to 5.1 and have their module.

    The parser is that of PowerShell 7, whose tokens and nodes tell what is newer.
    """
    text = render_hook_script("powershell", ["groupid", "q.2"])
    assert text.isascii()
    file = place.root / "hook.ps1"
    file.write_text(text)
    found = ran(PARSE.format(file=file), place).splitlines()
    commands = {name for name in found if not name.startswith("_tokencli_")}
    assert commands == {
        *(f"Microsoft.PowerShell.Core\\{name}" for name in ("Get-Command", "Set-StrictMode")),
        *(
            f"Microsoft.PowerShell.Management\\{name}"
            for name in ("Get-Content", "Remove-Item", "Set-Item", "Test-Path")
        ),
        "Microsoft.PowerShell.Security\\ConvertTo-SecureString",
        *(
            f"Microsoft.PowerShell.Utility\\{name}"
            for name in (
                "Invoke-Expression",
                "Remove-Variable",
                "Set-Variable",
                "Write-Error",
                "Write-Host",
            )
        ),
    }


def test_the_grammar_test_finds_what_is_newer(place: World) -> None:
    """Each operator of PowerShell 7 is reported."""
    newer = ["$a ?? $b", "$a ? 1 : 2", "$a ??= 1", "${a}?.b", "${a}?[0]", "a && b", "a || b"]
    script = ""
    for number, text in enumerate(newer):
        file = place.root / f"{number}.ps1"
        file.write_text(text)
        script += f"'next'\n{PARSE.format(file=file)}"
    _, *found = ran(script, place).split("next\n")
    for text, report in zip(newer, found, strict=True):
        assert re.search("^(token|node): ", report, re.MULTILINE), text


# Sessions with a user


def read_token(file: Path) -> tuple[str, float]:
    """Return the token in a file and how many seconds it was still valid when it was written."""
    token = file.read_text().strip()
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return token, claims["exp"] - file.stat().st_mtime


@pytest.mark.promise(
    "`hook powershell` renews variables while the user types", "PowerShell 7 on Linux"
)
def test_three_expiries_with_the_user_typing(place: World) -> None:
    """Each line finds a valid token, also one that was typed before the token expired.

    `$?` and `$LASTEXITCODE` stay, through renewals before prompts and before lines.
    """
    file = place.root / "token"
    write = f"$env:ACCESS_TOKEN | Set-Content {file}"
    tokens = []
    with Sandbox(lifetime=LIFETIME_S) as sandbox:
        place.config.write_text(sandbox.render_config(state_dir=str(place.state)))
        with powershell.Session(place.environ, start=LOAD.format("groupid")) as session:
            for number in range(3):
                session.enter(f"/bin/sh -c 'exit {number + 3}'")
                session.type('"$? $LAST')
                time.sleep(LIFETIME_S + 0.5)  # the token expires while the prompt is open
                assert f"False {number + 3}" in session.enter('EXITCODE"; ' + write)
                token, left = read_token(file)
                assert left > 0
                tokens.append(token)
            assert session.enter("$Error.Count").strip() == "0"
    assert len(set(tokens)) == 3


def test_a_line_finds_a_token_that_was_renewed_for_it(place: World) -> None:
    """It doesn't matter that the token expired while the prompt was open."""
    file = place.root / "token"
    with Sandbox(lifetime=LIFETIME_S) as sandbox:
        place.config.write_text(sandbox.render_config(state_dir=str(place.state)))
        with powershell.Session(place.environ, start=LOAD.format("groupid")) as session:
            session.enter(f"$env:ACCESS_TOKEN | Set-Content {file}")
            first, _ = read_token(file)
            time.sleep(LIFETIME_S + 0.5)
            session.enter(f"$env:ACCESS_TOKEN | Set-Content {file}")
            second, left = read_token(file)
    assert left > 0
    assert first != second


def test_commands_of_tokencli_change_variables(place: World) -> None:
    """`logout` removes the variable and stops renewing it; `profiles` renews at the next prompt."""
    with powershell.Session(place.environ, start=LOAD.format("p q.2")) as session:
        assert f"<{P}> <{Q}>" in session.enter(SHOW)
        shown = session.enter("tokencli logout p 2>/dev/null")
        assert "p: P_TOKEN is unset and no longer renewed in this shell" in shown
        assert f"<> <{Q}>" in session.enter(SHOW)
        session.enter("tokencli profiles edit q.2 --set export=R_TOKEN 2>/dev/null")
        assert f"<> {Q}" in session.enter("/bin/sh -c 'echo \"<$Q_TOKEN> $R_TOKEN\"'")
        shown = session.enter("tokencli_unhook; $Error.Count; (Get-Item function:*tokencli*).Count")
        assert shown.split() == ["0", "0"]
        assert "<>" in session.enter("/bin/sh -c 'echo \"<$R_TOKEN>\"'")


def test_a_failure_is_shown_at_the_prompt(place: World) -> None:
    """In one line, although PowerShell hides the stderr of programs that a prompt runs."""
    with powershell.Session(place.environ, start=LOAD.format("p")) as session:
        session.enter("'['| Add-Content $env:HOME/.config/tokencli/config.toml")
        shown = session.enter(LATE)
        assert shown.count("tokencli: error: ") == 1
        assert "<>" in session.enter(SHOW)


def test_an_interrupted_renewal_leaves_no_variable(place: World) -> None:
    """Ctrl-C ends the prompt function as well."""
    slow = place.root / "slow" / "tokencli"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\necho reached-the-program >/dev/tty\nsleep 60\n")
    slow.chmod(0o700)
    with powershell.Session(place.environ, start=LOAD.format("p")) as session:
        assert P in session.enter(SHOW)
        session.type(f"$env:PATH = '{slow.parent}:/usr/bin:/bin'; {LATE}\r")
        session.wait_for("reached-the-program")
        session.type("\x03")
        session.wait_for(">", count=session.text.count(">") + 1)
        session.type(f"{SHOW}\r")
        session.wait_for("<> <>")


# Installation and history, as the manual says


@pytest.mark.promise("installing into `$PROFILE`, in UTF-8 and UTF-16", "PowerShell 7 on Linux")
@pytest.mark.parametrize("encoding", [None, "utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_the_lines_of_the_manual_install_the_hook(encoding: str | None, place: World) -> None:
    """Without a profile file, and with one that has no line break at its end, whose encoding stays."""
    folder = place.root / "home" / ".config" / "powershell"
    file = folder / "Microsoft.PowerShell_profile.ps1"
    before = '$env:MINE = "Z\u00fcrich \u2019"'
    bom = b"\xfe\xff" if encoding == "utf-16-be" else b""
    if encoding is not None:
        folder.mkdir(parents=True)
        file.write_bytes(bom + before.encode(encoding))
    ran(manual_block("Add-Content").replace("groupid", "p"), place)
    content = file.read_bytes()
    assert content.startswith(bom)
    text = content.removeprefix(bom).decode(encoding or "ascii")
    line = LOAD.format("p")
    assert text.splitlines() == ["" if encoding is None else before, line]

    with powershell.Session(place.environ, start=f". '{file}'") as session:
        shown = session.enter("/bin/sh -c 'echo \"$P_TOKEN <$MINE>\"'")
    assert P in shown
    assert ("Z\u00fcrich" in shown) == (encoding is not None)


KEPT = [
    "tokencli status",
    "tokencli get p",
    "$t = tokencli get p",
    "$env:ACCESS_TOKEN = tokencli get q.2",
    "tokencli.exe profiles edit p",
    "tokencli hook powershell p | Out-String | Invoke-Expression",
    "tokencli request p https://demomachine:4443/api/me --fail",
    "tokencli exec p -- sync-groups",
    "tokencli login p",
    "tokencli login --again p",
    "tokencli status --json | ConvertFrom-Json",
    "$t = tokencli get p | ConvertTo-SecureString -AsPlainText",
    "git status",
]
NOT_KEPT = [
    "'hunter2' | tokencli login p --stdin",
    "tokencli inspect eyJhbGciOiJub25lIn0",
    "tokencli inspect 8f2c1a0b9d3e4f5a6b7c8d9e0f",
    "tokencli inspect --json 8f2c1a0b9d3e",
    "tokencli login p hunter2",
    "tokencli login p --again hunter2",
    "tokencli login p --password hunter2",
    "tokencli profiles edit p --client-secret hunter2",
    "tokencli request p me --json hunter2",
    "tokencli request p https://x/T00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
    "tokencli request p me -d hunter2",
    "tokencli request p me --header hunter2",
    "tokencli request p 'https://x/?key=hunter2'",
    "tokencli request p https://bob:hunter2@x/",
    "tokencli exec p -- mysql -phunter2",
    "tokencli curl p -- -u bob:hunter2",
    "tokencli profiles edit p --set client_id=hunter2",
    "$env:SECRET = 'hunter2'; tokencli get p",
    "tokencli get p # hunter2",
    "$password = 'hunter2'",
    "$apiKey = 'hunter2'",
]


@pytest.mark.promise(
    "PowerShell's history keeps commands of tokencli without secrets", "PowerShell 7 on Linux"
)
def test_the_handler_of_the_manual_keeps_commands_without_secrets(place: World) -> None:
    """PSReadLine's file has the commands, and no line that could hold a secret."""
    file = place.root / "history"
    start = f"Set-PSReadLineOption -HistorySavePath {file} -PredictionSource None\n"
    start += "function tokencli { }; Set-Alias tokencli.exe tokencli; function git { }\n"
    start += manual_block("AddToHistoryHandler")
    with powershell.Session(place.environ, start=start) as session:
        for line in (*NOT_KEPT, *KEPT):
            session.enter(line)
    assert file.read_text().splitlines() == KEPT


# What doctor says


def test_doctor_knows_the_hook(place: World) -> None:
    """Installed, loaded by hand, loaded by an older version, and not in a shell that was started later."""
    place.environ["SHELL"] = "/bin/bash"
    text = f"""
function check ($name = 'hook') {{
    $found = tokencli doctor --json | ConvertFrom-Json | ForEach-Object checks | Where-Object id -eq $name
    "$($found.warning) $($found.detail) | $($found.fix)"
}}
{LOAD.format("p")}
check
{manual_block("Add-Content").replace("groupid", "p")}
check
$env:_TOKENCLI_HOOK = "powershell 0.1.0 $PID"
check
Invoke-Expression (check).Split('|', 2)[1]
check
/bin/bash -c 'tokencli doctor --json; true' | ConvertFrom-Json | ForEach-Object checks |
    Where-Object id -eq hook | ForEach-Object detail
tokencli_unhook
$env:SHELL = '/usr/bin/pwsh'
check
check completion
Invoke-Expression (check completion).Split('|', 2)[1]
check completion
"""
    by_hand, installed, older, newer, other, unloaded, without, completion = ran(
        text, place
    ).splitlines()
    file = place.root / "home" / ".config" / "powershell" / "Microsoft.PowerShell_profile.ps1"
    assert by_hand == "False pwsh: loaded by hand, and this shell has loaded it | "
    assert installed == f"False pwsh: {file}, and this shell has loaded it | "
    assert older == (
        f"True {file} is of another version of tokencli"
        " | tokencli hook powershell | Out-String | Invoke-Expression"
    )
    assert newer == installed
    assert other.startswith("not installed in bash")
    assert unloaded.startswith(f"False pwsh: {file}")
    assert without.startswith("False not installed in pwsh; see `tokencli completion --help`")
    assert "tokencli completion powershell" in without.partition(" | ")[2]
    assert completion == f"False pwsh: {file} | "
