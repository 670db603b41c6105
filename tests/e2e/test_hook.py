"""The shell hook in real shells: no process for a warm token, and the program for everything else."""

import os
import pty
import select
import shlex
import shutil
import signal
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
OTHER_SHELLS_LATER = [
    pytest.param(*param.values, marks=[*param.marks, pytest.mark.long])
    if param.values != ("bash",)
    else param
    for param in EACH
]
"""All shells; those other than bash are part of the long suites."""


@pytest.fixture
def place() -> Iterator[World]:
    """Provide a warm world whose shells find the program."""
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
    """Run a script in a shell with the hook and return its stdout; stderr must be empty."""
    load = LOAD[shell].format(program=script(), profiles=profiles)
    done = shell_out(shell, f"{load}\n{text}", place)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("shell", EACH)
def test_warm_get_starts_no_process(shell: str, place: World) -> None:
    """With an empty PATH: profile by name, by default, by the environment; also `export`."""
    out = hooked(
        shell,
        f"{NO_PATH[shell]}\ntokencli get p\ntokencli get\ntokencli get q.2\ntokencli export p",
        place,
    )
    p, q = TOKENS["p"], TOKENS["q.2"]
    assert out == f"{p}\n{p}\n{q}\nexport P_TOKEN='{p}';\n"


@pytest.mark.parametrize("shell", EACH)
def test_output_equals_the_programs(shell: str, place: World) -> None:
    """Same bytes and exit status, warm or not, for all kinds of command lines."""
    lines = ["get", "get p", "get missing", "get ''", "get p q", "export q.2", "get ../p", "get -h"]
    calls = "\n".join(f"tokencli {line} 2>&1; {STATUS[shell]}" for line in lines)
    with_hook = hooked(shell, calls, place)
    assert with_hook == shell_out(shell, calls, place).stdout
    assert with_hook.count(TOKENS["p"]) == 2


def damages() -> dict[str, Callable[[World], object]]:
    """Return changes to the hot copy or the configuration, by name."""

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
@pytest.mark.parametrize("shell", OTHER_SHELLS_LATER)
def test_program_answers_in_doubt(shell: str, damage: str, place: World) -> None:
    """After any change to the hot copy or the configuration, output and status are the program's."""
    call = f"tokencli get p 2>/dev/null; {STATUS[shell]}"
    damages()[damage](place)
    with_hook = hooked(shell, call, place)
    place.make()
    damages()[damage](place)
    assert with_hook == shell_out(shell, call, place).stdout


@pytest.mark.parametrize("damage", [name for name in damages() if name != "edited"])
@pytest.mark.parametrize("shell", OTHER_SHELLS_LATER)
def test_damaged_hot_copy_is_not_printed(shell: str, damage: str, place: World) -> None:
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
def test_unexported_variable_is_ignored(shell: str, number: int, place: World) -> None:
    """The program doesn't see it, so the function ignores it."""
    out = hooked(shell, f"{VARIABLES[shell][number]}\ntokencli get", place)
    assert out == TOKENS["p"] + "\n"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(
    "option", ["set -u", "set -e", "set -f", "set -o noclobber", "IFS=e", "set -o posix", "set -x"]
)
def test_any_shell_option(shell: str, option: str, place: World) -> None:
    """The hook works under any option, leaves options as they were, and no trace shows the token."""
    if (shell, option) == ("zsh", "set -o posix"):
        option = "setopt shwordsplit ksharrays"
    load = LOAD[shell].format(program=script(), profiles="")
    text = f"{load}\n{option}\nbefore=$-\ntokencli get p >/dev/null\n"
    text += 'if [ "$before" = "$-" ]; then echo same; fi\ntokencli get p'
    done = shell_out(shell, text, place)
    assert done.stdout == f"same\n{TOKENS['p']}\n"
    assert TOKENS["p"] not in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_full_or_closed_stdout(shell: str, place: World) -> None:
    """Exit code 8 and the program's message, or 141 if the reader has gone."""
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
def test_unhook_restores_the_shell(shell: str, profiles: str, place: World) -> None:
    """Variables, functions, options, traps and prompt commands are as before, hooked once or twice."""
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
def test_other_bash_prompt_commands_stay(prompt: str, place: World) -> None:
    """PROMPT_COMMAND as a string or an array: ours is added once and removed without a trace."""
    load = LOAD["bash"].format(program=script(), profiles="p")
    show = "declare -p PROMPT_COMMAND 2>/dev/null || echo none"
    done = shell_out(
        "bash", f"{prompt}; {show}; {load}; {load}; {show}; tokencli_unhook; {show}", place
    )
    before, during, after = done.stdout.splitlines()
    assert during.count("_tokencli_prompt") == 1
    assert after == before


@pytest.mark.parametrize("shell", EACH)
def test_prompt_exports_and_renews_variables(shell: str, place: World) -> None:
    """It exports them at the first prompt, and again shortly before the token expires."""
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
    """Store a newer token, as another process would."""
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
def test_prompt_starts_no_process_and_keeps_the_status(shell: str, place: World) -> None:
    """If nothing is due, an empty PATH is enough, and `$?` is unchanged."""
    text = f"{PROMPT[shell]}\n{NO_PATH[shell]}\nfalse\n{PROMPT[shell]}\n{STATUS[shell]}"
    if shell == "zsh":  # zsh itself keeps the status around its prompt functions
        text = f"{PROMPT[shell]}\n{NO_PATH[shell]}\n{PROMPT[shell]}\necho :1"
    assert hooked(shell, text, place, "p") == ":1\n"


@pytest.mark.parametrize("shell", EACH)
def test_failed_renewal_unsets_the_variable(shell: str, place: World) -> None:
    """stderr says why, and the next attempt is a minute later."""
    place.write(place.config.read_text())
    shutil.rmtree(place.app_dir)
    shutil.rmtree(place.state)
    load = LOAD[shell].format(program=script(), profiles="p")
    old = {"fish": "set -gx P_TOKEN old"}.get(shell, "export P_TOKEN=old")
    text = f"{load}\n{old}\n{PROMPT[shell]}\nsh -c 'echo \"<$P_TOKEN>\"'\n{PROMPT[shell]}"
    done = shell_out(shell, text, place)
    assert done.stdout == "<>\n"
    assert done.stderr.count("tokencli: error: ") == 1


LATE = {
    "bash": "_tokencli_next=0",
    "zsh": "_tokencli_next=0",
    "fish": "set -g _tokencli_next 0",
}
SHOW = "/bin/sh -c 'echo \"<$P_TOKEN> <$Q_TOKEN>\"'"
P, Q = TOKENS["p"], TOKENS["q.2"]


def two_variables(place: World) -> None:
    """Let the profiles set different variables."""
    text = place.config.read_text()
    place.write(text.replace('min_ttl = "2m"', 'min_ttl = "2m"\nexport = "Q_TOKEN"'))


@pytest.mark.parametrize("trouble", ["configuration", "profile", "variable", "program"])
@pytest.mark.parametrize("shell", OTHER_SHELLS_LATER)
def test_no_failure_leaves_a_variable(shell: str, trouble: str, place: World) -> None:
    """What the hook has set is unset if the configuration, the profile or the program is gone."""
    config = shlex.quote(str(place.config))
    change = {
        "configuration": f"echo '[' >>{config}",
        "profile": f"sed -i 's/profiles[.]p]/profiles.r]/' {config}",
        "variable": f"sed -i s/P_TOKEN/R_TOKEN/ {config}",
        "program": NO_PATH[shell],
    }[trouble]
    two_variables(place)
    load = LOAD[shell].format(program=script(), profiles="p")
    text = f"{load}\n{PROMPT[shell]}\n{SHOW}\n{change}\n{LATE[shell]}\n{PROMPT[shell]}\n{SHOW}"
    done = shell_out(shell, text, place)
    assert done.stdout == f"<{P}> <>\n<> <>\n"
    assert ("tokencli" in done.stderr) == (trouble != "variable")


@pytest.mark.parametrize("shell", EACH)
def test_profiles_that_share_a_variable_are_refused(shell: str, place: World) -> None:
    """In one hook with no output; from two hooks in one shell, the variable is unset."""
    text = place.config.read_text()
    place.write(text.replace('min_ttl = "2m"', 'min_ttl = "2m"\nexport = "P_TOKEN"'))
    one = subprocess.run(
        [script(), "hook", shell, "p", "q.2"],
        env=place.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (one.returncode, one.stdout) == (3, "")
    assert "profiles p and q.2 set the same variable, P_TOKEN" in one.stderr
    assert "fix: tokencli profiles edit q.2 --set export=Q_2_TOKEN" in one.stderr

    first, second = (LOAD[shell].format(program=script(), profiles=name) for name in ("p", "q.2"))
    prompt = f"{PROMPT[shell]}\n{SHOW}"
    done = shell_out(shell, f"{first}\n{prompt}\n{second}\n{prompt}", place)
    assert done.stdout == f"<{P}> <>\n<> <>\n"
    assert "set the same variable" in done.stderr


@pytest.mark.parametrize("shell", EACH)
def test_clock_set_back_renews(shell: str, place: World) -> None:
    """A prompt that is earlier than the last one renews, although nothing is due yet."""
    future = 2_000_000_000
    texts = [f"_tokencli_next={future + 60}", f"_tokencli_seen={future}"]
    if shell == "fish":
        texts = [f"set -g {text.replace('=', ' ')}" for text in texts]
    empty = "set -gx P_TOKEN old" if shell == "fish" else "export P_TOKEN=old"
    out = hooked(
        shell,
        f"{PROMPT[shell]}\n{empty}\n{texts[0]}\n{PROMPT[shell]}\n{SHOW}\n{texts[1]}\n{PROMPT[shell]}\n{SHOW}",
        place,
        "p",
    )
    assert out == f"<old> <>\n<{P}> <>\n"


@pytest.mark.parametrize("shell", EACH)
def test_logout_clears_its_variable(shell: str, place: World) -> None:
    """At once, and the profile is no longer renewed; the other one is. The status is the program's."""
    two_variables(place)
    load = LOAD[shell].format(program=script(), profiles="p q.2")
    prompt = f"{LATE[shell]}\n{PROMPT[shell]}\n{SHOW}"
    text = f"{load}\n{prompt}\ntokencli logout p\n{STATUS[shell]}\n{SHOW}\n{prompt}"
    text += f"\ntokencli logout nosuchprofile\n{STATUS[shell]}\n{SHOW}"
    done = shell_out(shell, text, place)
    assert done.stdout == f"<{P}> <{Q}>\n:0\n<> <{Q}>\n<> <{Q}>\n:3\n<> <{Q}>\n"
    assert "p: P_TOKEN is unset and no longer renewed in this shell" in done.stderr


@pytest.mark.parametrize("shell", OTHER_SHELLS_LATER)
def test_changed_profiles_are_renewed_at_the_next_prompt(shell: str, place: World) -> None:
    """After `login`, `refresh` and `profiles`, which may have changed a token or a variable."""
    two_variables(place)
    text = f"{PROMPT[shell]}\ntokencli profiles edit p --set export=Q_TOKEN 2>/dev/null"
    assert hooked(shell, f"{text}\n{PROMPT[shell]}\n{SHOW}", place, "p") == f"<> <{P}>\n"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_read_only_variable_does_no_harm(shell: str, place: World) -> None:
    """It keeps its value, a warning names it, and the other variables are set as usual."""
    two_variables(place)
    load = LOAD[shell].format(program=script(), profiles="p q.2")
    prompt = f"{LATE[shell]}\n{PROMPT[shell]}\n{SHOW}"
    text = f"export P_TOKEN=mine\nreadonly P_TOKEN\n{load}\n{prompt}\n{prompt}"
    done = shell_out(shell, f"{text}\ntokencli_unhook\n{SHOW}", place)
    assert done.stdout == f"<mine> <{Q}>\n" * 2 + "<mine> <>\n"
    assert done.stderr.splitlines() == ["tokencli: warning: P_TOKEN is read-only in this shell"] * 2


def test_any_name_may_be_read_only_in_bash(place: World) -> None:
    """The hook's own variables don't get in the way of the user's, in `get`, renewal or unhook."""
    names = (
        "config records_dir base name now record file half line rest before blank left right entry"
    )
    load = LOAD["bash"].format(program=script(), profiles="p")
    text = f"readonly {names} others known\nPROMPT_COMMAND=true\n{load}\ntokencli get p\n"
    text += f"{PROMPT['bash']}\n{SHOW}\ntokencli_unhook\necho $PROMPT_COMMAND"
    done = shell_out("bash", text, place)
    assert (done.stdout, done.stderr) == (f"{P}\n<{P}> <>\ntrue\n", "")


def test_read_only_prompt_command_is_told(place: World) -> None:
    """bash can't renew without it; everything else works."""
    load = LOAD["bash"].format(program=script(), profiles="p")
    done = shell_out("bash", f"readonly PROMPT_COMMAND=true\n{load}\ntokencli get p", place)
    assert done.stdout == f"{P}\n"
    assert (
        done.stderr == "tokencli: warning: variables are not renewed: PROMPT_COMMAND is read-only\n"
    )


@pytest.mark.parametrize("shell", OTHER_SHELLS_LATER)
def test_functions_of_an_older_hook_are_replaced(shell: str, place: World) -> None:
    """In a shell that runs since before an update, whose hook lacks a function that is called."""
    forget = {"bash": "unset -f", "zsh": "unfunction", "fish": "functions --erase"}[shell]
    text = f"{forget} _tokencli_set\n{PROMPT[shell]}\n{SHOW}"
    assert hooked(shell, text, place, "p") == f"<{P}> <>\n"


def test_interactive_bash_renews_before_its_prompt(place: World) -> None:
    """bash itself runs PROMPT_COMMAND, against a server whose tokens live for two seconds."""
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


INTERACTIVE = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}


@pytest.mark.parametrize("trap", ["", "trap 'exit 130' INT"], ids=["killed", "exits"])
@pytest.mark.parametrize("shell", OTHER_SHELLS_LATER[:2])
def test_interrupted_renewal_leaves_no_variable(shell: str, trap: str, place: World) -> None:
    """Ctrl-C ends the shell's function as well, however the program ends."""
    slow = place.root / "slow" / "tokencli"
    slow.parent.mkdir()
    slow.write_text(f"#!/bin/sh\n{trap}\necho reached-the-program >/dev/tty\nsleep 60\n")
    slow.chmod(0o700)
    path = f"{slow.parent}:/usr/bin:/bin"
    load = LOAD[shell].format(program=script(), profiles="p")
    process_id, terminal = pty.fork()
    if process_id == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # background jobs ignore it
        os.execvpe(INTERACTIVE[shell][0], INTERACTIVE[shell], place.environ)
    try:
        for text, sign in (
            (f"{load}\n", ""),
            ("echo first=$P_TOKEN:\n", f"first={P}:"),
            (f"PATH={path}; {LATE[shell]}\n", "reached-the-program"),
        ):
            os.write(terminal, text.encode())
            _read_until(terminal, sign)
        _read_until(terminal, "second=:", again=b"\x03echo second=$P_TOKEN:\n")
    finally:
        os.kill(process_id, signal.SIGKILL)
        os.close(terminal)
        os.waitpid(process_id, 0)


def _read_until(terminal: int, sign: str, again: bytes = b"") -> None:
    """Read the terminal's output until it contains `sign`, typing `again` in every quiet second."""
    seen, quiet = b"", 0
    while sign.encode() not in seen:
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 4096)
        else:
            quiet += 1
            assert quiet < 30, seen.decode(errors="replace")
            os.write(terminal, again)


@pytest.mark.parametrize(
    "arguments", [["tcsh"], ["bash", "a b"], ["bash", "$(id)"], ["bash", "';x"]]
)
def test_invalid_shell_or_name_is_refused(arguments: list[str]) -> None:
    """The script is evaluated, so no argument gets into it unchecked."""
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
def test_program_answers_without_home(shell: str, number: int, place: World) -> None:
    """A shell can't look up the home directory; HOME isn't needed if the file or its folder is named."""
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
