"""What the commands make of their options before anything is sent, and what they say after it."""

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
def test_a_scope_is_judged_as_in_the_file(command: str, scope: str, tokencli: Run) -> None:
    """RFC 6749 section 3.3, before any file is read or anything is sent: exit code 2."""
    done = tokencli(command, "--scope", scope)
    assert done.code == 2
    assert "separated by single spaces" in done.err
    assert done.out == ("false\n" if command == "export" else "")


@pytest.mark.parametrize("command", ["get", "export", "refresh", "get --dry-run"])
def test_a_token_of_other_scopes_is_signed_in_for_by_the_command_that_is_named(
    command: str, tokencli: Run, write_config: Write, tmp_path: Path
) -> None:
    """The fix carries the scopes, quoted; and that very command asks the server for them."""
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
def test_no_time_at_all_is_a_usage_error(words: str, tokencli: Run) -> None:
    """As in the file: nothing can happen within it, so it is a slip."""
    done = tokencli(*words.split())
    assert done.code == 2
    assert words.split()[1] in done.err and "could not be connected" not in done.err


def test_not_to_wait_for_a_lock_is_no_slip(tokencli: Run) -> None:
    """`--lock-timeout 0` means to try once."""
    assert tokencli("get", "--lock-timeout", "0").code == 3


@pytest.mark.parametrize("file", [True, False])
def test_to_refresh_all_of_nothing_is_no_success(
    file: bool, tokencli: Run, write_config: Write
) -> None:
    """A forgotten or mistaken configuration is told, with the next command: exit code 3."""
    if file:
        write_config("# nothing yet\n")
    done = tokencli("refresh", "--all")
    assert (done.code, done.out) == (3, "")
    assert "there is no profile yet" in done.err
    assert "tokencli profiles add" in done.err


def test_verbose_says_how_a_token_came(tokencli: Run) -> None:
    """In words, of a new token and of one that was stored."""
    with Sandbox() as sandbox:
        environ = {"TOKENCLI_CONFIG": sandbox.config_file}
        assert "new token (password grant)" in tokencli("get", "-v", env=environ).err
        assert "stored token" in tokencli("export", "-v", env=environ).err
