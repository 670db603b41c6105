"""Commands that print a secret, in real processes: what they may take, and what waits for them."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.conftest import Run, script
from tokencli.sandbox.server import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Provide a running sandbox."""
    with Sandbox() as running:
        yield running


def write_command(sandbox: Sandbox, text: str) -> Path:
    """Let a shell script print the password of the profile groupid, and return the configuration."""
    program = Path(sandbox.directory) / "print-password"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o700)
    password = {"command": [str(program)]}
    config = Path(sandbox.directory) / "command.toml"
    # Isolated, so that no other test's record of what the keyring holds for this profile counts.
    config.write_text(
        "isolated = true\n" + sandbox.render_config({"groupid": {"password": password}})  # type: ignore[dict-item]  # a table, not text
    )
    config.chmod(0o600)
    return config


@pytest.mark.requirement(32)
def test_nobody_waits_for_the_command_of_another_process(
    sandbox: Sandbox, tmp_path: Path, tokencli: Run
) -> None:
    """While a command runs, the credential's lock is free: a logout doesn't wait, nor does another get."""
    started, may_end = tmp_path / "started", tmp_path / "may-end"
    secret = Path(sandbox.directory) / "groupid.password"
    config = write_command(
        sandbox,
        f"mkdir {started} 2>/dev/null && while ! test -e {may_end}; do sleep 0.05; done; cat {secret}",
    )
    env = {"TOKENCLI_CONFIG": str(config)}
    with subprocess.Popen([script(), "get", "groupid", "--config", str(config)],
                          stdout=subprocess.PIPE, text=True) as slow:  # fmt: skip
        limit = monotonic() + 60
        while not started.exists():
            assert monotonic() < limit
            sleep(0.02)
        logout = tokencli("logout", "groupid", env=env)
        assert logout.code == 0, logout.err
        other = tokencli("get", "groupid", "--lock-timeout", "0.1s", env=env)
        assert other.code == 0, other.err
        may_end.touch()
        out, _ = slow.communicate(timeout=60)
    assert (slow.returncode, out) == (0, other.out)
    assert sandbox.database.token_requests == 1
