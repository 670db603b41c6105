"""A keyring that is locked, gone, or holds secrets that no profile names any more."""

import os
import pty
import select
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Run, script
from tests.e2e.test_three_systems import add, right_secrets
from tests.keyring_session import lock
from tests.unit.token_store.samples import memory_folder
from tokencli.sandbox.server import Sandbox
from tokencli.sandbox.system import load_system

NAME = f"groupid-{os.getpid()}"
"""A name of this process's own: what a user's logins wait for is the same for all tests of that user."""


@pytest.fixture
def logged_in(tokencli: Run, keyring_env: dict[str, str]) -> Iterator[Sandbox]:
    """A sandbox, a profile and its login, with secrets and token in the keyring."""
    with Sandbox(lifetime=600) as sandbox:
        add(tokencli, sandbox, "groupid", NAME)
        login = tokencli("login", NAME, "--stdin", stdin=right_secrets("groupid"))
        assert login.code == 0, login.err
        yield sandbox
    tokencli("logout", NAME, "--secrets", "--force")


def held(service: str) -> int:
    """Return the number of keyring items of a service."""
    command = ["secret-tool", "search", "--all", "service", service]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.count("secret = ")


@pytest.mark.usefixtures("logged_in")
def test_logout_deletes_secrets_of_an_old_server(
    tokencli: Run,
) -> None:
    """They are stored under the profile's name, and nothing else would delete them."""
    moved = tokencli("profiles", "edit", NAME, "--set", "host=id.example.com")
    assert moved.code == 0, moved.err
    shown = tokencli("profiles", "show", NAME).out
    for name in ("password", "client_secret"):
        assert held(f"tokencli:{NAME}:{name}") == 1
        assert f"unknown: the {name} of profile {NAME!r} was stored for" in shown
    done = tokencli("logout", NAME, "--secrets", "--force")
    assert done.code == 0, done.err
    assert "password" in done.err and "client_secret" in done.err
    for name in ("password", "client_secret", "token"):
        assert held(f"tokencli:{NAME}:{name}") == 0


@pytest.mark.usefixtures("logged_in")
def test_forced_logout_without_a_keyring(tokencli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --force the fix suggests it; with it, one line says what stays."""
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    refused = tokencli("logout", NAME)
    assert refused.code == 4
    assert f"tokencli logout {NAME} --force" in refused.err
    done = tokencli("logout", NAME, "--force")
    assert done.code == 0, done.err
    assert f"secret-tool clear service tokencli:{NAME}:token" in done.err
    assert tokencli("logout", NAME).code == 0


@pytest.mark.usefixtures("logged_in")
def test_profile_is_removed_without_a_keyring(
    tokencli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profile is removed, and a line says what stays."""
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    done = tokencli("profiles", "remove", NAME, "--yes")
    assert done.code == 0, done.err
    assert f"secret-tool clear service tokencli:{NAME}:token" in done.err
    assert NAME not in tokencli("profiles").out


@pytest.mark.usefixtures("logged_in")
def test_locked_keyring_may_hold_a_token(tokencli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It doesn't claim that there is none; the fix is to unlock the keyring."""
    lock(os.environ)
    with memory_folder() as memory:
        for runtime in (str(memory), "/nowhere"):
            monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
            listed = tokencli("profiles")
            assert "not read" in listed.out, listed
            assert "token: not read" in tokencli("profiles", "show", NAME).out
            glance = tokencli("status", NAME)
            assert glance.code == 4, glance
            assert "unknown: the OS keyring is locked" in glance.out
            seen = tokencli("inspect", NAME)
            assert seen.code == 4
            assert "keyring is locked" in seen.err and "cause: unlock it" in seen.err


def test_profiles_test_uses_the_secrets(logged_in: Sandbox, tokencli: Run) -> None:
    """A stored refresh token doesn't hide a wrong password."""
    done = tokencli("profiles", "test", NAME)
    assert done.code == 0, done.err
    assert "new token (password grant)" in done.out
    assert "verified: password, client_secret" in done.out
    assert logged_in.database.request_log[-1].grant_type == "Password"
    secret = load_system("groupid").secrets["client_secret"]
    changed = tokencli("profiles", "edit", NAME, "--secret", "password=env:CANARY_PASSWORD")
    assert changed.code == 0, changed.err
    wrong = tokencli("profiles", "test", NAME, env={"CANARY_PASSWORD": "canary-wrong"})
    assert (wrong.code, wrong.out) == (5, "")
    assert secret not in wrong.err and "canary" not in wrong.err
    assert tokencli("inspect", NAME).code == 0


def test_login_without_a_keyring_shows_what_works(
    tokencli: Run, write_config: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a terminal, each source has one command; elsewhere only the environment has."""
    write_config(
        '[profiles.corp]\nprovider = "oauth2"\ntoken_url = "https://id.example.com/token"\n'
        'client_id = "c"\n'
    )
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    done = tokencli("login", "corp")
    assert (done.code, done.out) == (4, "")
    assert "tokencli: fix with the environment: set CORP_CLIENT_SECRET for each run:" in done.err
    command = "tokencli profiles edit corp --secret client_secret=env:CORP_CLIENT_SECRET"
    assert f"{command} && tokencli login corp" in done.err
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        process = subprocess.run(
            [script(), "login", "corp"], stdin=terminal, stderr=terminal, timeout=60, check=False
        )
    shown = b""
    while select.select([ours], [], [], 1)[0]:
        try:
            shown += os.read(ours, 65536)
        except OSError:
            break
    os.close(ours)
    assert process.returncode == 4
    for source in ("files that only you can read", "environment variables", "a prompt each time"):
        assert f"fix with {source}".encode() in shown, shown
    assert b"Client secret" not in shown  # it can't be stored, so it isn't asked for
