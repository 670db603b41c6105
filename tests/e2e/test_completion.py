"""The committed completion scripts in real shells."""

import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Parser

from tests.completions import FILES, FOLDER
from tests.conftest import IN_CI, Run, script
from tests.fast_path_world import World, world
from tokencli.commands.completions import SCRIPT_RENDERERS, render_completion_script
from tokencli.commands.completions.command_tree import list_command_specs

BASH = """
source {file}
COMP_WORDS=({words}); COMP_CWORD=$(({count} - 1)); COMP_LINE="${{COMP_WORDS[*]}}"; COMP_POINT=${{#COMP_LINE}}
_tokencli_complete tokencli "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
ZSH = """
zmodload zsh/zpty
zpty -w() {{ }}
"""
ZSH_CHILD = """
fpath=({folder} $fpath)
autoload -Uz compinit && compinit -u -d {dump}
zstyle ':completion:*' list-colors ''
null-line () {{ BUFFER='' }}
PS1= RPS1= LISTMAX=100000
compadd () {{
    local -a found; local -A opts
    if [[ ${{@[1,(i)(-|--)]}} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
    builtin compadd -A found "$@"
    local one; for one in $found; do print -r -- $one >> {out}; done
    builtin compadd "$@"
}}
finish () {{ zle complete-word; print -r -- done >> {out}; exit }}
zle -N finish
bindkey '^I' finish
"""


def each(*shells: str) -> list[object]:
    """Return parameters for the shells; a shell that is not installed is skipped with a reason."""
    return [
        pytest.param(
            shell,
            marks=pytest.mark.skipif(
                shutil.which(shell) is None and not IN_CI, reason=f"apt-get install {shell}"
            ),
        )
        for shell in shells
    ]


@pytest.fixture
def place() -> Iterator[World]:
    """Provide a warm world whose shells find the program."""
    with world() as made:
        made.make()
        made.environ["PATH"] = f"{Path(script()).parent}{os.pathsep}{os.environ['PATH']}"
        yield made


def run(command: list[str], place: World, text: str | None = None) -> str:
    """Run a shell and return its stdout."""
    done = subprocess.run(
        command,
        env=place.environ,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == "", done.stderr
    return done.stdout


def complete(shell: str, words: list[str], place: World) -> set[str]:
    """Return the shell's completions for the last word."""
    file = FOLDER / FILES[shell]
    if shell == "bash":
        quoted = " ".join(f"'{word}'" for word in words)
        text = BASH.format(file=file, words=quoted, count=len(words))
        return set(run(["bash", "--norc", "--noprofile", "-c", text], place).split())
    if shell == "fish":
        text = f"source {file}; complete -C '{' '.join(words)}'"
        out = run(["fish", "--no-config", "-c", text], place)
        return {line.split("\t")[0] for line in out.splitlines()}
    return _zsh(words, place)


def _zsh(words: list[str], place: World) -> set[str]:
    """Complete in an interactive zsh in a pseudo-terminal and record the candidates."""
    out = place.root / "out"
    start = place.root / "start.zsh"
    start.write_text(ZSH_CHILD.format(folder=FOLDER, dump=place.root / "dump", out=out))
    out.write_text("")
    line = " ".join(words)
    text = f"""
zmodload zsh/zpty
zpty z 'zsh -f -i'
zpty -w z 'source {start}; print ready'
zpty -r -m z ignored '*ready*ready*' || true
zpty -w -n z $'{line}\\t'
while ! [[ -s {out} && "$(tail -n 1 {out})" == done ]]; do
    zpty -r -t z ignored || zpty -t z || break
done
"""
    run(["zsh", "-f", "-c", text], place)
    return set(out.read_text().split("\n")) - {"", "done"}


def test_powershell_script_parses() -> None:
    """A PowerShell grammar parses the script, and no hash literal has a duplicate key.

    PowerShell rejects keys that differ only in case, and is not installed everywhere.
    """
    parser = Parser(Language(tree_sitter_powershell.language()))
    tree = parser.parse((FOLDER / FILES["powershell"]).read_bytes())
    assert not tree.root_node.has_error
    entries: Counter[tuple[int, bytes]] = Counter()
    rest = [tree.root_node]
    while rest:
        node = rest.pop()
        rest += node.children
        if node.type == "hash_entry":
            assert node.parent is not None and node.children[0].text is not None
            entries[node.parent.id, node.children[0].text.lower()] += 1
    assert len(entries) > 30
    assert set(entries.values()) == {1}


@pytest.mark.parametrize("shell", SCRIPT_RENDERERS)
def test_committed_scripts_are_current(shell: str, tokencli: Run) -> None:
    """They equal the program's output, and are ASCII; `python -m tests.completions` rewrites them."""
    committed = (FOLDER / FILES[shell]).read_text(encoding="ascii")
    assert committed == render_completion_script(shell, list_command_specs())
    assert tokencli("completion", shell).out == committed


def test_pwsh_is_powershell(tokencli: Run) -> None:
    """Both names print the same script."""
    assert tokencli("completion", "pwsh").out == tokencli("completion", "powershell").out


@pytest.mark.parametrize("shell", each("bash", "zsh", "fish"))
@pytest.mark.parametrize(
    ("words", "expected", "unexpected"),
    [
        (["tokencli", "in"], {"inspect"}, {"get", "p"}),
        (["tokencli", "get", ""], {"p", "q.2"}, {"get", "--json"}),
        (["tokencli", "get", "q"], {"q.2"}, {"p"}),
        (["tokencli", "get", "--for"], {"--format", "--force"}, {"p", "--shell"}),
        (["tokencli", "get", "--format", ""], {"raw", "header", "json"}, {"p", "fish"}),
        (["tokencli", "export", "--shell", "fi"], {"fish"}, {"p"}),
        (["tokencli", "export", "-p", ""], {"p", "q.2"}, {"fish"}),
        (["tokencli", "profiles", "re"], {"remove"}, {"refresh", "p"}),
        (["tokencli", "profiles", "remove", ""], {"p", "q.2"}, {"add"}),
        (["tokencli", "profiles", "rm", ""], {"p", "q.2"}, {"add"}),
        (["tokencli", "profiles", "rm", "p", "--s"], {"--secrets"}, {"--set"}),
        (["tokencli", "profiles", "ls", "--j"], {"--json"}, {"p"}),
        (["tokencli", "profiles", "l"], {"list"}, {"ls"}),
        (["tokencli", "profiles", "edit", "p", "--provider", "group"], {"groupid"}, {"p"}),
        (["tokencli", "profiles", "add", "--provider", "group"], {"groupid"}, {"p"}),
        (["tokencli", "hook", ""], {"bash", "zsh", "fish"}, {"p"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_tab_completes(
    shell: str, words: list[str], expected: set[str], unexpected: set[str], place: World
) -> None:
    """Commands, options, option values and profiles, each where it is valid."""
    offered = complete(shell, words, place)
    assert expected <= offered
    assert not unexpected & offered


@pytest.mark.parametrize("shell", each("bash", "zsh", "fish"))
def test_commands_and_options_complete_without_the_program(shell: str, place: World) -> None:
    """They are part of the script, so the program need not be installed."""
    place.environ["PATH"] = os.environ["PATH"].replace(str(Path(script()).parent), "/nonexistent")
    assert "--min-ttl" in complete(shell, ["tokencli", "get", "--m"], place)


@pytest.mark.parametrize("shell", each("bash", "zsh", "fish"))
def test_broken_configuration_completes_nothing(shell: str, place: World) -> None:
    """No profile names, and nothing on stderr that would disturb the command line."""
    place.write("nonsense")
    assert complete(shell, ["tokencli", "get", ""], place) <= {""}


def test_profile_names_without_cached_records(tokencli: Run, place: World) -> None:
    """All names, or those with the typed prefix, in file order."""
    shutil.rmtree(place.app_dir)
    environ = {**place.environ, "TOKENCLI_CONFIG": str(place.config)}
    assert tokencli("completion", "--profiles", env=environ).out == "p\nq.2\n"
    assert tokencli("completion", "--profiles", "q", env=environ).out == "q.2\n"
    assert tokencli("completion", "--profiles", "x", env=environ).out == ""


def test_profiles_with_their_servers(tokencli: Run, place: World) -> None:
    """With --json: one object in ASCII; a profile with problems has only its name."""
    with place.config.open("a", encoding="utf-8") as file:
        file.write('[profiles."zo\u00eb"]\n')
    environ = {**place.environ, "TOKENCLI_CONFIG": str(place.config)}
    done = tokencli("completion", "--profiles", "--json", env=environ)
    server = {"provider": "oauth2", "endpoint": "127.0.0.1:9"}
    assert done.out.isascii()
    assert json.loads(done.out) == {
        "profiles": [{"name": "p"} | server, {"name": "q.2"} | server, {"name": "zo\u00eb"}]
    }
    done = tokencli("completion", "bash", "--json", env=environ)
    assert (done.code, done.out) == (2, "")
    assert "--json requires --profiles" in done.err


@pytest.mark.parametrize("arguments", [[], ["tcsh"]])
def test_unknown_shell(arguments: list[str], tokencli: Run) -> None:
    """The error lists the supported shells."""
    done = tokencli("completion", *arguments)
    assert (done.code, done.out) == (2, "")
    assert "bash, zsh, fish, powershell" in done.err
