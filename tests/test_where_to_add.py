"""The architecture page's "Where to add what" is true: each addition needs only the files named there.

Each row of the page's table is carried out in a copy of the package, and the copy is run.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import architecture
from tests.architecture import PACKAGE
from tokencli.sandbox.server import Sandbox

NAME = "acme"
Program = Callable[..., str]


@dataclass(frozen=True)
class Addition:
    """What is written for one row of the page, and how the result is used."""

    check: Callable[[Program, Sandbox], None]
    new_file: str = ""
    table_start: str = ""
    """The line of the edited file after which `row` is inserted."""
    row: str = ""
    provider_table: str = ""
    """Appended to the edited `.toml` file."""


def check_provider(run: Program, sandbox: Sandbox) -> None:
    """A profile uses the provider."""
    assert "Acme ID" in run("providers", "show", NAME)
    config = f'[profiles.p]\nprovider = "acme"\nhost = "{sandbox.url[8:]}"\nclient_id = "batch"\n'
    config += f'ca_file = "{sandbox.ca_file}"\n'
    run("get", "p", "--no-input", config=config + client_secret(sandbox))


def check_grant(run: Program, sandbox: Sandbox) -> None:
    """A profile of a built-in provider selects the grant."""
    config = oauth2_profile(sandbox).replace("client_credentials", NAME)
    out = run("get", "p", "--dry-run", config=config + client_secret(sandbox))
    assert "grant_type=urn%3Aacme%3Agrant&acme_hint=1" in out


def check_secret_source(run: Program, sandbox: Sandbox) -> None:
    """A profile reads a secret from it, and `profiles edit --secret` knows it."""
    config = oauth2_profile(sandbox) + 'client_secret = { acme = "REVERSED" }\n'
    reversed_secret = "made-up-secret-of-batch"[::-1]
    token = run("get", "p", config=config, REVERSED=reversed_secret)
    assert token.count(".") == 2
    run("profiles", "edit", "p", "--secret", "client_secret=acme:OTHER", config=config)


def check_token_store(run: Program, sandbox: Sandbox) -> None:
    """A profile keeps its token there."""
    config = oauth2_profile(sandbox) + client_secret(sandbox) + 'store = "acme"\n'
    before = sandbox.database.token_requests
    assert run("get", "p", config=config) == run("get", "p", config=config)
    assert sandbox.database.token_requests == before + 1


def check_token_format(run: Program, sandbox: Sandbox) -> None:
    """`get --format` prints it, and completion offers it."""
    config = oauth2_profile(sandbox) + client_secret(sandbox)
    assert run("get", "p", "--format", NAME, config=config).startswith("acme:ey")
    assert NAME in run("completion", "bash")


def check_shell(run: Program, sandbox: Sandbox) -> None:
    """`export --shell` writes it, fails in its own words, and completion offers it."""
    config = oauth2_profile(sandbox) + client_secret(sandbox)
    assert run("export", "p", "--shell", NAME, config=config).startswith("let ACCESS_TOKEN ey")
    assert run("export", "nosuch", "--shell", NAME, config=config, fails=True) == "acme-fail\n"
    assert NAME in run("completion", "bash")


def check_completion(run: Program, sandbox: Sandbox) -> None:
    """`completion` writes a script with the commands."""
    assert run("completion", NAME).split()[:3] == ["acme", "tokencli", "get"]


def check_error_code(run: Program, sandbox: Sandbox) -> None:
    """`why --code` explains it."""
    assert "the moon is full" in run("why", "--code", "acme4711")


def check_command(run: Program, sandbox: Sandbox) -> None:
    """The command runs, and is in the help, in `tokencli help` and in completions."""
    assert run("acme", "--verbose", "you") == "hello you 1\n"
    assert "Greet somebody." in run("--help")
    assert "Greet somebody." in run("help", "acme")
    assert "acme" in run("completion", "fish")


def check_doctor_check(run: Program, sandbox: Sandbox) -> None:
    """`doctor` runs the check."""
    config = oauth2_profile(sandbox) + client_secret(sandbox)
    checks = json.loads(run("doctor", "p", "--json", config=config))["checks"]
    assert [check["detail"] for check in checks if check["id"] == "acme"] == ["hello p"]


def check_common_option(run: Program, sandbox: Sandbox) -> None:
    """Every command has the option."""
    for command in ("get", "profiles show", "providers new", "login", "sandbox", "help"):
        assert "--acme" in run(*command.split(), "--help"), command


def check_cause(run: Program, sandbox: Sandbox) -> None:
    """`why` names it."""
    config = oauth2_profile(sandbox) + client_secret(sandbox)
    found = json.loads(run("why", "p", "--json", config=config, fails=True))
    assert NAME in [cause["id"] for cause in found["causes"]]


ADDITIONS: Mapping[str, Addition] = {
    "a provider": Addition(
        check_provider,
        """title = "Acme ID"
endpoints.token = "https://{host}/oauth2/token"
fields.host = { ask = "Host", kind = "host" }
[grants.client_credentials]
""",
    ),
    "a grant": Addition(
        check_grant,
        '''"""A dummy grant."""

from tokencli.models import Profile, TokenSet
from tokencli.oauth.grants.steps import GrantSpec, GrantSteps, PostTokenRequest


def run(profile: Profile) -> GrantSteps:
    token: TokenSet = yield PostTokenRequest({"grant_type": "urn:acme:grant", "acme_hint": "1"})
    return token


GRANT = GrantSpec(run)
''',
        "GRANTS: dict[str, str] = {",
        '"acme": "tokencli.oauth.grants.acme",',
        "[grants.acme]\n",
    ),
    "a secret source": Addition(
        check_secret_source,
        '''"""A dummy source: a variable, reversed."""

from tokencli.models import Secret, SecretRef


class AcmeSource:
    interaction = "none"

    def __init__(self, *, environ, terminal):
        self._environ = environ

    def explain_missing(self, ref: SecretRef) -> tuple[None, str]:
        return None, f"export {ref.target[0]}=…"

    def read(self, ref: SecretRef) -> Secret | None:
        return Secret(self._environ[ref.target[0]][::-1])
''',
        "SECRET_SOURCES: dict[str, SecretSourceSpec] = {",
        '"acme": SecretSourceSpec("tokencli.secret_sources.acme:AcmeSource", "variable", "Reversed."),',
    ),
    "a token store": Addition(
        check_token_store,
        '''"""A dummy store: files in the working directory."""

from pathlib import Path

from tokencli.token_store.file import FileStore


def open_store(profile, context):
    return FileStore(
        Path.cwd() / "acme", profile.name, terminal=context.terminal, clock=context.clock, name="acme"
    )
''',
        "TOKEN_STORES: dict[str, str] = {",
        '"acme": "tokencli.token_store.acme:open_store",',
    ),
    "a token format (`get --format`)": Addition(
        check_token_format,
        '''"""A dummy format."""


def render(profile, token, now):
    return f"acme:{token.access_token.reveal()}\\n"
''',
        "TOKEN_FORMATS: dict[str, str] = {",
        '"acme": "tokencli.formats.acme:render",',
    ),
    "a shell (`export --shell`)": Addition(
        check_shell,
        '''"""A dummy shell."""

from tokencli.formats import Dialect


def render(variables):
    return "".join(f"let {name} {value}\\n" for name, value in variables)


DIALECT = Dialect(render, failure_text="acme-fail\\n")
''',
        "SHELLS: dict[str, str] = {",
        '"acme": "tokencli.formats.acme:DIALECT",',
    ),
    "completion for a shell": Addition(
        check_completion,
        '''"""Completion for a dummy shell."""


def render_script(commands):
    return "acme " + " ".join(command.path[0] if command.path else "tokencli" for command in commands)
''',
        "SCRIPT_RENDERERS: dict[str, str] = {",
        '"acme": "tokencli.commands.completions.acme:render_script",',
    ),
    "a provider's error code": Addition(
        check_error_code,
        provider_table='ACME4711 = { what = "the moon is full", whose = "nobody", do = "Wait" }\n',
    ),
    "a command": Addition(
        check_command,
        '''"""`tokencli acme`."""

from tokencli.commands import output
from tokencli.commands.options import CommonOptions, common_options


@common_options()
def acme(common: CommonOptions, who: str) -> None:
    """Greet somebody."""
    output.write_stdout(f"hello {who} {common.verbose}\\n")
''',
        "COMMANDS: dict[str, str] = {",
        '"acme": "tokencli.commands.acme:acme",',
    ),
    "a check of `doctor`": Addition(
        check_doctor_check,
        '''"""A dummy check."""

from tokencli.diagnosis.checks import passed


def check_acme(subject):
    return passed(f"hello {subject.profile.name}")
''',
        "CHECKS: dict[str, CheckSpec] = {",
        '"acme": CheckSpec("tokencli.diagnosis.checks.acme:check_acme", "Nothing.", after=("profile",)),',
    ),
    "a cause (`why`)": Addition(
        check_cause,
        table_start="CAUSES: Mapping[str, Cause] = {",
        row='"acme": Cause("acme is in the way", 9, lambda _: find("acme", "certain", ["acme is there"])),',
    ),
    "an option of every command": Addition(
        check_common_option,
        table_start="class CommonOptions(AppOptions):",
        row='acme: Annotated[bool, typer.Option("--acme", help="A dummy option.")] = False',
    ),
}
"""First cell of the page's table -> the addition."""


def oauth2_profile(sandbox: Sandbox) -> str:
    """Return a profile of the sandbox without its secret."""
    return (
        '[profiles.p]\nprovider = "oauth2"\ngrant = "client_credentials"\nclient_id = "batch"\n'
        f'token_url = "{sandbox.url}/oauth2/token"\nca_file = "{sandbox.ca_file}"\n'
    )


def client_secret(sandbox: Sandbox) -> str:
    """Return the key for the profile's secret."""
    return f'client_secret = {{ file = "{sandbox.directory}/oauth2.client_secret" }}\n'


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox for all additions."""
    with Sandbox() as running:
        yield running


def test_every_row_of_the_page_is_tested() -> None:
    """The page's table and the additions have the same rows."""
    assert set(architecture.read_table("Where to add what")) == set(ADDITIONS)


@pytest.mark.parametrize("row", ADDITIONS)
def test_addition(row: str, sandbox: Sandbox, tmp_path: Path) -> None:
    """After creating and editing only the files in the row, the program has the addition."""
    addition = ADDITIONS[row]
    copy = tmp_path / "site" / "tokencli"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for path in architecture.read_table("Where to add what")[row]:
        file = copy / path.replace("NAME", NAME)
        if "NAME" in path:
            assert not file.exists()
            file.write_text(addition.new_file)
        elif file.suffix == ".toml":
            file.write_text(f"{file.read_text(encoding='utf-8')}\n{addition.provider_table}")
        else:
            text = file.read_text(encoding="utf-8")
            head, start, tail = text.partition(f"{addition.table_start}\n")
            assert start, f"{path} has no line {addition.table_start!r}"
            if tail.lstrip().startswith('"""'):  # the docstring of a class
                docstring, end, tail = tail.partition('"""\n')
                start += docstring + end
            file.write_text(f"{head}{start}    {addition.row}\n{tail}", encoding="utf-8")

    def run(*argv: str, config: str = "", fails: bool = False, **environ: str) -> str:
        path = tmp_path / "config.toml"
        path.write_text(f'state_dir = "{tmp_path / "state"}"\n{config}')
        path.chmod(0o600)
        done = subprocess.run(
            [sys.executable, "-m", "tokencli", *argv],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": str(tmp_path / "site"),
                "TOKENCLI_CONFIG": str(path),
                **environ,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stderr
        return done.stdout

    addition.check(run, sandbox)
