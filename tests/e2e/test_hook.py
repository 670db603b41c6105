"""The hook in real shells: no process where all is well, the program where anything is in doubt."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import IN_CI, script
from tests.fast_path_world import TOKENS, World, world
from tokencli import __version__
from tokencli.app import App
from tokencli.models import Secret, StoredTokenSet, TokenSet
from tokencli.sandbox.server import Sandbox
from tokencli.token_store.credential_key import derive_binding

SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-c"],
    "zsh": ["zsh", "-f", "-c"],
    "fish": ["fish", "--no-config", "-c"],
}
LOAD = {
    "bash": 'eval "$({program} hook bash {profiles})"',
    "zsh": 'eval "$({program} hook zsh {profiles})"',
    "fish": "{program} hook fish {profiles} | source",
}
NO_PATH = {
    "bash": "PATH=/nonexistent",
    "zsh": "path=(/nonexistent)",
    "fish": "set PATH /nonexistent",
}
STATUS = {"bash": "echo :$?", "zsh": "echo :$?", "fish": "echo :$status"}
PROMPT = {"bash": "_tokencli_prompt", "zsh": "_tokencli_prompt", "fish": "_tokencli_prompt"}
EACH = [
    pytest.param(
        shell,
        marks=pytest.mark.skipif(
            shutil.which(shell) is None and not IN_CI, reason=f"apt-get install {shell}"
        ),
    )
    for shell in SHELLS
]


@pytest.fixture
def place() -> Iterator[World]:
    """Give the test a warm world whose shells find the program."""
    with world() as made:
        made.make()
        made.environ["PATH"] = f"{Path(script()).parent}{os.pathsep}{os.environ['PATH']}"
        yield made


def shell_out(shell: str, text: str, place: World) -> subprocess.CompletedProcess[str]:
    """Run a script in a shell."""
    return subprocess.run(
        [*SHELLS[shell], text],
        env=place.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def hooked(shell: str, text: str, place: World, profiles: str = "") -> str:
    """Run a script in a hooked shell and return its stdout; stderr has to be empty."""
    load = LOAD[shell].format(program=script(), profiles=profiles)
    done = shell_out(shell, f"{load}\n{text}", place)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("shell", EACH)
def test_a_warm_get_costs_no_process(shell: str, place: World) -> None:
    """With nothing on PATH: by name, by default, by the environment; and export, too."""
    out = hooked(
        shell,
        f"{NO_PATH[shell]}\ntokencli get p\ntokencli get\ntokencli get q.2\ntokencli export p",
        place,
    )
    p, q = TOKENS["p"], TOKENS["q.2"]
    assert out == f"{p}\n{p}\n{q}\nexport P_TOKEN='{p}';\n"


@pytest.mark.parametrize("shell", EACH)
def test_what_it_prints_is_what_the_program_prints(shell: str, place: World) -> None:
    """Byte for byte and status for status, warm or not, for command lines of every kind."""
    lines = ["get", "get p", "get missing", "get ''", "get p q", "export q.2", "get ../p", "get -h"]
    calls = "\n".join(f"tokencli {line} 2>&1; {STATUS[shell]}" for line in lines)
    with_hook = hooked(shell, calls, place)
    assert with_hook == shell_out(shell, calls, place).stdout
    assert with_hook.count(TOKENS["p"]) == 3


def damages() -> dict[str, Callable[[World], object]]:
    """Return what may happen to the copy or to the configuration, by name."""

    def swapped(place: World) -> None:
        (place.hot / "p").write_bytes((place.hot / "q.2").read_bytes())

    def other_version(place: World) -> None:
        path = place.hot / "p"
        path.write_bytes(path.read_bytes().replace(__version__.encode(), b"0.0.0"))

    def same_time(path: Path, change: Callable[[], object]) -> None:
        change()
        os.utime(path, ns=(0, path.with_name("config.toml").stat().st_mtime_ns))

    def late(place: World) -> None:
        path, times = place.hot / "p", place.config.stat().st_mtime_ns
        lines = path.read_text().splitlines()
        lines[4:6] = ["1000", "2000"]
        half = len(lines) // 2
        path.write_text("\n".join(lines[:half] * 2) + "\n")
        os.utime(path, ns=(times, times))

    return {
        "gone": lambda place: (place.hot / "p").unlink(),
        "cut": lambda place: (place.hot / "p").write_bytes((place.hot / "p").read_bytes()[:-9]),
        "half": lambda place: (place.hot / "p").write_bytes(
            (place.hot / "p").read_bytes()[: (place.hot / "p").stat().st_size // 2]
        ),
        "empty": lambda place: (place.hot / "p").write_bytes(b""),
        "swapped": swapped,
        "other version": other_version,
        "late": late,
        "touched": lambda place: place.config.touch(),
        "edited": lambda place: place.write(place.config.read_text() + "# more\n"),
        "no configuration": lambda place: place.config.unlink(),
        "writable for all": lambda place: (place.config.chmod(0o666), place.config.touch()),
        "folder open": lambda place: place.hot.rename(place.hot.with_name("x")),
        "link": lambda place: (
            (place.hot / "p").rename(place.root / "p"),
            (place.hot / "p").symlink_to(place.root / "p"),
        ),
    }


@pytest.mark.parametrize("damage", damages())
@pytest.mark.parametrize("shell", EACH)
def test_in_doubt_it_is_the_program_that_speaks(shell: str, damage: str, place: World) -> None:
    """Whatever happens to the copy or the configuration: the program's bytes and status."""
    call = f"tokencli get p 2>/dev/null; {STATUS[shell]}"
    damages()[damage](place)
    with_hook = hooked(shell, call, place)
    place.make()
    damages()[damage](place)
    assert with_hook == shell_out(shell, call, place).stdout


@pytest.mark.parametrize("damage", [name for name in damages() if name != "edited"])
@pytest.mark.parametrize("shell", EACH)
def test_no_damaged_copy_is_handed_out(shell: str, damage: str, place: World) -> None:
    """Without the program there is no token then."""
    damages()[damage](place)
    load = LOAD[shell].format(program=script(), profiles="")
    text = f"{load}\n{NO_PATH[shell]}\ntokencli get p 2>/dev/null; {STATUS[shell]}"
    assert shell_out(shell, text, place).stdout == ":127\n"


VARIABLES = {
    "bash": ["TOKENCLI_PROFILE=q.2", "TOKENCLI_CONFIG=/nonexistent", "export TOKENCLI_X=1"],
    "zsh": ["TOKENCLI_PROFILE=q.2", "TOKENCLI_CONFIG=/nonexistent", "export TOKENCLI_X=1"],
    "fish": ["set TOKENCLI_PROFILE q.2", "set TOKENCLI_CONFIG /nonexistent", "set -x TOKENCLI_X 1"],
}


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("shell", EACH)
def test_a_variable_that_is_not_exported_is_none(shell: str, number: int, place: World) -> None:
    """The program does not see it, so the function does not obey it."""
    out = hooked(shell, f"{VARIABLES[shell][number]}\ntokencli get", place)
    assert out == TOKENS["p"] + "\n"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(
    "option", ["set -u", "set -e", "set -f", "set -o noclobber", "IFS=e", "set -o posix", "set -x"]
)
def test_it_works_under_any_option_and_changes_none(shell: str, option: str, place: World) -> None:
    """The shell's options are as before, the output is, and a trace does not show the token."""
    if (shell, option) == ("zsh", "set -o posix"):
        option = "setopt shwordsplit ksharrays"
    load = LOAD[shell].format(program=script(), profiles="")
    text = f"{load}\n{option}\nbefore=$-\ntokencli get p >/dev/null\n"
    text += 'if [ "$before" = "$-" ]; then echo same; fi\ntokencli get p'
    done = shell_out(shell, text, place)
    assert done.stdout == f"same\n{TOKENS['p']}\n"
    assert TOKENS["p"] not in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_full_or_closed_stdout_ends_as_the_programs_does(shell: str, place: World) -> None:
    """Exit code 8 and its words, and 141 for a reader that has gone."""
    calls = f"tokencli get p >/dev/full; {STATUS[shell]}\ntokencli get p >&-; {STATUS[shell]}"
    load = LOAD[shell].format(program=script(), profiles="")
    with_hook = shell_out(shell, f"{load}\n{calls}", place)
    without = shell_out(shell, calls, place)
    assert (with_hook.stdout, with_hook.stderr) == (without.stdout, without.stderr)
    assert with_hook.stdout == ":8\n:8\n"


SEEN = {
    "bash": "declare -p | grep -v -e ' _=' -e BASHPID -e RANDOM -e SECONDS -e EPOCH -e BASH_ARG"
    " -e BASH_LINENO -e LINENO -e PIPESTATUS -e FUNCNAME; declare -F; alias; shopt -p; set -o; trap -p",
    "zsh": "set | grep -v -e ^_ -e RANDOM -e SECONDS -e EPOCH -e LINENO -e TTYIDLE -e '^[!#$*?@0-9-]'"
    " -e ^status -e ^pipestatus -e ^parameters -e ^funcstack -e ^functrace -e ^funcfiletrace"
    " -e ^argv -e precmd_functions; functions; alias; setopt; trap",
    "fish": "set | string match -v -r '^(status|pipestatus|history|fish_kill_signal|_|argv) ';"
    " functions --names; abbr",
}


@pytest.mark.parametrize("profiles", ["", "p"])
@pytest.mark.parametrize("shell", EACH)
def test_unhooked_nothing_is_left(shell: str, profiles: str, place: World) -> None:
    """Variables, functions, options, traps and prompt commands are as they were, once or twice hooked."""
    load = LOAD[shell].format(program=script(), profiles=profiles)
    text = (
        f"begin\n{SEEN[shell]}\nend > {place.root}/before"
        if shell == "fish"
        else f"{{ {SEEN[shell]}; }} > {place.root}/before"
    )
    after = text.replace("/before", "/after")
    warm = "functions --names >/dev/null" if shell == "fish" else ":"
    done = shell_out(shell, f"{warm}\n{text}\n{load}\n{load}\ntokencli_unhook\n{after}", place)
    assert done.stderr == ""
    before, left = ((place.root / name).read_text() for name in ("before", "after"))
    assert left == before


@pytest.mark.parametrize(
    "prompt",
    [
        "unset PROMPT_COMMAND",
        "PROMPT_COMMAND='a; b'",
        "PROMPT_COMMAND=(a b)",
        "PROMPT_COMMAND='a;'",
    ],
)
def test_bashs_own_prompt_commands_stay(prompt: str, place: World) -> None:
    """One string or several: ours stands beside them once, and goes without a trace."""
    load = LOAD["bash"].format(program=script(), profiles="p")
    show = "declare -p PROMPT_COMMAND 2>/dev/null || echo none"
    done = shell_out(
        "bash", f"{prompt}; {show}; {load}; {load}; {show}; tokencli_unhook; {show}", place
    )
    before, during, after = done.stdout.splitlines()
    assert during.count("_tokencli_prompt") == 1
    assert after == before


@pytest.mark.parametrize("shell", EACH)
def test_variables_are_there_at_the_first_prompt_and_renewed_near_their_end(
    shell: str, place: World
) -> None:
    """The prompt's function exports them, does nothing while they last, and renews them in time."""
    variable = {"bash": '"$P_TOKEN"', "zsh": '"$P_TOKEN"', "fish": '"$P_TOKEN"'}[shell]
    late = {
        "bash": "_tokencli_next=0",
        "zsh": "_tokencli_next=0",
        "fish": "set -g _tokencli_next 0",
    }[shell]
    text = f"""
{PROMPT[shell]}
sh -c 'echo "$P_TOKEN"'
rm {shlex.quote(str(place.hot / "p"))}
{PROMPT[shell]}
echo {variable}
cp {shlex.quote(str(place.root / "newer"))}/* {shlex.quote(str(next(place.state.rglob("*.json")).parent))}
{late}
{PROMPT[shell]}
sh -c 'echo "$P_TOKEN"'
"""
    save_newer(place)
    out = hooked(shell, text, place, "p")
    assert out.split() == [TOKENS["p"], TOKENS["p"], "canary-newer-token"]


def save_newer(place: World) -> None:
    """Lay ready what another process might have stored in the meantime."""
    import time

    app = App(environ=place.environ)
    profile = app.get_profile("p")
    kept = {path: path.read_bytes() for path in place.state.rglob("*.json")}
    copies = {path: path.read_bytes() for path in place.hot.iterdir()}
    now = time.time()
    token = TokenSet(Secret("canary-newer-token"), "Bearer", now - 1, now + 1200)
    app.token_store(profile).save(StoredTokenSet(derive_binding(profile), token))
    (place.root / "newer").mkdir()
    for path in place.state.rglob("*.json"):
        if kept.get(path) != path.read_bytes():
            shutil.copy2(path, place.root / "newer")
    for path, data in {**kept, **copies}.items():
        path.write_bytes(data)


@pytest.mark.parametrize("shell", EACH)
def test_the_prompt_costs_no_process_and_keeps_the_status(shell: str, place: World) -> None:
    """While nothing is due: nothing on PATH is needed, and `$?` is what it was."""
    text = f"{PROMPT[shell]}\n{NO_PATH[shell]}\nfalse\n{PROMPT[shell]}\n{STATUS[shell]}"
    if shell == "zsh":  # zsh itself keeps the status around its prompt functions
        text = f"{PROMPT[shell]}\n{NO_PATH[shell]}\n{PROMPT[shell]}\necho :1"
    assert hooked(shell, text, place, "p") == ":1\n"


@pytest.mark.parametrize("shell", EACH)
def test_a_renewal_that_fails_is_told_and_leaves_no_stale_token(shell: str, place: World) -> None:
    """The variable goes, stderr says why, and the next try is a minute away."""
    place.write(place.config.read_text())
    shutil.rmtree(place.run / "tokencli")
    shutil.rmtree(place.state)
    load = LOAD[shell].format(program=script(), profiles="p")
    old = {"fish": "set -gx P_TOKEN old"}.get(shell, "export P_TOKEN=old")
    text = f"{load}\n{old}\n{PROMPT[shell]}\nsh -c 'echo \"<$P_TOKEN>\"'\n{PROMPT[shell]}"
    done = shell_out(shell, text, place)
    assert done.stdout == "<>\n"
    assert done.stderr.count("tokencli: error: ") == 1


def test_an_interactive_bash_renews_before_its_prompt(place: World) -> None:
    """PROMPT_COMMAND as bash itself runs it, against a server whose tokens live for two seconds."""
    with Sandbox(lifetime=2) as sandbox:
        place.config.write_text(sandbox.render_config(state_dir=str(place.state)))
        load = LOAD["bash"].format(program=script(), profiles="groupid")
        done = subprocess.run(
            ["bash", "--norc", "--noprofile", "-i"],
            input=f"{load}\necho one=$ACCESS_TOKEN\nsleep 2\necho two=$ACCESS_TOKEN\nexit\n",
            env=place.environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        found = [line for line in done.stdout.splitlines() if line.startswith(("one=", "two="))]
        assert len(found) == 2
        first, second = (line.partition("=")[2] for line in found)
        assert first.startswith("eyJ")
        assert second.startswith("eyJ")
        assert first != second


@pytest.mark.parametrize(
    "arguments", [["tcsh"], ["bash", "a b"], ["bash", "$(id)"], ["bash", "';x"]]
)
def test_what_is_no_shell_or_no_name_is_refused(arguments: list[str]) -> None:
    """The script is evaluated, so nothing of the command line goes into it unseen."""
    done = subprocess.run(
        [script(), "hook", *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")


NO_HOME = {
    "bash": ["unset HOME", "export HOME=", "export HOME=relative"],
    "zsh": ["unset HOME", "export HOME=", "export HOME=relative"],
    "fish": ["set -e HOME", "set -gx HOME ''", "set -gx HOME relative"],
}


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("shell", EACH)
def test_without_a_home_it_is_the_program_that_speaks(
    shell: str, number: int, place: World
) -> None:
    """The user database is not a shell's to ask; with the file or its folder named, HOME is not missed."""
    load = LOAD[shell].format(program=script(), profiles="")
    call = f"tokencli get p 2>/dev/null; {STATUS[shell]}"
    text = f"{load}\n{NO_HOME[shell][number]}\n{NO_PATH[shell]}\n{call}"
    assert shell_out(shell, text, place).stdout == ":127\n"
    for name, value in (
        ("TOKENCLI_CONFIG", str(place.config)),
        ("XDG_CONFIG_HOME", str(place.config.parent.parent)),
    ):
        place.environ[name] = value
        assert shell_out(shell, text, place).stdout == f"{TOKENS['p']}\n:0\n"
        del place.environ[name]
