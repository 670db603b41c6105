"""Print the benchmark's ratios: `python -m tests.bench [ROUNDS]`."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests import powershell
from tests.bench import hooks, oidc, proxies, python_api
from tests.bench.locations import bench_place
from tests.bench.measure import Command, Measured, run, side_by_side
from tests.bench.scripts import empty_script, script_by_hand
from tests.conftest import script
from tests.keyring_session import INSTALL, missing
from tokencli.sandbox.server import Sandbox

MANY = 10_000
SIZES = (1, 100, 1000, 10_000)


class Row(NamedTuple):
    """One row of the table."""

    what: str
    against: str
    instructions: float | None
    wall: float | None
    aim: str


def main() -> None:
    """Measure everything and print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    # Compiled modules are kept on every machine but one that forbids it; here, it must not.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rows = [
            *warm(folder, rounds),
            *cold(folder, rounds),
            *api_request(rounds),
            *in_python(rounds),
            *in_shells(rounds),
            *growth(rounds),
            *through_proxies(rounds),
        ]
    now = datetime.now(UTC)
    say(
        f"{now:%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} CPUs, {rounds} rounds"
    )
    say("")
    say("| what | against | instructions | wall clock | target |")
    say("|---|---|---:|---:|---:|")
    for row in rows:
        say(
            f"| {row.what} | {row.against} | {shown(row.instructions)} | {shown(row.wall)} |"
            f" {row.aim} |"
        )


def warm(folder: Path, rounds: int) -> Iterator[Row]:
    """Compare warm runs with an empty console script in the same environment."""
    commands: dict[str, Command] = {
        "empty": [str(empty_script(folder))],
        "`get`": [script(), "get"],
        "`get PROFILE`": [script(), "get", "bench"],
        "`export`": [script(), "export"],
        "Tab": [script(), "completion", "--profiles", "b"],
        "the command": ["true"],
        "`exec`": [script(), "exec", "bench", "--", "true"],
    }
    with bench_place(lifetime=3600) as environ:
        for command in list(commands.values())[1:]:
            run(command, environ)
        found = side_by_side(commands, environ, rounds)
    for name, aim in {"`get`": 1.2, "`get PROFILE`": 1.2, "`export`": 1.2, "Tab": 2.0}.items():
        what = "Tab for a profile's name" if name == "Tab" else f"warm {name}"
        yield row(what, "an empty console script", found[name], found["empty"], f"<= {aim}")
    both = Measured(found["empty"].wall + found["the command"].wall, None)
    launched = Measured(found["`exec`"].wall, None)  # valgrind counts only the command
    against = "an empty console script and the command `true`"
    yield row("warm `exec`", against, launched, both, "<= 1.2")


def api_request(rounds: int) -> Iterator[Row]:
    """Compare `request` with a script that sends the same request with a token that it has."""
    with Sandbox() as sandbox:
        environ = {**os.environ, "TOKENCLI_CONFIG": sandbox.config_file}
        url = f"{sandbox.url}/GroupIDDataService/api/me"
        token = subprocess.check_output(
            [script(), "get", "groupid"], env=environ, text=True
        ).strip()
        code = (
            "import requests, sys\n"
            f"reply = requests.get({url!r}, verify={sandbox.ca_file!r}, headers={{'Authorization': 'Bearer '"
            f" + {token!r}}})\n"
            "sys.stdout.buffer.write(reply.content)\n"
        )
        pair: dict[str, Command] = {
            "it": [script(), "request", "groupid", "me"],
            "by hand": [sys.executable, "-c", code],
        }
        run(pair["it"], environ)
        found = side_by_side(pair, environ, rounds)
    yield row(
        "`request` with a stored token",
        "three lines with requests",
        found["it"],
        found["by hand"],
        "",
    )


def cold(folder: Path, rounds: int) -> Iterator[Row]:
    """Compare a run that sends a token request with a handwritten script."""
    if missing():
        say(f"cold `get`: left out, because it needs a keyring: {INSTALL}")
        return
    by_hand = [str(script_by_hand(folder))]
    # With a touch before it on either side, what an earlier run remembered counts for nothing.
    touched = ["sh", "-c", 'touch "$TOKENCLI_CONFIG"; exec "$@"', "sh"]
    against = "ten lines with requests and keyring"
    for what, words, before, aim in (
        ("cold `get`", "get", [], "<= 1.0"),
        ("cold `get`, configuration just changed", "get", touched, ""),
        ("cold `export`", "export", [], "<= 1.2"),
        ("`get --force`", "get --force", [], "<= 1.2"),
        ("`refresh`", "refresh", [], "<= 1.2"),
        ("`profiles`", "profiles", [], "<= 1.2"),
    ):
        command = [script(), *words.split()]
        pair: dict[str, Command] = {"it": [*before, *command], "by hand": [*before, *by_hand]}
        with bench_place(lifetime=0) as environ:
            run(command, environ)
            found = side_by_side(pair, environ, rounds)
        yield row(what, against, found["it"], found["by hand"], aim)


def in_python(rounds: int) -> Iterator[Row]:
    """Compare the Python API with a warm `get`, and with a library that has the token in memory."""
    commands: dict[str, Command] = {"get": [script(), "get", "bench"], "first": python_api.FIRST}
    with bench_place(lifetime=3600) as environ:
        run(commands["get"], environ)
        found = side_by_side(commands, environ, rounds)
        calls = python_api.measure(environ, rounds)
    yield row(
        "first `tokencli.token()` of a process",
        "a warm `get`",
        found["first"],
        found["get"],
        "<= 1.2",
    )
    shown_calls = ", ".join(f"{name} {1e6 * each:.0f}" for name, each in calls.items())
    say(f"microseconds of a call while the token is fresh: {shown_calls}")
    peer = calls.get(python_api.PEER)
    if peer is None:
        say(f"Python API: not shown against {python_api.PEER}: {python_api.INSTALL}")
        return
    for name, what in {
        "token": "another `tokencli.token()`",
        "TokenAuth": "a request with `TokenAuth`",
    }.items():
        yield Row(what, f"a request with {python_api.PEER}", None, calls[name] / peer, "")


def in_shells(rounds: int) -> Iterator[Row]:
    """Compare a hooked `get` with the best peer, which also has the token in memory."""
    with bench_place(lifetime=3600) as environ, oidc.loaded_agent() as peer:
        commands: dict[str, Command] = {"a warm `get` without the hook": [script(), "get"]}
        run(commands["a warm `get` without the hook"], environ)
        own = {}
        if peer is None:
            say(f"hooked `get`: not shown against oidc-token, which is not there: {oidc.INSTALL}")
        else:
            commands["oidc-token"], own["oidc-token"] = peer
        found = side_by_side(commands, {**os.environ, **environ}, rounds, own)
        for shell in hooks.LOOPS:
            one = hooks.seconds(shell, environ)
            if one is not None:
                for name, other in found.items():
                    yield Row(f"hooked `get` in {shell}", name, None, one / other.wall, "< 1")
        prompts = hooks.powershell_times(environ)
    if prompts is None:
        say(f"a hooked prompt in PowerShell: {powershell.LEFT_OUT}")
    else:
        hooked, what = prompts.hooked_prompt, "a prompt in PowerShell with the hook"
        yield Row(what, "running `true` there", None, hooked / prompts.process, "< 1")
        yield Row(what, "the prompt without the hook", None, hooked / prompts.prompt, "")


def growth(rounds: int) -> Iterator[Row]:
    """Compare 10,000 profiles with one."""
    get: Command = [script(), "get", "bench"]
    tab: Command = [script(), "completion", "--profiles", "other999"]
    with bench_place(lifetime=3600) as few, bench_place(lifetime=3600, profiles=MANY) as many:
        commands = {"get": get, "tab": tab, "many get": get, "many tab": tab}
        own = {"many get": many, "many tab": many}
        for name, command in commands.items():
            run(command, own.get(name, few))
        found = side_by_side(commands, few, rounds, own)
    yield row(f"warm `get`, {MANY} profiles", "with one", found["many get"], found["get"], "1.0")
    yield row(f"Tab, {MANY} profiles", "with one", found["many tab"], found["tab"], "")
    commands = {str(size): [script(), "profiles"] for size in SIZES}
    with ExitStack() as stack:
        own = {
            str(size): stack.enter_context(bench_place(lifetime=3600, profiles=size))
            for size in SIZES
        }
        found = side_by_side(commands, own["1"], max(1, rounds // 10), own)
    for size in SIZES[1:]:
        seconds = f"`profiles`, {size} profiles ({found[str(size)].wall:.2f} s)"
        yield row(seconds, "with one", found[str(size)], found["1"], "")


def through_proxies(rounds: int) -> Iterator[Row]:
    """Compare requests through `tokencli proxy` with those through nginx."""
    if proxies.missing():
        say(f"`proxy`: left out, because it needs nginx and wrk: {proxies.INSTALL}")
        return
    found = proxies.measure(max(1, rounds // 8))
    say(proxies.describe(found))
    rates = found.many["nginx"].requests_per_s / found.many["proxy"].requests_per_s
    times = found.single["proxy"].median_ms / found.single["nginx"].median_ms
    for what, ratio in ((f"{proxies.CONNECTIONS} at once", rates), ("one at a time", times)):
        request = f"a request through `proxy`, {what}"
        yield Row(request, "nginx as a bare reverse proxy", None, ratio, "")


def row(what: str, against: str, one: Measured, other: Measured, aim: str) -> Row:
    """Return the ratios of two measurements."""
    counted = None
    if one.instructions and other.instructions:
        counted = one.instructions / other.instructions
    return Row(what, against, counted, one.wall / other.wall, aim)


def shown(ratio: float | None) -> str:
    """Format a ratio for the table."""
    return "-" if ratio is None else f"{ratio:.2f}"


def say(text: str) -> None:
    """Print a line at once, since the whole run takes a while."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
