"""Where tokens and settings are kept, under Wine: stores, big tokens, odd and missing folders."""

import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.windows.wine import Windows
from tokencli.sandbox.server import Sandbox

FOLDERS = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Explorer\User Shell Folders"
"""The registry's table of the user's folders, which SHGetKnownFolderPath reads."""
MANY = 20


def move_local_app_data(windows: Windows, folder: str) -> None:
    """Let the user's LOCALAPPDATA be another folder."""
    arguments = ("/v", "Local AppData", "/t", "REG_EXPAND_SZ", "/d", folder, "/f")
    done = windows.run("reg", "add", FOLDERS, *arguments)
    assert done.code == 0, done


@pytest.fixture
def local_app_data(windows: Windows) -> Iterator[Windows]:
    """Return a Windows whose LOCALAPPDATA the test may move."""
    yield windows
    move_local_app_data(windows, r"%USERPROFILE%\AppData\Local")


@pytest.mark.promise(
    "tokens stay in the store (`auto`, `file`), and in no file in clear text", "Wine"
)
@pytest.mark.parametrize("store", ["auto", "file"])
def test_stores_keep_a_token(store: str, windows: Windows, sandbox: Sandbox) -> None:
    """Two commands cost one request, and no file has the token in clear text."""
    env = windows.configure(sandbox, store)
    first = windows.tokencli("get", "socialid", env=env)
    assert first.code == 0, first
    token = first.out.strip()
    second = windows.tokencli("get", "socialid", env=env)
    assert (second.code, second.out) == (0, first.out), second
    assert sandbox.database.token_requests == 1
    for path in windows.home.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert token.encode() not in data, path
            assert token.encode("utf-16-le") not in data, path


@pytest.mark.promise("tokens longer than an item of the platform's keyring can be", "Wine")
def test_big_tokens_fit_into_the_credential_manager(windows: Windows) -> None:
    """A token over 2560 bytes that doesn't compress is stored, read and removed whole."""
    ballast = random.Random(7).randbytes(6000).hex()
    client = {
        "secret": "canary-big-client",
        "grants": ["client_credentials"],
        "claims": {"ballast": ballast},
    }
    with Sandbox(users={"clients": {"big": client}}) as sandbox:
        env = windows.configure(sandbox, "keyring")
        first = windows.tokencli("get", "big", env=env)
        assert first.code == 0, first
        assert len(first.out) > 12_000
        assert windows.tokencli("get", "big", env=env).out == first.out
        assert sandbox.database.token_requests == 1
        assert windows.tokencli("logout", "big", env=env).code == 0
        again = windows.tokencli("get", "big", env=env)
        assert again.code == 0, again
        assert again.out != first.out


@pytest.mark.promise("many processes at expiry: one token request", "Wine")
def test_concurrent_gets_at_expiry_cost_one_request(windows: Windows, sandbox: Sandbox) -> None:
    """20 processes with an expired token and a rotating refresh token: all get the same new token."""
    env = windows.environment(windows.configure(sandbox, "keyring"))
    sandbox.set_faults(lifetime=0)
    assert windows.tokencli("get", "groupid", env=env).code == 0
    spent = sandbox.current_refresh_token("groupid")
    assert spent is not None
    sandbox.set_faults(lifetime=600)
    before = sandbox.database.token_requests
    command = windows.command("tokencli", "get", "groupid", "--lock-timeout", "200")
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    running = [
        subprocess.Popen(command, env=env, cwd=windows.work, **pipes)  # type: ignore[call-overload]  # of **pipes
        for _ in range(MANY)
    ]
    ended = [(process.communicate(timeout=250), process.returncode) for process in running]
    assert [(code, err) for (_, err), code in ended if code] == []
    assert len({out for (out, _), _ in ended}) == 1
    assert sandbox.database.token_requests - before == 1
    assert sandbox.is_family_active(spent)


@pytest.mark.promise("a process that is killed during a request: the next one gets a token", "Wine")
def test_get_recovers_from_a_kill(windows: Windows, sandbox: Sandbox) -> None:
    """A lock whose holder was killed in a request doesn't hold up the next command."""
    env = windows.environment(windows.configure(sandbox, "keyring"))
    sandbox.set_faults(slow="30s")
    killed = subprocess.Popen(
        windows.command("tokencli", "get", "groupid"),
        env=env,
        cwd=windows.work,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not sandbox.database.token_requests:
        assert time.monotonic() < deadline
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.1)
    windows.kill("tokencli.exe")
    killed.communicate(timeout=30)
    sandbox.set_faults()
    after = windows.tokencli("get", "groupid", "--lock-timeout", "20", env=env)
    assert after.code == 0, after


@pytest.mark.promise("user names with spaces and letters outside ASCII", "Wine")
def test_local_app_data_with_spaces_and_letters(local_app_data: Windows, sandbox: Sandbox) -> None:
    """Configuration and tokens are found below `Zoë Müller Łódź`."""
    windows = local_app_data
    folder = windows.drive / "users" / "Zoë Müller Łódź" / "AppData" / "Local"
    (folder / "tokencli").mkdir(parents=True, exist_ok=True)
    env = windows.configure(sandbox, "file")
    Path(windows.work / "config.toml").rename(folder / "tokencli" / "config.toml")
    move_local_app_data(windows, windows.path(folder))
    del env["TOKENCLI_CONFIG"]
    first = windows.tokencli("get", "groupid", env=env)
    assert first.code == 0, first
    assert windows.tokencli("get", "groupid", env=env).out == first.out
    assert sandbox.database.token_requests == 1
    assert len([path for path in folder.rglob("*") if path.is_file()]) > 1


@pytest.mark.promise(
    "a missing or read-only LOCALAPPDATA: an error that names it, and no waiting", "Wine"
)
@pytest.mark.parametrize("folder", [r"Q:\nowhere", r"Z:\proc"], ids=["missing", "read-only"])
def test_local_app_data_missing_or_read_only(
    folder: str, local_app_data: Windows, sandbox: Sandbox
) -> None:
    """The command ends with the folder's name and advice for Windows, and no traceback."""
    env = local_app_data.configure(sandbox, "file")
    move_local_app_data(local_app_data, folder)
    done = local_app_data.tokencli("get", "groupid", env=env)
    assert (done.code, done.out) == (8, ""), done
    assert f"can't use {folder}" in done.err, done
    assert "Traceback" not in done.err, done
    assert "chmod" not in done.err, done
