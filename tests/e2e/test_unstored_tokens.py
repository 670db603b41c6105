"""Where no store keeps a token, every message says so, and every fix leads on."""

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Result, Run
from tokencli.sandbox.oauth2 import OAuth2
from tokencli.sandbox.server import Sandbox

SECRET = {"BATCH_SECRET": OAuth2.secrets["client_secret"]}


@pytest.fixture
def sandbox(
    write_config: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sandbox]:
    """A sandbox, profiles for it, and neither a keyring nor a runtime directory."""
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with Sandbox(lifetime=600) as running:
        common = (
            f'provider = "oauth2"\nissuer = "{running.url}/oauth2"\nca_file = "{running.ca_file}"\n'
        )
        user = f'{common}grant = "authorization_code"\nclient_id = "public"\nclient_auth = "none"\n'
        batch = f'{common}client_id = "batch"\nclient_secret = {{ env = "BATCH_SECRET" }}\n'
        write_config(
            f'[profiles.user]\n{user}\n[profiles.user-none]\n{user}store = "none"\n\n'
            f'[profiles.user-file]\n{user}store = "file"\n\n'
            f'[profiles.batch]\n{batch}\n[profiles.batch-none]\n{batch}store = "none"\n\n'
            f'[profiles.batch-file]\n{batch}store = "file"\n\n'
            f'[profiles.stored]\n{common}client_id = "batch"\n'
        )
        yield running


def find_fix(done: Result) -> str:
    """Return the command after `fix:`."""
    return done.err.partition("fix: ")[2].partition("\n")[0]


@pytest.mark.parametrize(
    "name", ["user", "user-none", "user-file", "batch", "batch-none", "batch-file"]
)
@pytest.mark.parametrize("command", ["inspect", "get"])
@pytest.mark.usefixtures("sandbox")
def test_fixes_do_not_go_round_in_circles(tokencli: Run, name: str, command: str) -> None:
    """Following the fixes ends at success, or at a sign-in whose token will be stored."""
    first = line = f"tokencli {command} {name}"
    followed: list[str] = []
    while not line.startswith("tokencli login user"):
        done = run_line(tokencli, line)
        if done.code == 0 and line.startswith("tokencli profiles edit"):
            first, line = "", first  # it is the same command, and not the same situation
            continue
        if done.code == 0:
            return
        followed.append(line)
        line = find_fix(done)
        assert line, done.err
        assert line not in followed
        if line.startswith("tokencli login user") and command == "login":
            break
    assert "store = " not in tokencli("get", name).err.replace('store = "file"', "")


def run_line(tokencli: Run, line: str) -> Result:
    """Run a command of tokencli, or a pipe of two."""
    first, *second = line.split(" | ")
    done = tokencli(*shlex.split(first)[1:], env=SECRET)
    return tokencli(*shlex.split(second[0])[1:], stdin=done.out) if second else done


@pytest.mark.usefixtures("sandbox")
def test_sign_in_that_could_not_be_stored_is_not_started(tokencli: Run) -> None:
    """`login` says so beforehand, and `get` says why there is no token."""
    login = tokencli("login", "user", "--wait", "20s")
    assert login.code == 8, login.err
    assert "the sign-in of profile 'user' couldn't be stored, so it wasn't started" in login.err
    assert "cause: no OS keyring is available" in login.err
    assert "there is no memory-backed runtime directory" in login.err
    assert find_fix(login) == "tokencli profiles edit user --set store=file"
    get = tokencli("get", "user")
    assert get.code == 4
    assert "cause: a sign-in is not stored, because no OS keyring is available" in get.err
    assert find_fix(get) == find_fix(login)


@pytest.mark.usefixtures("sandbox")
def test_login_does_not_claim_that_a_token_is_stored(tokencli: Run) -> None:
    """A login that tests secrets succeeds; its token is gone afterwards."""
    for name, stored in (("batch", False), ("batch-none", False), ("batch-file", True)):
        done = tokencli("login", name, env=SECRET)
        assert done.code == 0, done.err
        assert ("which is not stored" not in done.err) is stored


@pytest.mark.usefixtures("sandbox")
def test_only_stores_that_work_here_are_suggested(tokencli: Run) -> None:
    """Neither the runtime directory nor the keyring does."""
    for command in ("get", "login", "inspect"):
        for name in ("stored", "batch", "user"):
            done = tokencli(command, name)
            assert "runtime" not in done.err.replace("memory-backed runtime directory", ""), (
                done.err
            )
    needs_secret = tokencli("get", "stored")
    assert needs_secret.code == 4
    assert "fix with the environment: set STORED_CLIENT_SECRET for each run:" in needs_secret.err
