"""An isolated configuration, e.g. the sandbox's, and what others stored under the same profile name."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.e2e.test_keyring_trouble import held
from tokencli.sandbox.server import Sandbox
from tokencli.system.private_files import list_names
from tokencli.system.user_dirs import runtime_dir

CANARY = "canary-secret-52c1"
SERVICES = [f"tokencli:groupid:{name}" for name in ("password", "client_secret", "token")]


def store_item(service: str) -> None:
    """Store a keyring item as another configuration would have done."""
    subprocess.run(
        ["secret-tool", "store", "--label", service, "service", service, "username", "x"],
        input=CANARY,
        text=True,
        check=True,
    )


@pytest.fixture
def sandbox(keyring_env: dict[str, str]) -> Iterator[Sandbox]:
    """A sandbox, beside a keyring that holds what the user's own profile `groupid` stored there."""
    for service in SERVICES:
        store_item(service)
    with Sandbox(lifetime=600) as running:
        yield running


def test_nothing_in_a_sandbox_touches_the_users_keyring(sandbox: Sandbox, tokencli: Run) -> None:
    """Not logout or a new login, whatever store and sources its profiles are changed to."""
    env = {"TOKENCLI_CONFIG": sandbox.config_file}
    base = runtime_dir(os.environ)
    before = list_names(base / "tokens") if base else []
    for args in (
        ("get", "groupid"),
        ("logout", "groupid", "--secrets"),
        ("profiles", "edit", "groupid", "--set", "store=keyring"),
        ("get", "groupid"),
        ("logout", "groupid", "--secrets", "--force"),
        ("profiles", "edit", "groupid", "--set", "store=runtime"),
        ("get", "groupid"),
        ("logout", "groupid"),
        ("profiles", "edit", "groupid", "--unset", "password", "--unset", "store"),
        ("profiles", "remove", "groupid", "--yes", "--secrets"),
    ):
        done = tokencli(*args, env=env)
        assert done.code == 0, done.err
        assert [held(service) for service in SERVICES] == [1, 1, 1], args
    assert (list_names(base / "tokens") if base else []) == before
    assert not list((Path(sandbox.directory) / "state" / "tokens").iterdir())


def test_secret_without_a_source_is_prompted_for(sandbox: Sandbox, tokencli: Run) -> None:
    """It is not read from the keyring, where an item of another configuration has its name."""
    env = {"TOKENCLI_CONFIG": sandbox.config_file}
    assert tokencli("profiles", "edit", "groupid", "--unset", "password", env=env).code == 0
    done = tokencli("get", "groupid", env=env)
    assert done.code == 4
    assert "no terminal" in done.err and CANARY not in done.err
    assert sandbox.database.token_requests == 0
