"""`tokencli export` as a process, and inside the shells that evaluate it."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dotenv import dotenv_values

from tests.conftest import Run, script
from tests.e2e.test_shells import POSIX, WANTED, each
from tests.unit.formats.test_dialects import runner_environment
from tokencli.formats import DIALECTS
from tokencli.sandbox.server import Sandbox


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    """Run one sandbox for all tests of this module."""
    with Sandbox() as server:
        yield server


@pytest.fixture
def sandbox(running: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Use the sandbox's configuration."""
    monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
    return running


def shell(name: str, text: str) -> subprocess.CompletedProcess[str]:
    """Run a script in that shell, with `tokencli` as the console script."""
    return subprocess.run(
        [*WANTED[name], "-c", text.replace("tokencli", f"'{script()}'")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.requirement(11)
@pytest.mark.parametrize("name", each(*POSIX))
def test_eval_quoted_and_unquoted(name: str, tokencli: Run, sandbox: Sandbox) -> None:
    """`eval $(tokencli export)`, unquoted and quoted, sets the token that `get` prints."""
    token = tokencli("get").out.strip()
    for line in ("eval $(tokencli export)", 'eval "$(tokencli export)"'):
        done = shell(name, f'set -eu; {line}; printf %s "$ACCESS_TOKEN"')
        assert (done.returncode, done.stdout, done.stderr) == (0, token, "")


@pytest.mark.parametrize("name", each(*POSIX))
def test_all_vars_survive_an_unquoted_eval(name: str, tokencli: Run, sandbox: Sandbox) -> None:
    """A scope of several words stays one value."""
    found = json.loads(tokencli("get", "--json").out)
    done = shell(
        name,
        "eval $(tokencli export groupid --all-vars --var T);"
        ' printf "%s|%s|%s|%s|%s" "$T" "$T_TYPE" "$T_EXPIRES_AT" "$T_SCOPE" "$T_HEADER"',
    )
    assert done.stdout.split("|") == [
        found["access_token"],
        "Bearer",
        str(found["expires_at_epoch"]),
        found["scope"],
        f"Authorization: Bearer {found['access_token']}",
    ]


@pytest.mark.requirement(11)
@pytest.mark.parametrize("name", each("fish"))
@pytest.mark.parametrize(
    "line", ["tokencli export --shell fish | source", "eval (tokencli export --shell fish)"]
)
def test_fish_source_and_eval(name: str, line: str, tokencli: Run, sandbox: Sandbox) -> None:
    """Both set the token that `get` prints."""
    token = tokencli("get").out.strip()
    done = shell(name, f'{line}; printf %s "$ACCESS_TOKEN"')
    assert (done.returncode, done.stdout) == (0, token)


FAILURES = [
    ("export nosuch", 3),
    ("export --no-such-option", 2),
    ("export --shell", 2),
    ("export a b c", 2),
    ("export --var PATH", 2),
    ("export --shell sh --format json", 2),
    ("export --unset --format json --shell sh", 2),
    ("export unreachable", 6),
    ("exprt groupid", 2),
    ("EXPORT", 2),
    ("--no-such-option exports", 2),
]


@pytest.mark.requirement(12)
@pytest.mark.parametrize(("command", "code"), FAILURES)
def test_failures_print_a_failing_statement(
    command: str, code: int, tokencli: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Including usage errors from Typer: stdout is `false`, and the exit code is the documented one."""
    config = tmp_path / "config.toml"
    config.write_text(
        Path(sandbox.config_file).read_text() + '\n[profiles.unreachable]\nprovider = "oauth2"\n'
        'grant = "client_credentials"\ntoken_url = "https://127.0.0.1:1/"\nclient_id = "x"\n'
        'client_secret = { env = "SECRET" }\nstore = "none"\n'
    )
    config.chmod(0o600)
    environ = {"SECRET": "canary-secret-7f3a", "TOKENCLI_CONFIG": str(config)}
    done = tokencli(*command.split(), env=environ)
    assert (done.code, done.out) == (code, "false\n"), done.err
    assert "Traceback" not in done.err and "canary" not in done.err


@pytest.mark.requirement(12)
@pytest.mark.parametrize("name", each(*POSIX))
@pytest.mark.parametrize("line", ['eval "$(tokencli export nosuch)"', "eval $(tokencli export -x)"])
def test_failed_export_stops_a_script(name: str, line: str, sandbox: Sandbox) -> None:
    """Under `set -e` nothing after the failed export runs."""
    done = shell(name, f"set -e; ACCESS_TOKEN=stale; {line}; echo survived $ACCESS_TOKEN")
    assert done.returncode != 0
    assert done.stdout == ""


@pytest.mark.requirement(12)
@pytest.mark.parametrize(
    ("args", "out"),
    [
        (("--shell", "fish"), "false\n"),
        (("--shell=powershell",), "throw 'tokencli export failed';\n"),
        (("--shell", "cmd"), "cmd /c exit 1\n"),
        (("--format", "dotenv"), ""),
        (("--format=json",), ""),
    ],
)
def test_failure_text_of_each_dialect(
    args: tuple[str, ...], out: str, tokencli: Run, sandbox: Sandbox
) -> None:
    """Each consumer takes what is printed instead of a token for a failure."""
    done = tokencli("export", "nosuch", *args)
    assert (done.code, done.out) == (3, out)


@pytest.mark.parametrize("name", DIALECTS)
def test_dialects_contain_the_token(
    name: str, tokencli: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    """One test for each row of the table, through the whole program."""
    token = tokencli("get").out.strip()
    place = tmp_path / "github_env"
    done = tokencli("export", "--format", name, env={"GITHUB_ENV": str(place)})
    assert (done.code, done.err) == (0, "")
    written = place.read_text() if place.exists() else done.out
    assert token in written
    assert done.out.isascii()


@pytest.mark.requirement(34)
def test_dotenv_is_read_by_python_dotenv(tokencli: Run, sandbox: Sandbox) -> None:
    """The file means what was exported."""
    done = tokencli("export", "--format", "dotenv", "--all-vars")
    found = dotenv_values(stream=io.StringIO(done.out))
    assert found["ACCESS_TOKEN"] == tokencli("get").out.strip()
    ends = ("", "_TYPE", "_EXPIRES_AT", "_SCOPE", "_HEADER")
    assert set(found) == {f"ACCESS_TOKEN{end}" for end in ends}


@pytest.mark.requirement(34)
def test_github_masks_the_token_first(tokencli: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """stdout has only the mask; the variable is appended to the file of $GITHUB_ENV."""
    token = tokencli("get").out.strip()
    place = tmp_path / "github_env"
    place.write_text("BEFORE=1\n")
    done = tokencli("export", "--format", "github_actions", env={"GITHUB_ENV": str(place)})
    assert (done.code, done.out) == (0, f"::add-mask::{token}\n")
    assert runner_environment(place.read_text()) == {"BEFORE": "1", "ACCESS_TOKEN": token}


@pytest.mark.requirement(34)
def test_github_redirected_output_still_masks(
    tokencli: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    """`>> "$GITHUB_ENV"` gets only the variable; the runner reads the mask from stderr."""
    token = tokencli("get").out.strip()
    place = tmp_path / "github_env"
    with place.open("a") as redirected:
        done = subprocess.run(
            [script(), "export", "--format", "github_actions"],
            env={"TOKENCLI_CONFIG": sandbox.config_file, "HOME": str(tmp_path / "home")},
            stdout=redirected,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, f"::add-mask::{token}\n")
    assert runner_environment(place.read_text()) == {"ACCESS_TOKEN": token}


@pytest.mark.requirement(34)
@pytest.mark.parametrize(
    ("environ", "code"), [({}, 2), ({"GITHUB_ENV": "/nowhere/at/all"}, 8)], ids=["unset", "missing"]
)
def test_github_env_must_be_set(
    environ: dict[str, str], code: int, tokencli: Run, sandbox: Sandbox
) -> None:
    """Outside GitHub Actions there is nowhere to write to."""
    done = tokencli("export", "--format", "github_actions", env={"GITHUB_ENV": "", **environ})
    assert done.code == code
    assert "GITHUB_ENV" in done.err
    assert "fix:" not in done.err


def test_unset_fetches_nothing(tokencli: Run, sandbox: Sandbox) -> None:
    """Not even a stored token is needed."""
    asked = sandbox.database.token_requests
    done = tokencli("export", "socialid", "--unset", "--all-vars", "--var", "T")
    assert done.out == (
        "unset T; unset T_TYPE; unset T_EXPIRES_AT; unset T_SCOPE; unset T_HEADER;\n"
    )
    assert sandbox.database.token_requests == asked


@pytest.mark.requirement(12)
@pytest.mark.parametrize("command", ["gte groupid", "hoook bash", "profile", ""])
def test_other_failures_print_nothing(command: str, tokencli: Run, sandbox: Sandbox) -> None:
    """A `false` on another command's stdout would be taken for a token."""
    done = tokencli(*command.split())
    assert (done.code, done.out) == (2, "")


def test_unset_of_a_named_variable_needs_no_profile(tokencli: Run) -> None:
    """Only variables that --all-vars adds depend on the profile; without one a warning names them."""
    nowhere = ("--config", "/nonexistent/config.toml", "--unset")
    alone = tokencli("export", *nowhere, "--var", "T")
    assert (alone.code, alone.out, alone.err) == (0, "unset T;\n", "")
    every = tokencli("export", *nowhere, "--var", "T", "--all-vars", "--shell", "fish")
    assert every.code == 0
    assert [line.split()[-1] for line in every.out.strip("; \n").split(";")] == [
        "T", "T_TYPE", "T_EXPIRES_AT", "T_SCOPE", "T_HEADER", "T_QUERY"
    ]  # fmt: skip
    assert "config.toml does not exist" in every.err and "adds to T are not unset" in every.err
    unknown = tokencli("export", *nowhere)
    assert (unknown.code, unknown.out) == (3, "false\n")
    assert tokencli("export", *nowhere, "--var", "PATH").out == "false\n"


@pytest.mark.requirement(13)
def test_stdout_is_the_same_in_every_environment(tokencli: Run, sandbox: Sandbox) -> None:
    """No colour, no wrapping, no note: the same bytes everywhere."""
    plain = tokencli("export").out
    for environ in (
        {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "COLUMNS": "20"},
        {"TERM": "dumb", "PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
    ):
        assert tokencli("export", env=environ).out == plain
    assert plain.startswith("export ACCESS_TOKEN='") and plain.endswith("';\n")


@pytest.mark.requirement(13)
def test_full_disk_is_an_error(sandbox: Sandbox, tmp_path: Path) -> None:
    """A failed write is not reported as success."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, script(), "export"],
            env={"TOKENCLI_CONFIG": sandbox.config_file, "HOME": str(tmp_path / "home")},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 8
    assert "No space left" in done.stderr and "Traceback" not in done.stderr
