"""Command lines that run without Typer do the same as with it."""

import re
from collections.abc import Iterator

import pytest

from tests.conftest import Result
from tests.fast_path_world import World, world
from tests.forking import Forks
from tokencli.commands.fast_commands import find_fast_command
from tokencli.sandbox.server import Sandbox
from tokencli.sandbox.system import load_system


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """Run one process, with the program loaded, for all tests."""
    with Forks() as running:
        yield running


@pytest.fixture
def place() -> Iterator[World]:
    """Prepare a configuration with cached tokens."""
    with world() as made:
        made.make()
        yield made


@pytest.mark.parametrize("command", ["get", "export", "refresh"])
@pytest.mark.parametrize("profile", [None, "p", "q.2", "missing", "", "../p"])
def test_fast_commands_equal_typer_commands(
    command: str, profile: str | None, forks: Forks, place: World
) -> None:
    """stdout, stderr and exit code; `--` sends the same words through Typer.

    A refresh fails because nothing listens at the token URL, with one of two messages.
    """
    words = [] if profile is None else [profile]
    direct = forks.run([command, *words], place.environ, long=True)
    place.make()
    parsed = forks.run([command, "--", *words], place.environ, long=True)
    assert (direct.code, direct.out) == (parsed.code, parsed.out)
    if direct.code != 6:
        assert direct.err == parsed.err
    assert direct.out or direct.err


@pytest.mark.parametrize(
    ("direct", "parsed"),
    [
        (["completion", "--profiles"], ["completion", "--profiles", "-q"]),
        (["completion", "--profiles", "q"], ["completion", "-q", "--profiles", "q"]),
        (["completion", "q", "--profiles"], ["completion", "--profiles", "--", "q"]),
        (["hook", "zsh", "--renew", "missing"], ["hook", "--renew", "--", "zsh", "missing"]),
        (["hook", "csh", "--renew"], ["hook", "--renew", "--", "csh"]),
    ],
    ids=lambda argv: " ".join(argv),
)
def test_completion_and_renewal_equal_typer_commands(
    direct: list[str], parsed: list[str], forks: Forks, place: World
) -> None:
    """With and without Typer."""
    one = forks.run(direct, place.environ, long=True)
    other = forks.run(parsed, place.environ, long=True)
    assert (one.code, one.err, len(one.out)) == (other.code, other.err, len(other.out))


def test_typer_completion_variable_disables_the_fast_path(forks: Forks, place: World) -> None:
    """If its variable is set, Typer answers, whether a token is cached or not."""
    environ = {**place.environ, "_TOKENCLI_COMPLETE": "bash_source"}
    assert forks.run(["get", "p"], environ) == forks.run(["get", "-v", "p"], environ)


WITH_OPTIONS = [
    ["get", "--force"],
    ["get", "p", "--force"],
    ["get", "--force", "--json", "p"],
    ["get", "--json"],
    ["get", "--format", "json"],
    ["get", "p", "--format=exec_credential", "--force"],
    ["get", "missing", "--format", "header"],
    ["git-credential", "p", "store"],
    ["git-credential", "missing", "get"],
    ["git-credential", "--host", "a.example", "--username", "u", "p", "get"],
    ["export", "--force"],
    ["export", "q.2", "--force"],
    ["refresh", "--json"],
    ["refresh", "--json", "p"],
    ["get", "--json", "missing"],
    ["export", "--force", "missing"],
    ["refresh", "--json", "missing"],
    ["profiles"],
    ["profiles", "--json"],
    ["profiles", "list"],
    ["profiles", "ls", "--json"],
]


@pytest.mark.parametrize("argv", WITH_OPTIONS, ids=" ".join)
def test_fast_options_equal_typer_options(argv: list[str], forks: Forks, place: World) -> None:
    """stdout, stderr and exit code of the same words with one more option, which only Typer knows.

    Tokens and times differ from run to run.
    """
    with Sandbox(lifetime=36_000) as sandbox:
        text = place.config.read_text().replace("https://127.0.0.1:9", f"{sandbox.url}/oauth2")
        ca_file = f'ca_file = "{sandbox.ca_file}"\ntimeout = 30'
        place.write(text.replace("timeout = 0.2", ca_file).replace('"other"', '"batch"'))
        secret = load_system("oauth2").secrets["client_secret"]
        environ = {**place.environ, "SECRET": secret}
        direct = forks.run(argv, environ, long=True)
        parsed = forks.run([*argv, "--no-input"], environ, long=True)
    assert find_fast_command(argv) and not find_fast_command([*argv, "--no-input"])
    assert _without_tokens(direct) == _without_tokens(parsed)
    assert direct.code == (3 if "missing" in argv else 0)


@pytest.mark.parametrize(
    "argv",
    [
        ["get", "--format"],
        ["get", "--format", "raw", "--format", "json"],
        ["get", "--format", "unknown", "-q"],
        ["git-credential", "p", "get", "--host"],
        ["git-credential", "p", "get", "--username", "a", "--username=b"],
    ],
    ids=" ".join,
)
def test_odd_options_are_left_to_typer(argv: list[str]) -> None:
    """A missing value, and an option that is given twice."""
    assert find_fast_command(argv) is None


@pytest.mark.parametrize("format_name", ["unknown", "k8s", ""])
def test_unknown_format_costs_no_token(format_name: str, forks: Forks, place: World) -> None:
    """It is refused like Typer refuses it, before the token endpoint is asked."""
    argv = ["get", "p", "--force", "--format", format_name]
    direct = forks.run(argv, place.environ, long=True)
    assert direct == forks.run([*argv, "--no-input"], place.environ, long=True)
    assert direct.code == 2


@pytest.mark.parametrize("state", ["no file", "no profile", "invalid", "invalid TOML"])
@pytest.mark.parametrize("argv", [["profiles"], ["profiles", "--json"]], ids=" ".join)
def test_fast_list_of_a_bad_configuration_equals_typers(
    argv: list[str], state: str, forks: Forks, place: World
) -> None:
    """The same table, problems and exit code, whatever the configuration is."""
    if state == "no file":
        place.config.unlink()
    else:
        good = place.config.read_text()
        bad = {
            "no profile": "",
            "invalid": f'{good}\n[profiles.r]\nprovider = "x"',
            "invalid TOML": "a",
        }
        place.write(bad[state])
    direct = forks.run(argv, place.environ, long=True)
    parsed = forks.run([*argv, "--no-input"], place.environ, long=True)
    assert _without_tokens(direct) == _without_tokens(parsed)
    assert direct.code == (3 if state.startswith("invalid") else 0)


@pytest.mark.parametrize(
    "argv",
    [
        ["get", "--force", "--min-ttl", "5m"],
        ["get", "--force", "p", "q.2"],
        ["export", "--json"],
        ["refresh", "--force"],
        ["refresh", "--all"],
        ["profiles", "--json", "list"],
        ["profiles", "list", "p"],
        ["profiles", "show"],
        ["profiles list"],
        ["completion", "bash"],
        ["hook", "--renew"],
        [],
    ],
    ids=" ".join,
)
def test_other_words_need_typer(argv: list[str]) -> None:
    """Typer parses them, and reports those that are wrong."""
    assert find_fast_command(argv) is None


def _without_tokens(result: Result) -> tuple[int, str, str]:
    out = re.sub(r"eyJ[\w.-]+", "TOKEN", result.out)
    return result.code, re.sub(r"\d+", "0", out), re.sub(r"\d+", "0", result.err)
