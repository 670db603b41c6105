"""The documented systems end to end, with real processes, a real keyring and real HTTPS."""

import json
import os
import shlex
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.fakes import FakeTerminal
from tokencli.sandbox.server import Sandbox
from tokencli.sandbox.system import load_system
from tokencli.secret_sources.keyring_client import OsKeyring

SYSTEMS = ("groupid", "screening-eagle", "socialid", "oauth2")
SECRETS = {
    "groupid": ("password", "client_secret"),
    "screening-eagle": ("client_secret",),
    "socialid": ("password", "client_secret"),
    "oauth2": ("client_secret",),
}
CANARIES = {"password": "wrong-canary-password-7f3a", "client_secret": "wrong-canary-secret-91be"}


def add(tokencli: Run, sandbox: Sandbox, system: str, name: str = "") -> None:
    """Add the profile as a script would: by options, without prompts."""
    address = sandbox.url.removeprefix("https://")
    options = ["--ca-file", sandbox.ca_file]
    for key, value in load_system(system).profile_values.items():
        filled = value.format(url=sandbox.url, address=address)
        options += ["--set", f"{key}={filled}"]
    done = tokencli("profiles", "add", name or system, "--provider", system, "--no-input", *options)
    assert done.code == 0, done.err


def right_secrets(system: str) -> str:
    """Return the system's secrets, one per line, in the order in which `login` asks."""
    return "".join(f"{load_system(system).secrets[name]}\n" for name in SECRETS[system])


@pytest.mark.promise("profiles add, edit and remove; login and logout", "Linux")
@pytest.mark.promise(
    "GroupID, Screening Eagle and Social-ID NOW over HTTPS, tokens in the platform's keyring",
    "Linux",
)
@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.usefixtures("keyring_env")
def test_life_of_a_profile(tokencli: Run, tmp_path: Path, system: str) -> None:
    """add, login, get, get again, refresh, inspect, export, profiles, logout."""
    with Sandbox(lifetime=600) as sandbox:
        add(tokencli, sandbox, system)
        login = tokencli("login", system, "--stdin", stdin=right_secrets(system))
        assert (login.code, login.out) == (0, ""), login.err
        assert sandbox.database.token_requests == 1

        first = tokencli("get", system)
        assert first.code == 0, first.err
        assert tokencli("get").out == first.out  # the only profile is the default one
        assert sandbox.database.token_requests == 1  # the login's token is still fresh

        renewed = tokencli("refresh", system)
        assert renewed.code == 0
        assert renewed.out != first.out
        assert tokencli("get", system).out == renewed.out
        how = "refresh_token" if sandbox.current_refresh_token(system) else "client_credentials"
        assert sandbox.database.request_log[-1].grant_type == how
        assert how.replace("_", " ") in renewed.err.replace("_", " ")

        seen = json.loads(tokencli("inspect", system, "--json").out)
        assert seen["kind"] in ("jwt", "opaque")
        listed = json.loads(tokencli("profiles", "--json").out)
        assert [row["name"] for row in listed["profiles"]] == [system]
        exported = tokencli("export", system).out
        assert shlex.split(exported) == ["export", f"ACCESS_TOKEN={renewed.out.strip()};"]

        ended = tokencli("logout", system)
        assert ended.code == 0 and "--secrets deletes them" in ended.err
        assert tokencli("inspect", system).code == 4
        again = tokencli("get", system)  # the secrets are still there
        assert (again.code, again.out != renewed.out) == (0, True)
        assert tokencli("logout", system, "--secrets").code == 0
        gone = tokencli("get", system)
        assert (gone.code, gone.out) == (4, "")
        assert f"tokencli login {system}" in gone.err
    leftovers = [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "config.toml"]
    assert leftovers == []


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.usefixtures("keyring_env")
def test_wrong_secrets(tokencli: Run, system: str) -> None:
    """Exit code 5, the likely cause and a fix; the wrong secret is never shown."""
    with Sandbox() as sandbox:
        add(tokencli, sandbox, system)
        wrong = "".join(f"{CANARIES[name]}\n" for name in SECRETS[system])
        login = tokencli("login", system, "--stdin", "-vvv", stdin=wrong)
        assert (login.code, login.out) == (5, "")
        assert tokencli("get", system).code == 4  # what is refused is not kept
        ring = OsKeyring(os.environ, FakeTerminal())
        for name in SECRETS[system]:
            ring.set_item(f"tokencli:{system}:{name}", name, CANARIES[name])
        done = tokencli("get", system)
        assert (done.code, done.out) == (5, "")
        said = done.err.splitlines()
        assert len(said) == 3, done.err
        assert "refused" in said[0]
        assert said[1].startswith("tokencli: cause: ")
        assert said[2].startswith("tokencli: fix: ")
        for canary in CANARIES.values():
            assert canary not in login.err + done.err


@pytest.mark.parametrize("system", SYSTEMS)
def test_expired_token_is_renewed(
    tokencli: Run, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    """With a lifetime of zero every get renews, by refresh token if there is one."""
    with Sandbox(lifetime=0) as sandbox:
        monkeypatch.setenv("TOKENCLI_CONFIG", sandbox.config_file)
        tokens = [tokencli("get", system).out for _ in range(3)]
        assert len(set(tokens)) == 3
        grants = [
            entry.grant_type for entry in sandbox.database.request_log if entry.kind == "token"
        ]
        rest = "refresh_token" if sandbox.current_refresh_token(system) else grants[0]
        assert grants[1:] == [rest, rest]


@pytest.mark.usefixtures("keyring_env")
def test_login_tries_the_typed_password(
    tokencli: Run,
) -> None:
    """It fails with a wrong one, although a valid refresh token is stored."""
    with Sandbox() as sandbox:
        add(tokencli, sandbox, "groupid")
        assert tokencli("login", "groupid", "--stdin", stdin=right_secrets("groupid")).code == 0
        wrong = f"{CANARIES['password']}\n{load_system('groupid').secrets['client_secret']}\n"
        done = tokencli("login", "groupid", "--stdin", stdin=wrong)
        assert (done.code, done.out) == (5, "")
        assert "the password was refused, so it is not stored" in done.err
        assert tokencli("profiles", "test", "groupid").code == 0  # by what is stored


def test_cron_environment(tokencli: Run) -> None:
    """Without HOME, terminal and D-Bus, a profile with file secrets works."""
    import subprocess

    from tests.conftest import script

    with Sandbox() as sandbox:
        done = subprocess.run(
            [script(), "get", "groupid", "--config", sandbox.config_file],
            env={"PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            start_new_session=True,
        )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1


def test_default_store_without_a_keyring(
    tokencli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token is printed and never written to disk in plain text."""
    with Sandbox() as sandbox:
        config = tmp_path / "config.toml"
        config.write_text(sandbox.render_config({"groupid": {"store": "auto"}}))
        config.chmod(0o600)
        monkeypatch.setenv("TOKENCLI_CONFIG", str(config))
        before = set(tmp_path.rglob("*"))
        done = tokencli("get", "groupid")
        assert done.code == 0, done.err
        kept = [p for p in set(tmp_path.rglob("*")) - before if p.is_file()]
        token = done.out.strip()
        run = Path(os.environ["XDG_RUNTIME_DIR"])
        assert all(token not in p.read_text() for p in kept if run not in p.parents)
