"""The shell hook with unusual paths, options, traces, prompts and outputs."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import script
from tests.e2e.test_hook import EACH, LOAD, NO_PATH, PROMPT, STATUS, hooked, place, shell_out
from tests.fast_path_world import TOKENS, World

pytestmark = pytest.mark.long

__all__ = ["place"]

SH = ["bash", "zsh"]
EACH_SH = [each for each in EACH if each.values[0] in SH]
IFS = {
    "bash": ["IFS=/", "IFS=", "IFS=0123456789", "IFS='a b%'", "unset IFS"],
    "zsh": ["IFS=/", "IFS=", "IFS=0123456789", "IFS='a b%'", "unset IFS"],
    "fish": ["set -g IFS /", "set -g IFS ''", "set -g IFS 0", "set -g IFS 'a b%'", "set -e IFS"],
}


@pytest.fixture
def world_with_spaces(place: World) -> Iterator[World]:
    """Provide a world whose paths contain spaces."""
    root = place.root / "a  b"
    root.mkdir()
    made = World(root)
    made.make()
    made.environ["PATH"] = place.environ["PATH"]
    yield made


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("shell", EACH)
def test_spaces_and_ifs(shell: str, number: int, world_with_spaces: World) -> None:
    """A warm `get`, a prompt and `tokencli_unhook` work without a process or a message."""
    ifs = IFS[shell][number]
    text = f"{ifs}\n{PROMPT[shell]}\n{NO_PATH[shell]}\n{PROMPT[shell]}\n"
    text += "tokencli get p\ntokencli get\ntokencli export q.2\ntokencli_unhook"
    found = hooked(shell, text, world_with_spaces, "p")
    assert found.splitlines()[:2] == [TOKENS["p"]] * 2
    assert found.count(TOKENS["q.2"]) == 1
    world_with_spaces.environ["TOKENCLI_CONFIG"] = str(world_with_spaces.config)
    assert hooked(shell, text, world_with_spaces, "p") == found


@pytest.mark.parametrize(
    "option", ["set -u", "set -e", "set -o noclobber", "set -a", "set -euo noclobber"]
)
@pytest.mark.parametrize("shell", EACH_SH)
def test_hook_and_unhook_under_any_option(shell: str, option: str, place: World) -> None:
    """Hook, prompt, `get` and unhook print no error, and the options stay."""
    load = LOAD[shell].format(program=script(), profiles="p")
    text = f"""{option}
unset PROMPT_COMMAND precmd_functions
before=$-
{load}
{load}
{PROMPT[shell]}
sh -c 'echo "$P_TOKEN"'
tokencli get q.2
tokencli_unhook
if [ "$before" = "$-" ]; then echo same; fi
"""
    done = shell_out(shell, text, place)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.split() == [TOKENS["p"], TOKENS["q.2"], "same"]


@pytest.mark.parametrize("shell", EACH_SH)
def test_allexport_exports_nothing_else(shell: str, place: World) -> None:
    """Neither functions nor internal variables, only the requested ones."""
    names = "for name in $(env | grep -i -e '[P_]tokencli' -e PROMPT_COMMAND); do echo $name; done"
    load = LOAD[shell].format(program=script(), profiles="p")
    text = f"set -a\n{load}\n{PROMPT[shell]}\nsh -c {shlex.quote(names)}\nsh -c 'echo $P_TOKEN'"
    done = shell_out(shell, text, place)
    assert (done.stdout, done.stderr) == (TOKENS["p"] + "\n", "")


@pytest.mark.parametrize("shell", EACH_SH)
def test_errexit_and_the_prompt(shell: str, place: World) -> None:
    """A status that errexit tolerates doesn't end the shell at the prompt."""
    text = f"set -e\n! true\n{PROMPT[shell]}\necho on"
    assert hooked(shell, text, place, "p") == "on\n"


OURS = "_tokencli_prompt"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"my;{OURS}", "my"),
        (f"my; {OURS}", "my"),
        (f"my; {OURS} ; a;  b", "my;  a;  b"),
        (f"{OURS};my", "my"),
        (f" {OURS} ; my; ", "  my; "),
        (f"my\n{OURS}\na", "my\na"),
        (f"my && {OURS} || a", "my && : || a"),
        (f"{{ {OURS}; }} 2>&1", "{ :; } 2>&1"),
        (f"my{OURS};{OURS};{OURS}_2", f"my{OURS};{OURS}_2"),
        (f"{OURS};", None),
    ],
)
def test_unhook_keeps_other_prompt_commands(text: str, left: str | None, place: World) -> None:
    """Wherever ours is, in a string or an array: the others stay as they were."""
    show = "declare -p PROMPT_COMMAND 2>/dev/null || echo none"
    for name, value in (("string", shlex.quote(text)), ("array", f"(x {shlex.quote(text)} 'y;')")):
        want = {
            "string": "unset PROMPT_COMMAND"
            if left is None
            else f"PROMPT_COMMAND={shlex.quote(left)}",
            "array": f"PROMPT_COMMAND=(x {'' if left is None else shlex.quote(left)} 'y;')",
        }[name]
        out = hooked(
            "bash",
            f"unset PROMPT_COMMAND; PROMPT_COMMAND={value}; tokencli_unhook; {show}\n"
            f"unset PROMPT_COMMAND; {want}; echo ---; {show}",
            place,
            "p",
        )
        found, wanted = out.split("---\n")
        assert found == wanted


TRACES = {
    "bash": [
        "set -x",
        "set -v",
        "set -xv",
        "set -T; trap 'echo \"D: $BASH_COMMAND\" >&2' DEBUG",
        "set -E; trap 'echo \"E: $BASH_COMMAND\" >&2' ERR",
    ],
    "zsh": [
        "setopt xtrace",
        "setopt verbose",
        "setopt xtrace verbose",
        "functions -T _tokencli_prompt tokencli _tokencli_warm",
        "trap 'echo D: $ZSH_DEBUG_CMD >&2' DEBUG",
    ],
    "fish": [
        "set -g fish_trace 1",
        "set -gx fish_trace 1",
        "set -g fish_trace on",
        "set -g fish_trace 1 1",
        "set -g fish_trace 0",
    ],
}


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("shell", EACH)
def test_xtrace_shows_no_token(shell: str, number: int, place: World) -> None:
    """Neither at the prompt nor in `get`; the variable is set, and the trace continues."""
    trace = TRACES[shell][number]
    text = f"""{LOAD[shell].format(program=script(), profiles="p")}
{trace}
{PROMPT[shell]}
tokencli get p >/dev/null
tokencli export q.2 >/dev/null
tokencli get >/dev/null
echo a-mark
test (count $fish_trace) -gt 0; and echo on
sh -c 'test -n "$P_TOKEN" && echo there'
"""
    if shell != "fish":
        text = text.replace("test (count $fish_trace) -gt 0; and echo on\n", "echo on\n")
    done = shell_out(shell, text, place)
    assert done.stdout == "a-mark\non\nthere\n"
    for secret in TOKENS.values():
        assert secret not in done.stderr
    if (shell, trace) != ("zsh", "setopt verbose") and "ERR" not in trace and "-T _" not in trace:
        assert "a-mark" in done.stderr


OUTPUTS = [">/dev/full", ">&-", "1</dev/null"]


@pytest.mark.parametrize("shell", EACH_SH)
def test_unwritable_stdout(shell: str, place: World) -> None:
    """Status and message are the program's: full, closed, read-only, or its reader gone."""
    calls = "\n".join(f"tokencli get p {to}; {STATUS[shell]}" for to in OUTPUTS)
    gone = "trap '' PIPE\n{ sleep 1; tokencli get p; echo :$? >&2; } | true"
    load = LOAD[shell].format(program=script(), profiles="")
    for text in (calls, gone):
        with_hook = shell_out(shell, f"{load}\n{text}", place)
        without = shell_out(shell, text, place)
        assert (with_hook.stdout, with_hook.stderr) == (without.stdout, without.stderr)


@pytest.mark.parametrize("shell", EACH_SH)
def test_partial_write_is_not_repeated(shell: str, place: World) -> None:
    """A file limited to ten bytes has ten bytes of the token, and the status reports failure."""
    blocks, programs = {"bash": 1, "zsh": 2}[shell], place.root / "programs"
    programs.mkdir()
    again = programs / "tokencli"
    again.write_text("#!/bin/sh\nulimit -S -f unlimited\necho again || exit 8\n")
    again.chmod(0o755)
    out = place.root / "out"
    out.write_bytes(b"-" * 1014)
    text = f"""PATH={shlex.quote(str(programs))}:/usr/bin:/bin
trap '' XFSZ
ulimit -S -f {blocks}
tokencli get p >>{shlex.quote(str(out))} 2>/dev/null
{STATUS[shell]}
"""
    assert hooked(shell, text, place).endswith(":8\n")
    assert out.read_text() == "-" * 1014 + TOKENS["p"][:10]


def test_fish_with_unwritable_stdout(place: World) -> None:
    """fish adds its own message."""
    load = LOAD["fish"].format(program=script(), profiles="")
    call = f"tokencli get p >/dev/full; {STATUS['fish']}"
    with_hook, without = (shell_out("fish", text, place) for text in (f"{load}\n{call}", call))
    assert with_hook.stdout == without.stdout == ":8\n"
    assert with_hook.stderr.endswith(without.stderr)


@pytest.mark.parametrize("shell", EACH)
def test_hooking_twice_keeps_all_variables(shell: str, place: World) -> None:
    """Profiles are added once each; a hook without profiles removes none."""
    loads = [
        LOAD[shell].format(program=script(), profiles=names) for names in ("p", "p q.2", "p", "")
    ]
    count = "count $_tokencli_profiles" if shell == "fish" else "echo ${#_tokencli_profiles[@]}"
    text = "\n".join([*loads, PROMPT[shell], "sh -c env", count])
    done = shell_out(shell, text, place)
    assert done.stderr == ""
    for token in TOKENS.values():
        assert f"={token}\n" in done.stdout
    assert done.stdout.endswith("\n2\n")


def test_zsh_modules_are_restored(place: World) -> None:
    """Modules loaded by the hook are unloaded, unless others use them; the rest stay."""
    load = LOAD["zsh"].format(program=script(), profiles="p")
    text = f"zmodload\n{load}\n{load}\ntokencli_unhook\nzmodload\necho $+parameters $+commands"
    assert shell_out("zsh", text, place).stdout == "zsh/main\nzsh/main\n1 1\n"
    text = f"zmodload zsh/stat\n{load}\nzmodload zsh/datetime\ntokencli_unhook\nzmodload"
    assert shell_out("zsh", text, place).stdout == "zsh/datetime\nzsh/main\nzsh/stat\n"


def test_zsh_prompt_functions_stay(place: World) -> None:
    """Also with ksh arrays."""
    text = (
        "precmd_functions+=(mine)\nsetopt ksharrays\ntokencli_unhook\necho ${precmd_functions[@]}"
    )
    load = LOAD["zsh"].format(program=script(), profiles="p")
    done = shell_out("zsh", f"precmd_functions=(first)\n{load}\n{text}", place)
    assert (done.stdout, done.stderr) == ("first mine\n", "")


OTHERS = {
    "bash": "shopt -s expand_aliases\nfor name in return local printf command builtin eval unset set"
    " mapfile shopt declare continue test : true; do alias -- $name='echo other'; done",
    "zsh": "for name in return local printf command builtin eval unset set zmodload emulate typeset"
    " zstat unfunction continue : true; do alias -- $name='echo other'; done",
    "fish": "for name in printf contains path math count source functions true echo\n"
    "function $name; builtin echo other; end\nend",
}


@pytest.mark.parametrize("shell", EACH)
def test_aliases_of_builtins_are_not_called(shell: str, place: World) -> None:
    """Aliases, and in fish functions, with the names of builtins."""
    load = (
        LOAD[shell].format(program=script(), profiles="p").replace("| source", "| builtin source")
    )
    text = f"{OTHERS[shell]}\n{load}\n{PROMPT[shell]}\ntokencli get p\ntokencli_unhook"
    if shell != "fish":  # an alias counts from the next line on
        text = text.replace("eval", "\\eval", 1) if "\neval" not in text else text
        text = text.replace("\neval ", "\n\\eval ")
    done = shell_out(shell, text, place)
    assert (done.stdout, done.stderr) == (TOKENS["p"] + "\n", "")


def test_nocasematch_calls_the_program(place: World) -> None:
    """`GET` is not a command."""
    out = hooked("bash", "shopt -s nocasematch\ntokencli GET p 2>/dev/null\ntokencli get p", place)
    assert out == TOKENS["p"] + "\n"


def test_any_variable_name(place: World) -> None:
    """Even the name of a variable local to the prompt function."""
    text = Path(place.config).read_text().replace("P_TOKEN", "now")
    place.write(text)
    out = hooked("bash", "_tokencli_prompt\nsh -c 'echo $now'", place, "p")
    assert out == TOKENS["p"] + "\n"
