"""The commands that replace the keyring are typed into real shells, and do what they say."""

import os
import pty
import re
import select
import shlex
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.conftest import script
from tests.fakes import FakeTerminal, keyring_ref
from tokencli.errors import CredentialsError
from tokencli.models import SecretRef
from tokencli.secret_sources import open_secret_source
from tokencli.secret_sources.setup_commands import default_variable, list_setup_commands

REFS = [keyring_ref("password", "corp"), keyring_ref("client_secret", "corp")]
TYPED = ("canary pass$word'\\1", 'canary"secret`2')
CONFIG = """[profiles.corp]
provider = "oauth2"
token_url = "https://id.example.com/token"
grant = "password"
allow_password_grant = true
client_id = "c"
username = "jdoe"
"""
PASS = """#!/bin/sh
file="$HOME/pass-$(echo "$2" | tr / -)"
case $1 in
  insert) stty -echo; printf 'Password for %s: ' "$2"; read -r text; stty echo; printf '%s\\n' "$text" > "$file" ;;
  show) cat "$file" ;;
esac
"""


def commands(environ: Mapping[str, str], *, can_type: bool = True) -> dict[str, str]:
    """Return the command of each source."""
    found = list_setup_commands(
        REFS,
        environ,
        edit="tokencli profiles edit corp",
        then="tokencli profiles show corp && echo all done",
        can_type=can_type,
    )
    return {each.source: each.command for each in found}


def type_into(shell: str, command: str, environ: Mapping[str, str], answers: Sequence[str]) -> str:
    """Run the command in a shell with its own terminal, answer it, and return the screen."""
    child, fd = pty.fork()
    if child == 0:
        os.execvpe(shell, [shell, "-c", command], dict(environ))
    seen, waiting, end = "", list(answers), time.monotonic() + 60
    while time.monotonic() < end and select.select([fd], [], [], 30)[0]:
        try:
            piece = os.read(fd, 4096)
        except OSError:
            break
        seen += piece.decode()
        if waiting and re.search(r": [^:]{0,20}\Z", seen):
            time.sleep(0.2)
            os.write(fd, f"{waiting.pop(0)}\r".encode())
    os.close(fd)
    os.waitpid(child, 0)
    return seen


@pytest.mark.parametrize("shell", ["bash", "zsh", "dash", "ksh", "fish"])
def test_missing_variable_is_typed(tmp_path: Path, shell: str) -> None:
    """The fix is a command of the user's shell. It shows nothing of the secret."""
    if shutil.which(shell) is None:
        pytest.fail(f"{shell} is not installed")
    environ = {**os.environ, "SHELL": f"/bin/{shell}"}
    source = open_secret_source("env", environ=environ, terminal=FakeTerminal(interactive=True))
    _, fix = source.explain_missing(SecretRef("env", "password", "p", ("NOPE",)))
    result = tmp_path / "result"
    screen = type_into(shell, f"{fix}; printenv NOPE > {result}", environ, [TYPED[0]])
    assert TYPED[0] not in screen
    assert result.read_text() == f"{TYPED[0]}\n"


def test_missing_file_is_written_with_its_directory(tmp_path: Path) -> None:
    """The fix creates what is missing on the way to the file, closed to others."""
    directory = tmp_path / "new 'one'" / "secrets"
    ref = SecretRef("file", "password", "p", (str(directory / "pass word"),))
    source = open_secret_source("file", environ={}, terminal=FakeTerminal(interactive=True))
    with pytest.raises(CredentialsError) as caught:
        source.read(ref)
    assert caught.value.fix is not None
    screen = type_into("dash", caught.value.fix, os.environ, [TYPED[0]])
    assert TYPED[0] not in screen
    secret = source.read(ref)
    assert secret is not None and secret.reveal() == TYPED[0]
    assert {path.stat().st_mode & 0o777 for path in (directory, directory.parent)} == {0o700}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return an environment with `pass` and a profile."""
    home = tmp_path / "home"
    (home / ".config/tokencli").mkdir(parents=True, exist_ok=True)
    (home / ".config/tokencli/config.toml").write_text(CONFIG)
    (home / ".password-store").mkdir()
    (home / ".password-store/.gpg-id").write_text("me\n")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "pass").write_text(PASS)
    (programs / "pass").chmod(0o755)
    path = os.pathsep.join((str(programs), str(Path(script()).parent), os.environ["PATH"]))
    return {**os.environ, "HOME": str(home), "PATH": path, "TERM": "dumb"}


@pytest.mark.parametrize("shell", ["bash", "dash", "zsh", "fish"])
@pytest.mark.parametrize("source", ["pass", "files", "environment variables", "a prompt"])
def test_each_command_sets_the_profile_up(
    shell: str, source: str, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every shell: the secrets are asked for without echo, stored, and read back by the profile."""
    if shutil.which(shell) is None:
        shell = "sh"
    monkeypatch.setenv("HOME", environ["HOME"])
    environ["SHELL"] = f"/bin/{shell}"
    name, command = next(item for item in commands(environ).items() if source in item[0])
    seen = type_into(shell, command, environ, () if source == "a prompt" else TYPED)
    assert "all done" in seen, seen
    assert not any(typed in seen for typed in TYPED), name
    home = Path(environ["HOME"])
    written = (home / ".config/tokencli/config.toml").read_text()
    assert "password = {" in written and "client_secret = {" in written
    if source == "files":
        files = sorted((home / ".config/tokencli").glob("corp.*"), reverse=True)
        assert tuple(file.read_text() for file in files) == TYPED
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    if source == "pass":
        stored = sorted(home.glob("pass-*"), reverse=True)
        assert tuple(file.read_text().rstrip("\n") for file in stored) == TYPED


def test_only_what_works_is_offered(environ: dict[str, str]) -> None:
    """No `pass` that isn't initialized, and no questions without a terminal."""
    Path(environ["HOME"], ".password-store/.gpg-id").unlink()
    environ["PASSWORD_STORE_DIR"] = str(Path(environ["HOME"], ".password-store"))
    assert not any("pass insert" in command for command in commands(environ).values())
    (command,) = commands(environ, can_type=False).values()
    assert "read" not in shlex.split(command)


def test_the_variable_is_named_for_profile_and_secret() -> None:
    """It is a valid name, whatever the profile's is."""
    assert default_variable(keyring_ref("client_secret", "my-corp.eu")) == (
        "MY_CORP_EU_CLIENT_SECRET"
    )
    assert default_variable(keyring_ref("password", "9x")) == "TOKEN_9X_PASSWORD"
