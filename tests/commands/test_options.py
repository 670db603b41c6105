"""Validation of options before anything is sent, and messages after it."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Run
from tokencli.sandbox.server import Sandbox

SIGN_IN = """
state_dir = "{state}"

[profiles.dev]
provider = "oauth2"
grant = "authorization_code"
authorization_url = "https://127.0.0.1:9/authorize"
token_url = "https://127.0.0.1:9/token"
client_id = "shell"
client_auth = "none"
store = "file"
"""
Write = Callable[[str], Path]


@pytest.mark.parametrize("scope", ["a\nb", "a  b", " a", "é", 'a"', ""])
@pytest.mark.parametrize("command", ["get", "export", "refresh", "login"])
def test_scope_is_validated_like_in_the_file(command: str, scope: str, tokencli: Run) -> None:
    """RFC 6749 section 3.3, before any file is read or anything is sent: exit code 2."""
    done = tokencli(command, "--scope", scope)
    assert done.code == 2
    assert "separated by single spaces" in done.err
    assert done.out == ("false\n" if command == "export" else "")


@pytest.mark.parametrize("command", ["get", "export", "refresh", "get --dry-run"])
def test_login_fix_carries_the_scopes(
    command: str, tokencli: Run, write_config: Write, tmp_path: Path
) -> None:
    """The fix contains the quoted scopes, and that command requests them."""
    write_config(SIGN_IN.format(state=tmp_path / "state"))
    done = tokencli(*command.split(), "dev", "--scope", "a b:c")
    assert done.code in (3, 4)
    fix = done.err.partition("fix: ")[2].strip()
    assert fix == "tokencli login dev --scope 'a b:c'"
    login = tokencli(*shlex.split(fix)[1:], "--no-browser", "--wait", "0.5s")
    assert login.code == 4
    assert "scope=a+b%3Ac&" in login.err
    assert "fix: tokencli login dev --scope 'a b:c' --wait" in login.err


@pytest.mark.requirement(26)
@pytest.mark.parametrize(
    "words",
    ["get --timeout 0", "export --timeout 0.0005", "refresh --timeout -1", "login --wait 0",
     "login --wait -5s", "get --lock-timeout -1", "inspect --timeout 0s"],
)  # fmt: skip
def test_zero_and_negative_durations_are_rejected(words: str, tokencli: Run) -> None:
    """Like in the file: nothing can happen within them, so they are mistakes."""
    done = tokencli(*words.split())
    assert done.code == 2
    assert words.split()[1] in done.err and "could not be connected" not in done.err


def test_lock_timeout_of_zero_is_allowed(tokencli: Run) -> None:
    """`--lock-timeout 0` means to try once."""
    assert tokencli("get", "--lock-timeout", "0").code == 3


@pytest.mark.parametrize("file", [True, False])
def test_refresh_all_without_profiles_fails(file: bool, tokencli: Run, write_config: Write) -> None:
    """A missing or wrong configuration is reported with the next command: exit code 3."""
    if file:
        write_config("# nothing yet\n")
    done = tokencli("refresh", "--all")
    assert (done.code, done.out) == (3, "")
    assert "there is no profile yet" in done.err
    assert "tokencli profiles add" in done.err


def test_verbose_names_the_source_of_a_token(tokencli: Run) -> None:
    """For a new token and for a stored one."""
    with Sandbox() as sandbox:
        environ = {"TOKENCLI_CONFIG": sandbox.config_file}
        assert "new token (password grant)" in tokencli("get", "-v", env=environ).err
        assert "stored token" in tokencli("export", "-v", env=environ).err


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        ("--config f get dev", "tokencli get dev --config f"),
        ("-v profiles list", "tokencli profiles list -v"),
        ("--no-input sandbox -- echo get", "tokencli sandbox --no-input -- echo get"),
        ("--config 'a b' export", "tokencli export --config 'a b'"),
        ("--nope get dev", "tokencli --help"),
        ("get --nope", "tokencli get --help"),
        ("--config", "tokencli --help"),
    ],
)
def test_an_option_before_its_command_is_moved_behind_it(
    words: str, fix: str, tokencli: Run
) -> None:
    """The fix is the same command line in the right order, if the command has that option."""
    done = tokencli(*shlex.split(words))
    assert done.code == 2
    assert done.err.splitlines()[1].removeprefix("tokencli: ") == f"fix: {fix}"


@pytest.mark.parametrize(
    "line",
    [
        "get @", "get -p @", "export @", "exec @ -- true", "exec @ @ -- true", "refresh @", "login @", "logout @",
        "log @", "status @", "why -p @", "inspect -p @", "doctor @", "curl @ -- https://127.0.0.1/",
        "request @ me", "request -p @ me", "keep @ --to kept", "proxy @ --to https://127.0.0.1/",
        "profiles show @", "profiles edit @ --set timeout=3s", "profiles use @", "profiles test @",
        "profiles remove @ --yes", "profiles rename @ new", "git-credential @ get",
    ],
)  # fmt: skip
def test_an_empty_name_is_not_the_default_profile(
    line: str, tokencli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in `get "$UNSET"`, even if a token of the default profile is cached."""
    monkeypatch.chdir(tmp_path)
    with Sandbox() as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        monkeypatch.setenv("TOKENCLI_PROFILE", "")
        assert tokencli("get").code == 0
        assert tokencli("exec", "--", "true").code == 0
        words = ["" if word == "@" else word for word in line.split()]
        done = tokencli(*words)
        assert done.code == 2
        assert "error: the profile's name is empty\n" in done.err
        assert done.out == ("false\n" if words[0] == "export" else "")
        assert tokencli("get").code == 0


@pytest.mark.parametrize(
    ("given", "fix"),
    [
        ("get oauth2 --format dotenv", "export oauth2 --format dotenv"),
        ("get -p oauth2 --format k8s --force", "export oauth2 --format k8s"),
        ("export oauth2 --format header", "get oauth2 --format header"),
        ("export oauth2 --format curl", "get oauth2 --format curl"),
        ("export oauth2 --shell terraform -q", "get oauth2 --format terraform"),
        ("get --format fish", "export --format fish"),
    ],
)
def test_a_format_of_the_other_command_keeps_the_profile(
    given: str, fix: str, tokencli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fix is the other command for the same profile, and it works."""
    with Sandbox() as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        done = tokencli(*given.split())
        assert done.code == 2
        assert done.err.endswith(f"fix: tokencli {fix}\n")
        assert tokencli(*fix.split()).code == 0
