"""The documented systems under Wine, end to end over HTTPS, with the Credential Manager, and the life of a profile."""

import tomllib
from pathlib import Path

import pytest

from tests.windows.wine import Windows
from tokencli.sandbox.groupid import GroupId
from tokencli.sandbox.screening_eagle import ScreeningEagle
from tokencli.sandbox.server import Sandbox
from tokencli.sandbox.socialid import SocialId

SYSTEMS = {system.name: system.resource_path for system in (GroupId, ScreeningEagle, SocialId)}
"""Profile -> path of an API."""


@pytest.mark.promise(
    "GroupID, Screening Eagle and Social-ID NOW over HTTPS, tokens in the platform's keyring",
    "Wine",
)
@pytest.mark.parametrize("system", SYSTEMS)
def test_systems_work_end_to_end(system: str, windows: Windows, sandbox: Sandbox) -> None:
    """A token is fetched once, stored in the Credential Manager, accepted by the API, and revoked."""
    env = windows.configure(sandbox, "keyring")
    first = windows.tokencli("get", system, env=env)
    assert first.code == 0, first
    requests = sandbox.database.token_requests
    stored = windows.tokencli("get", system, env=env)
    assert (stored.code, stored.out) == (0, first.out), stored
    assert sandbox.database.token_requests == requests
    shown = windows.tokencli("request", system, sandbox.url + SYSTEMS[system], "--fail", env=env)
    assert shown.code == 0, shown
    assert windows.tokencli("logout", system, env=env).code == 0
    again = windows.tokencli("get", system, env=env)
    assert again.code == 0, again
    assert sandbox.database.token_requests > requests
    assert again.out != first.out


@pytest.mark.promise("profiles add, edit and remove; login and logout", "Wine")
def test_a_profile_from_add_to_remove(windows: Windows, sandbox: Sandbox) -> None:
    """A profile is added, changed, signed in with secrets on stdin (with a BOM), used and removed."""
    env = {"TOKENCLI_CONFIG": windows.path(windows.work / "own.toml")}
    address = sandbox.url.removeprefix("https://")
    add = windows.tokencli(
        *("profiles", "add", "own", "--provider", "groupid", "--host", address, "--username"),
        *("jdoe", "--client-id", "wrong", "--identity-store-id", "1", "--no-input"),
        *("--ca-file", windows.path(Path(sandbox.ca_file))),
        env=env,
    )
    assert add.code == 0, add
    edit = ("profiles", "edit", "own", "--client-id", GroupId.profile_values["client_id"])
    done = windows.tokencli(*edit, env=env)
    assert done.code == 0, done
    assert (windows.work / "own.toml").stat().st_mode & 0o007 == 0
    secrets = "\ufeff{password}\r\n{client_secret}\r\n".format(**GroupId.secrets).encode()
    login = windows.tokencli("login", "own", "--stdin", env=env, stdin=secrets)
    assert login.code == 0, login
    token = windows.tokencli("get", "own", env=env)
    assert token.code == 0, token
    assert windows.tokencli("logout", "own", "--secrets", env=env).code == 0
    without = windows.tokencli("get", "own", "--no-input", env=env)
    assert (without.code != 0, without.out) == (True, ""), without
    assert windows.tokencli("profiles", "remove", "own", "--yes", env=env).code == 0
    left = tomllib.loads((windows.work / "own.toml").read_text(encoding="utf-8"))
    assert not left.get("profiles"), left
